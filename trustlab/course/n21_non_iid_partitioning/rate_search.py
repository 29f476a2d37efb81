"""The search of notebook 21 for the learning rate of each fleet: the same rates for every definition of α and every α.

One trial is one training of :mod:`.experiment` with a rate of :data:`RATES`, measured once, at the end, on the
validation split. Its seeds are not those that are reported: other partitions, weights and orders of selection. A fleet
whose training diverges has no score.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trustlab.config import check
from trustlab.course.intents import prepare, task
from trustlab.course.n21_non_iid_partitioning import experiment
from trustlab.course.n21_non_iid_partitioning.experiment import DEFINITIONS, REFERENCES, SEARCH, recipe, train
from trustlab.course.once import once
from trustlab.course.tuning import Option, search_seeds
from trustlab.federated.simulation import Task

if TYPE_CHECKING:
    import datasets

__all__ = ["CORPORA", "KEY", "RATES", "Setting", "grid", "recipe", "result_name", "run"]
CORPORA = experiment.SEARCHED
RATES = Option((1.0, 2.0, 4.0, 8.0, 12.0, 16.0, 24.0, 32.0))
_encoded = once(prepare)  # a corpus is encoded once, for every trial
KEY = ("scheme", "alpha", "learning_rate")  # with the seed: one row


@dataclass(frozen=True)
class Setting(experiment.Setting):
    """One trial: a fleet and a learning rate."""

    def key(self) -> dict[str, Any]:
        """Return the columns that name this trial in a table."""
        fleet = super().key()
        return {**{name: fleet[name] for name in ("corpus", "scheme", "alpha")},
                "learning_rate": self.learning_rate, "seed": self.seed}  # fmt: skip


def grid(
    corpus: str, *, seeds: Sequence[int] = range(2), schemes: Sequence[str] = (*DEFINITIONS, *REFERENCES)
) -> list[Setting]:
    """Return every fleet of the experiment with every rate; `seeds` are those of a search."""
    kinds = [(scheme, alpha) for scheme in DEFINITIONS for alpha in experiment.ALPHAS]
    kinds += [(reference, math.inf) for reference in REFERENCES]
    return [
        Setting(corpus, scheme, alpha, seed, rate)
        for scheme, alpha in kinds
        for rate in RATES.values
        if scheme in schemes
        for seed in search_seeds(seeds)
    ]


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return SEARCH.format(corpus)


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one trial on `corpus` and yield its one row.

    Yields
    ------
    dict
        ``corpus``, ``scheme``, ``alpha``, ``learning_rate`` and ``seed``; ``score``, the share of the validation
        split's intents that are right at the end, NaN for a training that diverged; ``seconds``.
    """
    check(setting)
    data = _encoded(corpus)
    problem = task({"train": data["train"], "test": data["validation"]}, seed=setting.seed)
    score, seconds = math.nan, 0.0
    for row in _until_it_diverges(setting, corpus, problem):
        score, seconds = row.get("accuracy", math.nan), row["seconds"]
    yield {**setting.key(), "score": score, "seconds": seconds}


def _until_it_diverges(setting: Setting, corpus: datasets.DatasetDict, problem: Task) -> Iterator[dict[str, Any]]:
    """Yield the rounds; of a training whose updates are no longer finite, a last one without a score."""
    rounds = train(setting, corpus, problem, evaluate_every=recipe(setting).rounds)
    seconds = 0.0
    try:
        for row in rounds:
            seconds = row["seconds"]
            yield row
    except ValueError as error:
        if "diverged" not in str(error):
            raise
        yield {"seconds": seconds}
