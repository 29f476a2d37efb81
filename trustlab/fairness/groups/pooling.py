"""Small groups borrow from all: partial pooling, and how much the groups' true numbers differ at all.

The model is the random-effects one of meta-analysis. Each group's number is its true one plus an error of known size,
and the true ones scatter around a common mean with standard deviation τ, the *spread*:

    m_g = θ_g + e_g,  e_g ~ N(0, v_g);    θ_g ~ N(μ, τ²);    E[θ_g | m, τ] = (τ² m_g + v_g μ) / (τ² + v_g).

A group of twelve is drawn far to the mean, one of a thousand hardly, and all of them more where the groups agree. τ is
not plugged in but averaged over: of nine small groups it is uncertain, and a τ of 0 would make them all equal. Rates
and AUCs are pooled as angles, φ = arcsin √m, whose error hardly depends on the rate (Anscombe 1948).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from trustlab.fairness.groups.chance import Estimates
from trustlab.fairness.groups.metric_names import MetricName

_GRID = 200  # values of τ
_DRAWS = 4000


class Spread(NamedTuple):
    """The standard deviation τ of the groups' true numbers, and its interval."""

    value: float
    low: float
    high: float


def spread(values: np.ndarray, errors: np.ndarray, level: float = 0.95) -> Spread:
    """Return τ with Q-profile interval (Viechtbauer 2007): the τ for which Q is as large as chance makes it.

    Q(τ) = Σ (m_g − μ)² / (v_g + τ²), with μ the mean weighted so, has a χ² distribution with G − 1 degrees of freedom
    at the true τ. The value is that at which Q is G − 1 (Paule and Mandel 1982), the ends those at which Q is one of
    the two quantiles; 0 where Q is below it already.

    Examples
    --------
    >>> spread(np.array([0.1, 0.3, 0.5]), np.array([0.05, 0.05, 0.05])).value.__round__(3)
    0.194
    """
    from scipy import optimize, special

    if len(values) < 2 or not (np.asarray(errors) >= 0).all():
        raise ValueError(f"Expected two or more groups with standard errors >= 0, got {len(values)} groups.")
    m, v = np.asarray(values, float), np.maximum(np.asarray(errors, float) ** 2, 1e-12)
    freedom, top = len(m) - 1, 100 * (np.ptp(m) + math.sqrt(v.max()))

    def q(tau: float) -> float:
        w = 1 / (v + tau**2)
        return float((w * (m - (w @ m) / w.sum()) ** 2).sum())

    def at(target: float) -> float:
        return 0.0 if q(0) <= target else float(optimize.brentq(lambda tau: q(tau) - target, 0, top))

    ends = special.chdtri(freedom, [(1 - level) / 2, (1 + level) / 2])  # upper quantiles: the larger is of the low end
    return Spread(at(freedom), *map(at, ends.tolist()))


def posterior(values: np.ndarray, errors: np.ndarray, *, draws: int = _DRAWS, seed: int = 0) -> np.ndarray:
    """Return draws of the groups' true numbers, [draws, G]: θ given the numbers, over all τ that are plausible.

    μ and τ have flat priors (Gelman 2006), and given τ everything is normal, so that nothing iterates: the weight of
    each τ is the likelihood with μ integrated out.

    Examples
    --------
    >>> means = posterior(np.array([0.2, 0.3, 0.9]), np.array([0.02, 0.02, 0.3])).mean(axis=0)
    >>> bool(means[2] < 0.7), bool(abs(means[0] - 0.2) < 0.02)
    (True, True)
    """
    m, v = np.asarray(values, float), np.maximum(np.asarray(errors, float) ** 2, 1e-12)
    rng = np.random.default_rng(seed)
    widest = 3 * max(float(m.std(ddof=1)), math.sqrt(v.mean()))
    tau2 = ((np.arange(_GRID) + 0.5) / _GRID * widest)[:, None] ** 2  # [T, 1]
    w = 1 / (v + tau2)
    mu = (w @ m) / w.sum(1)
    log = 0.5 * np.log(w).sum(1) - 0.5 * np.log(w.sum(1)) - 0.5 * (w * (m - mu[:, None]) ** 2).sum(1)
    weight = np.exp(log - log.max())
    at = rng.choice(_GRID, size=draws, p=weight / weight.sum())
    centre = mu[at] + rng.standard_normal(draws) / np.sqrt(w.sum(1)[at])
    kept = tau2[at] / (tau2[at] + v)  # share of a group's own number, [draws, G]
    return centre[:, None] + kept * (m - centre[:, None]) + np.sqrt(kept * v) * rng.standard_normal((draws, len(m)))


def pooled(estimates: Sequence[Estimates]) -> list[dict[str, Any]]:
    """Return what each group's true number may be, and how likely it is the highest or the lowest of all.

    Parameters
    ----------
    estimates
        Of :func:`~trustlab.fairness.groups.estimate_rates`, :func:`~trustlab.fairness.groups.estimate_means` or
        :func:`~trustlab.fairness.groups.estimate_aucs`.

    Returns
    -------
    list of rows
        ``metric``, ``group``, ``value`` as measured, ``pooled`` with ``low`` and ``high`` of the group's true number,
        ``highest`` and ``lowest`` (the probability that it is the highest or lowest of the groups: name no group as
        the worst off without it), ``rows`` (those that the number is about) and ``reason``. Where a group has no such
        row all of them are NaN.

    Examples
    --------
    >>> from trustlab.fairness.groups import Groups, estimate_rates
    >>> y_pred = [1] * 8 + [0] * 4 + [1] * 30 + [0] * 70
    >>> rates = estimate_rates([0] * 112, y_pred, Groups.by(["few"] * 12 + ["many"] * 100))
    >>> few, many = [row for row in pooled(rates) if row["metric"] == "false_positive_rate"]
    >>> round(few["value"], 2), bool(few["pooled"] < few["value"]), bool(few["highest"] > 0.9)
    (0.67, True, True)
    """
    return [row for each in estimates for row in _pooled(each)]


def _pooled(of: Estimates) -> list[dict[str, Any]]:
    columns = {name: np.full(len(of.groups), math.nan) for name in ("pooled", "low", "high", "highest", "lowest")}
    if not of.reason:
        drawn = _drawn(of)
        low, high = np.quantile(drawn, [(1 - of.level) / 2, (1 + of.level) / 2], axis=0)
        equal = [np.full(len(of.groups), 1 / len(of.groups))] * 2
        highest, lowest = [_share(drawn, best) for best in (np.max, np.min)] if np.ptp(of.values) else equal
        columns = {"pooled": drawn.mean(0), "low": low, "high": high, "highest": highest, "lowest": lowest}
    return [
        {
            "metric": MetricName(of.name),
            "group": group,
            "value": float(of.values[g]),
            **{name: float(column[g]) for name, column in columns.items()},
            "rows": int(of.rows[g]),
            "reason": of.reason,
        }
        for g, group in enumerate(of.groups)
    ]


def _drawn(of: Estimates) -> np.ndarray:
    """Return draws of the groups' true numbers, [draws, G]; of shares by their angles."""
    if of.bounds != (0, 1):
        return posterior(of.values, of.errors)
    rows = of.effective
    if (of.errors > 0).all():
        rows = of.centre * (1 - of.centre) / of.errors**2  # how many independent rows would be as sure
    angles = np.arcsin(np.sqrt((of.values * rows + 0.375) / (rows + 0.75)))
    return np.sin(np.clip(posterior(angles, 0.5 / np.sqrt(rows + 0.5)), 0, math.pi / 2)) ** 2


def _share(drawn: np.ndarray, best: Any) -> np.ndarray:
    """Return in which share of the draws each group is at that end, [G]; groups that tie share."""
    at = drawn == best(drawn, axis=1, keepdims=True)
    return (at / at.sum(axis=1, keepdims=True)).mean(axis=0)
