"""How well an attack distinguishes members: its ROC, and four numbers of it with bootstrap intervals.

An attack gives each example a score, and every threshold is a decision: above it, "member". TPR is the share of members
called so, FPR that of non-members. AUC and advantage are averages: they can look harmless while a few people are found
with certainty. TPR at a low FPR is what those few risk (Carlini et al. 2022).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from trustlab.columns import as_scores
from trustlab.privacy.membership.attack_inputs import known_members

FPRS = (0.001, 0.01)
_BLOCK = 100_000  # counts held at once: less than 1 MB, so that a block stays near the processor


class Curve(NamedTuple):
    """An ROC: at each distinct score, from the highest, FPR and TPR of calling it and all above it members.

    It begins at (0, 0), where no example is called a member: threshold ∞.
    """

    fpr: np.ndarray
    tpr: np.ndarray
    thresholds: np.ndarray


def roc(scores: Any, members: Any) -> Curve:
    """Return the ROC of an attack.

    Parameters
    ----------
    scores : [N]
        Finite; larger for a more likely member.
    members : bool [N]
        Who was in the training; at least twenty were, and twenty were not.

    Examples
    --------
    >>> curve = roc(np.arange(80.0), np.arange(80) >= 40)
    >>> float(curve.tpr[curve.fpr == 0].max())
    1.0
    """
    ranking = _Ranking(*_checked(scores, members))
    tpr, fpr = (counts[0].cumsum() / counts.sum() for counts in ranking.counts())
    return Curve(np.append(0.0, fpr), np.append(0.0, tpr), np.append(np.inf, ranking.thresholds))


def hull(curve: Curve) -> Curve:
    """Return the upper convex hull of an ROC: what an attacker reaches who may choose between thresholds at random.

    Of the sample, it is too high by chance: report the ROC itself, draw the hull where a bound is convex.

    Examples
    --------
    >>> found = hull(Curve(np.array([0, 0.5, 1]), np.array([0, 0.25, 1]), np.array([3.0, 2, 1])))
    >>> found.fpr.tolist()
    [0.0, 1.0]
    """
    kept: list[int] = []
    for i, (x, y) in enumerate(zip(curve.fpr, curve.tpr, strict=True)):
        while len(kept) > 1:
            (x0, y0), (x1, y1) = ((curve.fpr[k], curve.tpr[k]) for k in kept[-2:])
            if (x1 - x0) * (y - y0) < (y1 - y0) * (x - x0):
                break  # a turn to the right: the last point is a corner
            kept.pop()
        if kept and curve.fpr[kept[-1]] == x and curve.tpr[kept[-1]] <= y:
            kept.pop()
        kept.append(i)
    return Curve(*(np.asarray(part)[kept] for part in curve))


def success(
    scores: Any,
    members: Any,
    *,
    fprs: Sequence[float] = FPRS,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Return AUC, advantage and TPR at low FPRs of an attack, each with a bootstrap interval.

    Members and non-members are resampled apart. The interval says how much a number would move with other examples,
    attacked in this same training; not how much with another training. A TPR of exactly 0 or 1 gets an interval without
    width. The advantage, a maximum over thresholds, is above 0 by chance, and a resample's more so: its interval is
    shifted upwards.

    Parameters
    ----------
    scores : [N]
        Finite; larger for a more likely member.
    members : bool [N]
    fprs
        FPRs in (0, 1) at which the TPR is wanted: of the best threshold whose FPR is no larger, without interpolation.
    resamples, level, seed
        Of the bootstrap; 0 resamples give no interval: NaN.

    Returns
    -------
    list of rows
        ``measure`` ("auc": Mann and Whitney's, ties count half; "advantage": the largest TPR − FPR; "tpr at fpr 0.01"),
        ``value``, ``low``, ``high``.

    Raises
    ------
    ValueError
        If an FPR is below one in the number of non-members, a score is not finite, or a group is too small.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> members = np.arange(2000) < 1000
    >>> rows = success(rng.normal(size=2000) + members, members, fprs=(0.01,))
    >>> [(row["measure"], round(row["value"], 2)) for row in rows]
    [('auc', 0.75), ('advantage', 0.38), ('tpr at fpr 0.01', 0.1)]
    """
    own, mask = _checked(scores, members)
    _check_options(fprs, resamples, level, int((~mask).sum()))
    ranking = _Ranking(own, mask)
    found = ranking.measured(*ranking.counts(), fprs)[0]
    ends = np.full((2, len(found)), math.nan)
    if resamples:
        drawn = [ranking.measured(*counts, fprs) for counts in ranking.resampled(resamples, seed)]
        ends = np.quantile(np.concatenate(drawn), [(1 - level) / 2, (1 + level) / 2], axis=0)
    names = ("auc", "advantage", *(f"tpr at fpr {fpr:g}" for fpr in fprs))
    return [
        {"measure": name, "value": float(value), "low": float(low), "high": float(high)}
        for name, value, low, high in zip(names, found, *ends, strict=True)
    ]


class _Ranking:
    """Where members and non-members are among the distinct scores, the highest first; everything is counted there."""

    def __init__(self, scores: np.ndarray, members: np.ndarray) -> None:
        rising, places = np.unique(scores, return_inverse=True)
        self.thresholds = rising[::-1]
        places = len(rising) - 1 - places
        self.members, self.others = (places[chosen].astype(np.int32) for chosen in (members, ~members))

    def counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Return how many members and how many non-members have each distinct score, each [1, U]."""
        size = len(self.thresholds)
        return np.bincount(self.members, minlength=size)[None], np.bincount(self.others, minlength=size)[None]

    def resampled(self, resamples: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the same of blocks of resamples, each [R, U]."""
        rng, size = np.random.default_rng(seed), len(self.thresholds)
        step = max(1, _BLOCK // size)
        for start in range(0, resamples, step):
            block = min(step, resamples - start)
            offset = np.arange(0, block * size, size, dtype=np.int32)[:, None]  # each resample counts in its own range
            yield tuple(_drawn(places, offset, size, rng) for places in (self.members, self.others))

    def measured(self, members: np.ndarray, others: np.ndarray, fprs: Sequence[float]) -> np.ndarray:
        """Return AUC, advantage and TPRs [R, 2 + F] of counts [R, U]."""
        inside, outside = members.cumsum(1), others.cumsum(1)  # at or above each score
        m, n = len(self.members), len(self.others)
        # A member beats every non-member below its score, and half of those at its score.
        lost = np.einsum("ru,ru->r", members, outside) - 0.5 * np.einsum("ru,ru->r", members, others)
        ahead = (inside * n - outside * m).max(1)  # in whole numbers, which is three times as fast
        columns = [1 - lost / (m * n), np.maximum(ahead, 0) / (m * n)]
        rows = np.arange(len(inside))
        for fpr in fprs:
            above = (outside <= math.floor(fpr * n + 1e-9)).sum(1)  # distinct scores that the threshold may include
            columns.append(np.where(above > 0, inside[rows, above - 1], 0) / m)
        return np.stack(columns, axis=1)


def _drawn(places: np.ndarray, offset: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Return how many of as many draws from `places` hit each of `size` places, [R, size]."""
    draws = rng.integers(len(places), size=(len(offset), len(places)), dtype=np.int32)
    hits = places.take(draws) + offset
    return np.bincount(hits.ravel(), minlength=len(offset) * size).reshape(-1, size)


def _checked(scores: Any, members: Any) -> tuple[np.ndarray, np.ndarray]:
    found = as_scores(scores, "attack score")
    return found, known_members(members, len(found))


def _check_options(fprs: Sequence[float], resamples: int, level: float, non_members: int) -> None:
    for fpr in fprs:
        if not 1 / non_members <= fpr < 1:
            raise ValueError(
                f"Expected every FPR in [1/{non_members}, 1), one in the number of non-members or more, got {fpr:g}. A "
                "smaller one cannot be measured with so few: hold more examples out, or pool several trainings."
            )
    if resamples < 0 or not 0 < level < 1:
        raise ValueError(f"Expected resamples={resamples} >= 0 and level={level} between 0 and 1, such as 0.95.")
