"""Label skew as pfl 0.6 makes it: clients in turn draw a distribution from Dir(α, …, α), and their examples one by one.

A client's distribution does not know how frequent a label is. Where labels are unequally frequent, the first clients
therefore use up the rare ones, and the last get what is left: a fleet by pfl stays skewed however large α is.

The procedure is that of ``pfl.data.partition.partition_by_dirichlet_class_distribution``, draw by draw: with the same
stream of random numbers it gives each client the same number of each label. Two things differ. Which examples of a
label a client gets is drawn (pfl takes the last ones of the data). And the sizes, which pfl asks its user for, are
n/K here, those of the first clients rounded up, so that pfl's rule to leave out a rest too small for a client finds
no rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.config import option
from trustlab.federated.partition.assignment import class_codes, deal, equal_sizes
from trustlab.federated.partition.dirichlet import LARGEST_ALPHA

PATIENCE, EVENED = 20, 0.02  # pfl's defaults: draws per place before a distribution is evened out, and by how much


@dataclass(frozen=True)
class PflOptions:
    """Options of ``"label-dirichlet-pfl"``."""

    alpha: float = option(
        0.1, label="α", help="Small: a client has few labels. Large: each as often.", above=0, high=LARGEST_ALPHA
    )


def label_pfl(values: Any, clients: int, options: PflOptions, rng: np.random.Generator) -> np.ndarray:
    """Return the client [n] of each example: equal sizes, and labels drawn from q_k ~ Dir(α, …, α) of client k.

    Source: ``pfl.data.partition.partition_by_dirichlet_class_distribution`` of pfl 0.6.0.
    """
    codes, names = class_codes(values)
    supply = np.bincount(codes, minlength=len(names))
    return deal(codes, drawn_in_turn(options.alpha, equal_sizes(len(codes), clients), supply, rng), rng)


def drawn_in_turn(alpha: float, sizes: np.ndarray, supply: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return how many examples of each label the clients draw, int64 [K, L], one client after another.

    A draw of a label that is used up fails. After every `PATIENCE` draws per place of the client, failed or not, its
    distribution is evened out: `EVENED` is added to each share, and all are divided by their sum. In pfl the last
    label's share is then set to 1 (where the end of the cumulative sum must have been meant), so that from the second
    time on the last label is nearly every other draw. That is kept, since it is what fleets made by pfl have.

    Parameters
    ----------
    alpha
        α > 0 of every label.
    sizes : int [K]
        Places of each client; sums to at most the examples.
    supply : int [L]
        Examples of each label.

    Examples
    --------
    >>> drawn_in_turn(1.0, np.array([3, 3]), np.array([5, 1]), np.random.default_rng(0)).sum(axis=0)
    array([5, 1])
    """
    left, counts = supply.copy(), np.zeros((len(sizes), len(supply)), dtype=np.int64)
    for client, size in enumerate(sizes.tolist()):
        shares = rng.dirichlet(np.full(len(supply), alpha))
        ends = np.cumsum(shares)
        ends[-1] = 1.0
        draws = 0
        while places := size - int(counts[client].sum()):
            # No more at once than can succeed, nor past the next evening out: the same numbers as one at a time.
            batch = min(places, PATIENCE * size - draws % (PATIENCE * size))
            labels = np.searchsorted(ends, rng.random(batch), side="right") % len(supply)  # beyond the end: the first
            wanted = np.bincount(labels, minlength=len(supply))
            got = np.minimum(wanted, left)
            counts[client] += got
            left -= got
            draws += batch
            if draws % (PATIENCE * size) == 0:
                shares = (shares + EVENED) / (shares + EVENED).sum()
                ends = np.cumsum(shares)
                shares[-1] = 1.0
    return counts
