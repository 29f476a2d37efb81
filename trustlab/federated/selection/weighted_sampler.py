"""Draw from ten million weighted clients: pick a point on the line of their weights, and get the client that owns it.

Lay the clients' weights w_i end to end on a line of length W = Σ w_i. Whoever owns the point u·W, u uniform in [0, 1),
was drawn with probability w_i / W. Every design in :mod:`trustlab.federated.selection.designs` is a choice of points.

The weights are kept in blocks of 64 with each block's sum. A point is found in two steps, its block among N/64 sums and
its client among 64, and a changed weight changes one block's sum: nothing but the set-up looks at all N clients.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from trustlab.columns import as_indices
from trustlab.deprecation import old_arguments, old_attribute, old_names

BLOCK = 64  # at ten million clients both steps then fit the processor's cache
TINY = 1e-290  # a smaller weight is 0: one over it would not be a number
CHUNK = 4096  # points found at a time: 2 MB of weights


class WeightedSampler:
    """Clients with weights >= 0 that may change; a client of weight 0 is never found.

    Parameters
    ----------
    weights : array [N]
        Finite and >= 0, of a positive and finite sum. They are copied; less than 1e-290 counts as 0.

    Raises
    ------
    ValueError
        For other weights.

    Examples
    --------
    >>> sampler = WeightedSampler([2.0, 0.0, 1.0])
    >>> sampler.locate([0.0, 1.9, 2.0, 2.9]).tolist()
    [0, 0, 2, 2]
    >>> sampler.update([1], [5.0])
    >>> sampler.total, sampler.locate([2.0]).tolist()
    (8.0, [1])
    """

    def __init__(self, weights: np.ndarray) -> None:
        given = np.asarray(weights)
        if given.ndim != 1 or not len(given):
            raise ValueError(
                f"Expected weights of shape [N] with N >= 1, got {list(given.shape)}. One for each client."
            )
        self.clients = len(given)
        self._weights = np.zeros((-(-self.clients // BLOCK), BLOCK))  # [blocks, 64], the last block padded with zeros
        self._flat = self._weights.reshape(-1)
        self._totals, self._largest, self._positive = (np.zeros(len(self._weights)) for _ in range(3))
        self._flat[: self.clients] = given
        self._flat[(self._flat < TINY) & (self._flat > 0)] = 0.0
        self._summarise(slice(None))
        self._ends = self._totals.cumsum()  # [blocks], where each block ends on the line
        # NaN and infinity spread into the total; a negative weight would hide in it.
        if given.min() < 0 or not 0 < self.total < np.inf:
            raise ValueError(
                "Expected finite weights >= 0 with a positive, finite sum, got "
                f"min={given.min():g}, max={given.max():g}, sum={self.total:g}. No client could be drawn by them."
            )

    def _summarise(self, blocks: np.ndarray | slice) -> None:
        """Bring the sums, maxima and counts of `blocks` up to date; sums are made again: no error piles up."""
        changed = self._weights[blocks]
        self._totals[blocks] = changed.sum(1)
        self._largest[blocks] = changed.max(1)
        self._positive[blocks] = np.count_nonzero(changed, axis=1)

    devices = old_attribute("clients")

    @property
    def weights(self) -> np.ndarray:
        """The weights [N], read-only."""
        view = self._flat[: self.clients]
        view.flags.writeable = False
        return view

    @property
    def total(self) -> float:
        """W, the length of the line."""
        return float(self._ends[-1])

    @property
    def positive(self) -> int:
        """How many clients can be found at all."""
        return int(self._positive.sum())

    @old_arguments(devices="clients")
    def update(self, clients: np.ndarray, weights: np.ndarray) -> None:
        """Give `clients` [C] new `weights` [C]: 64·C numbers are read, and the N/64 blocks' ends are computed again."""
        clients, weights = as_indices(clients, None, "client", repeats=True), np.asarray(weights, float)
        if len(clients) != len(weights):
            raise ValueError(f"Expected a weight for each of {len(clients)} clients, got {len(weights)}.")
        if not len(clients):
            return
        if not (np.isfinite(weights) & (weights >= 0)).all():
            raise ValueError(f"Expected finite weights >= 0, got {weights.min():g} to {weights.max():g}.")
        if clients.max() >= self.clients:
            raise ValueError(
                f"Expected clients in [0, {self.clients}), got {clients.min()} to {clients.max()}. "
                "A sampler's clients are fixed: make a new one for another fleet."
            )
        self._flat[clients] = np.where(weights < TINY, 0.0, weights)
        self._summarise(np.unique(clients // BLOCK))
        self._ends = self._totals.cumsum()

    def locate(self, points: np.ndarray) -> np.ndarray:
        """Return who owns each of `points` [M], numbers in [0, total): int64 [M]."""
        points = np.asarray(points, float)
        found = [self._locate(points[start : start + CHUNK]) for start in range(0, len(points), CHUNK)]
        return np.concatenate(found) if found else np.empty(0, np.int64)

    def _locate(self, points: np.ndarray) -> np.ndarray:
        points = np.minimum(points, np.nextafter(self.total, 0))
        block = np.searchsorted(self._ends, points, side="right")  # the first to end beyond the point: never empty
        inside = self._weights[block].cumsum(1)  # [M, 64]
        rest = points - (self._ends[block] - self._totals[block])
        # Rounding may leave the rest a little outside its block, where a client of weight 0 could stand: bring it back.
        rest = np.clip(rest, 0, np.nextafter(inside[:, -1], 0))
        return block * BLOCK + (inside <= rest[:, None]).sum(1)

    def above(self, threshold: float) -> np.ndarray:
        """Return the clients whose weight exceeds `threshold`, in order; only blocks that hold one are searched."""
        blocks = np.flatnonzero(self._largest > threshold)
        row, column = np.nonzero(self._weights[blocks] > threshold)
        return blocks[row] * BLOCK + column

    def largest(self, k: int) -> np.ndarray:
        """Return the `k` clients of largest positive weight, heaviest first; of equals, the lower number first."""
        # The k-th largest block maximum is a lower bound for the k-th largest weight.
        floor = np.partition(self._largest, -k)[-k] if k <= len(self._largest) else 0.0
        candidates = self.above(np.nextafter(floor, -1) if floor > 0 else 0.0)
        return candidates[np.argsort(-self._flat[candidates], kind="stable")[:k]]

    def total_without(self, clients: np.ndarray) -> float:
        """Return the sum of the weights of all but `clients`, added up without them.

        W minus theirs would not do: a small difference of large sums is mostly rounding.
        """
        blocks = np.unique(clients // BLOCK)
        others = self._weights[blocks]
        others[np.searchsorted(blocks, clients // BLOCK), clients % BLOCK] = 0.0
        totals = self._totals.copy()
        totals[blocks] = others.sum(1)
        return float(totals.sum())

    @contextmanager
    def set_aside(self, clients: np.ndarray) -> Iterator[None]:
        """Treat `clients` as if their weight were 0, for the time of a ``with`` block."""
        if not len(clients):
            yield
            return
        kept, ends, blocks = self._flat[clients], self._ends, np.unique(clients // BLOCK)
        self.update(clients, np.zeros(len(clients)))
        try:
            yield
        finally:
            self._flat[clients], self._ends = kept, ends
            self._summarise(blocks)


__getattr__ = old_names(__name__, {"Urn": "WeightedSampler"})
