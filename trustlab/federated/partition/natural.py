"""Partitions that the data bring along: one client per user, role, domain or section, or per stretch of time."""

from __future__ import annotations

from typing import Any

import numpy as np

from trustlab.columns import as_ids, as_mask, as_times
from trustlab.containers import plain
from trustlab.federated.partition.assignment import codes_of, equal_sizes
from trustlab.federated.partition.indices import Partition
from trustlab.federated.partition.sizes import NoOptions


def natural(values: Any, clients: None, options: NoOptions, rng: np.random.Generator) -> np.ndarray:
    """Return the client [n] of each example: a client for each value of a column, the largest first.

    Ties keep the order of first appearance. Nothing is drawn. ``Partition.names`` says which value a client is.
    """
    codes, names = codes_of(as_ids(values))
    rank = np.empty(len(names), dtype=np.int32)
    rank[np.argsort(-np.bincount(codes), kind="stable")] = np.arange(len(names))
    return rank[codes]


def time_slices(values: Any, clients: int, options: NoOptions, rng: np.random.Generator) -> np.ndarray:
    """Return the client [n] of each example: client k has the k-th of K equally large slices of time.

    `values` are times that can be sorted: numbers, dates, periods; none may be missing. Equal ones keep their
    order in the file, so that nothing is drawn; a slice may begin within a period.
    """
    times = as_times(values)
    owners = np.empty(len(times), dtype=np.int32)
    slices = np.repeat(np.arange(clients, dtype=np.int32), equal_sizes(len(times), clients))
    owners[np.argsort(times, kind="stable")] = slices
    return owners


def only(partition: Partition, held: np.ndarray) -> Partition:
    """Return the same clients with only those of their examples that are `held`, bool [n].

    Examples
    --------
    >>> [part.tolist() for part in only(Partition.from_owners(np.array([0, 1, 0]), 2), np.array([True, False, True]))]
    [[0, 2], []]
    """
    chosen = as_mask(held)[partition.flat]
    sizes = np.bincount(partition.owners[chosen], minlength=len(partition))
    return partition.replaced(partition.flat[chosen], np.concatenate([[0], sizes.cumsum()]))


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
        If there is not one period per example, or one is missing, or periods cannot be sorted.

    Examples
    --------
    >>> from trustlab.federated.partition import partition
    >>> users = partition(["ann", "bob", "ann", "ann"], scheme="natural")
    >>> {period: [part.tolist() for part in rows] for period, rows in by_period(users, [0, 0, 1, 1]).items()}
    {0: [[0], [1]], 1: [[2, 3], []]}
    """
    codes, names = codes_of(as_times(periods, "period"))
    partition.check_covers(len(codes))
    return {plain(names[code]): only(partition, codes == code) for code in np.argsort(names, kind="stable")}


def with_clients(partition: Partition, names: Any) -> Partition:
    """Return a natural partition that also has a client without examples for each of `names` that it lacks.

    Examples
    --------
    >>> from trustlab.federated.partition import partition
    >>> users = with_clients(partition(["ann", "bob"], scheme="natural"), ["eve", "ann"])
    >>> users.names, users.sizes.tolist()
    (('ann', 'bob', 'eve'), [1, 1, 0])
    """
    known = set(partition.names)
    new = [name for name in map(plain, codes_of(as_ids(names))[1]) if name not in known]
    offsets = np.concatenate([partition.offsets, np.full(len(new), len(partition.flat))])
    return partition.replaced(partition.flat, offsets, names=(*partition.names, *new))


def by_name(partition: Partition, values: Any, *, strangers: str = "refuse") -> Partition:
    """Return the partition of other examples over the same named clients: each goes to the client of its value.

    Parameters
    ----------
    partition
        With names, such as a natural one.
    values
        The client's name of each of the other examples [m].
    strangers
        What to do with a value that names no client: ``"refuse"``, or ``"drop"`` its examples.

    Raises
    ------
    ValueError
        For a value that names no client, unless these are dropped.

    Examples
    --------
    >>> from trustlab.federated.partition import partition
    >>> users = partition(["ann", "bob", "ann"], scheme="natural")
    >>> [part.tolist() for part in by_name(users, ["bob", "ann", "bob"])]
    [[1], [0, 2]]
    """
    column = as_ids(values)
    place = {name: client for client, name in enumerate(partition.names)}
    owners = np.array([place.get(plain(name), -1) for name in column], dtype=np.int64)
    known = np.flatnonzero(owners >= 0)
    if strangers == "refuse" and len(known) < len(owners):
        others = list(dict.fromkeys(plain(name) for name in column[owners < 0]))
        listed = ", ".join(map(repr, others[:3])) + (", …" if len(others) > 3 else "")
        raise ValueError(
            f"Expected test examples of the {len(partition)} clients in train, got {len(others)} others: {listed}. "
            "Their examples would be given to somebody else: leave them out, or take partition_pair with "
            "new_clients='keep', which adds clients without training examples."
        )
    made = Partition.from_owners(owners[known], len(partition))
    return partition.replaced(known[made.flat], made.offsets, moved=0)
