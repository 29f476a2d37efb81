"""The experiments whose results are committed, and what a reproduction has to know of each.

An experiment is a module: ``CORPORA``; ``KEY``, the columns that with the seed name a row; ``grid(corpus, seeds=…)``,
its cells, of a dataclass with ``key()``; ``run(cell, corpus)``, which yields the row of one; ``result_name(corpus)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType, ModuleType
from typing import Any

from trustlab.data import population, synthetic
from trustlab.fairness import association, contexts, groups, likelihood, scorers
from trustlab.fairness import tasks as fairness_tasks
from trustlab.fairness.comparison import (
    correlation,
    extrinsic,
    intrinsic,
    notions,
    pretraining,
    real_metrics,
    real_models,
    real_tasks,
    real_vectors,
    sentences,
)
from trustlab.fairness.comparison import population as models_with_bias
from trustlab.fairness.comparison.claims import claims_of_p7
from trustlab.federated import (
    activity,
    activity_harm,
    activity_tasks,
    aggregation,
    continual,
    drift,
    fednlp,
    feedback,
    partition,
    plays,
    selection,
    simulation,
    skew,
    tasks,
)
from trustlab.federated.activity_claims import claims_of_harm, claims_of_p5a
from trustlab.federated.drift_claims import claims_of_p5b, claims_on_plays
from trustlab.federated.fednlp_claims import claims_of_p6
from trustlab.federated.skew_claims import claims_of_p6a
from trustlab.models import encoder, language, seq2seq, taggers, vocabulary
from trustlab.privacy import comparison
from trustlab.privacy.claims import claims_of_p1
from trustlab.privacy.sources import sources
from trustlab.results import Reader


@dataclass(frozen=True)
class Experiment:
    """What a reproduction has to know beside the experiment's module.

    Attributes
    ----------
    module
        As above.
    varied
        The field of a cell that decides which code computes it.
    slowest_first
        The values of that field; with the slowest first, no core ends with a long training alone.
    sources
        The modules that decide a row, by that value.
    whole
        The value whose sources hold those of all others.
    packages
        Other people's code that decides a row.
    tolerance
        Column → how far a mean over seeds may move on another processor: rounding grows over hundreds of steps.
    named
        Names a cell in a few words, from the values of ``KEY``.
    recipes
        The options of the trainings on a corpus, for the table's provenance.
    parts
        Arguments of ``grid`` that keep a part of it; without their s they are columns. They are options of the command.
        One without values takes any, such as the name of a pretrained model that the committed table lacks.
    claims
        What a paper's card claims of the table: from the corpus, and what finds a table by its name, the rows for
        :func:`trustlab.lab.teaching.claims`.
    """

    module: ModuleType
    varied: str
    slowest_first: tuple[str, ...]
    sources: Callable[[str], list[ModuleType]]
    whole: str
    packages: tuple[str, ...]
    tolerance: Mapping[str, float]
    named: Callable[..., str]
    recipes: Callable[[str], dict[str, Any]]
    parts: Mapping[str, tuple[str, ...]]
    claims: Callable[[str, Reader], list[dict[str, Any]]] = lambda corpus, read: []


def experiment_of(cell: Any) -> Experiment:
    """Return the experiment that `cell` is a part of.

    Examples
    --------
    >>> experiment_of(skew.Cell()) is EXPERIMENTS["label-skew"]
    True
    """
    (found,) = (each for each in EXPERIMENTS.values() if each.module.__name__ == type(cell).__module__)
    return found


def _name_private(model: str, method: str, epsilon: float, micro_batches: int, rule: str, noise_decay: float) -> str:
    """Name a cell of the private trainings: what is as usual is left out."""
    words = [f"{model}, {method} at ε = {epsilon:g}"]
    words += [f"K = {micro_batches}"] if micro_batches else []
    words += [f"clipping {comparison.RULES[rule]}"] if rule != "flat" else []
    words += [f"noise decay {noise_decay:g}"] if noise_decay != 1 else []
    return ", ".join(words)


def _private_recipes(corpus: str) -> dict[str, Any]:
    return {
        f"{model} {method}": comparison.recipe(comparison.Cell(corpus, method, model=model))
        for model in comparison.MODELS
        for method in comparison.METHODS
    }


def _skew_recipes(corpus: str) -> dict[str, Any]:
    return {scheme: skew.recipe(skew.Cell(corpus, scheme)) for scheme in ("fednlp", "centralised")}


def _name_continual(setting: str, drift: float, replay: int, beta: float, weighting: str, labels: str) -> str:
    """Name a cell of the trainings over time: what is as usual is left out."""
    words = [f"{setting}, drift {drift:g}, β = {beta:g}, weights {weighting}"]
    words += [f"replay {replay}"] if replay else []
    words += [f"labels from {labels}"] if labels != "true" else []
    return ", ".join(words)


def _continual_recipes(corpus: str) -> dict[str, Any]:
    return {setting: drift.recipe(drift.Cell(corpus, setting)) for setting in drift.SETTINGS}


def _selection_recipes(corpus: str) -> dict[str, Any]:
    return {
        f"cohort {cohort}": activity.recipe(activity.Cell(corpus, cohort=cohort)) for cohort in activity.COHORTS[corpus]
    }


def _fednlp_recipes(corpus: str) -> dict[str, Any]:
    task = fednlp.tasks_of(corpus)[0]
    algorithms = (*fednlp.ALGORITHMS, *fednlp.CONFOUNDED, fednlp.CENTRALISED)
    return {algorithm: fednlp.recipe(fednlp.Cell(corpus, task, algorithm=algorithm)) for algorithm in algorithms}


def _real_recipes(corpus: str) -> dict[str, Any]:
    return {cell.model: real_tasks.recipe(cell) for cell in real_tasks.grid(corpus, seeds=range(1))}


def _name_model(recipe: str, region: float, gender: float, region_records: float, gender_records: float) -> str:
    return f"{recipe}, region {region:g} (records {region_records:g}), gender {gender:g} (records {gender_records:g})"


EXPERIMENTS: Mapping[str, Experiment] = MappingProxyType({
    "private-training": Experiment(
        comparison,
        varied="method",
        slowest_first=("dp-sgd", "edp-sgd", "fast", "sgd"),
        sources=sources,
        whole="fast",
        packages=("torch", "opacus", "dp-accounting"),
        tolerance={"accuracy": 0.05, "slot_f1": 0.08, "epsilon_spent": 0.02},
        named=_name_private,
        recipes=_private_recipes,
        parts={"models": tuple(comparison.MODELS), "methods": tuple(comparison.METHODS)},
        claims=claims_of_p1,
    ),
    "label-skew": Experiment(
        skew,
        varied="scheme",
        slowest_first=("centralised", "flower", "fednlp", "pfl", "iid"),
        sources=lambda scheme: [partition, simulation, taggers, vocabulary],
        whole="fednlp",
        packages=("torch", "numpy"),
        tolerance={"accuracy": 0.05, "accuracy_rare": 0.08, "effective_labels": 0.2},
        named=lambda scheme, alpha: f"{scheme} at α = {alpha:g}",
        recipes=_skew_recipes,
        parts={"schemes": (*skew.DEFINITIONS, *skew.REFERENCES)},
        claims=claims_of_p6a,
    ),
    "fednlp": Experiment(
        fednlp,
        varied="task",
        slowest_first=("seq2seq", "classification", "tagging", "qa"),
        sources=lambda task: [tasks, partition, aggregation, simulation, taggers, seq2seq, encoder, vocabulary],
        whole="classification",
        packages=("torch", "numpy", "transformers"),
        tolerance={"score": 0.08, "exact": 0.08, "passes": 1.0},
        named=lambda task, model, algorithm, partition: f"{task}, {model}, {algorithm}, {partition}",
        recipes=_fednlp_recipes,
        parts={"tasks": tuple(tasks.FAMILIES)},
        claims=claims_of_p6,
    ),
    "continual": Experiment(
        drift,
        varied="setting",
        slowest_first=drift.SETTINGS,
        sources=lambda setting: [continual, feedback, selection, aggregation, simulation, skew, population, synthetic],
        whole="continual",
        packages=("torch", "numpy"),
        tolerance={"accuracy": 0.05, "accuracy_light": 0.06, "forgetting": 0.05},
        named=_name_continual,
        recipes=_continual_recipes,
        parts={"settings": drift.SETTINGS},
        claims=claims_of_p5b,
    ),
    "continual-plays": Experiment(
        plays,
        varied="setting",
        slowest_first=drift.SETTINGS,
        sources=lambda setting: [continual, activity_tasks, drift, selection, aggregation, simulation, language],
        whole="continual",
        packages=("torch", "numpy", "transformers"),
        tolerance={"accuracy": 0.03, "forgetting": 0.03},
        named=lambda setting, beta: f"{setting}, β = {beta:g}",
        recipes=lambda corpus: {setting: plays.recipe(plays.Cell(corpus, setting)) for setting in drift.SETTINGS},
        parts={},
        claims=claims_on_plays,
    ),
    "device-selection": Experiment(
        activity,
        varied="corpus",
        slowest_first=activity.CORPORA,
        sources=lambda corpus: [activity_tasks, aggregation, selection, simulation, skew, language, vocabulary],
        whole="assistant",
        packages=("torch", "numpy", "transformers"),
        tolerance={"accuracy": 0.06, "accuracy_light": 0.08, "examples": 0.5},
        named=lambda fleet, selection, aggregation, cohort: f"fleet {fleet}, {selection}, {aggregation}, {cohort}",
        recipes=_selection_recipes,
        parts={"fleets": tuple(activity.FLEETS)},
        claims=claims_of_p5a,
    ),
    "selection-harm": Experiment(
        activity_harm,
        varied="aggregation",
        slowest_first=("examples", "equal"),
        sources=lambda way: [activity, activity_tasks, aggregation, selection, simulation, skew, vocabulary, synthetic],
        whole="examples",
        packages=("torch", "numpy"),
        tolerance={"accuracy": 0.06, "accuracy_few": 0.12, "examples": 0.5},
        named=lambda selection, aggregation: f"{selection}, weighed {aggregation}",
        recipes=lambda corpus: {"all": activity_harm.recipe(activity_harm.Cell(corpus))},
        parts={"aggregations": ("examples", "equal")},
        claims=claims_of_harm,
    ),
    "fairness-metrics": Experiment(
        models_with_bias,
        varied="recipe",
        slowest_first=("deep", "dropout", "base", "augmented", "narrow"),
        sources=lambda recipe: [
            notions, sentences, pretraining, intrinsic, extrinsic, association, likelihood, contexts, groups, synthetic
        ],
        whole="base",
        packages=("torch", "numpy", "transformers"),
        tolerance={"accuracy": 0.05, "region CEAT": 0.4, "region LPBS": 1.5, "gender score change, clean records": 0.1},
        named=_name_model,
        recipes=lambda corpus: {name: models_with_bias.recipe(models_with_bias.Cell(corpus, name))
                                for name in models_with_bias.RECIPES},
        parts={"recipes": tuple(models_with_bias.RECIPES)},
        claims=claims_of_p7,
    ),
    "association-tests": Experiment(
        real_vectors,
        varied="vectors",
        slowest_first=("word2vec",),
        sources=lambda vectors: [association],
        whole="word2vec",
        packages=("numpy",),
        tolerance={"effect_size": 0.001, "p_value": 0.005},
        named=lambda test: f"test {test}",
        recipes=lambda corpus: {"all": real_vectors.recipe(real_vectors.Cell())},
        parts={},
    ),
    "fairness-tasks": Experiment(
        real_tasks,
        varied="model",
        slowest_first=("tuned", "small", "head", "words", "given"),
        sources=lambda model: [
            real_models, real_metrics, fairness_tasks, scorers, pretraining, intrinsic, extrinsic, correlation,
            association, likelihood, contexts, groups, synthetic
        ],
        whole="small",
        packages=("torch", "numpy", "transformers", "scikit-learn"),
        tolerance={"quality": 0.05, "gap": 0.15},
        named=lambda model, encoder: model if encoder == "none" else f"{model}, {encoder}",
        recipes=_real_recipes,
        parts={"encoders": ()},
    ),
})  # fmt: skip
