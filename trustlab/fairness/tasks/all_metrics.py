"""Every extrinsic metric that a set of grouped texts allows, from a model's scores, in one call."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from trustlab.columns import as_scores
from trustlab.fairness.groups import Bootstrap, Mean, counterfactual_flips, group_aucs, group_means, group_rates
from trustlab.fairness.tasks.shape import GroupedTexts


def extrinsic_metrics(
    texts: GroupedTexts,
    scores: np.ndarray,
    *,
    swapped: np.ndarray | None = None,
    threshold: float = 0.5,
    bootstrap: Bootstrap | None = None,
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
        How to make intervals. The texts' own units are drawn unless it names others: nobody has to remember them.

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
        raise ValueError(f"Expected texts with counterparts, got {texts!r}. They say what was swapped.")
    if not math.isfinite(threshold):
        raise ValueError(f"Expected threshold={threshold} to be finite. Every decision would be the same.")
    scores = as_scores(scores, rows=len(texts))
    swapped = None if swapped is None else as_scores(swapped, "swapped score", rows=len(texts))
    if bootstrap is not None and bootstrap.units is None:
        bootstrap = replace(bootstrap, units=texts.units)
    if texts.truth is None:
        rows = group_means([Mean("score", scores, np.ones(len(scores), bool))], texts.groups, bootstrap=bootstrap)
    else:
        rows = group_rates(texts.truth, scores >= threshold, texts.groups, bootstrap=bootstrap)
        rows += group_aucs(texts.truth, scores, texts.groups, bootstrap=bootstrap)
    if swapped is not None:
        rows += counterfactual_flips(scores, swapped, texts.groups, threshold=threshold, bootstrap=bootstrap)
    return rows
