"""The search of notebook 24 for each algorithm's own rates; :mod:`.tuned_rates` says what is tried.

One trial is one training of :mod:`.experiment` with other rates, measured once, at the end, on the validation split.
Its seeds are not those that are reported, and neither are its training examples. A training of which any update was
not finite counts as diverged and has no score.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from trustlab.config import check
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n24_fednlp_benchmark import experiment
from trustlab.course.n24_fednlp_benchmark.experiment import (
    ALGORITHMS,
    ALONE,
    SIDE_QUESTIONS,
    divide,
    problem,
    recipe,
    trial_examples,
)
from trustlab.course.n24_fednlp_benchmark.tuned_rates import DIALS, SEARCH, SEARCHED, SPACES, TRIALS, TUNED_BY, method
from trustlab.course.tuning import search_seeds, trials
from trustlab.federated.simulation import simulate
from trustlab.federated.tasks import FAMILIES, SMALL

if TYPE_CHECKING:
    import datasets

CORPORA = (EMBEDDED,)
KEY = (*TUNED_BY, *DIALS)  # with the seed: one row
# Trainings of taggers are lost with one seed and not with the next, at the same rates: each trial has two there.
SEEDS = {"tagging": 2}


@dataclass(frozen=True)
class Setting(experiment.Setting):
    """One trial: a training and its rates."""

    def key(self) -> dict[str, Any]:
        """Return the columns that name this trial in a table."""
        return {**super().key(), **{name: getattr(self, name) for name in DIALS}}


def grid(
    corpus: str = EMBEDDED, *, seeds: Sequence[int] = range(2), tasks: Sequence[str] = tuple(FAMILIES)
) -> list[Setting]:
    """Return the trials of every method that is searched; of the `seeds` of a search most tasks take the first."""
    return [
        replace(Setting(corpus, *kind), seed=seed, **values)
        for task in tasks
        for kind in _kinds(task)
        for values in trials(SPACES[method(*kind[1:3])], TRIALS)
        for seed in search_seeds(seeds)[: SEEDS.get(task, 1)]
    ]


def _kinds(task: str) -> list[tuple[str, str, str, str]]:
    """Return the task, model, algorithm and partition of every method that a task searches."""
    compared = [name for name in ALGORITHMS if (task, name) != ("seq2seq", "fedprox")]  # see experiment.tuned
    kinds = [(task, SMALL, algorithm, partition) for partition in SEARCHED for algorithm in compared]
    kinds += [(task, SMALL, alone, "uniform") for alone in ALONE]
    return kinds + [(task, *each) for each in SIDE_QUESTIONS.get(task, ())]


def result_name(corpus: str = EMBEDDED) -> str:
    """Return the name under which the search is stored in ``data/results``."""
    return SEARCH


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one trial and yield its one row.

    Yields
    ------
    dict
        ``corpus``, ``task``, ``model``, ``algorithm``, ``partition``, the rates, ``batch`` and ``seed``; ``score`` at
        the end on the validation split, NaN for a training that diverged; ``seconds``.
    """
    check(setting)
    known, asked = trial_examples(setting, corpus)
    clients = divide(setting, known)
    options = recipe(setting, len(clients))
    rounds = simulate(problem(setting, known, asked), clients, replace(options, evaluate_every=options.rounds))
    score, seconds = math.nan, 0.0
    for row in _while_finite(rounds):
        score, seconds = row.get("score", math.nan), row["seconds"]
    yield {**setting.key(), "score": score, "seconds": seconds}


def _while_finite(rounds: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the rounds up to the first of which an update was not finite."""
    try:
        for row in rounds:
            if row["discarded"]:
                return
            yield row
    except (ValueError, FloatingPointError) as error:
        if "finite" not in str(error):
            raise
