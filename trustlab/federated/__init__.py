"""Federated learning: who holds which examples, who takes part, what is averaged, and what all of it costs whom.

Read in this order, as notebooks 21 to 24 do:

1. ``partition``: which client holds which example, and how skewed that is.
2. ``selection``: whom the server asks in a round. ``aggregation``: what it makes of their updates. ``expectation``:
   whom the two together speak for.
3. ``simulation``: the rounds themselves, all devices of a round trained at once, and DP-FedAvg.
4. The chapter's experiments, each a grid of trainings with its claims in a file beside it; ``skew`` is the first.

Nothing is imported here: divide a corpus without waiting for torch.
"""
