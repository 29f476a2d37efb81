"""The code of notebook 24: four tasks, three ways to average, four ways to divide the data."""
