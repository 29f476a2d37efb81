"""Every extrinsic metric that a set of grouped texts allows, from a model's scores, in one call."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from trustlab.columns import as_scores
from trustlab.fairness.groups import (
    Bootstrap,
    Chance,
    Estimates,
    Mean,
    counterfactual_flips,
    estimate_aucs,
    estimate_means,
    estimate_rates,
    gaps,
    group_aucs,
    group_means,
    group_rates,
    pooled,
)
from trustlab.fairness.tasks.shape import GroupedTexts


def extrinsic_metrics(
    texts: GroupedTexts,
    scores: np.ndarray,
    *,
    swapped: np.ndarray | None = None,
    threshold: float = 0.5,
    bootstrap: Bootstrap | None = None,
    chance: Chance | None = None,
) -> list[dict[str, Any]]:
    """Return rates and AUCs where the truth is known, mean scores where it is not, and flips where texts were swapped.

    Parameters
    ----------
    texts
        N texts with groups, such as a task's ``test``.
    scores : [N]
        A model's score of each text; at or above `threshold` the decision is 1.
    swapped : [N]
        Its scores of ``texts.counterparts``; None leaves flips out.
    bootstrap
        How to make intervals. The texts' own units are drawn unless it names others.
    chance
        How to ask what chance does, with the texts' own units unless it names others; None does not ask. Differences
        and ratios of rates and scores between groups then have the columns of :func:`~trustlab.fairness.groups.gaps`
        (their ``low`` and ``high`` cover the truth, which those of a bootstrap do not), and each group's rates and AUCs
        have ``pooled``, ``highest`` and ``lowest`` of :func:`~trustlab.fairness.groups.pooled`.

    Returns
    -------
    list of rows
        Of :func:`~trustlab.fairness.groups.group_rates`, :func:`~trustlab.fairness.groups.group_aucs` (or
        :func:`~trustlab.fairness.groups.group_means` of "score") and
        :func:`~trustlab.fairness.groups.counterfactual_flips`.

    Raises
    ------
    ValueError
        If the texts have no groups, or no counterparts although scores of them are given, lengths disagree, or a score
        is not finite.

    Examples
    --------
    >>> from trustlab.fairness.tasks import load_task
    >>> test = load_task("assistant").test
    >>> rows = extrinsic_metrics(test, test.truth.astype(float))
    >>> {row["metric"]: row["value"] for row in rows if row["metric"] in ("auc", "true_positive_rate_difference")}
    {'true_positive_rate_difference': 0.0, 'auc': 1.0}
    """
    if texts.groups is None:
        raise ValueError(f"Expected texts whose groups are known, got {texts!r}. There is nothing to compare.")
    if swapped is not None and texts.counterparts is None:
        raise ValueError(f"Expected texts with counterparts, got {texts!r}. They show what was swapped.")
    if not math.isfinite(threshold):
        raise ValueError(f"Expected threshold={threshold} to be finite. Every decision would be the same.")
    scores = as_scores(scores, rows=len(texts))
    swapped = None if swapped is None else as_scores(swapped, "swapped score", rows=len(texts))
    if bootstrap is not None and bootstrap.units is None:
        bootstrap = replace(bootstrap, units=texts.units)
    means = [Mean("score", scores, np.ones(len(scores), bool))]
    if texts.truth is None:
        rows = group_means(means, texts.groups, bootstrap=bootstrap)
    else:
        rows = group_rates(texts.truth, scores >= threshold, texts.groups, bootstrap=bootstrap)
        rows += group_aucs(texts.truth, scores, texts.groups, bootstrap=bootstrap)
    if swapped is not None:
        rows += counterfactual_flips(scores, swapped, texts.groups, threshold=threshold, bootstrap=bootstrap)
    if chance is None:
        return rows
    chance = replace(chance, units=texts.units) if chance.units is None else chance
    if texts.truth is None:
        return _judged(rows, estimate_means(means, texts.groups, chance=chance))
    estimates = estimate_rates(texts.truth, scores >= threshold, texts.groups, chance=chance)
    return _judged(rows, estimates + estimate_aucs(texts.truth, scores, texts.groups, chance=chance))


def _judged(rows: list[dict[str, Any]], estimates: list[Estimates]) -> list[dict[str, Any]]:
    """Add to the rows what chance does to their numbers."""
    worth = {(row["metric"], row["group"]): row for row in gaps(estimates)}
    about = {
        (row["metric"], row["group"]): {name: row[name] for name in ("pooled", "highest", "lowest")}
        | {f"pooled_{end}": row[end] for end in ("low", "high")}
        for row in pooled(estimates)
    }
    kept = ("metric", "group", "value", "rows", "reason")
    found = []
    for row in rows:
        key = row["metric"], row["group"]
        more = {name: value for name, value in worth.get(key, {}).items() if name not in kept}
        found.append(row | more | about.get(key, {}))
    return found
