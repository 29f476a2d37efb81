"""Pathological label skew: every client has a few labels, and none of the others.

*Shards* (McMahan et al. 2017, section 3): sort by label, cut into equal shards, give each client so many of them. A
shard may straddle two labels, so a client has about as many labels as shards.

*Pathological* (Li et al. 2022, "#C = c"): every client has exactly c labels, and a label is divided evenly among those
who have it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.config import option
from trustlab.deprecation import old_names
from trustlab.federated.partition.assignment import class_codes, deal, equal_sizes, stable_order


@dataclass(frozen=True)
class ShardOptions:
    """Options of ``"shards"``."""

    shards_per_client: int = option(2, label="Shards", help="Pieces of the sorted data that each client gets.", low=1)


@dataclass(frozen=True)
class PathologicalOptions:
    """Options of ``"pathological"``."""

    classes_per_client: int = option(2, label="Labels", help="Labels that each client has examples of.", low=1)


def shards(values: Any, clients: int, options: ShardOptions, rng: np.random.Generator) -> np.ndarray:
    """Return the client [n] of each example: equal shards of the data sorted by label, dealt at random.

    Labels are sorted by first appearance, and a label's examples at random. The shards' sizes differ by at most one, so
    that none is left over; McMahan et al. and Flower cut equal ones and have a number of examples that it divides.
    """
    codes, names = class_codes(values)
    order = rng.permutation(len(codes))
    order = order[stable_order(codes[order], len(names))]
    pieces = clients * options.shards_per_client
    client_of_piece = np.repeat(np.arange(clients, dtype=np.int32), options.shards_per_client)
    rng.shuffle(client_of_piece)
    owners = np.empty(len(codes), dtype=np.int32)
    owners[order] = np.repeat(client_of_piece, equal_sizes(len(codes), pieces))
    return owners


def pathological(values: Any, clients: int, options: PathologicalOptions, rng: np.random.Generator) -> np.ndarray:
    """Return the client [n] of each example: exactly c labels each, see :func:`label_sets`.

    Where a label has fewer examples than clients who should have it, some of these have none.

    Raises
    ------
    ValueError
        If c is more than there are labels, or K · c too few for every label to have a client: Flower drops the examples
        of such labels, here every example is used.
    """
    codes, names = class_codes(values)
    each = options.classes_per_client
    if not len(names) <= clients * each or each > len(names):
        raise ValueError(
            f"Expected classes_per_client={each} in [{-(-len(names) // clients)}, {len(names)}] for {len(names)} "
            f"labels and {clients} clients. With fewer, some label has no client; more there are not."
        )
    has = label_sets(clients, len(names), each, rng)  # [K, L]
    counts = np.zeros(has.shape, dtype=np.int64)
    for label, examples in enumerate(np.bincount(codes, minlength=len(names)).tolist()):
        holders = rng.permutation(np.flatnonzero(has[:, label]))  # no client always gets the odd example
        counts[holders, label] = equal_sizes(examples, len(holders))
    return deal(codes, counts, rng)


def label_sets(clients: int, labels: int, each: int, rng: np.random.Generator) -> np.ndarray:
    """Return which labels each client has, bool [K, L]: `each` per row, and columns that differ by at most one.

    One client after another takes the labels that were taken least, ties broken at random. Flower's draws are
    independent, and leave some label out with a chance that grows with L.

    Examples
    --------
    >>> label_sets(4, 8, 2, np.random.default_rng(0)).sum(axis=0)
    array([1, 1, 1, 1, 1, 1, 1, 1])
    """
    has = np.zeros((clients, labels), dtype=bool)
    taken = np.zeros(labels, dtype=np.int64)
    for row in has:
        chosen = np.argsort(taken + rng.random(labels))[:each]  # whole numbers first, then luck
        row[chosen] = True
        taken[chosen] += 1
    return has


__getattr__ = old_names(__name__, {"ShardDials": "ShardOptions", "PathologicalDials": "PathologicalOptions"})
