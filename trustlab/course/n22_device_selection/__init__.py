"""The code of notebook 22: who is selected, and which clients the average represents."""
