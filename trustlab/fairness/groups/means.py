"""The engine of group metrics: a mean over the relevant rows of a group, and how groups differ in it.

Accuracy is the mean of "right" over a group's rows; the true positive rate is the mean of "predicted 1" over its rows
whose truth is yes; the flip rate is the mean of "flipped". So one computation serves them all:

    m_g = Σ_{i ∈ g ∩ among} v_i / |g ∩ among|,    difference = max_g m_g − min_g m_g,    ratio = min_g m_g / max_g m_g.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from trustlab.columns import as_mask, as_numbers
from trustlab.fairness.groups.masks import ALL, BETWEEN, Groups
from trustlab.fairness.groups.resampling import Bootstrap, Key, Statistics, measure
from trustlab.fairness.groups.weights import kept_and_weights, outside


class Mean(NamedTuple):
    """What is averaged: ``values`` [N] over the rows where ``among`` [N] is True.

    ``lacking`` is the reason given when a group has no such row, in words: "no positives". ``criterion`` names the
    difference and the ratio between groups where they have their own name: "demographic_parity".
    """

    name: str
    values: np.ndarray
    among: np.ndarray
    lacking: str = "no rows"
    criterion: str = ""

    @property
    def between(self) -> str:
        """What the difference and the ratio between groups are called by."""
        return self.criterion or self.name


def group_means(
    means: Sequence[Mean],
    groups: Groups,
    *,
    bootstrap: Bootstrap | None = None,
    strata: np.ndarray | None = None,
    sample_weight: Any = None,
) -> list[dict[str, Any]]:
    """Return each mean over all rows, in each group, its difference from the group's rest, and between groups.

    Parameters
    ----------
    means
        M quantities, finite wherever they are used.
    groups
        G groups, which may overlap.
    bootstrap
        How to make intervals; None makes none.
    strata : [N]
        Strata to draw in unless the bootstrap names its own.
    sample_weight : [N] or None
        Finite weights >= 0, as in fairlearn: a row of weight 2 counts as two rows, one of weight 0 is left out. None
        weights rows equally.

    Returns
    -------
    list of rows
        For a mean called "score": metric "score" for all rows and each group; "score_minus_rest" for each group (its
        mean minus that of all other rows, signed); "score_difference" (largest minus smallest) and "score_ratio"
        (smallest by largest) between groups.
        A number that cannot be computed is NaN and has its reason: a difference is undefined as soon as one group's
        mean is, because leaving the group out silently would answer another question. A single group has none.

    Raises
    ------
    ValueError
        If lengths disagree or a value that is used is not finite.

    Examples
    --------
    >>> right = Mean("right", np.array([1.0, 1.0, 0.0]), np.ones(3, bool))
    >>> for row in group_means([right], Groups.by(["a", "a", "b"])):
    ...     print(row["metric"], row["group"], round(row["value"], 2))
    right (all rows) 0.67
    right a 1.0
    right b 0.0
    right_minus_rest a 1.0
    right_minus_rest b -1.0
    right_difference (between groups) 1.0
    right_ratio (between groups) 0.0
    """
    means = [
        mean._replace(values=as_numbers(mean.values, mean.name), among=as_mask(mean.among, what=f"mask of {mean.name}"))
        for mean in means
    ]
    check_means(means, groups)
    kept, weights = kept_and_weights(sample_weight, groups, bootstrap)
    if kept is not None:
        means, groups, strata = of_rows(means, kept), groups[kept], strata if strata is None else strata[kept]
    return measure(
        lambda counts: mean_statistics(means, groups, counts),
        lambda values: mean_reasons(means, groups, values),
        groups,
        bootstrap,
        strata,
        None if sample_weight is None else weights,
    )


def of_rows(means: Sequence[Mean], kept: np.ndarray) -> list[Mean]:
    """Return the means of the rows that are kept, bool [N]."""
    return [mean._replace(values=mean.values[kept], among=mean.among[kept]) for mean in means]


def check_means(means: Sequence[Mean], groups: Groups) -> None:
    """Refuse arrays of another length than the groups, and values that are not finite where they are used."""
    for mean in means:
        if not len(mean.values) == len(mean.among) == len(groups):
            raise ValueError(
                f"Expected {mean.name} for the {len(groups)} rows that the groups describe, got {len(mean.values)} "
                f"values and {len(mean.among)} marks. Rows and masks must belong together."
            )
        if not np.isfinite(np.asarray(mean.values, dtype=float)[mean.among]).all():
            raise ValueError(f"Expected finite {mean.name}, got NaN or infinity. Fix the model or leave such rows out.")


def mean_statistics(means: Sequence[Mean], groups: Groups, counts: np.ndarray) -> Statistics:
    """Return every number of :func:`group_means` for each line of `counts` [R, N]: arrays [R]."""
    inside = np.column_stack([groups.masks, np.ones(len(groups), bool)]).astype(float)  # [N, G + 1], all rows last
    found: Statistics = {}
    for mean in means:
        among = np.asarray(mean.among, dtype=bool)
        rows = inside[among]
        drawn = counts[:, among]  # only rows that are used are weighted
        size = drawn @ rows  # [R, G + 1]
        total = drawn @ (rows * np.asarray(mean.values, dtype=float)[among, None])
        found |= _compared(mean, groups.names, total, size)
    return found


def _compared(of: Mean, names: tuple[str, ...], total: np.ndarray, size: np.ndarray) -> Statistics:
    """Turn sums and sizes [R, G + 1] into means, differences from the rest, and difference and ratio between groups."""
    mean = divide(total, size)
    rest = divide(total[:, -1:] - total[:, :-1], outside(size[:, -1:], size[:, :-1]))  # [R, G]
    inside, name = mean[:, :-1], of.name
    found: Statistics = {(name, ALL): mean[:, -1]}
    found |= {(name, group): inside[:, g] for g, group in enumerate(names)}
    found |= {(f"{name}_minus_rest", group): inside[:, g] - rest[:, g] for g, group in enumerate(names)}
    if len(names) == 1:
        inside = np.full_like(inside, np.nan)  # one group has nothing to differ from
    low, high = inside.min(axis=1), inside.max(axis=1)  # NaN if one is NaN
    return found | {
        (f"{of.between}_difference", BETWEEN): high - low,
        (f"{of.between}_ratio", BETWEEN): divide(low, high),
    }


def divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide, with NaN and not a warning where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.full(np.shape(numerator), np.nan), where=denominator != 0)


def mean_reasons(means: Sequence[Mean], groups: Groups, values: Mapping[Key, float]) -> dict[Key, str]:
    """Say for each number of :func:`mean_statistics` why it is NaN; empty where it is not."""
    reasons: dict[Key, str] = {}
    for mean in means:
        why = {}
        for group, size in zip(groups.names, groups.sizes.tolist(), strict=True):
            if math.isnan(values[mean.name, group]):
                why[group] = mean.lacking if size else "no rows"
            elif math.isnan(values[f"{mean.name}_minus_rest", group]):
                reasons[f"{mean.name}_minus_rest", group] = f"outside the group: {mean.lacking}"
        reasons |= {(f"{mean.name}{what}", group): each for what in ("", "_minus_rest") for group, each in why.items()}
        if math.isnan(values[mean.name, ALL]):
            reasons[mean.name, ALL] = mean.lacking
        between = "; ".join(f"{group}: {reason}" for group, reason in why.items())
        if len(groups.names) == 1:
            between = "a single group"
        reasons[f"{mean.between}_difference", BETWEEN] = between
        zero = not between and math.isnan(values[f"{mean.between}_ratio", BETWEEN])
        reasons[f"{mean.between}_ratio", BETWEEN] = "0 in every group" if zero else between
    return reasons
