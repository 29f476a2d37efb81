"""The exercises of notebook 33: what is right, and what each usual slip means."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from trustlab.course.found import exercise
from trustlab.lab.checks import Checked, check
from trustlab.lab.functions import check_function
from trustlab.lab.teaching import Hints

TABLES = 20
SHARE, REST = 0.8, 0.1  # P(she) of she and he; probability of all other words
SAYS, TEXTS = (160, 40), 200  # texts with female and male words


@exercise("33", "The mean of two predictions")
def mean_prediction(mine: Any) -> Checked:
    """Check the reader's function ``(log_p [V], log_q [V]) -> probabilities [V]`` of the operation "mean".

    Examples
    --------
    >>> mean_prediction(lambda log_p, log_q: (np.exp(log_p) + np.exp(log_q)) / 2)  # doctest: +ELLIPSIS
    ✗ That is the expectation, the mean of probabilities. "mean" is taken of the logits. Your function returned ...
    """
    return check_function(mine, _predictions(), right=by_mean, properties=_PROPERTIES, because=_SLIPS)


def by_mean(log_p: np.ndarray, log_q: np.ndarray) -> np.ndarray:
    """Return the softmax of the mean of two log-probabilities.

    Examples
    --------
    >>> by_mean(np.log([0.8, 0.2]), np.log([0.2, 0.8])).round(2).tolist()
    [0.5, 0.5]
    """
    weights = np.exp((log_p + log_q) / 2)
    return weights / weights.sum()


def _predictions() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield predictions of the same words: log-probabilities of a text, and of its counterfactual."""
    yield np.log([0.81, 0.09, 0.1]), np.log([0.09, 0.81, 0.1])
    rng = np.random.default_rng(33)
    for _ in range(TABLES):
        words = int(rng.integers(2, 8))
        yield tuple(np.log(rng.dirichlet(np.ones(words), size=2)))


_PROPERTIES = [
    (lambda given, got: np.shape(got) == given[0].shape, "Expected one probability for each word."),
    (lambda given, got: math.isclose(np.sum(got), 1, rel_tol=1e-6), "The probabilities do not sum to 1."),
]
_SLIPS = [
    (
        lambda log_p, log_q: (np.exp(log_p) + np.exp(log_q)) / 2,
        'That is the expectation, the mean of probabilities. "mean" is taken of the logits.',
    ),
    (
        lambda log_p, log_q: np.exp((log_p + log_q) / 2),
        "Those are weights: a mean of logits is no distribution yet. Divide by their sum.",
    ),
    (
        lambda log_p, log_q: np.exp(log_p + log_q) / np.exp(log_p + log_q).sum(),
        "That is the product of both, without its root: the sum of the logits and not their mean.",
    ),
    (
        lambda log_p, log_q: np.exp(np.maximum(log_p, log_q)) / np.exp(np.maximum(log_p, log_q)).sum(),
        'That is "max": the larger of both for each word.',
    ),
]


@exercise("33", "Half of the weight")
def learned_share(answer: Any) -> Checked:
    """Check P(she) of she and he that minimises ½ KL(even ‖ student) + ½ CE of a text with "she" in 80 %.

    Examples
    --------
    >>> learned_share(0.5)
    ✗ 0.5 is not right. That is the teacher's side alone, α = 1. Half of the weight is the text's own.
    """
    slips = {
        0.5: "That is the teacher's side alone, α = 1. Half of the weight is the text's own.",
        SHARE: "That is the text's side alone, α = 0. Half of the weight is the reversed teacher's.",
        math.sqrt(0.5 * SHARE): "Both sides are cross entropies, and their targets are averaged as probabilities.",
        0.4: "You halved 0.8. Both targets count: the text's 0.8 and the teacher's 0.5.",
    }
    return check(answer, (0.5 + SHARE) / 2, because=slips)


@exercise("33", "A ratio and its odds")
def equity_of_counts(answer: Any) -> Checked:
    """Check the equity ratio of 160 female and 40 male texts.

    Examples
    --------
    >>> equity_of_counts(0.8)
    ✗ 0.8 is not right. That is the share of female texts. The ratio compares them with the male ones.
    """
    female, male = SAYS
    slips = {
        female / TEXTS: "That is the share of female texts. The ratio compares them with the male ones.",
        male / TEXTS: "That is the share of male texts. The ratio compares them with the female ones.",
        female / male: "The smaller is divided by the larger: a ratio is at most 1.",
        math.log(female / male): "That is the log odds. They have a sign and no edge; the ratio has neither.",
    }
    return check(answer, male / female, because=slips)


hints = Hints({
    mean_prediction: (
        "Logits are known up to a constant. Take log-probabilities for logits.",
        "Their mean is (log p + log q) / 2. What makes probabilities of logits?",
        "Take exp and divide by the sum: the probabilities are proportional to √(p·q).",
    ),
    learned_share: (
        "KL(target ‖ student) differs from the cross entropy of the target by a constant.",
        "The loss is ½ CE(even) + ½ CE(text), the cross entropy of one mixed target.",
        "A cross entropy is smallest at its target: half of 0.5 and half of 0.8.",
    ),
    equity_of_counts: (
        "min(f/m, m/f) of the numbers of female and male texts.",
        "Which of the two is the smaller one?",
        "40 over 160.",
    ),
})  # fmt: skip
