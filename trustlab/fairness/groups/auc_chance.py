"""The three AUCs of each group with what chance does to them, for :func:`gaps` and :func:`pooled`.

Who belongs where is exchanged among positives and among negatives: a group keeps its numbers of both. Rows in no group
take part, because they are everybody's background.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from trustlab.columns import as_scores
from trustlab.fairness.groups.auc import KINDS
from trustlab.fairness.groups.chance import Chance, Estimates, check_units, lacking, orders, without_rounding
from trustlab.fairness.groups.masks import Groups
from trustlab.fairness.groups.means import divide
from trustlab.fairness.groups.rates import binary
from trustlab.fairness.groups.weights import effective_rows, kept_and_weights, outside


def estimate_aucs(
    y_true: np.ndarray,
    scores: np.ndarray,
    groups: Groups,
    *,
    chance: Chance | None = None,
    sample_weight: Any = None,
) -> list[Estimates]:
    """Return subgroup, BPSN and BNSP AUC of each group with what chance does to them.

    Standard errors are DeLong's (1988), with the variance over all rows instead of a small group's own; with units,
    those of the exchanges.

    Parameters
    ----------
    y_true, scores, groups, sample_weight
        As for :func:`~trustlab.fairness.groups.group_aucs`.
    chance
        How to exchange groups; None takes the defaults.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y_true, groups = rng.random(200) < 0.5, Groups.by(np.repeat(list("abcd"), 50))
    >>> found = estimate_aucs(y_true, y_true + rng.normal(size=200), groups)
    >>> [each.name for each in found], found[0].errors.round(2).tolist()
    (['subgroup_auc', 'bpsn_auc', 'bnsp_auc'], [0.06, 0.07, 0.07, 0.06])
    """
    chance = chance or Chance()
    y, s = binary(y_true, "y_true"), as_scores(scores)
    if not len(y) == len(s) == len(groups):
        raise ValueError(f"Expected scores and groups for {len(y)} rows, got {len(s)} scores and {len(groups)} rows.")
    check_units(chance, len(y))
    kept, w = kept_and_weights(sample_weight, groups, chance)
    if kept is not None:
        y, s, groups = y[kept], s[kept], groups[kept]
    ranked = _Ranked(y, s, w)
    positives, negatives = ((groups.masks & rows[:, None]).sum(0) for rows in (y, ~y))
    found, whole = ranked.aucs(groups.masks), ranked.whole
    rows = np.minimum(positives, negatives)
    sides = _sides(positives, negatives, int(y.sum()), int((~y).sum()))
    why = [lacking(groups, np.minimum(*each), "no positives or no negatives to compare") for each in sides]
    sums = ranked.effective(groups.masks)
    drawn = [ranked.aucs(masks) for masks in exchanged_masks(groups.masks, y, chance)] if not all(why) else []
    blind = np.stack(drawn) if drawn else np.full((0, 3, len(rows)), math.nan)  # [draws, 3, G]
    estimates = []
    for kind, name in enumerate(KINDS):
        off = without_rounding(blind[:, kind] - blind[:, kind].mean(axis=0)) if not why[kind] else blind[:0, kind]
        errors = off.std(axis=0) if chance.units is not None and len(off) else ranked.errors(*sums.sides[kind])
        estimates.append(
            Estimates(name, name, groups.names, found[kind], errors, rows, whole, off, False, blind[:, kind],
                      (0.0, 1.0),
                      why[kind], chance.level, sums.weight, sums.rows)
        )  # fmt: skip
    return estimates


def _sides(p: np.ndarray, q: np.ndarray, all_p: int, all_q: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return how many positives and negatives each of the three AUCs of a group compares, [G] both."""
    return [(p, q), (all_p - p, q), (p, all_q - q)]


def exchanged_masks(masks: np.ndarray, strata: np.ndarray, chance: Chance) -> Iterator[np.ndarray]:
    """Yield `masks` [N, G] with rows exchanged, within strata, or as the units say; `chance.draws` of them."""
    rng = np.random.default_rng(chance.seed)
    blocks, rows, place = strata.astype(float), masks, np.arange(len(masks))
    if chance.units is not None:
        blocks = np.unique(chance.units, return_inverse=True)[1]
        first = np.unique(blocks, return_index=True)[1]
        if (masks == masks[first][blocks]).all():  # whole units are exchanged
            rows, place, blocks = masks[first], blocks, np.zeros(len(first))
    for _ in range(chance.draws):
        yield rows[orders(blocks, rng, 1)[0]][place]


class _Sums(NamedTuple):
    """Of each group: the smaller of its weights of positives and negatives, as rows of equal weight, and by kind."""

    weight: np.ndarray
    rows: np.ndarray
    sides: list[tuple[np.ndarray, np.ndarray]]


class _Ranked:
    """Positives and negatives by score, with their weights: ready for any masks."""

    def __init__(self, y: np.ndarray, s: np.ndarray, weights: np.ndarray) -> None:
        order = np.argsort(s, kind="stable")
        self.positives, self.negatives = order[y[order]], order[~y[order]]
        self.w_p, self.w_q = weights[self.positives], weights[self.negatives]
        self.all_p, self.all_q = self.w_p.sum(), self.w_q.sum()
        p, q = s[self.positives], s[self.negatives]
        self.below = [np.searchsorted(q, p, side=side) for side in ("left", "right")]  # negatives below a positive
        upto = [np.searchsorted(p, q, side=side) for side in ("left", "right")]  # positives below a negative
        sum_p, sum_q = (np.concatenate([[0.0], np.cumsum(each)]) for each in (self.w_p, self.w_q))
        self.wins = sum(sum_q[place] for place in self.below) / 2
        self.losses = sum(self.all_p - sum_p[place] for place in upto) / 2
        self.whole = float(divide(self.w_p @ self.wins, self.all_p * self.all_q))

    def aucs(self, masks: np.ndarray) -> np.ndarray:
        """Return subgroup, BPSN and BNSP AUC of each group of `masks` [N, G], as [3, G]."""
        of_p, of_q = masks[self.positives] * self.w_p[:, None], masks[self.negatives] * self.w_q[:, None]
        total = np.zeros((len(of_q) + 1, masks.shape[1]))
        np.cumsum(of_q, axis=0, out=total[1:])
        own = sum(np.einsum("pg,pg->g", of_p, total[place]) for place in self.below) / 2
        group_all, all_group = self.wins @ of_p, self.losses @ of_q
        p, q = of_p.sum(0), of_q.sum(0)
        return np.stack([
            divide(own, p * q),
            divide(all_group - own, outside(self.all_p, p) * q),
            divide(group_all - own, p * outside(self.all_q, q)),
        ])  # fmt: skip

    def effective(self, masks: np.ndarray) -> _Sums:
        """Return how many rows of equal weight each AUC of each group compares."""
        of_p, of_q = masks[self.positives], masks[self.negatives]
        (p, p2), (q, q2) = (self.w_p @ of_p, self.w_p**2 @ of_p), (self.w_q @ of_q, self.w_q**2 @ of_q)
        own_p, own_q = effective_rows(p, p2), effective_rows(q, q2)
        rest_p = effective_rows(outside(self.all_p, p), outside((self.w_p**2).sum(), p2))
        rest_q = effective_rows(outside(self.all_q, q), outside((self.w_q**2).sum(), q2))
        return _Sums(np.minimum(p, q), np.fmin(own_p, own_q), [(own_p, own_q), (rest_p, own_q), (own_p, rest_q)])

    def errors(self, positives: np.ndarray, negatives: np.ndarray) -> np.ndarray:
        """Return the standard errors of AUCs of so many positives and negatives of equal weight, [G]."""
        of_p = _variance(self.wins / self.all_q, self.w_p) / positives
        return np.sqrt(of_p + _variance(self.losses / self.all_p, self.w_q) / negatives)


def _variance(values: np.ndarray, weights: np.ndarray) -> float:
    return float(np.average((values - np.average(values, weights=weights)) ** 2, weights=weights))
