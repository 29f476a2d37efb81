"""How skewed a partition is: label tables, distances between clients, and two numbers for labels and sizes."""

from __future__ import annotations

from typing import Any

import numpy as np

from trustlab.columns import as_features, as_scores
from trustlab.containers import plain
from trustlab.federated.partition.assignment import class_codes
from trustlab.federated.partition.indices import Partition


def label_counts(partition: Partition, labels: Any) -> tuple[np.ndarray, tuple[Any, ...]]:
    """Count every client's examples of every label.

    Parameters
    ----------
    partition
        Over K clients.
    labels
        The label of each example [n].

    Returns
    -------
    counts : int64 [K, L]
        Rows sum to ``partition.sizes``.
    names : tuple
        The label of each column, sorted where that can be done.

    Examples
    --------
    >>> from trustlab.federated.partition import partition
    >>> label_counts(partition(["b", "a"], scheme="iid", clients=1), ["b", "a"])
    (array([[1, 1]]), ('a', 'b'))
    """
    codes, names = class_codes(labels)
    partition.check_covers(len(codes))
    counts = np.bincount(partition.owners * len(names) + codes[partition.flat], minlength=len(partition) * len(names))
    counts = counts.reshape(len(partition), len(names))
    try:
        order = np.argsort(names, kind="stable")
    except TypeError:  # names of several kinds, such as numbers and texts
        order = np.arange(len(names))
    return counts[:, order], tuple(map(plain, names[order]))


def jensen_shannon(counts: np.ndarray) -> np.ndarray:
    """Return the Jensen–Shannon distance between every two clients' label distributions.

    The distance is the square root of the divergence, to base 2: 0 for equal distributions, 1 for those without a
    common label, and a metric. ``scipy.spatial.distance.jensenshannon(p, q, base=2)`` is the same number.

    Parameters
    ----------
    counts : [K, L]
        Examples of each client by label, or distributions.

    Returns
    -------
    float64 [K, K]
        Symmetric, 0 on the diagonal; NaN for a client without examples, which has no distribution.

    Examples
    --------
    >>> jensen_shannon(np.array([[4, 0], [0, 2], [1, 1]])).round(3)
    array([[0.   , 1.   , 0.558],
           [1.   , 0.   , 0.558],
           [0.558, 0.558, 0.   ]])
    """
    shares = _distributions(counts)
    distances = np.zeros((len(shares), len(shares)))
    for client, own in enumerate(shares):
        others = shares[client + 1 :]
        has = own > 0
        # Where this client has nothing, the divergence is half of what the others have there: only its own labels
        # need logarithms, and a skewed client has few.
        mine, theirs = own[has], others[:, has]
        middle = (mine + theirs) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            of_theirs = np.where(theirs > 0, theirs * np.log2(theirs / middle), 0.0)
        divergence = (mine * np.log2(mine / middle) + of_theirs).sum(axis=1) / 2 + others[:, ~has].sum(axis=1) / 2
        distances[client, client + 1 :] = np.sqrt(np.clip(divergence, 0, 1))  # rounding may leave either end
    distances += distances.T
    empty = np.isnan(shares).any(axis=1)
    distances[empty] = distances[:, empty] = np.nan
    return distances


def effective_labels(counts: np.ndarray) -> np.ndarray:
    """Return the effective number of labels of each client [K], the exponential of its entropy.

    In [1, L]: a client with m equally frequent labels has m. 0 for a client without examples.

    Examples
    --------
    >>> effective_labels(np.array([[5, 5, 0], [9, 0, 0], [0, 0, 0]])).round(6)
    array([2., 1., 0.])
    """
    shares = _distributions(counts)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.where(shares > 0, shares * np.log(shares), 0.0).sum(axis=1)
    return np.where(np.isnan(shares).any(axis=1), 0.0, np.exp(entropy))


def gini(sizes: np.ndarray) -> float:
    """Return the Gini coefficient of clients' sizes: 0 if all are equal, 1 − 1/K if one has everything.

    The mean absolute difference between two clients over twice the mean.

    Examples
    --------
    >>> gini(np.array([3, 3, 3])), gini(np.array([0, 0, 0, 8]))
    (0.0, 0.75)
    """
    ordered = np.sort(as_scores(sizes, "size"))
    if not len(ordered) or ordered[0] < 0 or ordered.sum() == 0:
        raise ValueError(f"Expected sizes >= 0 with some example, got {sizes!r}. Of nothing there is no inequality.")
    weights = 2 * np.arange(1, len(ordered) + 1) - len(ordered) - 1
    return float(weights @ ordered / (len(ordered) * ordered.sum()))


def heaviest(sizes: np.ndarray, share: float = 0.1) -> np.ndarray:
    """Return the clients that hold most examples, the heaviest first: this `share` of all clients, at least one.

    Of equally heavy clients the lower number comes first.

    Examples
    --------
    >>> heaviest(np.array([5, 80, 10, 7])).tolist(), heaviest(np.array([5, 80, 10, 7]), 0.5).tolist()
    ([1], [1, 2])
    """
    sizes = as_scores(sizes, "size")
    return np.argsort(-sizes, kind="stable")[: max(1, round(share * len(sizes)))]


def skew(partition: Partition, labels: Any) -> dict[str, float | int]:
    """Return a partition's skew in one flat row.

    Examples
    --------
    >>> from trustlab.federated.partition import partition
    >>> skew(partition([0, 1] * 4, scheme="iid", clients=1), [0, 1] * 4)["effective labels"]
    2.0
    """
    counts, _ = label_counts(partition, labels)
    sizes = partition.sizes
    some = counts[sizes > 0]
    pairs = jensen_shannon(some)[np.triu_indices(len(some), 1)]
    return {
        "clients": len(partition),
        "empty clients": int((sizes == 0).sum()),
        "smallest": int(sizes.min()),
        "median size": float(np.median(sizes)),
        "largest": int(sizes.max()),
        "size Gini": gini(sizes),
        "effective labels": float(np.median(effective_labels(some))),
        "JS distance": float(pairs.mean()) if len(pairs) else 0.0,
    }


def _distributions(counts: np.ndarray) -> np.ndarray:
    """Return each row of `counts` over its sum, NaN where that is 0."""
    counts = as_features(counts, "counts").astype(float)
    if (counts < 0).any():
        raise ValueError(f"Expected counts >= 0, got {counts.min():g}. They are numbers of examples, or a law.")
    with np.errstate(invalid="ignore"):
        return counts / counts.sum(axis=1, keepdims=True)
