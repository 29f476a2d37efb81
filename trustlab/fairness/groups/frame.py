"""The way to fairlearn: the same rates as its ``MetricFrame``, where groups partition the rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from trustlab.fairness.groups.masks import Groups
from trustlab.fairness.groups.rates import RATES, rate_means

if TYPE_CHECKING:
    import fairlearn.metrics


def to_metric_frame(truth: np.ndarray, predicted: np.ndarray, groups: Groups) -> fairlearn.metrics.MetricFrame:
    """Return a ``fairlearn.metrics.MetricFrame`` of the four rates, for its plots, differences and ratios.

    The rates are ours: fairlearn's own true positive rate is 0 in a group without positives, ours is NaN.

    Parameters
    ----------
    truth, predicted : [N]
        0 or 1.
    groups
        A partition of the rows.

    Raises
    ------
    ValueError
        If groups overlap or leave rows out: a MetricFrame knows one group for each row.
    ModuleNotFoundError
        If fairlearn is not installed; it comes with the extra ``peers``.
    """
    if not groups.is_partition:
        raise ValueError(
            "Expected groups that partition the rows, got rows in none or in several. A MetricFrame knows one group "
            "for each row; use group_rates, which takes masks."
        )
    from fairlearn.metrics import MetricFrame

    def rate(number: int) -> Callable[[np.ndarray, np.ndarray], float]:
        def value(y_true: np.ndarray, y_pred: np.ndarray) -> float:
            mean = rate_means(y_true, y_pred)[number]
            return float(mean.values[mean.among].mean()) if mean.among.any() else float("nan")

        return value

    everyone = rate_means(truth, predicted)  # checked before fairlearn sees them
    group = np.array(groups.names, dtype=object)[groups.masks.argmax(axis=1)]
    return MetricFrame(
        metrics={name: rate(number) for number, name in enumerate(RATES)},
        y_true=everyone[2].among,
        y_pred=everyone[1].values,
        sensitive_features=group,
    )
