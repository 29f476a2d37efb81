"""The code of notebook 11: DP-SGD and eDP-SGD over the privacy budget."""

from __future__ import annotations

from typing import Any

from trustlab.course.experiment import Experiment
from trustlab.course.n11_dp_sgd_vs_edp_sgd import encoder_experiment, encoder_search, experiment
from trustlab.course.n11_dp_sgd_vs_edp_sgd.claims import claims_of


def _not_run_by(method: str) -> dict[str, str]:
    """Return what a training by `method` does without: hours of the loop outlast an edit to the fast engine."""
    found = {
        "trustlab.checkpoint": "A setting is computed in one go; a run that was stopped starts it again.",
        "trustlab.privacy.training_identity": "The same, for the training inside.",
        "trustlab.privacy.reference": "Opacus' step is a peer to compare with, and no method of the grid.",
    }
    if method in ("sgd", "dp-sgd"):
        found["trustlab.privacy.fast"] = "Only eDP-SGD and exact clipping take all gradients from one backward."
    if method == "sgd":
        found["trustlab.privacy.clipping.private_gradients"] = "Plain SGD clips nothing and adds no noise."
        found["trustlab.privacy.accounting"] = "Plain SGD spends ε = ∞, there is nothing to account for."
    return found


def _named(model: str, method: str, epsilon: float, micro_batches: int, rule: str, noise_decay: float) -> str:
    """Name a training: what is as usual is left out."""
    words = [f"{model}, {method} at ε = {epsilon:g}"]
    words += [f"K = {micro_batches}"] if micro_batches else []
    words += [f"clipping {experiment.RULES[rule]}"] if rule != "flat" else []
    words += [f"noise decay {noise_decay:g}"] if noise_decay != 1 else []
    return ", ".join(words)


def _recipes(corpus: str) -> dict[str, Any]:
    return {
        f"{model} {method}": experiment.recipe(experiment.Setting(corpus, method, model=model))
        for model in experiment.MODELS
        for method in experiment.METHODS
    }


EXPERIMENT = Experiment(
    "dp-sgd-vs-edp-sgd",
    experiment,
    varied="method",
    slowest_first=("dp-sgd", "edp-sgd", "fast", "sgd"),
    left_out=_not_run_by,
    tolerance={"accuracy": 0.05, "slot_f1": 0.08, "epsilon_spent": 0.02},
    named=_named,
    recipes=_recipes,
    parts={"models": tuple(experiment.MODELS), "methods": tuple(experiment.METHODS)},
    claims=claims_of,
)


def _not_run_by_heads(method: str) -> dict[str, str]:
    """Return what a training of heads does without, or what no gradient trains."""
    if method not in encoder_experiment.METHODS:
        return {"trustlab.privacy.training.train": "It is not trained by gradients."}
    return {name: why for name, why in _not_run_by(method).items() if name.startswith("trustlab.")}


def _heads_named(method: str, epsilon: float, *options: float) -> str:
    """Name a training of heads: what a method does not have is 0 and left out."""
    tuned = zip(encoder_experiment.OPTIONS, options, strict=True)
    return ", ".join([f"{method} at ε = {epsilon:g}", *(f"{name} {value:g}" for name, value in tuned if value)])


ENCODER = Experiment(
    "dp-sgd-vs-edp-sgd-encoder",
    encoder_experiment,
    varied="method",
    left_out=_not_run_by_heads,
    slowest_first=(encoder_experiment.STATES, "fast", "sgd", *encoder_experiment.BASELINES),
    tolerance={"accuracy": 0.03, "slot_f1": 0.05, "epsilon_spent": 0.02},
    named=_heads_named,
    recipes=lambda corpus: {"heads": "options in the columns; Adam, whose rate falls to zero in a straight line"},
    parts={},
)
ENCODER_SEARCH = Experiment(
    "dp-sgd-vs-edp-sgd-encoder-tuning",
    encoder_search,
    varied="method",
    left_out=_not_run_by_heads,
    slowest_first=("fast", "sgd"),
    tolerance={"score": 0.03, "accuracy": 0.03, "slot_f1": 0.05, "epsilon_spent": 0.02},
    named=_heads_named,
    recipes=lambda corpus: {"heads": "options in the columns; Adam, whose rate falls to zero in a straight line"},
    parts={},
)
