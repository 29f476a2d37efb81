"""What a measurement says about a claim: it holds, it is refuted, or these runs do not decide it.

A claim names a bar. Its two-sided p-value is that of the bar itself as the true mean, by Student's t over the runs, so
that one claim alone is decided exactly where the 95 % interval leaves out the bar. A notebook makes many claims, and
one in twenty that is true of nothing would be "found": the p-values of all its lines are corrected by Holm's method
(Holm 1979, "A simple sequentially rejective multiple test procedure"), which keeps the chance of any false finding
below 5 %, whatever the lines have to do with one another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trustlab.intervals import Interval

HOLDS, REFUTED, OPEN = "holds", "refuted", "not decided"
ERROR_RATE = 0.05  # of any false finding among the lines shown together
LEVEL = 0.95  # of the intervals that a measurement comes with
BARS = ("above", "below", "within")
RUNS = "runs"  # what is counted where a row does not say


@dataclass(frozen=True)
class Bar:
    """Where a mean has to lie for a claim to hold: strictly between `low` and `high`.

    Examples
    --------
    >>> Bar.of({"above": 0})
    Bar(low=0.0, high=inf)
    """

    low: float = -math.inf
    high: float = math.inf

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Bar:
        """Read the one bar of a claim's row: ``above=x``, ``below=x`` or ``within=(low, high)``."""
        (name,) = (name for name in BARS if name in row)
        low, high = {"above": (row[name], math.inf), "below": (-math.inf, row[name]), "within": row[name]}[name]
        if not float(low) < float(high):
            raise ValueError(f"Expected a bar with low < high, got {name}={row[name]!r}. A claim needs room to hold.")
        return cls(float(low), float(high))


def p_against(bar: Bar, measured: Interval) -> tuple[float, bool]:
    """Return the two-sided p-value of what the measurement rather says, and whether that is that the claim holds.

    For a bar with two ends holding means leaving out both (two one-sided tests), and being refuted lying beyond one.

    Parameters
    ----------
    bar
        The bar.
    measured
        The mean over ``n`` runs and its 95 % interval. Where its ends are not equally far from the mean, as a
        bootstrap's, the half that faces the bar counts. A single run has no interval and decides nothing: p = 1.

    Examples
    --------
    >>> p, holds = p_against(Bar(low=0), Interval(0.05, 0.0251586, 0.0748414, 3))
    >>> round(p, 4), holds
    (0.0131, True)
    """
    if math.isnan(measured.low):
        return 1.0, True
    above, below = _one_sided(measured, bar.low, sign=1), _one_sided(measured, bar.high, sign=-1)
    holds = max(above, below)
    refuted = min(1 - above, 1 - below)
    return min(1.0, 2 * min(holds, refuted)), holds <= refuted


def _one_sided(measured: Interval, end: float, *, sign: int) -> float:
    """Return the p-value of "the mean is no further than `end`" in the direction of `sign`."""
    from scipy import special

    if math.isinf(end):
        return 0.0
    distance = sign * (measured.mean - end)
    half = measured.mean - measured.low if measured.mean > end else measured.high - measured.mean
    if half <= 0:
        return 0.0 if distance > 0 else 1.0 if distance < 0 else 0.5
    freedom = measured.n - 1
    return float(special.stdtr(freedom, -distance / half * special.stdtrit(freedom, (1 + LEVEL) / 2)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected by Holm's method, in the order given.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected, most = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        most = max(most, min(1.0, (len(p_values) - rank) * p_values[i]))
        corrected[i] = most
    return corrected


@dataclass(frozen=True)
class Outcome:
    """What a claim's line says: the outcome in words, and Holm's p; None where nothing is left to chance."""

    word: str
    p: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the claim holds."""
        return self.word == HOLDS


def outcomes(rows: Sequence[Mapping[str, Any]], measured: Sequence[Any]) -> list[Outcome]:
    """Judge every row of :func:`trustlab.lab.claims.claims` together with all the others.

    Parameters
    ----------
    rows
        Each with one bar, or ``holds`` where the measurement is exact; ``p``, where it is given, replaces Student's.
    measured
        What each row measured; an :class:`~trustlab.intervals.Interval` where it has a bar.
    """
    judged = {
        i: p_against(Bar.of(row), found)
        for i, (row, found) in enumerate(zip(rows, measured, strict=True))
        if "holds" not in row
    }
    corrected = dict(zip(judged, holm([rows[i].get("p", p) for i, (p, _) in judged.items()]), strict=True))
    return [
        _outcome(corrected[i], judged[i][1], found.n, row.get("sampled", RUNS))
        if i in judged
        else Outcome(HOLDS if row["holds"] else REFUTED)
        for i, (row, found) in enumerate(zip(rows, measured, strict=True))
    ]


def _outcome(p: float, holds: bool, n: int, sampled: str) -> Outcome:
    if p > ERROR_RATE:
        return Outcome(f"{OPEN} ({n} {sampled.removesuffix('s') if n == 1 else sampled})", p)
    return Outcome(HOLDS if holds else REFUTED, p)
