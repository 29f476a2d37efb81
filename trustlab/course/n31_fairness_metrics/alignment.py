"""What alignment does: the same metrics over the same models, with more or less in common between both kinds.

An intrinsic metric is about some groups and some attributes, an extrinsic one about the groups and the question of a
task; published comparisons often pair the data that happen to be available. Here two things are changed one at a time:

* **the notion**: intrinsic metrics about the region and extrinsic ones about gender, and the other way round, or the
  same groups and poles on both sides;
* **the records** of the task: with their own bias, as real labels have, or clean, so that only the pretraining
  text can make the classifier unfair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trustlab.course.correlation import bootstrap, correlation_matrix
from trustlab.course.n31_fairness_metrics.experiment import column
from trustlab.course.n31_fairness_metrics.extrinsic import EXTRINSIC
from trustlab.course.n31_fairness_metrics.intrinsic import INTRINSIC
from trustlab.course.n31_fairness_metrics.notions import NOTIONS
from trustlab.intervals import Interval

if TYPE_CHECKING:
    import pandas


class Setting(NamedTuple):
    """What two metrics have in common: the notion or not, and the records of the task."""

    same_notion: bool
    records: str


SETTINGS = {
    "another notion, biased records": Setting(False, "biased"),
    "another notion, clean records": Setting(False, "clean"),
    "same notion, biased records": Setting(True, "biased"),
    "same notion, clean records": Setting(True, "clean"),
}


def sides(table: pandas.DataFrame, setting: str, notion: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the values of intrinsic metrics about `notion` and of extrinsic ones as `setting` has it, by metric."""
    if setting not in SETTINGS:
        raise ValueError(f"Expected setting={setting!r} to be one of {', '.join(map(repr, SETTINGS))}.")
    same, records = SETTINGS[setting]
    other = notion if same else next(name for name in NOTIONS if name != notion)
    intrinsic = {name: table[column(notion, name)].to_numpy() for name in INTRINSIC}
    extrinsic = {name: table[column(other, name, records)].to_numpy() for name in EXTRINSIC}
    return intrinsic, extrinsic


def mean_correlations(table: pandas.DataFrame, *, method: str = "spearman", resamples: int = 400) -> np.ndarray:
    """Return the mean correlation over all pairs of metrics in each of :data:`SETTINGS`, [1 + resamples, settings].

    The first line is for the models as they are, the others for resampled ones: the same resample in all settings, so
    that differences between settings get an interval. A pair with a metric that is constant over models is left out.
    """
    both = [[sides(table, setting, notion) for notion in NOTIONS] for setting in SETTINGS]
    stacked = [[tuple(np.column_stack(list(side.values())) for side in pair) for pair in each] for each in both]

    def means(rows: np.ndarray) -> np.ndarray:
        return np.stack([
            np.mean([np.nanmean(correlation_matrix(x[rows], y[rows], method), axis=(-1, -2)) for x, y in each], axis=0)
            for each in stacked
        ], axis=-1)  # fmt: skip

    everyone = means(np.arange(len(table))[None])
    return np.concatenate([everyone, bootstrap(means, len(table), resamples=resamples)])


def interval(draws: np.ndarray, models: int) -> Interval:
    """Return the value in the first place of `draws` with the 95 % percentile interval of the others."""
    low, high = np.quantile(draws[1:], [0.025, 0.975]).tolist()
    return Interval(float(draws[0]), low, high, models)
