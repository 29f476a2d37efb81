"""The code of notebook 21: label skew, and what a library means by α."""
