"""A least number of examples per client, in one pass that always ends.

Drawing again until all clients are large enough, as FedNLP and Flower do, may never end, and where it ends it has
silently changed the distribution of what was drawn. Here the draw stands, the small clients are filled up from the
largest, and the number of examples that moved is reported.
"""

from __future__ import annotations

import numpy as np

from trustlab.federated.partition.assignment import stable_order


def fill_up(owners: np.ndarray, clients: int, min_size: int, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Raise every client to `min_size` examples, taking from the largest until these are level.

    Which examples move, and to which client, is drawn. No client gives below `min_size`, none gets above it.

    Parameters
    ----------
    owners : int [n]
        The client of each example.
    clients, min_size
        With ``clients * min_size <= n``.

    Returns
    -------
    owners : int [n]
        The client of each example, now.
    moved : int
        How many examples changed their client.

    Examples
    --------
    >>> fill_up(np.array([0, 0, 0, 0, 1]), 3, 1, np.random.default_rng(0))[1]
    1
    """
    sizes = np.bincount(owners, minlength=clients)
    lacking = np.maximum(min_size - sizes, 0)
    moved = int(lacking.sum())
    if not moved:
        return owners, 0
    given = _from_the_largest(sizes, moved, rng)
    order, ends = stable_order(owners, clients), sizes.cumsum()
    takes = [rng.choice(order[ends[k] - sizes[k] : ends[k]], given[k], replace=False) for k in np.flatnonzero(given)]
    taken = rng.permutation(np.concatenate(takes))
    owners = owners.copy()
    owners[taken] = np.repeat(np.arange(clients), lacking)
    return owners, moved


def _from_the_largest(sizes: np.ndarray, needed: int, rng: np.random.Generator) -> np.ndarray:
    """Return how many examples each client gives [K], `needed` in all: the largest are lowered to one level."""
    low, high = 0, int(sizes.max())  # the highest level that frees enough lies in [low, high)
    while high - low > 1:
        level = (low + high) // 2
        low, high = (level, high) if np.maximum(sizes - level, 0).sum() >= needed else (low, level)
    given = np.maximum(sizes - low, 0)
    # Lowering to that level frees some too many, fewer than there are givers: so many keep one more.
    keep = rng.choice(np.flatnonzero(given), int(given.sum()) - needed, replace=False)
    given[keep] -= 1
    return given
