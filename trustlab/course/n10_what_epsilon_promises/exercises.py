"""The exercise of notebook 10: measure the ε of published answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from trustlab.course.found import exercise
from trustlab.lab.checks import Checked
from trustlab.lab.functions import check_function
from trustlab.lab.teaching import Hints

Pair = tuple[np.ndarray, np.ndarray]


def smallest_epsilon(with_anna: np.ndarray, without: np.ndarray) -> float:
    """Return the smallest ε, at δ = 0, for two lists of probabilities of the same answers."""
    p, q = np.asarray(with_anna), np.asarray(without)
    with np.errstate(divide="ignore"):
        return float(np.abs(np.log(p) - np.log(q)).max())


def _pairs() -> Iterator[Pair]:
    """Yield probabilities with Anna and without: of a coin, of more answers, and of one that gives her away."""
    yield np.array([0.75, 0.25]), np.array([0.25, 0.75])
    yield np.array([0.5, 0.3, 0.2]), np.array([0.5, 0.3, 0.2])
    yield np.array([0.5, 0.49, 0.01]), np.array([0.5, 0.4, 0.1])
    rng = np.random.default_rng(10)
    for answers in (2, 3, 5, 8):
        yield rng.dirichlet(np.ones(answers)), rng.dirichlet(np.ones(answers))
    yield np.array([0.4, 0.4, 0.2]), np.array([0.5, 0.5, 0.0])


def _kept(more: np.ndarray, less: np.ndarray, epsilon: float) -> bool:
    """Return whether no answer is more than e^ε times as likely in one world as in the other."""
    with np.errstate(over="ignore", invalid="ignore"):
        return not (more > np.exp(epsilon) * less * (1 + 1e-9)).any()


@exercise("10", "Measure ε")
def measure_epsilon(mine: Any) -> Checked:
    """Check a function of two arrays of probabilities that returns the smallest ε.

    Examples
    --------
    >>> measure_epsilon(lambda p, q: np.max(p / q))
    ✗ That is the largest ratio; ε is its natural logarithm. Your function returned 3 for ([0.75, 0.25], [0.25, 0.75]).
    """
    with np.errstate(all="ignore"):
        return check_function(
            mine,
            _pairs(),
            right=smallest_epsilon,
            properties=[
                (lambda given, found: found >= 0, "An ε is never negative: 0 promises that Anna changes nothing."),
                (
                    lambda given, found: _kept(given[0], given[1], float(found)),
                    "At this ε, some answer is still more than e^ε times as likely with Anna as without her.",
                ),
                (
                    lambda given, found: _kept(given[1], given[0], float(found)),
                    "Look at both directions: some answer is more than e^ε times as likely without Anna as with her.",
                ),
            ],
            because=[
                (lambda p, q: np.max(p / q), "That is the largest ratio; ε is its natural logarithm."),
                (
                    lambda p, q: np.max(np.maximum(p / q, q / p)),
                    "That is the largest ratio; ε is its natural logarithm.",
                ),
                (lambda p, q: np.abs(np.log2(p / q)).max(), "That is in bits; ε uses the natural logarithm."),
                (
                    lambda p, q: np.abs(np.log(p / q)).sum(),
                    "You added the answers up. Only one answer is published, so the worst one counts.",
                ),
            ],
        )


hints = Hints({
    measure_epsilon: (
        "For each answer: how many times as likely is it with Anna as without? And the other way round?",
        "ε bounds the logarithm of every such ratio, so it is the largest of them.",
        "The absolute value of log(p/q) covers both directions: `np.abs(np.log(p / q))`.",
    ),
})  # fmt: skip
