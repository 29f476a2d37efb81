"""The code of notebook 25: engines beyond one machine, what a deployment needs, and sums that hide their parts."""
