"""The code of notebook 10: a guessing game about what ε promises."""
