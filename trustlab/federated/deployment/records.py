"""How the records of a message and their entries are called; apart, so that a node that only reports needs no torch."""

ARRAYS, CONFIG, METRICS = "arrays", "config", "metrics"  # the records
ROUND, CLIENT, EXAMPLES, STEPPED, LOSS = "round", "client", "examples", "stepped", "loss"  # their entries
NUMBERLESS = -1  # the client number of a node that has none of its own
