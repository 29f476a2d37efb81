"""What stands behind notebook 23: training over time, forgetting and catching up."""
