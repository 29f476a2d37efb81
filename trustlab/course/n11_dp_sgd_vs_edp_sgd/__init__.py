"""The code of notebook 11: DP-SGD and eDP-SGD over the privacy budget, each tuned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from trustlab.course.experiment import Experiment, without_rates
from trustlab.course.n11_dp_sgd_vs_edp_sgd import (
    encoder_experiment,
    encoder_search,
    experiment,
    layers_experiment,
    layers_search,
    level_experiment,
    level_search,
    method_search,
)
from trustlab.course.n11_dp_sgd_vs_edp_sgd.claims import claims_of
from trustlab.course.n11_dp_sgd_vs_edp_sgd.encoder_claims import claims_of_encoder, claims_of_layers
from trustlab.course.n11_dp_sgd_vs_edp_sgd.one_training import OPTIONS, RULES

ANSWERED = "trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment._answered"


def _not_run_by(method: str) -> dict[str, str]:
    """Return what a training by `method` does without: an edit of a baseline changes no training."""
    if method in experiment.BASELINES:
        return {"trustlab.privacy.training.train": "A baseline is not trained by gradients."}
    found = {
        "trustlab.checkpoint": "A setting is computed in one go; a run that was stopped starts it again.",
        "trustlab.privacy.training_identity": "The same, for the training inside.",
        "trustlab.privacy.reference": "Opacus' step is a peer to compare with, and no method of the grid.",
        ANSWERED: "Only a baseline's row is answered by one.",
    }
    if method == "sgd":
        found["trustlab.privacy.fast"] = "Only private gradients are taken one by one."
        found["trustlab.privacy.clipping.private_gradients"] = "Plain SGD clips nothing and adds no noise."
        found["trustlab.privacy.accounting"] = "Plain SGD spends ε = ∞, there is nothing to account for."
    return found


def _not_run_by_the_search(method: str) -> dict[str, str]:
    return {name: why for name, why in _not_run_by(method).items() if name != ANSWERED}


def _named(method: str, epsilon: float, rule: str, noise_decay: float, *options: float) -> str:
    """Name a training: what is as usual is left out, and so are the options, which are tuned."""
    words = [f"{method} at ε = {epsilon:g}"]
    words += [f"clipping {RULES[rule]}"] if rule != "flat" else []
    words += [f"noise decay {noise_decay:g}"] if noise_decay != 1 else []
    return ", ".join(words)


def _by_options(names: Sequence[str]) -> Callable[..., str]:
    """Return what names a training by all its options; what a method does not have is 0 and left out."""

    def named(method: str, epsilon: float, *options: float) -> str:
        words = [f"{name} {value:g}" for name, value in zip(names, options, strict=True) if value]
        return ", ".join([f"{method} at ε = {epsilon:g}", *words])

    return named


def _recipes(corpus: str) -> dict[str, Any]:
    trained = [each for each in experiment.grid(corpus, seeds=[0]) if each.method not in experiment.BASELINES]
    return {_named(*(getattr(each, name) for name in experiment.KEY)): experiment.recipe(each) for each in trained}


EXPERIMENT = Experiment(
    "dp-sgd-vs-edp-sgd",
    experiment,
    varied="method",
    slowest_first=("edp-sgd", "fast", "sgd", *experiment.BASELINES),
    left_out=_not_run_by,
    tolerance={"accuracy": 0.05, "slot_f1": 0.08, "epsilon_spent": 0.02},
    named=_named,
    recipes=_recipes,
    parts={"methods": tuple(experiment.METHODS)},
    claims=claims_of,
)
SEARCH = Experiment(
    "dp-sgd-vs-edp-sgd-tuning",
    method_search,
    varied="method",
    slowest_first=("edp-sgd", "fast", "sgd"),
    left_out=_not_run_by_the_search,
    tolerance={"score": 0.06, "accuracy": 0.06, "slot_f1": 0.08, "epsilon_spent": 0.02},
    named=_by_options(OPTIONS),
    recipes=lambda corpus: {each.method: method_search.recipe(each) for each in method_search.grid(corpus)},
    parts={"methods": tuple(method_search.SPACES)},
)


def _levels_recipes(corpus: str) -> dict[str, Any]:
    return {method: dict(level_experiment.TRAINED[method]) for method in level_experiment.models(corpus)}


LEVEL = Experiment(
    "dp-sgd-vs-edp-sgd-level",
    level_experiment,
    varied="method",
    slowest_first=tuple(level_experiment.METHODS),
    tolerance={"accuracy": 0.02, "slot_f1": 0.03},
    named=lambda method: level_experiment.METHODS[method],
    recipes=_levels_recipes,
    parts={},
)

LEVEL_SEARCH = Experiment(
    "dp-sgd-vs-edp-sgd-level-tuning",
    level_search,
    varied="method",
    slowest_first=tuple(level_experiment.TRAINED),
    tolerance={"score": 0.03},
    named=lambda method, rate: f"{level_experiment.METHODS[method]}, learning rate {rate:g}",
    recipes=_levels_recipes,
    parts={},
)


def _not_run_by_heads(method: str) -> dict[str, str]:
    """Return what a training of heads does without, or what no gradient trains."""
    if method not in encoder_experiment.METHODS:
        return {"trustlab.privacy.training.train": "It is not trained by gradients."}
    return _not_run_by_the_search(method)


def _heads_recipes(corpus: str) -> dict[str, Any]:
    return {"heads": "options in the columns; Adam, whose rate falls to zero in a straight line"}


ENCODER = Experiment(
    "dp-sgd-vs-edp-sgd-encoder",
    encoder_experiment,
    varied="method",
    left_out=_not_run_by_heads,
    slowest_first=(encoder_experiment.STATES, "fast", "sgd", *encoder_experiment.BASELINES),
    tolerance={"accuracy": 0.03, "slot_f1": 0.05, "epsilon_spent": 0.02},
    named=_by_options(encoder_experiment.OPTIONS),
    recipes=_heads_recipes,
    parts={},
    claims=lambda corpus, read: claims_of_encoder(read) if corpus == "snips" else [],
)
ENCODER_SEARCH = Experiment(
    "dp-sgd-vs-edp-sgd-encoder-tuning",
    encoder_search,
    varied="method",
    left_out=_not_run_by_heads,
    slowest_first=("fast", "sgd"),
    tolerance={"score": 0.03, "accuracy": 0.03, "slot_f1": 0.05, "epsilon_spent": 0.02},
    named=_by_options(encoder_experiment.OPTIONS),
    recipes=_heads_recipes,
    parts={},
)


def _layers_recipes(corpus: str) -> dict[str, Any]:
    return {
        method: {**without_rates(layers_experiment.recipe(layers_experiment.Setting(corpus, method))), "layers": layers}
        for method, layers in layers_experiment.TRAINED.items()
    }


LAYERS = Experiment(
    "dp-sgd-vs-edp-sgd-layers",
    layers_experiment,
    varied="method",
    slowest_first=(layers_experiment.LAYER, layers_experiment.HEADS),
    tolerance={"accuracy": 0.02, "slot_f1": 0.03},
    named=lambda method: layers_experiment.METHODS[method],
    recipes=_layers_recipes,
    parts={},
    claims=lambda corpus, read: claims_of_layers(read) if corpus == "snips" else [],
)
LAYERS_SEARCH = Experiment(
    "dp-sgd-vs-edp-sgd-layers-tuning",
    layers_search,
    varied="method",
    slowest_first=(layers_experiment.LAYER, layers_experiment.HEADS),
    tolerance={"score": 0.03},
    named=lambda method, rate: f"{layers_experiment.METHODS[method]}, learning rate {rate:g}",
    recipes=_layers_recipes,
    parts={},
)
