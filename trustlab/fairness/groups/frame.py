"""For fairlearn's own plots and functions: the same rates as its ``MetricFrame``, where groups partition the rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from trustlab.deprecation import old_arguments
from trustlab.fairness.groups.masks import BETWEEN, Groups
from trustlab.fairness.groups.rates import RATES, group_rates, rate_means

if TYPE_CHECKING:
    import fairlearn.metrics


@old_arguments(truth="y_true", predicted="y_pred")
def to_metric_frame(y_true: np.ndarray, y_pred: np.ndarray, groups: Groups) -> fairlearn.metrics.MetricFrame:
    """Return a ``fairlearn.metrics.MetricFrame`` of the four rates, for its plots, differences and ratios.

    Every group must have every rate. fairlearn's own true positive rate is 0 in a group without positives, and where a
    rate is NaN its differences and ratios pass over the group: between a group without positives and one other it finds
    a difference of 0 and a ratio of 1, which nobody measured.

    Parameters
    ----------
    y_true, y_pred : [N]
        0 or 1.
    groups
        A partition of the rows.

    Raises
    ------
    ValueError
        If groups overlap or leave rows out: a MetricFrame knows one group for each row. If a group has no rows, no
        positives or no negatives, or there is one group only: what :func:`group_rates` calls NaN, with the reason.
    ModuleNotFoundError
        If fairlearn is not installed; it comes with the extra ``peers``.
    """
    if not groups.is_partition:
        raise ValueError(
            "Expected groups that partition the rows, got rows in none or in several. A MetricFrame knows one group "
            "for each row; use group_rates, which takes masks."
        )
    rows = {(row["metric"], row["group"]): row for row in group_rates(y_true, y_pred, groups)}
    everyone = rate_means(y_true, y_pred)
    between = {mean.name: rows[f"{mean.between}_difference", BETWEEN]["reason"] for mean in everyone}
    undefined = [f"{rate} of {why}" for rate, why in between.items() if why]
    if undefined:
        raise ValueError(
            f"Expected every rate in each of two or more groups, got {'; '.join(undefined)}. A MetricFrame passes over "
            "what is undefined, so its differences would be 0, or those of the other groups: use group_rates, which "
            "gives NaN with the reason, or leave these groups out with their rows and say so."
        )
    from fairlearn.metrics import MetricFrame

    def rate(number: int) -> Callable[[np.ndarray, np.ndarray], float]:
        def value(y_true: np.ndarray, y_pred: np.ndarray) -> float:
            mean = rate_means(y_true, y_pred)[number]
            return float(mean.values[mean.among].mean())

        return value

    group = np.array(groups.names, dtype=object)[groups.masks.argmax(axis=1)]
    return MetricFrame(
        metrics={name: rate(number) for number, name in enumerate(RATES)},
        y_true=everyone[2].among,
        y_pred=everyone[1].values,
        sensitive_features=group,
    )
