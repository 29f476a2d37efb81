"""The exercise of notebook 00: what is right, and what each usual slip means."""

from __future__ import annotations

from typing import Any

from trustlab.course.found import exercise
from trustlab.lab.checks import Checked, check


@exercise("00", "How much is spent after one epoch?")
def share_spent(answer: Any, *, spent: float, budget: float) -> Checked:
    """Check, in per cent, how much of `budget` was `spent`.

    Examples
    --------
    >>> share_spent(5.5, spent=5.5, budget=8.0)
    ✗ 5.5 % is not right. That is ε itself; the question asks for per cent of the budget.
    """
    slips = {
        spent: "That is ε itself; the question asks for per cent of the budget.",
        33.3: "ε does not add up evenly: the first steps cost most.",
    }
    return check(answer, 100 * spent / budget, rtol=0.02, because=slips, unit="%")
