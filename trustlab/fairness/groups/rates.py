"""Error rates by group: accuracy, selection, true and false positive rate, and the fairness criteria made of them.

Demographic parity asks for a "selection gap" of 0, equal opportunity for a "tpr gap" of 0 (Hardt, Price and Srebro
2016), equalised odds for a "tpr gap" and an "fpr gap" of 0: its gap is the larger of the two, its ratio the smaller of
the two ratios, as fairlearn defines them. An fpr of 0 in every group has no ratio (0/0), and leaves it to the tpr: a
perfect classifier has an equalised odds ratio of 1. A tpr of 0 in every group leaves none, in fairlearn too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from trustlab.containers import missing_rows, read_rows
from trustlab.fairness.groups.masks import BETWEEN, Groups
from trustlab.fairness.groups.means import Mean, check_means, mean_reasons, mean_statistics
from trustlab.fairness.groups.resampling import Bootstrap, Key, Statistics, measure

RATES = ("accuracy", "selection", "tpr", "fpr")


def group_rates(
    truth: np.ndarray, predicted: np.ndarray, groups: Groups, *, bootstrap: Bootstrap | None = None
) -> list[dict[str, Any]]:
    """Return every rate over all rows and in each group, and the gaps and ratios between groups.

    Parameters
    ----------
    truth, predicted : [N]
        0 or 1 (or bool). A task with many classes is asked about one of them: ``truth == "pay_bill"``.
    groups
        Who is in which group; groups may overlap.
    bootstrap
        How to make intervals, resampling within positives and within negatives unless it says otherwise; None makes
        none.

    Returns
    -------
    list of rows
        As :func:`~trustlab.fairness.groups.group_means` for "accuracy", "selection" (share predicted 1), "tpr" and
        "fpr", and "equalized odds gap" and "equalized odds ratio" between groups. A rate of a group without positives
        (tpr) or negatives (fpr) is NaN with that reason, and so are the gaps it enters.

    Raises
    ------
    ValueError
        If lengths disagree, a row has no label, or a value is neither 0 nor 1.

    Examples
    --------
    >>> rows = group_rates([1, 1, 0, 1, 0], [1, 0, 0, 1, 1], Groups.by(["a", "a", "a", "b", "b"]))
    >>> {row["group"]: row["value"] for row in rows if row["metric"] == "tpr"}
    {'(all rows)': 0.6666666666666666, 'a': 0.5, 'b': 1.0}
    >>> [row["value"] for row in rows if row["metric"] == "equalized odds gap"]
    [1.0]
    """
    means = rate_means(truth, predicted)
    check_means(means, groups)
    return measure(
        lambda counts: with_odds(mean_statistics(means, groups, counts)),
        lambda values: _with_odds_reasons(mean_reasons(means, groups, values), values),
        groups,
        bootstrap,
        strata=means[2].among,  # the true labels
    )


def rate_means(truth: np.ndarray, predicted: np.ndarray) -> list[Mean]:
    """Return the four rates as means over those rows that they ask about."""
    y, said = binary(truth, "truth"), binary(predicted, "predicted")
    if len(y) != len(said):
        raise ValueError(f"Expected one prediction for each of {len(y)} rows, got {len(said)}.")
    everyone = np.ones(len(y), dtype=bool)
    return [
        Mean("accuracy", y == said, everyone),
        Mean("selection", said, everyone),
        Mean("tpr", said, y, lacking="no positives"),
        Mean("fpr", said, ~y, lacking="no negatives"),
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
    gap = np.maximum(found["tpr gap", BETWEEN], found["fpr gap", BETWEEN])
    tpr, fpr = found["tpr ratio", BETWEEN], found["fpr ratio", BETWEEN]
    # fpr 0 in every group has no ratio, 0/0, but nobody is worse off in it: then the ratio is tpr's.
    none_wrong = np.isnan(fpr) & (found["fpr gap", BETWEEN] == 0)
    ratio = np.where(none_wrong, tpr, np.minimum(tpr, fpr))
    return found | {("equalized odds gap", BETWEEN): gap, ("equalized odds ratio", BETWEEN): ratio}


def _with_odds_reasons(reasons: dict[Key, str], values: Mapping[Key, float]) -> dict[Key, str]:
    for what in ("gap", "ratio"):
        if math.isnan(values[f"equalized odds {what}", BETWEEN]):
            parts = [(rate, reasons[f"{rate} {what}", BETWEEN]) for rate in ("tpr", "fpr")]
            reasons[f"equalized odds {what}", BETWEEN] = "; ".join(f"{rate} of {said}" for rate, said in parts if said)
    return reasons
