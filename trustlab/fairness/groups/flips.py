"""Counterfactual flips: whether the answer changes when only the group's words do."""

from __future__ import annotations

from typing import Any

import numpy as np

from trustlab.columns import as_scores
from trustlab.fairness.groups.masks import Groups
from trustlab.fairness.groups.means import Mean, group_means
from trustlab.fairness.groups.resampling import Bootstrap


def counterfactual_flips(
    original: np.ndarray,
    swapped: np.ndarray,
    groups: Groups,
    *,
    threshold: float = 0.5,
    bootstrap: Bootstrap | None = None,
) -> list[dict[str, Any]]:
    """Compare scores of texts with those of the same texts whose group words were exchanged.

    Parameters
    ----------
    original, swapped : [N]
        Finite scores of N pairs; a score at or above `threshold` is the decision 1.
    groups
        Groups of the *original* texts; they may overlap.
    bootstrap
        How to make intervals; where one text has several counterfactuals, name it as their unit.

    Returns
    -------
    list of rows
        As :func:`~trustlab.fairness.groups.group_means` for "flip_rate" (decisions that change), "score_change"
        (mean of swapped − original: its sign says whom the words favour) and "absolute_score_change" (mean of
        ‖swapped − original‖, the counterfactual token fairness gap of Garg et al. 2019). A model that ignores the
        exchanged words has 0 everywhere; one that is wrong for all alike has too.

    Raises
    ------
    ValueError
        If lengths disagree, or a score or the threshold is not finite.

    Examples
    --------
    >>> rows = counterfactual_flips([0.9, 0.2], [0.4, 0.2], Groups.by(["women", "men"]))
    >>> {row["group"]: row["value"] for row in rows if row["metric"] == "flip_rate"}
    {'(all rows)': 0.5, 'men': 0.0, 'women': 1.0}
    """
    before, after = as_scores(original), as_scores(swapped, "swapped score")
    if len(before) != len(after):
        raise ValueError(
            f"Expected a swapped score for each original one, got {len(before)} and {len(after)}. Pairs must match."
        )
    if not np.isfinite(threshold):
        raise ValueError(f"Expected threshold={threshold} to be finite. Nothing would ever flip.")
    everyone = np.ones(len(before), dtype=bool)
    change = after - before
    means = [
        Mean("score_change", change, everyone),
        Mean("absolute_score_change", abs(change), everyone),
        Mean("flip_rate", (before >= threshold) != (after >= threshold), everyone),
    ]
    return group_means(means, groups, bootstrap=bootstrap)
