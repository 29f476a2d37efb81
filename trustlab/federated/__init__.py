"""Federated learning: how data are divided, which clients take part, what is averaged, and who gains or loses.

Read in this order, as notebooks 21 to 24 do:

1. ``partition``: which client holds which example, and how skewed that is.
2. ``selection``: which clients the server selects in a round. ``aggregation``: what it makes of their updates.
   ``expectation``: which clients the result represents.
3. ``simulation``: the rounds themselves, all clients of a round trained at once, and DP-FedAvg. ``tasks``: what they
   train on.
4. ``continual``: data that come and go over time, and ``feedback``: labels that a person's device makes itself.
5. ``deployment``: the same rounds between real processes and machines, on Flower.

Nothing is imported here: divide a corpus without waiting for torch.
"""
