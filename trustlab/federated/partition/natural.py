"""Partitions that the data bring along: one client per user, role, domain or section, or per stretch of time."""

from __future__ import annotations

from typing import Any

import numpy as np

from trustlab.federated.partition.assignment import codes_of, equal_sizes, plain
from trustlab.federated.partition.indices import Partition
from trustlab.federated.partition.sizes import NoDials


def natural(values: Any, clients: None, dials: NoDials, rng: np.random.Generator) -> np.ndarray:
    """Return the client [n] of each example: a client for each value of a column, the largest first.

    Ties keep the order of first appearance. Nothing is drawn. ``Partition.names`` says which value a client is.
    """
    codes, names = codes_of(values, "client")
    rank = np.empty(len(names), dtype=np.int32)
    rank[np.argsort(-np.bincount(codes), kind="stable")] = np.arange(len(names))
    return rank[codes]


def time_slices(values: Any, clients: int, dials: NoDials, rng: np.random.Generator) -> np.ndarray:
    """Return the client [n] of each example: client k has the k-th of K equally large slices of time.

    `values` are times that can be sorted: numbers, dates, periods. Equal ones keep their order in the file, so that
    nothing is drawn; a slice may begin within a period.
    """
    owners = np.empty(len(values), dtype=np.int32)
    slices = np.repeat(np.arange(clients, dtype=np.int32), equal_sizes(len(values), clients))
    owners[_in_time_order(np.asarray(values))] = slices
    return owners


def by_period(partition: Partition, periods: Any) -> dict[Any, Partition]:
    """Divide every client's examples by period: D_k(t), the data of client k in period t.

    Parameters
    ----------
    partition
        Of all the examples of `periods`.
    periods
        The period of each example [n]; anything that can be sorted.

    Returns
    -------
    dict
        Period, in time order, -> a partition of that period's examples over the **same** K clients, many of whom may
        be empty.

    Raises
    ------
    ValueError
        If there is not one period per example, or periods cannot be sorted.

    Examples
    --------
    >>> from trustlab.federated.partition import partition
    >>> users = partition(["ann", "bob", "ann", "ann"], scheme="natural")
    >>> {period: [part.tolist() for part in rows] for period, rows in by_period(users, [0, 0, 1, 1]).items()}
    {0: [[0], [1]], 1: [[2, 3], []]}
    """
    codes, names = codes_of(periods, "period")
    partition.check_covers(len(codes))
    of_flat = codes[partition.flat]
    owners = partition.owners
    parts = {}
    for code in _in_time_order(names):
        kept = of_flat == code
        offsets = np.concatenate([[0], np.bincount(owners[kept], minlength=len(partition)).cumsum()])
        parts[plain(names[code])] = partition.replaced(partition.flat[kept], offsets)
    return parts


def _in_time_order(times: np.ndarray) -> np.ndarray:
    """Return the order of `times`, equal ones as they come."""
    try:
        return np.argsort(times, kind="stable")
    except TypeError as error:
        kinds = ", ".join(sorted({type(time).__name__ for time in times}))
        raise ValueError(
            f"Expected times of one kind that can be sorted, got {kinds}: {error}. Give all examples numbers, dates or "
            "strings such as '2026-11-21'."
        ) from error
