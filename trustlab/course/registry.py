"""The experiments whose results are committed, and what a reproduction has to know of each.

An experiment is a module: ``CORPORA``; ``KEY``, the columns that with the seed name a row; ``grid(corpus, seeds=…)``,
its cells, of a dataclass with ``key()``; ``run(cell, corpus)``, which yields the row of one; ``result_name(corpus)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType, ModuleType
from typing import Any

from trustlab.closure import Closure, closure
from trustlab.course.n11_dp_sgd_vs_edp_sgd import experiment as comparison
from trustlab.course.n11_dp_sgd_vs_edp_sgd.claims import claims_of as claims_of_comparison
from trustlab.course.n21_non_iid_partitioning import experiment as skew
from trustlab.course.n21_non_iid_partitioning.claims import claims_of as claims_of_skew
from trustlab.course.n22_device_selection import experiment as activity
from trustlab.course.n22_device_selection import harm as activity_harm
from trustlab.course.n22_device_selection.claims import claims_of as claims_of_selection
from trustlab.course.n22_device_selection.claims import claims_of_harm
from trustlab.course.n23_continual_learning import experiment as drift
from trustlab.course.n23_continual_learning import plays
from trustlab.course.n23_continual_learning.claims import claims_of as claims_of_drift
from trustlab.course.n23_continual_learning.claims import claims_on_plays
from trustlab.course.n24_fednlp_benchmark import experiment as fednlp
from trustlab.course.n24_fednlp_benchmark.claims import claims_of as claims_of_fednlp
from trustlab.course.n31_fairness_metrics import experiment as models_with_bias
from trustlab.course.n31_fairness_metrics import real_tasks, real_vectors
from trustlab.course.n31_fairness_metrics.claims import claims_of as claims_of_bias
from trustlab.federated import tasks
from trustlab.results import Reader


@dataclass(frozen=True)
class Experiment:
    """What a reproduction has to know beside the experiment's module.

    Attributes
    ----------
    module
        As above.
    varied
        The field of a cell that decides how long it takes.
    slowest_first
        The values of that field; with the slowest first, no core ends with a long training alone.
    tolerance
        Column → how far a mean over seeds may move on another processor: rounding grows over hundreds of steps. These
        columns are what is shown on the way.
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
    left_out
        By the value of `varied`, the code that such a cell does not run though its function could, and why: an edit
        there keeps its rows. See :meth:`code`.
    """

    module: ModuleType
    varied: str
    slowest_first: tuple[str, ...]
    tolerance: Mapping[str, float]
    named: Callable[..., str]
    recipes: Callable[[str], dict[str, Any]]
    parts: Mapping[str, tuple[str, ...]]
    claims: Callable[[str, Reader], list[dict[str, Any]]] = lambda corpus, read: []
    left_out: Callable[[str], Mapping[str, str]] = lambda kind: {}

    def code(self, kind: str | None = None) -> Closure:
        """Return the code that decides a row of `kind`, a value of `varied`; None: of any, with nothing left out.

        Examples
        --------
        >>> "trustlab.privacy.fast.engine.add_clipped" in EXPERIMENTS["dp-sgd-vs-edp-sgd"].code("dp-sgd").units
        False
        """
        left_out = self.left_out(kind) if kind is not None else ()
        return closure(self.module.run, self.module.Cell, without=(OLD_NAMES, *left_out))


def experiment_of(cell: Any) -> Experiment:
    """Return the experiment that `cell` is a part of.

    Examples
    --------
    >>> experiment_of(skew.Cell()) is EXPERIMENTS["non-iid-partitioning"]
    True
    """
    (found,) = (each for each in EXPERIMENTS.values() if each.module.__name__ == type(cell).__module__)
    return found


OLD_NAMES = "trustlab.deprecation"  # old names hand on to new ones, which are followed: a rename decides no number

# Where following names leads too far. A test runs cells of each kind and sees that nothing of this is run.
FLEETS_LEAVE_OUT: Mapping[str, str] = MappingProxyType({
    "trustlab.privacy": "No fleet here adds noise, so no accountant counts any.",
    "trustlab.checkpoint": "A cell is computed in one go; a run that was stopped starts it again.",
    "trustlab.federated.partition.storage": "Fleets as files: a cell divides its corpus itself.",
})  # fmt: skip


def _not_run_by(method: str) -> dict[str, str]:
    """Return what a training by `method` does without: hours of the loop outlast an edit to the fast engine."""
    found = {
        "trustlab.checkpoint": "A cell is computed in one go; a run that was stopped starts it again.",
        "trustlab.privacy.training_identity": "The same, for the training inside.",
        "trustlab.privacy.reference": "Opacus' step is a peer to compare with, and no method of the grid.",
    }
    if method in ("sgd", "dp-sgd"):
        found["trustlab.privacy.fast"] = "Only eDP-SGD and exact clipping take all gradients from one backward."
    if method == "sgd":
        found["trustlab.privacy.clipping.private_gradients"] = "Plain SGD clips nothing and adds no noise."
        found["trustlab.privacy.accounting"] = "Plain SGD spends ε = ∞, which nobody has to count."
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
    "dp-sgd-vs-edp-sgd": Experiment(
        comparison,
        varied="method",
        slowest_first=("dp-sgd", "edp-sgd", "fast", "sgd"),
        left_out=_not_run_by,
        tolerance={"accuracy": 0.05, "slot_f1": 0.08, "epsilon_spent": 0.02},
        named=_name_private,
        recipes=_private_recipes,
        parts={"models": tuple(comparison.MODELS), "methods": tuple(comparison.METHODS)},
        claims=claims_of_comparison,
    ),
    "non-iid-partitioning": Experiment(
        skew,
        varied="scheme",
        slowest_first=("centralised", "flower", "fednlp", "pfl", "iid"),
        tolerance={"accuracy": 0.05, "accuracy_rare": 0.08, "effective_labels": 0.2},
        named=lambda scheme, alpha: f"{scheme} at α = {alpha:g}",
        recipes=_skew_recipes,
        parts={"schemes": (*skew.DEFINITIONS, *skew.REFERENCES)},
        claims=claims_of_skew,
        left_out=lambda kind: FLEETS_LEAVE_OUT,
    ),
    "fednlp-benchmark": Experiment(
        fednlp,
        varied="task",
        slowest_first=("seq2seq", "classification", "tagging", "qa"),
        tolerance={"score": 0.08, "exact": 0.08, "passes": 1.0},
        named=lambda task, model, algorithm, partition: f"{task}, {model}, {algorithm}, {partition}",
        recipes=_fednlp_recipes,
        parts={"tasks": tuple(tasks.FAMILIES)},
        claims=claims_of_fednlp,
        left_out=lambda kind: FLEETS_LEAVE_OUT,
    ),
    "continual-learning": Experiment(
        drift,
        varied="setting",
        slowest_first=drift.SETTINGS,
        tolerance={"accuracy": 0.05, "accuracy_light": 0.06, "forgetting": 0.05},
        named=_name_continual,
        recipes=_continual_recipes,
        parts={"settings": drift.SETTINGS},
        claims=claims_of_drift,
        left_out=lambda kind: FLEETS_LEAVE_OUT,
    ),
    "continual-learning-plays": Experiment(
        plays,
        varied="setting",
        slowest_first=drift.SETTINGS,
        tolerance={"accuracy": 0.03, "forgetting": 0.03},
        named=lambda setting, beta: f"{setting}, β = {beta:g}",
        recipes=lambda corpus: {setting: plays.recipe(plays.Cell(corpus, setting)) for setting in drift.SETTINGS},
        parts={},
        claims=claims_on_plays,
        left_out=lambda kind: FLEETS_LEAVE_OUT,
    ),
    "device-selection": Experiment(
        activity,
        varied="corpus",
        slowest_first=activity.CORPORA,
        tolerance={"accuracy": 0.06, "accuracy_light": 0.08, "examples": 0.5},
        named=lambda fleet, selection, aggregation, cohort: f"fleet {fleet}, {selection}, {aggregation}, {cohort}",
        recipes=_selection_recipes,
        parts={"fleets": tuple(activity.FLEETS)},
        claims=claims_of_selection,
        left_out=lambda kind: FLEETS_LEAVE_OUT,
    ),
    "device-selection-harm": Experiment(
        activity_harm,
        varied="aggregation",
        slowest_first=("examples", "equal"),
        tolerance={"accuracy": 0.06, "accuracy_few": 0.12, "examples": 0.5},
        named=lambda selection, aggregation: f"{selection}, weighed {aggregation}",
        recipes=lambda corpus: {"all": activity_harm.recipe(activity_harm.Cell(corpus))},
        parts={"aggregations": ("examples", "equal")},
        claims=claims_of_harm,
        left_out=lambda kind: FLEETS_LEAVE_OUT,
    ),
    "fairness-metrics": Experiment(
        models_with_bias,
        varied="recipe",
        slowest_first=("deep", "dropout", "base", "augmented", "narrow"),
        tolerance={"accuracy": 0.05, "region CEAT": 0.4, "region LPBS": 1.5, "gender score change, clean records": 0.1},
        named=_name_model,
        recipes=lambda corpus: {name: models_with_bias.recipe(models_with_bias.Cell(corpus, name))
                                for name in models_with_bias.RECIPES},
        parts={"recipes": tuple(models_with_bias.RECIPES)},
        claims=claims_of_bias,
    ),
    "fairness-metrics-association": Experiment(
        real_vectors,
        varied="vectors",
        slowest_first=("word2vec",),
        tolerance={"effect_size": 0.001, "p_value": 0.005},
        named=lambda test: f"test {test}",
        recipes=lambda corpus: {"all": real_vectors.recipe(real_vectors.Cell())},
        parts={},
    ),
    "fairness-metrics-tasks": Experiment(
        real_tasks,
        varied="model",
        slowest_first=("tuned", "small", "head", "words", "given"),
        tolerance={"quality": 0.05, "gap": 0.15},
        named=lambda model, encoder: model if encoder == "none" else f"{model}, {encoder}",
        recipes=_real_recipes,
        parts={"encoders": ()},
    ),
})  # fmt: skip
