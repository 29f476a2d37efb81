"""The code of notebook 23: training over time, forgetting and catching up."""
