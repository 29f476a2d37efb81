"""Which fairness metric can be trusted? Many small models of known bias, every metric on each, and what agrees."""

from __future__ import annotations

from typing import Any

from trustlab.course.experiment import Experiment
from trustlab.course.n31_fairness_metrics import (
    classifier_search,
    experiment,
    gradient_measures,
    held_out,
    real_tasks,
    real_vectors,
    smollm2_continuations,
    smollm2_tests,
)
from trustlab.course.n31_fairness_metrics.claims import claims_of


def _named(recipe: str, region: float, gender: float, region_records: float, gender_records: float) -> str:
    return f"{recipe}, region {region:g} (records {region_records:g}), gender {gender:g} (records {gender_records:g})"


def _recipes(corpus: str) -> dict[str, Any]:
    return {name: experiment.recipe(experiment.Setting(corpus, name)) for name in experiment.RECIPES}


def _recipes_of_tasks(corpus: str) -> dict[str, Any]:
    return {setting.model: real_tasks.recipe(setting) for setting in real_tasks.grid(corpus, seeds=range(1))}


EXPERIMENT = Experiment(
    "fairness-metrics",
    experiment,
    varied="recipe",
    slowest_first=("deep", "dropout", "base", "augmented", "narrow"),
    tolerance={"accuracy": 0.05, "region CEAT": 0.4, "region LPBS": 1.5, "gender score change, clean records": 0.1},
    named=_named,
    recipes=_recipes,
    parts={"recipes": tuple(experiment.RECIPES)},
    claims=claims_of,
)
HELD_OUT = Experiment(
    "fairness-metrics-held-out",
    held_out,
    varied="recipe",
    slowest_first=("base",),
    tolerance={"region LPBS": 1.5, "gender LPBS": 1.5},
    named=_named,
    recipes=lambda corpus: {"base": experiment.recipe(experiment.Setting(corpus))},
    parts={},
)
GRADIENTS = Experiment(
    "fairness-metrics-sensitivity",
    gradient_measures,
    varied="recipe",
    slowest_first=("base",),
    tolerance={"region P, probabilities, clean records": 0.05, "gender P, probabilities, clean records": 0.05},
    named=_named,
    recipes=lambda corpus: {"base": experiment.recipe(experiment.Setting(corpus))},
    parts={},
)
ASSOCIATION = Experiment(
    "fairness-metrics-association",
    real_vectors,
    varied="vectors",
    slowest_first=("word2vec",),
    tolerance={"effect_size": 0.001, "p_value": 0.005},
    named=lambda test: f"test {test}",
    recipes=lambda corpus: {"all": real_vectors.recipe(real_vectors.Setting())},
    parts={},
)
REAL_TASKS = Experiment(
    "fairness-metrics-tasks",
    real_tasks,
    varied="model",
    slowest_first=("tuned", "small", "head", "words", "majority", "given"),
    tolerance={"quality": 0.05, "gap": 0.15},
    named=lambda model, encoder: model if encoder == "none" else f"{model}, {encoder}",
    recipes=_recipes_of_tasks,
    parts={"encoders": ()},
)
SMOLLM2 = Experiment(
    "fairness-metrics-smollm2",
    smollm2_tests,
    varied="model",
    slowest_first=("smollm2", "token frequencies"),
    tolerance={"value": 1.0},
    named=lambda part, model: f"{part}, {model}",
    recipes=lambda corpus: {"all": smollm2_tests.recipe(smollm2_tests.Setting())},
    parts={},
)
CONTINUATIONS = Experiment(
    "fairness-metrics-continuations",
    smollm2_continuations,
    varied="writer",
    slowest_first=("smollm2", "wikipedia"),
    tolerance={"female": 8.0, "male": 8.0, "sentiment": 0.03, "toxicity": 0.03},
    named=lambda domain, group, writer: f"{domain}, {group}, {writer}",
    recipes=lambda corpus: {"all": smollm2_continuations.recipe(smollm2_continuations.Setting())},
    parts={"domains": tuple(smollm2_continuations.GROUPS)},
)
REAL_TASKS_TUNING = Experiment(
    "fairness-metrics-tasks-tuning",
    classifier_search,
    varied="model",
    slowest_first=("head", "words"),
    tolerance={"score": 0.005},
    named=lambda model, c, counts: f"{model}, C = {c:g}, {counts}",
    recipes=lambda corpus: {each.model: classifier_search.recipe(each) for each in classifier_search.grid(corpus)},
    parts={},
)
