"""What every scheme is made of: labels as numbers, shares as counts, and counts as the client of every example.

A scheme ends in one array: the number of the client that owns example i. Written that way, every example is used
exactly once with every scheme, and nothing here loops over examples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from trustlab.columns import as_labels
from trustlab.containers import plain


def codes_of(values: Any, what: str = "label") -> tuple[np.ndarray, np.ndarray]:
    """Return a number for every value, counted in order of first appearance.

    The order of the names plays no part, so that renaming labels moves no example.

    Parameters
    ----------
    values
        One hashable value per example, in any container that :mod:`trustlab.columns` knows.
    what
        What a value is, for the error.

    Returns
    -------
    codes : int64 [n]
        In 0 … L − 1.
    names : array [L]
        The value behind each code.

    Raises
    ------
    ValueError
        If there is no value, one is missing (None, NaN), or cannot be hashed.

    Examples
    --------
    >>> codes_of(["play", "stop", "play"])
    (array([0, 1, 0]), array(['play', 'stop'], dtype=object))
    """
    import pandas as pd  # hashing: a sort would take ten times as long

    column = as_labels(values, what)
    if not len(column):
        raise ValueError(f"Expected one {what} per example, got none. There is nothing to divide or to count.")
    try:
        codes, names = pd.factorize(column)
    except TypeError as error:  # a tuple that holds a list
        raise ValueError(
            f"Expected {what}s that can be hashed, got {error}. Make each a text, a number, a tuple or a frozenset of "
            "such."
        ) from None
    return codes.astype(np.int64, copy=False), np.asarray(names)


def class_codes(values: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return :func:`codes_of` labels that are classes, and refuse continuous targets, where each is nearly its own.

    Refused are numbers with fractions of which more than half are unique, and, from ten
    examples on, labels of any kind of which there are more than 0.9 of the number of examples: regression targets, ids
    or the texts themselves. To divide by such labels is to divide at random, and their table has n² numbers.

    Examples
    --------
    >>> class_codes([0.5, 1.25, 0.75])
    Traceback (most recent call last):
    ...
    ValueError: Expected classes as labels, got 3 different labels of 3 examples, such as 0.5. No client can have a \
label that others lack more of: put continuous targets into bins (np.digitize), or use scheme='iid', which is what \
such labels come to.
    """
    codes, names = codes_of(values)
    few = len(codes) // 2 if _has_fractions(names) else len(codes) if len(codes) < 10 else 0.9 * len(codes)
    if len(names) > max(few, 1):
        raise ValueError(
            f"Expected classes as labels, got {len(names)} different labels of {len(codes)} examples, such as "
            f"{plain(names[0])!r}. No client can have a label that others lack more of: put continuous targets into "
            "bins (np.digitize), or use scheme='iid', which is the same for such labels."
        )
    return codes, names


def _has_fractions(names: np.ndarray) -> bool:
    return names.dtype.kind == "f" and bool((names != np.floor(names)).any())


def stable_order(codes: np.ndarray, kinds: int) -> np.ndarray:
    """Return the indices that sort `codes`, whole numbers in [0, kinds) with kinds ≤ 2³², ties in order.

    NumPy sorts 16-bit numbers by radix, in time proportional to n; larger ones take two such passes.

    Examples
    --------
    >>> stable_order(np.array([1, 0, 1, 0]), 2)
    array([1, 3, 0, 2])
    """
    order = np.argsort(codes.astype(np.uint16), kind="stable")  # by the lowest 16 bits
    if kinds > 1 << 16:
        order = order[np.argsort((codes[order] >> 16).astype(np.uint16), kind="stable")]
    return order


def equal_sizes(examples: int, clients: int) -> np.ndarray:
    """Return sizes [K] that sum to `examples` and differ by at most one, the larger first.

    Examples
    --------
    >>> equal_sizes(8, 3)
    array([3, 3, 2])
    """
    return examples // clients + (np.arange(clients) < examples % clients)


def cut(shares: np.ndarray, examples: np.ndarray, shift: np.ndarray | float = 0.0) -> np.ndarray:
    """Cut each row's examples where its cumulative shares fall, rounded down.

    Parameters
    ----------
    shares : float [R, K]
        Each row sums to 1.
    examples : int [R]
        How many there are to cut in each row.
    shift : float [R, 1], or 0
        Added to the places of a row's cuts before rounding. 0 rounds as FedNLP and Flower do, which favours later
        columns; uniform draws from [0, 1) make every count ``shares * examples`` in the mean.

    Returns
    -------
    int64 [R, K]
        Each row sums to its entry of `examples`, and is within one of ``shares * examples``.

    Examples
    --------
    >>> cut(np.array([[0.5, 0.25, 0.25]]), np.array([10]))
    array([[5, 2, 3]])
    """
    ends = (shares.cumsum(axis=1) * examples[:, None] + shift).astype(np.int64)
    # A cumulative sum may end a rounding error below or above 1: the last end is the number itself, none is larger.
    ends = np.minimum(ends, examples[:, None])
    ends[:, -1] = examples
    return np.diff(ends, axis=1, prepend=0)


def deal(codes: np.ndarray, counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give client k ``counts[k, l]`` examples of label l, drawn at random.

    Parameters
    ----------
    codes : int64 [n]
        Label of each example.
    counts : int [K, L]
        Column l sums to the number of examples with label l.

    Returns
    -------
    int32 [n]
        The client of each example.

    Examples
    --------
    >>> deal(np.array([0, 0, 1]), np.array([[2, 0], [0, 1]]), np.random.default_rng(0))
    array([0, 0, 1], dtype=int32)
    """
    clients, labels = counts.shape
    by_label = np.repeat(np.tile(np.arange(clients, dtype=np.int32), labels), counts.T.ravel())
    ends = counts.sum(axis=0).cumsum()
    for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True):
        rng.shuffle(by_label[start:end])
    owners = np.empty(len(codes), dtype=np.int32)
    owners[stable_order(codes, labels)] = by_label
    return owners
