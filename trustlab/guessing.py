"""What (ε, δ) means to the person behind a record: how often a bet on their taking part can be right at most."""

from __future__ import annotations

import math


def best_hit_rate(epsilon: float, delta: float = 0.0) -> float:
    """Return the largest share of right bets on whether one record took part.

    Before the bet both are equally likely, and the bettor may know everything else: the method, all other records and
    what was released. A coin is right half of the time; (ε, δ)-differential privacy allows at most
    (e^ε + δ) / (1 + e^ε).

    Parameters
    ----------
    epsilon
        Privacy budget, at least 0; infinity for no guarantee.
    delta
        Probability δ in [0, 1].

    Raises
    ------
    ValueError
        If one of them is outside its range.

    References
    ----------
    Wasserman and Zhou (2010), "A statistical framework for differential privacy"; Kairouz, Oh and Viswanath (2015),
    "The composition theorem for differential privacy", whose worst case reaches the bound.

    Examples
    --------
    >>> [round(best_hit_rate(epsilon, 1e-5), 4) for epsilon in (0.0, 1.0, 3.0, 8.0, math.inf)]
    [0.5, 0.7311, 0.9526, 0.9997, 1.0]
    """
    if not epsilon >= 0:
        raise ValueError(f"Expected epsilon={epsilon!r} >= 0. Smaller ε means stronger privacy; math.inf is none.")
    if not 0 <= delta <= 1:
        raise ValueError(f"Expected delta={delta!r} in [0, 1]. It is the probability that ε may be exceeded.")
    hidden = math.exp(-epsilon)  # e^−ε: no overflow at a large ε
    return (1 + delta * hidden) / (1 + hidden)


def written_rate(rate: float) -> str:
    """Write a hit rate in per cent, with more digits close to 100 so that a bound below 100 stays below it.

    Examples
    --------
    >>> [written_rate(best_hit_rate(epsilon, 1e-5)) for epsilon in (0.0, 1.0, 3.0, 8.0, math.inf)]
    ['50 %', '73 %', '95.3 %', '99.97 %', '100 %']
    """
    if rate >= 1:
        return "100 %"
    missing = 100 * (1 - rate)
    digits = 0 if missing > 10 else max(1, math.ceil(-math.log10(missing)))
    return f"{100 * rate:.{digits}f} %"
