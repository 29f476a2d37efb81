"""The code of notebook 30: one decision about visible people, and the gap between two groups counted by hand."""
