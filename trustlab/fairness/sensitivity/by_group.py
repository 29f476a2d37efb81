"""Sensitivity of groups and of a corpus: means with intervals, and what a difference between groups is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trustlab.columns import as_numbers
from trustlab.fairness.groups import Bootstrap, Groups, Mean, group_means


def sensitivity_means(measures: Mapping[str, np.ndarray]) -> list[Mean]:
    """Return scores [N] by name as means over the rows that have one, for every function of groups.

    With :func:`~trustlab.fairness.groups.estimate_means` and :func:`~trustlab.fairness.groups.gaps` they say what a
    difference between groups is worth.

    Examples
    --------
    >>> (mean,) = sensitivity_means({"prediction_sensitivity": np.array([0.2, np.nan])})
    >>> mean.name, mean.among.tolist()
    ('prediction_sensitivity', [True, False])
    """
    if not measures:
        raise ValueError("Expected one or more measures by name, got none.")
    columns = {name: as_numbers(values, name) for name, values in measures.items()}
    return [
        Mean(name, np.nan_to_num(values), ~np.isnan(values), lacking="no protected word")
        for name, values in columns.items()
    ]


def sensitivity_by_group(
    measures: Mapping[str, np.ndarray], groups: Groups, *, bootstrap: Bootstrap | None = None
) -> list[dict[str, Any]]:
    """Return the means of a corpus and its groups, and how groups differ, with bootstrap intervals.

    Parameters
    ----------
    measures
        Scores [N] by name, such as ``found.score`` of
        :func:`~trustlab.fairness.sensitivity.accumulated_prediction_sensitivity` and of
        :func:`~trustlab.fairness.sensitivity.counterfactual_change`. NaN (no protected word) is left out.
    groups
        Of the N texts; they may overlap.
    bootstrap
        How to make intervals; None draws 1,000 resamples. Name units where texts belong together.

    Returns
    -------
    list of rows
        As :func:`~trustlab.fairness.groups.group_means`.

    Examples
    --------
    >>> scores = {"prediction_sensitivity": np.array([0.2, 0.4, np.nan, 0.1])}
    >>> rows = sensitivity_by_group(scores, Groups.by(["a", "a", "a", "b"]), bootstrap=Bootstrap(resamples=50))
    >>> {row["group"]: round(row["value"], 2) for row in rows if row["metric"] == "prediction_sensitivity"}
    {'(all rows)': 0.23, 'a': 0.3, 'b': 0.1}
    """
    return group_means(sensitivity_means(measures), groups, bootstrap=bootstrap or Bootstrap())
