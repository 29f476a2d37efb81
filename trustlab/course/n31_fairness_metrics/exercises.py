"""The exercises of notebook 31: what is right, and what each usual slip means."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from trustlab.course.n31_fairness_metrics.correlation import needed
from trustlab.lab.checks import check
from trustlab.lab.display import Display
from trustlab.lab.teaching import Hints

S_X, S_Y = np.array([0.3, 0.5]), np.array([0.1, -0.1])  # associations of the targets
PAIRS, LEVEL = 48, 0.05
INSIDE, OUTSIDE = 0.9, 0.4  # reliabilities
MODELS = 19


def effect_size(answer: Any) -> Display:
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


def by_chance(answer: Any) -> Display:
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


def largest_correlation(answer: Any) -> Display:
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


hints = Hints({
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
})  # fmt: skip
