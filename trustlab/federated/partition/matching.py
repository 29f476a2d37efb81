"""A test split for each client, with the same distribution as its training data."""

from __future__ import annotations

from typing import Any

import numpy as np

from trustlab.columns import as_labels
from trustlab.containers import plain
from trustlab.federated.partition.assignment import codes_of, stable_order
from trustlab.federated.partition.indices import Partition
from trustlab.federated.partition.natural import by_name


def matching(partition: Partition, labels: Any, test_labels: Any, *, seed: int = 0) -> Partition:
    """Give every test example to the client of a training example with the same label.

    So P(client | label) is the same in both splits, for every scheme, and so are a client's label distribution and its
    share of the whole, as far as labels are equally frequent in both. The training examples are picked by systematic
    sampling: a client's test examples of a label are its share of them, rounded up or down. A label that train does
    not have is shared by the clients' sizes.

    Where `labels` is the column that named a natural partition's clients, a test example belongs to the client of its
    name, and a name that is not among them is refused: it belongs to no other client.

    Parameters
    ----------
    partition
        Of the training examples, all of them.
    labels, test_labels
        One label per example of train [n] and test [m]; for a natural partition the column that it was made by.
    seed
        Of which test examples go where.

    Returns
    -------
    Partition
        Of the test examples, over the same clients with the same provenance. Some may have none.

    Raises
    ------
    ValueError
        If `labels` are not the partition's, a test example is of a client that train does not have, or the labels of
        train and test are of different kinds, such as names and numbers.

    Examples
    --------
    >>> from trustlab.federated.partition import partition
    >>> users = partition(["ann", "bob", "ann"], scheme="natural")
    >>> [part.tolist() for part in matching(users, ["ann", "bob", "ann"], ["bob", "ann", "bob"])]
    [[1], [0, 2]]
    """
    labels, test_labels = as_labels(labels), as_labels(test_labels, "test label")
    partition.check_covers(len(labels))
    if _names_clients(partition, labels):
        return by_name(partition, test_labels)
    rng = np.random.default_rng([seed, 1])  # its own stream: the partition was drawn from `seed` alone
    codes, names = codes_of(_together(labels, test_labels))
    codes, test_codes = codes[: len(labels)], codes[len(labels) :]
    sorted_clients, starts, supply = _by_label(partition, codes, len(names))

    order = rng.permutation(len(test_codes))
    order = order[stable_order(test_codes[order], len(names))]
    asked = np.bincount(test_codes, minlength=len(names))
    label = test_codes[order]
    rank = np.arange(len(order)) - (asked.cumsum() - asked)[label]  # 0, 1, … within each label
    places = ((rank + rng.random(len(names))[label]) / asked[label] * supply[label]).astype(np.int64)
    owners = np.empty(len(order), dtype=np.int32)
    owners[order] = sorted_clients[starts[label] + np.minimum(places, supply[label] - 1)]
    made = Partition.from_owners(owners, len(partition))
    return partition.replaced(made.flat, made.offsets, moved=0)


def _by_label(partition: Partition, codes: np.ndarray, labels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the clients of all examples by label and then client, and where each label begins and how many it has.

    A label without examples has all of them, by client.
    """
    of_flat = codes[partition.flat]  # by client already, and the sort is stable
    clients = partition.owners
    supply = np.bincount(of_flat, minlength=labels)
    starts = supply.cumsum() - supply
    unseen = supply == 0
    starts[unseen], supply[unseen] = len(of_flat), len(of_flat)
    return np.concatenate([clients[stable_order(of_flat, labels)], clients]), starts, supply


def _names_clients(partition: Partition, labels: np.ndarray) -> bool:
    """Return whether `labels` is the column that named the clients, so that it names a test example's client."""
    if partition.names is None or len(labels) != len(partition.flat):
        return False
    return [plain(label) for label in labels[partition.flat]] == [partition.names[k] for k in partition.owners]


def _together(labels: np.ndarray, test_labels: np.ndarray) -> np.ndarray:
    """Return both columns as one; labels of train and test that cannot be equal are a mistake in reading one."""
    kinds = [{type(plain(label)) for label in column} for column in (labels, test_labels)]
    numbers = {bool, int, float}
    if len(test_labels) and not kinds[0] & kinds[1] and not (kinds[0] & numbers and kinds[1] & numbers):
        here, there = (", ".join(sorted(kind.__name__ for kind in each)) for each in kinds)
        raise ValueError(
            f"Expected test labels of the same kind as labels, got {there} and {here}. None of them would be found "
            "in train: take both columns as names, or both as numbers."
        )
    return as_labels(
        [*labels.tolist(), *test_labels.tolist()]
        if labels.dtype != test_labels.dtype
        else np.concatenate([labels, test_labels])
    )
