"""The privacy budgets that notebooks 00 and 11 compare, and their names; nothing here needs torch."""

from __future__ import annotations

import math

EPSILONS = (1.0, 3.0, 8.0, math.inf)
DELTA = 1e-5
STRENGTH = {1.0: "strong", 3.0: "moderate", 8.0: "weak", math.inf: "none"}


def budget_label(epsilon: float) -> str:
    """Write ε together with how strong a promise it is.

    Examples
    --------
    >>> [budget_label(epsilon) for epsilon in EPSILONS]
    ['1 (strong)', '3 (moderate)', '8 (weak)', '∞ (none)']
    """
    return "∞ (none)" if math.isinf(epsilon) else f"{epsilon:g} ({STRENGTH[epsilon]})"
