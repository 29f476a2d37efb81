"""The code of notebook 24: four tasks, three ways to average, four ways to divide the data."""

from __future__ import annotations

from typing import Any

from trustlab.course.experiment import FLEETS_LEAVE_OUT, Experiment
from trustlab.course.n24_fednlp_benchmark import experiment
from trustlab.course.n24_fednlp_benchmark.claims import claims_of
from trustlab.federated.tasks import FAMILIES


def _recipes(corpus: str) -> dict[str, Any]:
    task = experiment.tasks_of(corpus)[0]
    algorithms = (*experiment.ALGORITHMS, *experiment.CONFOUNDED, experiment.CENTRALISED)
    return {each: experiment.recipe(experiment.Setting(corpus, task, algorithm=each)) for each in algorithms}


EXPERIMENT = Experiment(
    "fednlp-benchmark",
    experiment,
    varied="task",
    slowest_first=("seq2seq", "classification", "tagging", "qa"),
    tolerance={"score": 0.08, "exact": 0.08, "passes": 1.0},
    named=lambda task, model, algorithm, partition: f"{task}, {model}, {algorithm}, {partition}",
    recipes=_recipes,
    parts={"tasks": tuple(FAMILIES)},
    claims=claims_of,
    left_out=lambda kind: FLEETS_LEAVE_OUT,
)
