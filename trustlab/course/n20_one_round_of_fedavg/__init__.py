"""The code of notebook 20: twelve visible clients and one round of federated averaging."""
