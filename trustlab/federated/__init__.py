"""Federated learning: who holds which examples, who takes part, what is averaged, and what it costs which clients.

Read in this order, as notebooks 21 to 24 do:

1. ``partition``: which client holds which example, and how skewed that is.
2. ``selection``: which clients the server asks in a round. ``aggregation``: what it makes of their updates.
   ``expectation``: which clients the result represents.
3. ``simulation``: the rounds themselves, all clients of a round trained at once, and DP-FedAvg. ``tasks``: what they
   train on.
4. ``continual``: data that come and go over time, and ``feedback``: labels that a person's device makes itself.

Nothing is imported here: divide a corpus without waiting for torch.
"""
