"""How well scores rank inside a group and across its border, at every threshold (Borkan et al. 2019, section 3).

* **Subgroup AUC**: positives and negatives both of the group. Low: the model cannot distinguish them there.
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

from trustlab.columns import as_scores
from trustlab.containers import opened
from trustlab.deprecation import old_arguments
from trustlab.fairness.groups.masks import ALL, BETWEEN, Groups
from trustlab.fairness.groups.means import divide
from trustlab.fairness.groups.rates import binary
from trustlab.fairness.groups.resampling import Bootstrap, Key, Statistics, measure
from trustlab.fairness.groups.weights import kept_and_weights, outside

KINDS = ("subgroup_auc", "bpsn_auc", "bnsp_auc")
Places = tuple[np.ndarray, ...]


@old_arguments(truth="y_true")
def group_aucs(
    y_true: np.ndarray,
    scores: np.ndarray,
    groups: Groups,
    *,
    power: float = -5,
    bootstrap: Bootstrap | None = None,
    sample_weight: Any = None,
) -> list[dict[str, Any]]:
    """Return the AUC over all rows, the three AUCs of each group, and their generalised means over groups.

    Parameters
    ----------
    y_true : [N]
        0 or 1.
    scores : [N]
        Larger for a more likely 1; only their order counts. Equal scores count half.
    groups
        Who is in which group; groups may overlap.
    power
        p of :func:`generalized_mean`; −5 puts nearly all weight on the worst group.
    bootstrap
        How to make intervals, resampling within positives and within negatives unless it says otherwise.
    sample_weight : [N] or None
        Finite weights >= 0, as in scikit-learn: a row of weight 2 counts as two rows, one of weight 0 is left out. None
        weights rows equally.

    Returns
    -------
    list of rows
        Metrics "auc" for all rows; "subgroup_auc", "bpsn_auc", "bnsp_auc" for each group and, as "subgroup_auc_mean"
        and so on, between groups. Where one side has no row the AUC is NaN with its reason, and so is the mean.

    Raises
    ------
    ValueError
        If lengths disagree, a row has no label, or a score is not finite.

    Examples
    --------
    >>> rows = group_aucs([0, 1, 0, 1], [0.1, 0.4, 0.6, 0.9], Groups.by(["a", "a", "b", "b"]))
    >>> {(row["metric"], row["group"]): row["value"] for row in rows if row["group"] in "ab"}["bpsn_auc", "b"]
    0.0
    """
    y, s = binary(y_true, "y_true"), as_scores(scores)
    if not len(y) == len(s) == len(groups):
        raise ValueError(f"Expected scores and groups for {len(y)} rows, got {len(s)} scores and {len(groups)} rows.")
    _mean_power(power)
    kept, weights = kept_and_weights(sample_weight, groups, bootstrap)
    if kept is not None:
        y, s, groups = y[kept], s[kept], groups[kept]
    ranking = _Ranking(y, s, groups)
    return measure(
        lambda counts: _with_means(ranking.statistics(counts), groups.names, power),
        lambda values: _reasons(y, groups, values),
        groups,
        bootstrap,
        strata=y,
        weights=None if sample_weight is None else weights,
    )


def generalized_mean(values: Sequence[float] | np.ndarray, power: float = -5, axis: int = -1) -> np.ndarray:
    """Return M_p = (1/G Σ_g m_g^p)^(1/p) of values >= 0 along `axis` (Borkan et al. 2019).

    p = 1 is the ordinary mean, p → −∞ the minimum. For p < 0 a value of 0 gives 0; NaN gives NaN. p = 0 is refused:
    its limit is the geometric mean, which is not reported here.

    Examples
    --------
    >>> generalized_mean([0.5, 1.0], power=-1).item()
    0.6666666666666666
    """
    _mean_power(power)
    m = np.asarray(opened(values, "value"), dtype=float)
    if (m < 0).any() or np.isinf(m).any() or not m.size:
        got = f"{m[(m < 0) | np.isinf(m)][0]:g}" if m.size else "none"
        raise ValueError(f"Expected one or more finite values >= 0, got {got}. Others have no power mean.")
    with np.errstate(divide="ignore"):  # 0 to a negative power is infinite, and its mean to 1/p is 0 again
        return np.mean(m**power, axis=axis) ** (1 / power)


def _mean_power(power: float) -> None:
    if not math.isfinite(power) or power == 0:
        raise ValueError(f"Expected power={power} finite and not 0. Negative powers weight the worst group most.")


class _Ranking:
    """Positives and negatives, each sorted by score, and the rank of each among the others: ready to be weighted."""

    def __init__(self, truth: np.ndarray, scores: np.ndarray, groups: Groups) -> None:
        order = np.argsort(scores, kind="stable")
        self.names = groups.names
        self.positives, self.negatives = order[truth[order]], order[~truth[order]]  # P and Q row numbers
        self.scores = scores[self.positives], scores[self.negatives]
        self.masks = groups.masks[self.positives], groups.masks[self.negatives]  # [P, G], [Q, G]
        self.among = _places(*self.scores), _places(*self.scores[::-1])
        self.inside = [self._inside(g) for g in range(len(groups.names))]

    def _inside(self, g: int) -> tuple[np.ndarray, np.ndarray, Places]:
        """Return which positives and negatives are in group g, and the places of the former among the latter."""
        p, q = (np.flatnonzero(masks[:, g]) for masks in self.masks)
        return p, q, _places(self.scores[0][p], self.scores[1][q])

    def statistics(self, counts: np.ndarray) -> Statistics:
        """Return the AUCs for each line of `counts` [R, N]."""
        w_p, w_q = counts[:, self.positives], counts[:, self.negatives]  # [R, P], [R, Q]
        in_p, in_q = (masks.astype(float) for masks in self.masks)
        p, q = w_p @ in_p, w_q @ in_q  # positives and negatives of each group, [R, G]
        all_p, all_q = w_p.sum(1, keepdims=True), w_q.sum(1, keepdims=True)
        wins = w_p * _below(w_q, self.among[0])  # of each positive, over negatives
        losses = w_q * (all_p - _below(w_p, self.among[1]))  # of each negative, to positives
        group_all, all_group = wins @ in_p, losses @ in_q
        own = [(w_p[:, ps] * _below(w_q[:, qs], places)).sum(1) for ps, qs, places in self.inside]
        group_group = np.stack(own, axis=1)
        aucs = (
            divide(group_group, p * q),
            divide(all_group - group_group, outside(all_p, p) * q),
            divide(group_all - group_group, p * outside(all_q, q)),
        )
        found: Statistics = {("auc", ALL): divide(wins.sum(1), (all_p * all_q)[:, 0])}
        for kind, auc in zip(KINDS, aucs, strict=True):
            found |= {(kind, name): auc[:, g] for g, name in enumerate(self.names)}
        return found


def _places(scores: np.ndarray, others: np.ndarray) -> Places:
    """Return how many of the sorted `others` are below each of `scores`, and how many below or equal."""
    below = np.searchsorted(others, scores, side="left")
    upto = np.searchsorted(others, scores, side="right")
    return (below,) if (below == upto).all() else (below, upto)  # without ties they are one


def _below(weights: np.ndarray, places: Places) -> np.ndarray:
    """Return the weight of the others below each place, those that tie by half: [R, Q] to [R, places]."""
    total = np.zeros((len(weights), weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=total[:, 1:])
    return sum(total[:, place] for place in places) / len(places)


def _with_means(found: Statistics, names: tuple[str, ...], power: float) -> Statistics:
    for kind in KINDS:
        values = np.stack([found[kind, name] for name in names], axis=-1)
        found[f"{kind}_mean", BETWEEN] = generalized_mean(values, power)
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
        reasons |= {(kind, name): lacking for name, lacking in why.items()}
        reasons[f"{kind}_mean", BETWEEN] = "; ".join(f"{name}: {lacking}" for name, lacking in why.items())
    return reasons
