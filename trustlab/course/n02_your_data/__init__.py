"""The code of notebook 02: a reader's own rows, and what can be asked of them."""
