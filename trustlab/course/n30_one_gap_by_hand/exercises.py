"""The exercise of notebook 30: the gap of those who would pay back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from trustlab.course.found import exercise
from trustlab.lab.checks import Checked
from trustlab.lab.functions import check_function
from trustlab.lab.teaching import Hints

Case = tuple[np.ndarray, np.ndarray, np.ndarray]


def _rate_gap(loan: np.ndarray, among: np.ndarray, valley: np.ndarray) -> float:
    """Return how far apart the shares of loans are between the valley and the hill, of the people in `among`."""
    rates = loan[among & valley].mean(), loan[among & ~valley].mean()
    return float(max(rates) - min(rates))


def pay_back_gap(pays: np.ndarray, loan: np.ndarray, valley: np.ndarray) -> float:
    """Return the gap of those who would pay back."""
    return _rate_gap(loan, pays, valley)


def _decisions() -> Iterator[Case]:
    """Yield who would pay back, who gets a loan, and who is from the valley: bool [N] each."""
    bits = "1010111011", "0110100000", "0100000110"
    yield tuple(np.array([bit == "1" for bit in each]) for each in bits)  # type: ignore[misc]
    rng = np.random.default_rng(30)
    for people in (12, 40, 41, 100):
        pays, loan, valley = rng.random((3, people)) < np.array([[0.6], [0.5], [0.3]])
        pays[:2], valley[:2] = True, (True, False)  # at least one person to count in both groups
        yield pays, loan, valley
    yield pays, pays.copy(), valley  # the bank knew: no gap


@exercise("30", "A gap of your own")
def own_gap(mine: Any) -> Checked:
    """Check a function of who pays back, who gets a loan and who is from the valley that returns the gap.

    Examples
    --------
    >>> own_gap(lambda pays, loan, valley: abs(loan[valley].mean() - loan[~valley].mean()))  # doctest: +ELLIPSIS
    ✗ You counted everybody. The complaint is about those who would pay back. Your function returned 0.04762 for ...
    """
    return check_function(
        mine,
        _decisions(),
        right=pay_back_gap,
        properties=[
            (lambda given, gap: gap >= 0, "A gap is never negative: it is the larger share minus the smaller one."),
            (lambda given, gap: gap <= 1, "A gap between two shares is 1 at most."),
        ],
        because=[
            (
                lambda pays, loan, valley: _rate_gap(loan, np.ones_like(pays), valley),
                "You counted everybody. The complaint is about those who would pay back.",
            ),
            (
                lambda pays, loan, valley: _rate_gap(loan, ~pays, valley),
                "You counted those who would not pay back.",
            ),
            (
                lambda pays, loan, valley: _rate_gap(pays == loan, np.ones_like(pays), valley),
                "That is the gap of right decisions, good and bad ones together.",
            ),
            (
                lambda pays, loan, valley: _rate_gap(pays & loan, np.ones_like(pays), valley),
                "You divided by everybody in the group. Divide by those in it who would pay back.",
            ),
            (
                lambda pays, loan, valley: _rate_gap(pays, loan, valley),
                "You asked how many of those with a loan pay back. Ask how many who would pay back have a loan.",
            ),
        ],
    )


hints = Hints({
    own_gap: (
        "Keep only those who would pay back. Of these, compare the valley with the hill.",
        "`loan[pays & valley]` are the decisions about those in the valley who would pay back.",
        "The mean of an array of True and False is the share of True.",
    ),
})  # fmt: skip
