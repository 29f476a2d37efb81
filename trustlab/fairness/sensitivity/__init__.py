"""Prediction sensitivity: how much a classifier's answer moves with the words that tell a protected status.

Read in this order: :mod:`~trustlab.fairness.sensitivity.accumulated` (the measure),
:mod:`~trustlab.fairness.sensitivity.gradient_norms` (its J), :mod:`~trustlab.fairness.sensitivity.token_weights` (its
v), :mod:`~trustlab.fairness.sensitivity.protected_status` (a model of the status),
:mod:`~trustlab.fairness.sensitivity.embedded` and :mod:`~trustlab.fairness.sensitivity.token_batch` (how models and
texts are read). To compare with: :mod:`~trustlab.fairness.sensitivity.counterfactual_change` (swapped words) and
:mod:`~trustlab.fairness.sensitivity.attributions`; for groups :mod:`~trustlab.fairness.sensitivity.by_group`.
"""

from trustlab.fairness.sensitivity.accumulated import Sensitivity, accumulated_prediction_sensitivity
from trustlab.fairness.sensitivity.attributions import Integrated, input_x_gradient, integrated_gradients
from trustlab.fairness.sensitivity.by_group import sensitivity_by_group, sensitivity_means
from trustlab.fairness.sensitivity.counterfactual_change import CounterfactualChange, counterfactual_change
from trustlab.fairness.sensitivity.embedded import TextClassifier
from trustlab.fairness.sensitivity.protected_status import StatusModel, fit_status_model, measure_status_model
from trustlab.fairness.sensitivity.token_batch import TokenBatch, read_batch
from trustlab.fairness.sensitivity.token_weights import learn_token_weights

__all__ = [
    "CounterfactualChange",
    "Integrated",
    "Sensitivity",
    "StatusModel",
    "TextClassifier",
    "TokenBatch",
    "accumulated_prediction_sensitivity",
    "counterfactual_change",
    "fit_status_model",
    "input_x_gradient",
    "integrated_gradients",
    "learn_token_weights",
    "measure_status_model",
    "read_batch",
    "sensitivity_by_group",
    "sensitivity_means",
]
