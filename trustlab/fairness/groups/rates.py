"""Error rates by group: accuracy, selection, true and false positive rate, and the fairness criteria made of them.

Metrics have fairlearn's names. Demographic parity asks for a ``demographic_parity_difference`` of 0, that of the
selection rates; equal opportunity for a ``true_positive_rate_difference`` of 0 (Hardt, Price and Srebro 2016);
equalised odds for that and for a ``false_positive_rate_difference`` of 0: ``equalized_odds_difference`` is the larger
of the two, ``equalized_odds_ratio`` the smaller of the two ratios. A false positive rate of 0 in every group has no
ratio (0/0), and leaves it to the true positive rate: a perfect classifier has an equalised odds ratio of 1. A true
positive rate of 0 in every group leaves none, in fairlearn too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from trustlab.containers import missing_rows, read_rows
from trustlab.deprecation import old_arguments
from trustlab.fairness.groups.masks import BETWEEN, Groups
from trustlab.fairness.groups.means import Mean, check_means, mean_reasons, mean_statistics, of_rows
from trustlab.fairness.groups.resampling import Bootstrap, Key, Statistics, measure
from trustlab.fairness.groups.weights import kept_and_weights

RATES = ("accuracy_score", "selection_rate", "true_positive_rate", "false_positive_rate")


@old_arguments(truth="y_true", predicted="y_pred")
def group_rates(
    y_true: np.ndarray,
    y_pred: np.ndarray,
    groups: Groups,
    *,
    bootstrap: Bootstrap | None = None,
    sample_weight: Any = None,
) -> list[dict[str, Any]]:
    """Return every rate over all rows and in each group, and differences and ratios between groups.

    Parameters
    ----------
    y_true, y_pred : [N]
        0 or 1 (or bool). A task with many classes is measured for one of them: ``truth == "pay_bill"``.
    groups
        Who is in which group; groups may overlap.
    bootstrap
        How to make intervals, resampling within positives and within negatives unless it says otherwise; None makes
        none.
    sample_weight : [N] or None
        Finite weights >= 0, as in fairlearn: a row of weight 2 counts as two rows, one of weight 0 is left out. None
        weights rows equally.

    Returns
    -------
    list of rows
        As :func:`~trustlab.fairness.groups.group_means` for :data:`RATES` (the selection rate is the share predicted 1;
        its difference and ratio are called ``demographic_parity_…``), and "equalized_odds_difference" and
        "equalized_odds_ratio" between groups. The true positive rate of a group without positives, or the false
        positive rate of one without negatives, is NaN with that reason, and so are the differences it enters.

    Raises
    ------
    ValueError
        If lengths disagree, a row has no label, or a value is neither 0 nor 1.

    Examples
    --------
    >>> rows = group_rates([1, 1, 0, 1, 0], [1, 0, 0, 1, 1], Groups.by(["a", "a", "a", "b", "b"]))
    >>> {row["group"]: row["value"] for row in rows if row["metric"] == "true_positive_rate"}
    {'(all rows)': 0.6666666666666666, 'a': 0.5, 'b': 1.0}
    >>> [row["value"] for row in rows if row["metric"] == "equalized_odds_difference"]
    [1.0]
    """
    means = rate_means(y_true, y_pred)
    check_means(means, groups)
    kept, weights = kept_and_weights(sample_weight, groups, bootstrap)
    if kept is not None:
        means, groups = of_rows(means, kept), groups[kept]
    return measure(
        lambda counts: with_odds(mean_statistics(means, groups, counts)),
        lambda values: _with_odds_reasons(mean_reasons(means, groups, values), values),
        groups,
        bootstrap,
        strata=means[2].among,  # the true labels
        weights=None if sample_weight is None else weights,
    )


def rate_means(y_true: np.ndarray, y_pred: np.ndarray) -> list[Mean]:
    """Return the four rates as means over those rows that they ask about."""
    y, chosen = binary(y_true, "y_true"), binary(y_pred, "y_pred")
    if len(y) != len(chosen):
        raise ValueError(f"Expected one prediction for each of {len(y)} rows, got {len(chosen)}.")
    everyone = np.ones(len(y), dtype=bool)
    return [
        Mean("accuracy_score", y == chosen, everyone),
        Mean("selection_rate", chosen, everyone, criterion="demographic_parity"),
        Mean("true_positive_rate", chosen, y, lacking="no positives"),
        Mean("false_positive_rate", chosen, ~y, lacking="no negatives"),
    ]


def binary(values: np.ndarray, name: str) -> np.ndarray:
    """Return `values` as bool [N]; refuse missing labels and anything but 0 and 1.

    Examples
    --------
    >>> binary([0, 1, None], "truth")
    Traceback (most recent call last):
    ...
    ValueError: Expected truth of 0 or 1 in each of 3 rows, 1 has no label (first: row 2). Leave such rows out.
    """
    if type(values) is np.ndarray and values.dtype == bool and values.ndim == 1 and len(values):
        return values
    listed = read_rows(values, name).astype(object)
    if listed.ndim != 1 or not len(listed):
        raise ValueError(f"Expected {name} of 0 or 1 for each of one or more rows, got shape {listed.shape}.")
    missing = missing_rows(listed)
    if len(missing):
        raise ValueError(
            f"Expected {name} of 0 or 1 in each of {len(listed)} rows, {len(missing)} "
            f"{'has' if len(missing) == 1 else 'have'} no label (first: row {missing[0]}). Leave such rows out."
        )
    other = [value for value in listed if value not in (0, 1)]
    if other:
        raise ValueError(
            f"Expected {name} of 0 or 1, got {other[0]!r}. Threshold scores first; ask about one class at a time."
        )
    return listed.astype(bool)


def with_odds(found: Statistics) -> Statistics:
    """Add equalised odds to the statistics of the four rates."""
    tpr_difference, fpr_difference = (found[f"{rate}_difference", BETWEEN] for rate in RATES[2:])
    tpr_ratio, fpr_ratio = (found[f"{rate}_ratio", BETWEEN] for rate in RATES[2:])
    # A false positive rate of 0 in every group has no ratio, 0/0, but no group is worse off.
    none_wrong = np.isnan(fpr_ratio) & (fpr_difference == 0)
    ratio = np.where(none_wrong, tpr_ratio, np.minimum(tpr_ratio, fpr_ratio))
    difference = np.maximum(tpr_difference, fpr_difference)
    return found | {("equalized_odds_difference", BETWEEN): difference, ("equalized_odds_ratio", BETWEEN): ratio}


def _with_odds_reasons(reasons: dict[Key, str], values: Mapping[Key, float]) -> dict[Key, str]:
    for what in ("difference", "ratio"):
        if math.isnan(values[f"equalized_odds_{what}", BETWEEN]):
            parts = [(rate, reasons[f"{rate}_{what}", BETWEEN]) for rate in RATES[2:]]
            reasons[f"equalized_odds_{what}", BETWEEN] = "; ".join(f"{rate} of {why}" for rate, why in parts if why)
    return reasons
