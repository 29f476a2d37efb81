"""Which fairness metric can be trusted? Many small models of known bias, every metric on each, and what agrees."""
