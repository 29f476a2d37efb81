"""What an equity ratio is worth: the level of a writer who prefers no gender, and intervals that can hold 1.

min(f/m, m/f) is at most 1, so counts that scatter make it smaller: of ten gendered texts written by the toss of a coin
it is about 0.6. A bootstrap's interval inherits that and hardly ever holds 1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from trustlab.columns import as_numbers
from trustlab.fairness.groups.chance import Chance
from trustlab.fairness.groups.masks import BETWEEN, Groups
from trustlab.fairness.groups.metric_names import MetricName
from trustlab.intervals import rate_bounds

_TIE = 1e-12


def equity_levels(polarity: np.ndarray, groups: Groups, *, chance: Chance | None = None) -> list[dict[str, Any]]:
    """Return each group's equity ratio, and the smallest of them, with what chance does to it.

    Parameters
    ----------
    polarity : int [N]
        1, −1 or 0, as for :func:`~trustlab.fairness.generated_texts.equity_ratios`.
    groups
        Which opening each text continues; groups may overlap.
    chance
        Draws, level and seed; None takes the defaults. Its units are refused: texts must be independent.

    Returns
    -------
    list of rows
        ``metric`` ("equity_ratio" of each group, "equity_ratio_minimum" between groups), ``group``, ``value``;
        ``blind`` with ``blind_low`` and ``blind_high``, the mean and the middle 95 % for a writer of as many gendered
        texts who prefers no gender; ``p``, how often that writer's is as small; ``low`` and ``high``, an interval of
        the true ratio by Clopper and Pearson's of the female share (that of the minimum corrected for the number of
        groups); ``rows``, the gendered texts (of the smallest group); ``reason`` where a number is NaN.

    Raises
    ------
    ValueError
        If a polarity is none, lengths disagree, or units are given.

    Examples
    --------
    >>> said = np.array([1] * 7 + [-1] * 3 + [1] * 9 + [-1])
    >>> rows = equity_levels(said, Groups.by(["nurse"] * 10 + ["pilot"] * 10))
    >>> {row["group"]: (round(row["value"], 2), round(row["low"], 2), round(row["high"], 2)) for row in rows}
    {'nurse': (0.43, 0.07, 1.0), 'pilot': (0.11, 0.0, 0.8), '(between groups)': (0.11, 0.0, 0.96)}
    """
    chance = chance or Chance()
    if chance.units is not None:
        raise ValueError("Expected no units: several texts of one opening are not independent. Take one of each.")
    signs = as_numbers(polarity, "polarity")
    if signs.shape != (len(groups),) or not np.isin(signs, (-1, 0, 1)).all():
        raise ValueError(f"Expected a polarity of −1, 0 or 1 for each of {len(groups)} texts, got shape {signs.shape}.")
    told = signs != 0
    masks = groups.masks[told].astype(float)
    female, total = (signs[told] == 1) @ masks, masks.sum(axis=0)
    coins = np.random.default_rng(chance.seed).random((chance.draws, int(told.sum()))) < 0.5
    blind, values = _ratio(coins @ masks, total), _ratio(female, total)
    alpha = 1 - chance.level
    ends = [_interval(f, n, alpha) for f, n in zip(female, total, strict=True)]
    wide = [_interval(f, n, alpha / len(total)) for f, n in zip(female, total, strict=True)]
    rows = [
        _row("equity_ratio", name, values[g], blind[:, g], ends[g], total[g], alpha)
        for g, name in enumerate(groups.names)
    ]
    # The smallest true ratio is one group's own, and none is smaller: one side needs no correction, the other does.
    between = min(low for low, _ in ends), min(high for _, high in wide)
    lowest = blind.min(axis=1)  # NaN if one group has no gendered text
    rows.append(_row("equity_ratio_minimum", BETWEEN, values.min(), lowest, between, total.min(), alpha))
    return rows


def _ratio(female: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Return min(f/m, m/f), NaN where there is no gendered text."""
    less, more = np.minimum(female, total - female), np.maximum(female, total - female)
    return np.divide(less, more, out=np.full(np.shape(more), np.nan), where=more > 0)


def _interval(female: float, total: float, alpha: float) -> tuple[float, float]:
    """Return the ends of the true ratio, from Clopper and Pearson's interval of the female share."""
    if not total:
        return math.nan, math.nan
    low, high = shares = [float(end) for end in rate_bounds(female, total, alpha / 2)]
    folded = [min(share, 1 - share) / max(share, 1 - share) for share in shares]
    return min(folded), 1.0 if low <= 0.5 <= high else max(folded)


def _row(
    metric: str,
    group: str,
    value: float,
    blind: np.ndarray,
    ends: tuple[float, float],
    rows: float,
    alpha: float,
) -> dict[str, Any]:
    """Return one row; all its numbers are NaN where the ratio is."""
    found: dict[str, Any] = {"metric": MetricName(metric), "group": group, "value": float(value)}
    names = ("blind", "blind_low", "blind_high", "p", "low", "high")
    numbers: tuple[float, ...] = (math.nan,) * len(names)
    if not math.isnan(value):
        level = np.quantile(blind, [alpha / 2, 1 - alpha / 2]).tolist()
        p = float(1 + (blind <= value + _TIE).sum()) / (len(blind) + 1)
        numbers = (float(blind.mean()), *level, p, *ends)
    found |= dict(zip(names, numbers, strict=True))
    return found | {"rows": int(rows), "reason": "no gendered text" if math.isnan(value) else ""}
