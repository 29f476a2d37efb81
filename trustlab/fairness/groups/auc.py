"""How well scores rank inside a group and across its border, whatever the threshold (Borkan et al. 2019, section 3).

* **Subgroup AUC**: positives and negatives both of the group. Low: the model cannot tell them apart there.
* **BPSN AUC** (background positive, subgroup negative). Low: the group's harmless rows score like others' harmful ones.
* **BNSP AUC** (background negative, subgroup positive). Low: the group's harmful rows score like others' harmless ones.

An AUC is U / (P · N) with U = Σ over positives p and negatives n of 1 if s_p > s_n, ½ if s_p = s_n. U is bilinear in
the weights of positives and of negatives, so those of the three kinds follow from U(g, g), U(g, all) and U(all, g):
background is all minus group. The last two need one cumulative sum over all rows for all groups together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trustlab.fairness.groups.masks import ALL, BETWEEN, Groups
from trustlab.fairness.groups.means import divide
from trustlab.fairness.groups.rates import binary
from trustlab.fairness.groups.resampling import Bootstrap, Key, Statistics, measure

KINDS = ("subgroup auc", "bpsn auc", "bnsp auc")


def group_aucs(
    truth: np.ndarray, scores: np.ndarray, groups: Groups, *, power: float = -5, bootstrap: Bootstrap | None = None
) -> list[dict[str, Any]]:
    """Return the AUC over all rows, the three AUCs of each group, and their generalised means over groups.

    Parameters
    ----------
    truth : [N]
        0 or 1.
    scores : [N]
        Larger for likelier 1; only their order counts. Equal scores count half.
    groups
        Who is in which group; groups may overlap.
    power
        p of :func:`generalized_mean`; −5 puts nearly all weight on the worst group.
    bootstrap
        How to make intervals, resampling within positives and within negatives unless it says otherwise.

    Returns
    -------
    list of rows
        Metrics "auc" for all rows; "subgroup auc", "bpsn auc", "bnsp auc" for each group and, as "subgroup auc mean"
        and so on, between groups. Where one side has no row the AUC is NaN with its reason, and so is the mean.

    Raises
    ------
    ValueError
        If lengths disagree, a row has no label, or a score is not finite.

    Examples
    --------
    >>> rows = group_aucs([0, 1, 0, 1], [0.1, 0.4, 0.6, 0.9], Groups.by(["a", "a", "b", "b"]))
    >>> {(row["metric"], row["group"]): row["value"] for row in rows if row["group"] in "ab"}["bpsn auc", "b"]
    0.0
    """
    y, s = binary(truth, "truth"), np.asarray(scores, dtype=float)
    if not len(y) == len(s) == len(groups):
        raise ValueError(f"Expected scores and groups for {len(y)} rows, got {len(s)} scores and {len(groups)} rows.")
    if not np.isfinite(s).all():
        raise ValueError("Expected finite scores, got NaN or infinity. Mend the model or leave such rows out.")
    _mean_power(power)
    ranking = _Ranking(y, s, groups)
    return measure(
        lambda counts: _with_means(ranking.statistics(counts), groups.names, power),
        lambda values: _reasons(y, groups, values),
        groups,
        bootstrap,
        strata=y,
    )


def generalized_mean(values: Sequence[float] | np.ndarray, power: float = -5, axis: int = -1) -> np.ndarray:
    """Return M_p = (1/G Σ_g m_g^p)^(1/p) of values >= 0 along `axis` (Borkan et al. 2019).

    p = 1 is the ordinary mean, p → −∞ the minimum. For p < 0 a value of 0 gives 0; NaN gives NaN. p = 0 is refused: its
    limit is the geometric mean, which nobody reports here.

    Examples
    --------
    >>> generalized_mean([0.5, 1.0], power=-1).item()
    0.6666666666666666
    """
    _mean_power(power)
    m = np.asarray(values, dtype=float)
    if (m < 0).any():
        raise ValueError(f"Expected values >= 0, got {np.nanmin(m):g}. A power of a negative number is no size.")
    with np.errstate(divide="ignore"):  # 0 to a negative power is infinite, and its mean to 1/p is 0 again
        return np.mean(m**power, axis=axis) ** (1 / power)


def _mean_power(power: float) -> None:
    if not math.isfinite(power) or power == 0:
        raise ValueError(f"Expected power={power} finite and not 0. Negative powers weigh the worst group most.")


class _Ranking:
    """Rows sorted by score, ready to be weighed: for all rows, and inside each group."""

    def __init__(self, truth: np.ndarray, scores: np.ndarray, groups: Groups) -> None:
        self.order = np.argsort(scores, kind="stable")
        self.truth = truth[self.order]
        self.groups = groups[self.order]
        sorted_scores = scores[self.order]
        self.inside = [np.flatnonzero(self.groups.masks[:, g]) for g in range(len(groups.names))]
        self.blocks = _tie_blocks(sorted_scores)
        self.blocks_inside = [_tie_blocks(sorted_scores[rows]) for rows in self.inside]

    def statistics(self, counts: np.ndarray) -> Statistics:
        """Return the AUCs for each line of `counts` [R, N], in the rows' original order."""
        weights = counts[:, self.order]
        positive = weights * self.truth
        negative = weights - positive
        member = self.groups.masks.astype(float)  # [N, G]
        p, n = positive @ member, negative @ member  # positives and negatives of each group, [R, G]
        all_p, all_n = positive.sum(1, keepdims=True), negative.sum(1, keepdims=True)
        over = positive * _below(negative, self.blocks)  # what each positive wins, [R, N]
        under = negative * (all_p - _below(positive, self.blocks))  # what each negative loses
        group_all, all_group = over @ member, under @ member
        pairs = zip(self.inside, self.blocks_inside, strict=True)
        own = [(positive[:, rows] * _below(negative[:, rows], blocks)).sum(1) for rows, blocks in pairs]
        group_group = np.stack(own, axis=1)
        aucs = (
            divide(group_group, p * n),
            divide(all_group - group_group, (all_p - p) * n),
            divide(group_all - group_group, p * (all_n - n)),
        )
        found: Statistics = {("auc", ALL): divide(over.sum(1), (all_p * all_n)[:, 0])}
        for kind, auc in zip(KINDS, aucs, strict=True):
            found |= {(kind, name): auc[:, g] for g, name in enumerate(self.groups.names)}
        return found


def _tie_blocks(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return for each of the sorted `scores` where its run of equal scores starts and ends; None without ties."""
    starts = np.searchsorted(scores, scores, side="left")
    ends = np.searchsorted(scores, scores, side="right")
    return None if (ends - starts == 1).all() else (starts, ends)


def _below(weights: np.ndarray, blocks: tuple[np.ndarray, np.ndarray] | None) -> np.ndarray:
    """Return the weight of the rows that score less than each row, plus half of those that score the same: [R, N]."""
    total = np.cumsum(weights, axis=1)
    if blocks is None:
        return total - weights / 2
    before = np.concatenate([np.zeros((len(weights), 1)), total], axis=1)
    starts, ends = blocks
    return (before[:, starts] + before[:, ends]) / 2


def _with_means(found: Statistics, names: tuple[str, ...], power: float) -> Statistics:
    for kind in KINDS:
        values = np.stack([found[kind, name] for name in names], axis=-1)
        found[f"{kind} mean", BETWEEN] = generalized_mean(values, power)
    return found


def _reasons(truth: np.ndarray, groups: Groups, values: Mapping[Key, float]) -> dict[Key, str]:
    """Say which side of an undefined AUC has no row."""
    reasons: dict[Key, str] = {}
    if math.isnan(values["auc", ALL]):
        reasons["auc", ALL] = "no positives" if not truth.any() else "no negatives"
    for kind, positives_outside, negatives_outside in zip(
        KINDS, (False, True, False), (False, False, True), strict=True
    ):
        why = {}
        for name, mask in zip(groups.names, groups.masks.T, strict=True):
            sides = (("positives", truth, positives_outside), ("negatives", ~truth, negatives_outside))
            lacks = [
                f"no {what}{' outside' if outside else ''}"
                for what, rows, outside in sides
                if not (rows & (mask != outside)).any()
            ]
            if lacks:
                why[name] = " and ".join(lacks)
        reasons |= {(kind, name): said for name, said in why.items()}
        reasons[f"{kind} mean", BETWEEN] = "; ".join(f"{name}: {said}" for name, said in why.items())
    return reasons
