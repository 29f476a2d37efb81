"""The code of notebook 24: four tasks, four algorithms, five ways to divide the data."""

from __future__ import annotations

from typing import Any

from trustlab.course.experiment import FLEETS_LEAVE_OUT, Experiment
from trustlab.course.n24_fednlp_benchmark import (
    algorithm_search,
    experiment,
    real_experiment,
    real_training,
    real_tuning,
)
from trustlab.course.n24_fednlp_benchmark.claims import claims_of
from trustlab.course.n24_fednlp_benchmark.real_claims import claims_of_corpus
from trustlab.federated.tasks import FAMILIES


def _recipes(corpus: str) -> dict[str, Any]:
    task = experiment.tasks_of(corpus)[0]
    algorithms = (*experiment.ALGORITHMS, *experiment.CONFOUNDED, *experiment.ALONE)
    asked = dict.fromkeys(experiment.CONFOUNDED, "tagging")  # the only task that asks for Adam on the clients
    settings = {each: experiment.Setting(corpus, asked.get(each, task), algorithm=each) for each in algorithms}
    return {each: experiment.recipe(experiment.tuned(setting)) for each, setting in settings.items()}


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

TUNING = Experiment(
    "fednlp-benchmark-tuning",
    algorithm_search,
    varied="task",
    slowest_first=("classification", "seq2seq", "tagging", "qa"),
    tolerance={"score": 0.15},
    named=lambda task, model, algorithm, partition, client, server, mu, batch: (
        f"{task}, {model}, {algorithm}, {partition}, rates {client:g} and {server:g}, μ {mu:g}, batch {batch}"
    ),
    recipes=lambda corpus: {"fedavg": experiment.recipe(experiment.Setting(corpus))},
    parts={"tasks": tuple(FAMILIES)},
    left_out=lambda kind: FLEETS_LEAVE_OUT,
)


def _real_recipes(corpus: str) -> dict[str, Any]:
    settings = [each for each in real_experiment.grid(corpus, seeds=[0]) if each.algorithm in real_training.ALGORITHMS]
    return {f"{each.algorithm}, {each.partition}": real_training.recipe(each) for each in settings}


REAL = Experiment(
    "fednlp-benchmark-real",
    real_experiment,
    varied="corpus",
    slowest_first=real_experiment.CORPORA,
    tolerance={"score": 0.03, "exact": 0.03, "passes": 1.0},
    named=lambda task, model, algorithm, partition: f"{task}, {algorithm}, {partition}",
    recipes=_real_recipes,
    parts={},
    claims=claims_of_corpus,
    left_out=lambda kind: FLEETS_LEAVE_OUT,
)

REAL_TUNING = Experiment(
    "fednlp-benchmark-real-tuning",
    real_tuning,
    varied="corpus",
    slowest_first=real_tuning.CORPORA,
    tolerance={"score": 0.1},
    named=lambda task, algorithm, partition, rate, server: f"{algorithm}, {partition}, rates {rate:g} and {server:g}",
    recipes=lambda corpus: {"fedavg": real_training.recipe(real_training.Training(corpus))},
    parts={},
    left_out=lambda kind: FLEETS_LEAVE_OUT,
)
