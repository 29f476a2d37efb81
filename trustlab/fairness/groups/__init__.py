"""Extrinsic fairness: what a model does to groups of people, with groups that may overlap.

Read in this order: :mod:`~trustlab.fairness.groups.masks` (who belongs where),
:mod:`~trustlab.fairness.groups.resampling` (how sure a number is), :mod:`~trustlab.fairness.groups.means` (the one
engine: means of a group, differences between groups), :mod:`~trustlab.fairness.groups.rates` (accuracy, selection
rate, true and false positive rate, equalised odds), :mod:`~trustlab.fairness.groups.auc` (subgroup, BPSN and BNSP AUC),
:mod:`~trustlab.fairness.groups.flips` (counterfactuals), :mod:`~trustlab.fairness.groups.frame_rates` (a table, with
sample weights and thresholds), :mod:`~trustlab.fairness.groups.frame` (fairlearn).

What a difference between many groups is worth, and which group is worst off: :mod:`~trustlab.fairness.groups.chance`
and :mod:`~trustlab.fairness.groups.auc_chance` (what chance does), :mod:`~trustlab.fairness.groups.gaps` (level,
correction, interval and p) and :mod:`~trustlab.fairness.groups.pooling` (small groups borrow from all).

Every measurement returns flat rows ``metric, group, value, low, high, rows, undefined, reason``; metrics are called as
in fairlearn, see :mod:`~trustlab.fairness.groups.metric_names`.
"""

from trustlab.fairness.groups.auc import generalized_mean, group_aucs
from trustlab.fairness.groups.auc_chance import estimate_aucs
from trustlab.fairness.groups.chance import Chance, Estimates, estimate_means, estimate_rates
from trustlab.fairness.groups.flips import counterfactual_flips
from trustlab.fairness.groups.frame import to_metric_frame
from trustlab.fairness.groups.frame_rates import estimate_frame, frame_rates
from trustlab.fairness.groups.gaps import gaps
from trustlab.fairness.groups.masks import ALL, BETWEEN, Groups
from trustlab.fairness.groups.means import Mean, group_means
from trustlab.fairness.groups.pooling import pooled
from trustlab.fairness.groups.rates import group_rates
from trustlab.fairness.groups.resampling import Bootstrap

__all__ = [
    "ALL",
    "BETWEEN",
    "Bootstrap",
    "Chance",
    "Estimates",
    "Groups",
    "Mean",
    "counterfactual_flips",
    "estimate_aucs",
    "estimate_frame",
    "estimate_means",
    "estimate_rates",
    "frame_rates",
    "gaps",
    "generalized_mean",
    "group_aucs",
    "group_means",
    "group_rates",
    "pooled",
    "to_metric_frame",
]
