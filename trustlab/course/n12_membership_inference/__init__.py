"""The code of notebook 12: what leaks in practice, by membership inference, compared with what ε permits."""

from __future__ import annotations

from typing import Any

from trustlab.course.experiment import Experiment
from trustlab.course.n12_membership_inference import (
    encoder_attack,
    encoder_attack_search,
    experiment,
    membership_search,
)
from trustlab.course.n12_membership_inference.claims import claims_of
from trustlab.course.n12_membership_inference.claims_on_real import claims_of_heads


def _not_run_by(method: str) -> dict[str, str]:
    """Return what a training by `method` does without."""
    if method in experiment.BASELINES:
        return {
            "trustlab.privacy.membership.reference_models.train_together": "A baseline is not trained by gradients.",
            "trustlab.course.n12_membership_inference.experiment.attacked": "What a baseline knows is not attacked.",
            "trustlab.course.n12_membership_inference.experiment.permitted_by": "A baseline has no ε, nor a curve.",
        }
    return {}


def _named(method: str, epsilon: float, size: int, *options: float) -> str:
    return f"{method} at ε = {epsilon:g} on {size}"


def _tried(method: str, epsilon: float, size: int, share: float, epochs: int, rate: float, clip: float, k: int) -> str:
    return f"{method} at ε = {epsilon:g}, share {share:g}, rate {rate:g}" + (f", K = {k}" if k else "")


def _recipes(corpus: str) -> dict[str, Any]:
    return {"stacked": "32 models, options in the columns; Adam, a constant rate"}


EXPERIMENT = Experiment(
    "membership-inference",
    experiment,
    varied="method",
    slowest_first=("edp-sgd", "dp-sgd", "sgd", *experiment.BASELINES),
    tolerance={"accuracy": 0.03, "auc": 0.03, "tpr_01": 0.05, "epsilon_spent": 0.02},
    named=_named,
    recipes=_recipes,
    parts={"methods": (*experiment.METHODS, *experiment.BASELINES)},
    claims=claims_of,
    left_out=_not_run_by,
)
TUNING = Experiment(
    "membership-inference-tuning",
    membership_search,
    varied="method",
    slowest_first=("edp-sgd", "dp-sgd", "sgd"),
    tolerance={"score": 0.05},
    named=_tried,
    recipes=_recipes,
    parts={"methods": tuple(membership_search.SPACES)},
)
ENCODER = Experiment(
    "membership-inference-encoder",
    encoder_attack,
    varied="method",
    slowest_first=("dp-sgd", "sgd", *encoder_attack.BASELINES),
    tolerance={"accuracy": 0.02, "auc": 0.02, "tpr_01": 0.02, "epsilon_spent": 0.02},
    named=_named,
    recipes=_recipes,
    parts={},
    claims=claims_of_heads,
    left_out=_not_run_by,
)
ENCODER_TUNING = Experiment(
    "membership-inference-encoder-tuning",
    encoder_attack_search,
    varied="method",
    slowest_first=("dp-sgd", "sgd"),
    tolerance={"score": 0.03},
    named=_tried,
    recipes=_recipes,
    parts={},
)
