"""The exercises of notebook 31: what is right, and what each usual slip means."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from trustlab.course.correlation import needed
from trustlab.course.found import exercise
from trustlab.lab.checks import Checked, check
from trustlab.lab.functions import check_function
from trustlab.lab.teaching import Hints

S_X, S_Y = np.array([0.3, 0.5]), np.array([0.1, -0.1])  # associations of the targets
PAIRS, LEVEL = 48, 0.05
INSIDE, OUTSIDE = 0.9, 0.4  # reliabilities
MODELS = 19
POSTS, RATE = (12, 15, 22, 26, 39, 45, 47, 55, 63), 0.3  # HateXplain's harmless posts about nine communities
TIE = 1e-12  # sums that differ by less are equal: they are rounded
SIZES = ((2, 2), (3, 3), (2, 4), (4, 3), (1, 5))  # of the two sets that a permutation test is tried on
SETS_OF_A_SIZE = 4


@exercise("31", "A permutation test")
def permutation_test(mine: Any) -> Checked:
    """Check a function from the values of two sets to the exact one-sided p-value of their difference.

    Examples
    --------
    >>> permutation_test(lambda x, y: sum(x) - sum(y))  # doctest: +ELLIPSIS
    ✗ A p-value is a share of the divisions, ... Your function returned 2 for ([3, 1], [0, 2]).
    """
    properties = [
        (
            lambda sets, p: 0 < float(p) <= 1 + 1e-12,
            "A p-value is a share of the divisions, at most 1. It is above 0: the observed division is one of them.",
        ),
        (
            lambda sets, p: _is_whole(float(p) * math.comb(sum(map(len, sets)), len(sets[0]))),
            "Multiplied by the number of divisions, p is no whole number. Count every division into sets of these "
            "sizes once.",
        ),
        (
            lambda sets, p: math.isclose(float(mine(*(np.asarray(each) + 8 for each in sets))), float(p)),
            "With 8 added to every value, your p is another one. Only the differences between the sets should matter.",
        ),
    ]
    slips = [
        (_strictly, "Divisions that are as extreme as the observed one count too: at least, not more than."),
        (_other_tail, "That is the other tail. X is expected to have the larger values."),
        (_two_sided, "You counted both directions. The test asks only whether X has the larger values."),
    ]
    return check_function(mine, _pairs_of_sets(), right=exact_p, properties=properties, because=slips)


def exact_p(x: Sequence[float], y: Sequence[float]) -> float:
    """Return the share of all divisions of `x` and `y` together in which the first sum is at least that of `x`.

    Parameters
    ----------
    x, y
        Values of two sets; a division has sets of the same sizes.

    Examples
    --------
    >>> exact_p([3.0, 2.0], [1.0, 0.0])  # 3 + 2 is the largest of six sums
    0.16666666666666666
    """
    sums = _sums(x, y)
    return float((sums >= sums[0] - TIE).mean())


def _sums(x: Sequence[float], y: Sequence[float]) -> np.ndarray:
    """Return the first set's sum in every division, that of the observed one first."""
    together = np.concatenate([x, y])
    return np.array([together[list(first)].sum() for first in itertools.combinations(range(len(together)), len(x))])


def _strictly(x: Sequence[float], y: Sequence[float]) -> float:
    sums = _sums(x, y)
    return float((sums > sums[0] + TIE).mean())


def _other_tail(x: Sequence[float], y: Sequence[float]) -> float:
    sums = _sums(x, y)
    return float((sums <= sums[0] + TIE).mean())


def _two_sided(x: Sequence[float], y: Sequence[float]) -> float:
    gaps = np.abs(_sums(x, y) - len(x) * np.concatenate([x, y]).mean())
    return float((gaps >= gaps[0] - TIE).mean())


def _pairs_of_sets() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield sets of values, some of them tied; the first is easily counted by hand."""
    yield np.array([3.0, 1.0]), np.array([0.0, 2.0])
    rng = np.random.default_rng(31)
    for n, m in SIZES:
        for _ in range(SETS_OF_A_SIZE):
            yield rng.integers(-4, 5, size=n) / 2, rng.integers(-4, 5, size=m) / 2


def _is_whole(number: float) -> bool:
    return math.isclose(number, round(number), abs_tol=1e-6)


@exercise("31", "An effect size")
def effect_size(answer: Any) -> Checked:
    """Check WEAT's effect size of targets with associations 0.3 and 0.5 (X), and 0.1 and −0.1 (Y).

    Examples
    --------
    >>> effect_size(0.4)
    ✗ 0.4 is not right. That is the difference of the means, not yet divided by the standard deviation.
    """
    both, gap = np.concatenate([S_X, S_Y]), S_X.mean() - S_Y.mean()
    within = math.sqrt((S_X.var(ddof=1) + S_Y.var(ddof=1)) / 2)
    slips = {
        gap: "That is the difference of the means, not yet divided by the standard deviation.",
        gap / both.std(): "Divided by the population's standard deviation; WEAT takes the sample's, with n − 1.",
        gap / within: "That is Cohen's d, by the spread inside the sets; WEAT takes that of X and Y together.",
        S_X.sum() - S_Y.sum(): "That is the test statistic, a difference of sums.",
    }
    return check(answer, gap / both.std(ddof=1), because=slips)


@exercise("31", "Forty-eight pairs")
def by_chance(answer: Any) -> Checked:
    """Check how many of 48 pairs of metrics one expects below p = 0.05 where nothing correlates.

    Examples
    --------
    >>> by_chance(0)
    ✗ 0 is not right. Each single test is wrong in one of twenty cases, by its own rule.
    """
    slips = {
        0: "Each single test is wrong in one of twenty cases, by its own rule.",
        LEVEL: "That is the level of one pair; there are 48.",
        1 - (1 - LEVEL) ** PAIRS: "That would be the probability of at least one, if the pairs were independent.",
        PAIRS: "All of them? Then nothing could be called significant.",
    }
    return check(answer, PAIRS * LEVEL, because=slips)


@exercise("31", "The largest possible correlation")
def largest_correlation(answer: Any) -> Checked:
    """Check the largest correlation to expect of metrics with reliabilities 0.9 and 0.4.

    Examples
    --------
    >>> largest_correlation(0.36)
    ✗ 0.36 is not right. That is the product of the reliabilities: take its root.
    """
    slips = {
        INSIDE * OUTSIDE: "That is the product of the reliabilities: take its root.",
        1.0: "If both measured without error.",
        math.sqrt(OUTSIDE): "The noise of the better metric counts as well.",
        OUTSIDE: "A reliability is a share of variance; a correlation depends on its root, for both metrics.",
        needed(MODELS): f"That is what chance alone gives with {MODELS} models.",
    }
    return check(answer, math.sqrt(INSIDE * OUTSIDE), because=slips)


@exercise("31", "A gap without unfairness")
def gap_by_chance(answer: Any) -> Checked:
    """Check how far apart the rates of nine communities are on average, if each post is flagged with probability 0.3.

    Examples
    --------
    >>> gap_by_chance(0)
    ✗ 0 is not right. Their true rates are equal. The measured ones are shares of 12 to 63 posts, and scatter.
    """
    single = math.sqrt(RATE * (1 - RATE) / POSTS[0])
    slips = {
        0: "Their true rates are equal. The measured ones are shares of 12 to 63 posts, and scatter.",
        single: "That is the standard error of the smallest community. The gap is between the farthest apart of nine.",
        math.sqrt(RATE * (1 - RATE) / sum(POSTS)): "That is the standard error over all posts together.",
    }
    return check(round(answer, 2) if isinstance(answer, float) else answer, expected_gap(), rtol=0.08, because=slips)


@functools.lru_cache
def expected_gap(draws: int = 20_000) -> float:
    """Return the mean difference between the highest and the lowest of the communities' shares."""
    shares = np.random.default_rng(0).binomial(POSTS, RATE, size=(draws, len(POSTS))) / POSTS
    return float(np.ptp(shares, axis=1).mean())


hints = Hints({
    permutation_test: (
        "Put x and y together. `itertools.combinations(range(len(x) + len(y)), len(x))` gives the places of the first "
        "set in each division.",
        "Compare each division's sum with the observed one, that of x. Equal sums count.",
        "The share is `np.mean([sum >= observed for sum in sums])`; allow for rounding where you compare.",
    ),
    effect_size: (
        "Which two means are compared, and what are they divided by?",
        "The means are 0.4 and 0. The standard deviation is of all four numbers, with n − 1.",
        "In code: `np.std([0.3, 0.5, 0.1, -0.1], ddof=1)`.",
    ),
    by_chance: (
        "What does p < 0.05 promise of one pair that does not correlate?",
        "Expectations add up, whether the pairs are independent or not.",
    ),
    largest_correlation: (
        "Spearman's attenuation: measured r = true r · √(reliability · reliability).",
        "The true r is at most 1.",
    ),
    gap_by_chance: (
        "Draw once: `np.random.default_rng(0).binomial(posts, 0.3) / posts` is a share for each community.",
        "The gap of one draw is `shares.max() - shares.min()`. What is its mean over a thousand draws?",
    ),
})  # fmt: skip
