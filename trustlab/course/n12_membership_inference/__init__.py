"""The code of notebook 12: what leaks in practice, by membership inference, compared with what ε permits."""

from __future__ import annotations

from typing import Any

from trustlab.course.experiment import Experiment
from trustlab.course.n12_membership_inference import (
    encoder_attack,
    encoder_attack_search,
    experiment,
    membership_search,
    senders_experiment,
    senders_search,
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


def _not_run_by_senders(method: str) -> dict[str, str]:
    """Return what fleets of senders, or a baseline on their posts, do without."""
    left = {"trustlab.checkpoint": "A row is computed in one go; a run that was stopped starts it again."}
    if method in senders_experiment.BASELINES:
        left |= {
            "trustlab.federated.simulation.rounds.simulate": "A baseline is no fleet.",
            "trustlab.course.n12_membership_inference.senders_attacked.attacked": "What a baseline knows is no model.",
            "trustlab.course.n12_membership_inference.senders_fleets.permitted_by": "A baseline has no ε, nor a curve.",
        }
    return left


def _senders_named(method: str, epsilon: float, learning_rate: float, server_rate: float) -> str:
    return f"{method} at ε = {epsilon:g}, rates {learning_rate:g} and {server_rate:g}"


def _senders_recipes(corpus: str) -> dict[str, Any]:
    return {"fleets": "16, options in the columns; a tenth of the people a round, SGD, the server's Adam"}


SENDERS = Experiment(
    "membership-inference-senders",
    senders_experiment,
    varied="method",
    slowest_first=("dp-fedavg", "fedavg", *senders_experiment.BASELINES),
    tolerance={"accuracy": 0.03, "own_auc": 0.02, "own_tpr_01": 0.05, "other_auc": 0.02, "epsilon_spent": 0.02},
    named=_senders_named,
    recipes=_senders_recipes,
    parts={"methods": ("fedavg", "dp-fedavg", *senders_experiment.BASELINES)},
    left_out=_not_run_by_senders,
)
SENDERS_TUNING = Experiment(
    "membership-inference-senders-tuning",
    senders_search,
    varied="method",
    slowest_first=("dp-fedavg", "fedavg"),
    tolerance={"score": 0.05},
    named=_senders_named,
    recipes=_senders_recipes,
    parts={"methods": ("fedavg", "dp-fedavg")},
    left_out=_not_run_by_senders,
)
