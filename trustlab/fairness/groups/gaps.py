"""What a difference between many groups is worth: its group-blind level, a correction, an interval that covers, a p.

Largest minus smallest of G noisy numbers is above the true difference, the more so the smaller and the more the groups.
A percentile interval of it inherits the bias, and never covers 0. So the interval comes from turning a test round
(Neyman 1937): it holds the true differences at which the observed one would not be surprising. How surprising it is
depends on all the true numbers, not on their difference alone, so each end takes the worst of them:

* the **low** end, half of the groups at each end: then chance widens the difference most;
* the **high** end, one group at each end and all others in the middle: then it widens it least.

At no difference this is the permutation test itself: the low end is 0 exactly where p is above half of 1 − level.
``corrected`` is the difference of numbers spread like the observed ones at which the observed difference is the median.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from trustlab.fairness.groups.chance import Estimates
from trustlab.fairness.groups.masks import BETWEEN
from trustlab.fairness.groups.metric_names import MetricName
from trustlab.fairness.groups.pooling import spread

Distance = Callable[[np.ndarray], np.ndarray]  # how far apart the groups are, [..., G] to [...]: 0 where all are equal
_STEPS = 30  # bisections: to a billionth of the largest possible distance
_TIE = 1e-12


class Gap(NamedTuple):
    """How far apart groups are: measured, by chance alone, corrected, and the interval of the truth."""

    value: float
    blind: float
    blind_low: float
    blind_high: float
    p: float
    corrected: float
    low: float
    high: float


def gaps(estimates: Sequence[Estimates]) -> list[dict[str, Any]]:
    """Return what the difference and the ratio between groups are worth.

    Parameters
    ----------
    estimates
        Of :func:`~trustlab.fairness.groups.estimate_rates`, :func:`~trustlab.fairness.groups.estimate_means` or
        :func:`~trustlab.fairness.groups.estimate_aucs`.

    Returns
    -------
    list of rows
        For each number "…_difference" and "…_ratio" between groups: ``value`` as measured; ``blind`` with
        ``blind_low`` and ``blind_high``, the mean and the middle 95 % of what a classifier blind to the groups shows;
        ``p``, how often it shows as much; ``corrected``, ``low`` and ``high``, the estimate of the true one and its
        interval; for differences ``spread`` with ``spread_low`` and ``spread_high``, the standard deviation of the
        groups' true numbers; ``rows`` of the smallest group; and ``reason`` where a number is NaN. Numbers that can be
        negative have no ratio.

    Examples
    --------
    >>> from trustlab.fairness.groups import Groups, estimate_rates
    >>> rng = np.random.default_rng(0)
    >>> coins, groups = rng.random(180) < 0.3, Groups.by(np.repeat(list("abcdef"), 30))
    >>> found = {row["metric"]: row for row in gaps(estimate_rates(np.zeros(180), coins, groups))}
    >>> row = found["false_positive_rate_difference"]
    >>> round(row["value"], 2), round(row["blind"], 1), row["low"], bool(row["p"] > 0.05)
    (0.1, 0.2, 0.0, True)
    """
    return [row for each in estimates for row in _rows(each)]


def gap(of: Estimates, distance: Distance) -> Gap:
    """Return how far apart groups are by `distance`: :func:`difference` or :func:`one_minus_ratio`."""
    value, blind, alpha = float(distance(of.values)), distance(of.blind), 1 - of.level
    p = float(1 + (blind >= value - _TIE).sum()) / (len(blind) + 1)
    level = [float(blind.mean()), *np.quantile(blind, [alpha / 2, 1 - alpha / 2]).tolist()]
    if not of.noise.any():  # all rows agree
        return Gap(value, *level, p, value, value, max(value, _unseen(of, alpha)))
    ends, pair = _patterns(of)
    drawn = _Drawn(of, distance)
    low = 0.0 if p > alpha / 2 else drawn.solve(ends, value, lambda d: (d >= value - _TIE).mean() > alpha / 2)
    high = drawn.solve(pair, value, lambda d: (d <= value + _TIE).mean() < alpha / 2)
    own = of.values - of.values.mean()
    own = own / np.ptp(own) if np.ptp(own) else pair
    half = drawn.solve(own, value, lambda d: np.median(d) > value) if value > np.median(blind) else 0.0
    return Gap(value, *level, p, min(max(half, low), max(high, low)), low, max(high, low))


def difference(values: np.ndarray) -> np.ndarray:
    """Return largest minus smallest along the last axis."""
    return np.ptp(values, axis=-1)


def one_minus_ratio(values: np.ndarray) -> np.ndarray:
    """Return 1 − smallest / largest along the last axis, of numbers >= 0; 0 where all are 0."""
    low, high = np.maximum(np.min(values, axis=-1), 0), np.max(values, axis=-1)
    return 1 - np.divide(low, high, out=np.ones_like(high), where=high > 0)


class _Drawn:
    """Differences that chance makes of true numbers with a given pattern."""

    def __init__(self, of: Estimates, distance: Distance) -> None:
        self.of, self.distance = of, distance
        lowest, highest = of.bounds
        self.most = highest - lowest if math.isfinite(highest) else 4 * np.ptp(of.values) + 40 * float(of.errors.max())

    def solve(self, pattern: np.ndarray, value: float, beyond: Callable[[np.ndarray], bool]) -> float:
        """Return the true distance at which `beyond` becomes true of the drawn ones, or the largest possible."""
        low, high = 0.0, self.most
        if not beyond(self._drawn(self._true(pattern, high))):
            return self._apart(pattern, high)
        for _ in range(_STEPS):
            middle = (low + high) / 2
            if beyond(self._drawn(self._true(pattern, middle))):
                high = middle
            else:
                low = middle
        return self._apart(pattern, high)

    def _apart(self, pattern: np.ndarray, size: float) -> float:
        """Return the distance of true numbers of this size, without what rounding adds."""
        return round(float(self.distance(self._true(pattern, size))), 9)

    def _true(self, pattern: np.ndarray, size: float) -> np.ndarray:
        """Return true numbers `size` apart whose mean over rows is that of all."""
        share = self.of.weight / self.of.weight.sum()
        true = self.of.centre + size * (pattern - share @ pattern)
        # A difference does not depend on where it lies; a ratio does.
        return true if self.distance is difference else np.clip(true, *self.of.bounds)

    def _drawn(self, true: np.ndarray) -> np.ndarray:
        """Return the distances that chance makes of the true numbers, [draws]."""
        of, scale = self.of, np.ones(len(true))
        if of.binary:  # a rate near 0 or 1 scatters less than one in the middle
            rate = np.clip(true, 0.5 / of.effective, 1 - 0.5 / of.effective)
            scale = np.sqrt(rate * (1 - rate) / (of.centre * (1 - of.centre)))
        return self.distance(true + of.noise * scale)


def _patterns(of: Estimates) -> tuple[np.ndarray, np.ndarray]:
    """Return true numbers with half of the groups at each end, and with one at each end and the others between."""
    order = np.argsort(of.values, kind="stable")
    top, bottom = of.values.max(), of.values.min()
    ends = np.where(of.values > (top + bottom) / 2, 0.5, -0.5)
    if top == bottom:  # any two: those least sure
        order = np.argsort(-of.errors, kind="stable")[[0, *range(2, len(order)), 1]]
        ends[order[-1]] = 0.5
    pair = np.zeros(len(order))
    pair[order[0]], pair[order[-1]] = -0.5, 0.5
    return ends, pair


def _unseen(of: Estimates, alpha: float) -> float:
    """Return how far a group may be from rows that all agree: the rate that n of n agreeing rows do not exclude."""
    return 1 - (alpha / 2) ** (1 / of.effective.min()) if of.centre in of.bounds else 0.0


def _rows(of: Estimates) -> list[dict[str, Any]]:
    kinds: dict[str, Distance] = {"difference": difference}
    if of.bounds[0] == 0:
        kinds["ratio"] = one_minus_ratio
    rows = []
    for kind, distance in kinds.items():
        found = Gap(*[math.nan] * 8) if of.reason else gap(of, distance)
        zero = kind == "ratio" and not of.reason and not of.values.any()
        if kind == "ratio":
            found = Gap(*[math.nan] * 8) if zero else _of_ratio(found)
        row = {"metric": MetricName(f"{of.between}_{kind}"), "group": BETWEEN, **found._asdict()}
        if kind == "difference":
            true = (math.nan,) * 3 if of.reason else spread(of.values, of.errors, of.level)
            most = (of.bounds[1] - of.bounds[0]) / 2 * math.sqrt(len(of.rows) / max(len(of.rows) - 1, 1))
            true = np.minimum(true, most).tolist()  # that of half of the groups at each end
            row |= dict(zip(("spread", "spread_low", "spread_high"), true, strict=True))
        rows.append(row | {"rows": int(of.rows.min()), "reason": "0 in every group" if zero else of.reason})
    return rows


def _of_ratio(found: Gap) -> Gap:
    """Turn 1 − ratio into the ratio."""
    return Gap(1 - found.value, 1 - found.blind, 1 - found.blind_high, 1 - found.blind_low, found.p,
               1 - found.corrected, 1 - found.high, 1 - found.low)  # fmt: skip
