"""What groups would differ by if the classifier were blind to them: sampling alone, with these groups.

A rate of twelve posts moves by a tenth or two from sample to sample, and the largest minus the smallest of nine such
rates is far above 0 however fair the classifier is. So a difference is compared with the *group-blind level*: what it
is when it cannot be the groups. Who belongs where is exchanged at random between the rows that a rate asks about
(Fisher 1935). A row keeps all its groups together, so that groups keep their sizes and overlaps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from trustlab.columns import as_ids, as_mask, as_numbers
from trustlab.config import check, option
from trustlab.fairness.groups.masks import Groups
from trustlab.fairness.groups.means import Mean, check_means, of_rows
from trustlab.fairness.groups.rates import rate_means
from trustlab.fairness.groups.weights import effective_rows, kept_and_weights

_BLOCK = 1_000_000  # exchanged values held at once


@dataclass(frozen=True, eq=False)
class Chance:
    """How to ask what chance does.

    Attributes
    ----------
    draws, level, seed
        How many exchanges of groups, the confidence of intervals, and the only source of randomness.
    units : [N] or None
        Rows of one unit belong together, as for :class:`~trustlab.fairness.groups.Bootstrap`. Where all rows of a unit
        have the same groups (an occupation's sentences), whole units are exchanged; where they differ (the fillings of
        one template), rows are exchanged within their unit.
    """

    draws: int = option(2000, label="Draws", help="The smallest possible p is 1 / (draws + 1).", low=39)
    level: float = option(0.95, label="Level", help="Confidence of the interval.", above=0, high=0.9999)
    seed: int = option(0, label="Seed", help="Fixes every draw.", low=0)
    units: np.ndarray | None = None

    def __post_init__(self) -> None:
        check(self)
        if self.units is not None:
            object.__setattr__(self, "units", as_ids(self.units, "unit"))


class Estimates(NamedTuple):
    """One number for each of G groups, how sure each is, and how they would differ by chance.

    Attributes
    ----------
    name, between
        Of the number ("false_positive_rate"), and of its difference between groups ("false_positive_rate_difference"
        without the ending).
    groups
        Names of the G groups.
    values, errors : [G]
        The number and its standard error, from the variance of all groups' rows together: that of a small group's own
        is itself too noisy, and 0 where all its rows agree. NaN where a group has no such row.
    rows : int [G]
        How many rows each is about.
    centre
        The number over all the groups' rows together: what every group would have.
    noise : [draws, G]
        By how much each group is off the centre by chance, if all have the same true number.
    binary
        Whether it is a rate of yes and no: then how much chance does depends on the true rate.
    blind : [draws, G]
        The numbers of the groups with groups exchanged.
    bounds
        Lowest and highest possible value.
    reason
        Why groups cannot be compared, or empty.
    level
        Confidence of the intervals.
    weight, effective : [G]
        Sum of the weights of the rows that each is about, and how many rows of equal weight would be as sure. Both are
        ``rows`` where rows count alike.
    """

    name: str
    between: str
    groups: tuple[str, ...]
    values: np.ndarray
    errors: np.ndarray
    rows: np.ndarray
    centre: float
    noise: np.ndarray
    binary: bool
    blind: np.ndarray
    bounds: tuple[float, float]
    reason: str
    level: float
    weight: np.ndarray
    effective: np.ndarray


def estimate_rates(
    y_true: np.ndarray,
    y_pred: np.ndarray,
    groups: Groups,
    *,
    chance: Chance | None = None,
    sample_weight: Any = None,
) -> list[Estimates]:
    """Return accuracy, selection rate, true and false positive rate of each group, with what chance does to them.

    Where the true answers of groups differ, accuracy and selection rate of a classifier that cannot see the groups
    differ as well: their p asks whether the rates are equal, not why. The other two compare rows with one true answer.

    Parameters are those of :func:`~trustlab.fairness.groups.group_rates`, and `chance`; None takes its defaults. A row
    keeps its weight when groups are exchanged. From a table, with thresholds of groups:
    :func:`~trustlab.fairness.groups.estimate_frame`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y_pred, groups = rng.random(90) < 0.5, Groups.by(np.repeat(["a", "b", "c"], 30))
    >>> [each.name for each in estimate_rates(np.zeros(90), y_pred, groups) if not each.reason]
    ['accuracy_score', 'selection_rate', 'false_positive_rate']
    """
    return estimate_means(rate_means(y_true, y_pred), groups, chance=chance, sample_weight=sample_weight)


def estimate_means(
    means: Sequence[Mean], groups: Groups, *, chance: Chance | None = None, sample_weight: Any = None
) -> list[Estimates]:
    """Return means of each group with what chance does to them, for :func:`gaps` and :func:`pooled`.

    Parameters
    ----------
    means
        As for :func:`~trustlab.fairness.groups.group_means`.
    groups
        G groups, which may overlap. Rows in none are left out: no difference between groups is about them.
    chance
        How to exchange groups; None takes the defaults.
    sample_weight : [N] or None
        Finite weights >= 0, as in fairlearn: a row of weight 2 counts as two rows, one of weight 0 is left out. None
        weights rows equally.

    Raises
    ------
    ValueError
        If lengths disagree, or a value that is used is not finite.
    """
    chance = chance or Chance()
    means = [
        mean._replace(values=as_numbers(mean.values, mean.name), among=as_mask(mean.among, what=f"mask of {mean.name}"))
        for mean in means
    ]
    check_means(means, groups)
    check_units(chance, len(groups))
    kept, weights = kept_and_weights(sample_weight, groups, chance)
    if kept is not None:
        means, groups = of_rows(means, kept), groups[kept]
    return [_of_mean(mean, groups, chance, weights) for mean in means]


def check_units(chance: Chance, rows: int) -> None:
    """Refuse units of another number of rows."""
    if chance.units is not None and len(chance.units) != rows:
        raise ValueError(f"Expected units for {rows} rows, got {len(chance.units)}.")


def lacking(groups: Groups, rows: np.ndarray, what: str) -> str:
    """Return why groups with so many rows cannot be compared, or an empty text."""
    if len(groups.names) == 1:
        return "a single group"
    sizes = zip(groups.names, rows.tolist(), groups.sizes.tolist(), strict=True)
    return "; ".join(f"{name}: {what if size else 'no rows'}" for name, count, size in sizes if not count)


def _of_mean(mean: Mean, groups: Groups, chance: Chance, weights: np.ndarray) -> Estimates:
    used = mean.among & groups.masks.any(axis=1)
    masks, values, w = groups.masks[used], mean.values[used], weights[used]
    rows, weight = masks.sum(axis=0), w @ masks
    effective = effective_rows(weight, w**2 @ masks)
    why = lacking(groups, rows, mean.lacking)
    binary = bool(np.isin(values, (0, 1)).all())
    shares = bool(((values >= 0) & (values <= 1)).all())
    bounds = (0.0, 1.0) if shares else (-math.inf, math.inf)
    about = (bounds, why, chance.level, weight, effective)
    if why:
        none, no_draws = np.full(len(rows), math.nan), np.full((0, len(rows)), math.nan)
        return Estimates(mean.name, mean.between, groups.names, none, none, rows, math.nan, no_draws, binary, no_draws,
                         *about)  # fmt: skip
    found, centre = (w * values @ masks) / weight, float(np.average(values, weights=w))
    total = math.sqrt(np.average((values - centre) ** 2, weights=w))
    units = None if chance.units is None else chance.units[used]
    blind = np.concatenate(list(exchanged(values, masks, units, chance, w)))
    noise = blind - centre
    if not binary:  # the difference between groups is no part of what rows of one group do
        squares = (w[:, None] * (values[:, None] - found) ** 2 * masks).sum() * (rows.sum() / weight.sum())
        noise *= math.sqrt(squares / max(rows.sum() - len(rows), 1)) / (total or 1)
    errors = total / np.sqrt(effective)
    if units is not None:  # rows that belong together are fewer than they look
        errors = blind.std(axis=0) / np.sqrt(1 - np.minimum(weight / w.sum(), 1 - 1 / len(values)))
    return Estimates(mean.name, mean.between, groups.names, found, errors, rows, centre, without_rounding(noise),
                     binary, blind, *about)  # fmt: skip


def without_rounding(noise: np.ndarray) -> np.ndarray:
    """Return `noise` with 0 where it is a rounding error: groups that cannot differ have none."""
    return np.where(abs(noise) < 1e-12, 0.0, noise)


def exchanged(
    values: np.ndarray, masks: np.ndarray, units: np.ndarray | None, chance: Chance, weights: np.ndarray
) -> Iterator[np.ndarray]:
    """Yield the groups' means of `values` [n] with the rows of `masks` [n, G] exchanged, [block, G] at a time.

    A row keeps its value and its weight.
    """
    sums, sizes, blocks = (weights * values)[:, None], weights[:, None], np.zeros(len(values))
    if units is not None:
        place = np.unique(units, return_inverse=True)[1]
        first = np.unique(place, return_index=True)[1]
        if (masks == masks[first][place]).all():  # whole units are exchanged
            sums = np.bincount(place, weights * values)[:, None]
            sizes, masks, blocks = np.bincount(place, weights)[:, None], masks[first], np.zeros(len(first))
        else:
            blocks = place
    members, rng = masks.astype(float), np.random.default_rng(chance.seed)
    step = max(1, _BLOCK // len(members))
    for start in range(0, chance.draws, step):
        order = orders(blocks, rng, min(step, chance.draws - start))
        yield (sums[order][..., 0] @ members) / (sizes[order][..., 0] @ members)


def orders(blocks: np.ndarray, rng: np.random.Generator, count: int) -> np.ndarray:
    """Return `count` orders of the rows that keep every row in its block, int [count, n]."""
    found = np.empty((count, len(blocks)), dtype=int)
    found[:, np.argsort(blocks, kind="stable")] = np.argsort(blocks + rng.random(found.shape), axis=1)
    return found
