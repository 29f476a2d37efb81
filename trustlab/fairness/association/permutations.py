"""The permutation test of WEAT, counted without enumerating the permutations.

How many ways of dividing 2n words into two sets of n have as large a sum of associations as the observed one? There
are C(2n, n) ways, 601 million for n = 16, but they need not be enumerated. Split the words into two halves, list the
2^n subset sums of each, and sort those of the second by size: a subset of k words from the first half with sum a needs
n − k words from the second with a sum of t − a or more, and a binary search counts them all. The count is exact, and
costs 2^n log 2^n.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

# Sums are of associations in [−2, 2], exact to about 1e−14. Two that differ by less than this are tied.
TIE = 1e-12


class Tail(NamedTuple):
    """How many of `permutations` divisions have a sum at least as large as the observed one, and strictly larger."""

    at_least: int
    larger: int
    permutations: int


def exact_tail(values: np.ndarray) -> Tail:
    """Count over all C(2n, n) divisions, the observed one among them.

    Parameters
    ----------
    values : float64 [2n]
        Associations of the words; the observed division has the first n in one set. 2^n sums are held in memory.

    Examples
    --------
    >>> exact_tail(np.array([3.0, 2.0, 1.0, 0.0]))  # 3 + 2 is the largest of six sums
    Tail(at_least=1, larger=0, permutations=6)
    """
    n = len(values) // 2
    values = values - values.mean()  # near 0, where floating-point numbers are densest
    observed = values[:n].sum()
    first, second = _sums_by_size(values[:n]), _sums_by_size(values[n:])
    at_least = larger = 0
    for k in range(n + 1):
        needed, there = observed - first[k], np.sort(second[n - k])
        at_least += int((len(there) - np.searchsorted(there, needed - TIE, side="left")).sum())
        larger += int((len(there) - np.searchsorted(there, needed + TIE, side="right")).sum())
    return Tail(at_least, larger, math.comb(2 * n, n))


def _sums_by_size(values: np.ndarray) -> list[np.ndarray]:
    """Return the sums of all subsets of `values`, an array for each size 0, …, n."""
    sums, sizes = np.zeros(1), np.zeros(1, np.int8)
    for value in values:  # each value doubles the list: all subsets without it, then all with it
        sums = np.concatenate([sums, sums + value])
        sizes = np.concatenate([sizes, sizes + 1])
    ends = np.bincount(sizes).cumsum()[:-1]
    return np.split(sums[np.argsort(sizes, kind="stable")], ends)


def drawn_tail(values: np.ndarray, draws: int, rng: np.random.Generator) -> Tail:
    """Count over `draws` divisions that are drawn without replacement, none of them the observed one.

    Parameters
    ----------
    values : float64 [2n]
        As in :func:`exact_tail`.
    draws
        Less than C(2n, n).

    Examples
    --------
    >>> drawn_tail(np.array([3.0, 2.0, 1.0, 0.0]), 5, np.random.default_rng(0))
    Tail(at_least=0, larger=0, permutations=5)
    """
    n = len(values) // 2
    values = values - values.mean()
    observed = np.packbits(np.arange(2 * n) < n)
    seen = observed[None]  # [m, ceil(2n / 8)]: a division is a row of bits, so two equal ones are found by sorting
    while len(seen) < draws + 1:
        order = rng.random((draws + 1, 2 * n)).argpartition(n - 1, axis=1)
        members = np.zeros((len(order), 2 * n), bool)
        np.put_along_axis(members, order[:, :n], True, axis=1)
        together = np.concatenate([seen, np.packbits(members, axis=1)])
        _, first = np.unique(together, axis=0, return_index=True)
        seen = together[np.sort(first)[: draws + 1]]  # in the order of drawing, not of values
    members = np.unpackbits(seen[1:], axis=1, count=2 * n)
    sums = members @ values
    least = values[:n].sum()
    return Tail(int((sums >= least - TIE).sum()), int((sums > least + TIE).sum()), draws)
