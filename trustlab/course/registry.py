"""The experiments whose results are committed, by their names on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from trustlab.course import (
    n11_dp_sgd_vs_edp_sgd,
    n12_membership_inference,
    n13_canary_extraction,
    n14_private_text,
    n21_non_iid_partitioning,
    n22_device_selection,
    n23_continual_learning,
    n24_fednlp_benchmark,
    n31_fairness_metrics,
    n32_prediction_sensitivity,
    n33_role_reversal,
)
from trustlab.course.experiment import Experiment

EXPERIMENTS: Mapping[str, Experiment] = MappingProxyType({
    each.name: each
    for each in (
        n11_dp_sgd_vs_edp_sgd.EXPERIMENT,
        n11_dp_sgd_vs_edp_sgd.SEARCH,
        n11_dp_sgd_vs_edp_sgd.ENCODER,
        n11_dp_sgd_vs_edp_sgd.ENCODER_SEARCH,
        n11_dp_sgd_vs_edp_sgd.LAYERS,
        n11_dp_sgd_vs_edp_sgd.LAYERS_SEARCH,
        n11_dp_sgd_vs_edp_sgd.LEVEL,
        n11_dp_sgd_vs_edp_sgd.LEVEL_SEARCH,
        n12_membership_inference.EXPERIMENT,
        n12_membership_inference.TUNING,
        n12_membership_inference.ENCODER,
        n12_membership_inference.ENCODER_TUNING,
        n12_membership_inference.SENDERS,
        n12_membership_inference.SENDERS_TUNING,
        n13_canary_extraction.EXPERIMENT,
        n13_canary_extraction.SECRETS,
        n13_canary_extraction.LANGUAGE,
        n14_private_text.EXPERIMENT,
        n14_private_text.ADEPT,
        n14_private_text.TUNING,
        n21_non_iid_partitioning.EXPERIMENT,
        n21_non_iid_partitioning.TUNING,
        n22_device_selection.EXPERIMENT,
        n22_device_selection.HARM,
        n22_device_selection.ROUNDS,
        n22_device_selection.TUNING,
        n23_continual_learning.EXPERIMENT,
        n23_continual_learning.PLAYS,
        n23_continual_learning.TUNING,
        n24_fednlp_benchmark.EXPERIMENT,
        n24_fednlp_benchmark.REAL,
        n24_fednlp_benchmark.REAL_TUNING,
        n24_fednlp_benchmark.TUNING,
        n31_fairness_metrics.EXPERIMENT,
        n31_fairness_metrics.HELD_OUT,
        n31_fairness_metrics.ASSOCIATION,
        n31_fairness_metrics.REAL_TASKS,
        n31_fairness_metrics.SMOLLM2,
        n31_fairness_metrics.CONTINUATIONS,
        n31_fairness_metrics.REAL_TASKS_TUNING,
        n31_fairness_metrics.GRADIENTS,
        n32_prediction_sensitivity.EXPERIMENT,
        n32_prediction_sensitivity.REAL,
        n32_prediction_sensitivity.DIALECT,
        n32_prediction_sensitivity.GROUPS,
        n33_role_reversal.EXPERIMENT,
        n33_role_reversal.SMOLLM2,
        n33_role_reversal.ELSEWHERE,
    )
})  # fmt: skip


def experiment_of(setting: Any) -> Experiment:
    """Return the experiment that `setting` is a setting of.

    Examples
    --------
    >>> from trustlab.course.n21_non_iid_partitioning.experiment import Setting
    >>> experiment_of(Setting()).name
    'non-iid-partitioning'
    """
    (found,) = (each for each in EXPERIMENTS.values() if each.module.__name__ == type(setting).__module__)
    return found
