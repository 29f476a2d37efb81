"""What every scheme is made of: labels as numbers, shares as counts, and counts as the client of every example.

A scheme ends in one array: the number of the client that owns example i. Written that way, every example is used
exactly once whatever the scheme does, and nothing here loops over examples.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def codes_of(values: Any, what: str = "label") -> tuple[np.ndarray, np.ndarray]:
    """Return a number for every value, counted in order of first appearance.

    The order of the names plays no part, so that renaming labels moves no example.

    Parameters
    ----------
    values
        One hashable value per example: a list, array, tensor or a column of ``datasets``.
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

    array = np.asarray(values) if hasattr(values, "__array__") else np.empty(0, dtype=object)
    if array.dtype.kind not in "biuf":
        array = np.fromiter(values, dtype=object, count=len(values))  # texts, dates, tuples: never a second dimension
    if array.ndim != 1 or not len(array):
        raise ValueError(f"Expected one {what} per example, got an array of shape {array.shape}.")
    try:
        codes, names = pd.factorize(array)
    except TypeError:
        raise ValueError(
            f"Expected {what}s that can be hashed, got {type(array[0]).__name__}. Make each a text, a number, a tuple "
            "or a frozenset: for BIO tags the set of their types, as FedNLP does."
        ) from None
    if codes.min() < 0:
        raise ValueError(
            f"Expected a {what} for every example, got none for example {codes.argmin()}. "
            "Drop such examples or give them a name of their own."
        )
    return codes.astype(np.int64, copy=False), np.asarray(names)


def plain(value: Any) -> Any:
    """Return a NumPy scalar as the Python value it holds, anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def stable_order(codes: np.ndarray, kinds: int) -> np.ndarray:
    """Return the indices that sort `codes`, whole numbers in [0, kinds) with kinds ≤ 2³², equal ones as they stood.

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
    """Give client k as many examples of label l as ``counts[k, l]`` says, drawn at random.

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
