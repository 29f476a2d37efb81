"""The search behind notebook 23: the rates of each setting, drift, selection and weighting, the same trials for all.

One trial is one training as in :mod:`trustlab.course.n23_continual_learning.experiment` with nothing kept and true
labels. Its seed is not reported, so its people, utterances and drift are others; it is measured on their validation
part. A training whose updates were not all finite has no score. A pair of rates that lost one is no candidate for any
method, see :mod:`trustlab.course.sensitivity`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trustlab.config import check, option
from trustlab.course.n23_continual_learning import experiment
from trustlab.course.n23_continual_learning.experiment import (
    BETAS,
    CORPORA,
    DRIFTS,
    SETTINGS,
    TUNED_BY,
    WEIGHTINGS,
    stream,
)
from trustlab.course.sensitivity import RATES, score_unless_lost
from trustlab.course.tuning import FIRST_SEED, Option, Space, search_seeds
from trustlab.federated.continual import continual
from trustlab.federated.simulation import FederatedConfig

if TYPE_CHECKING:
    import datasets

__all__ = ["CORPORA", "KEY", "SPACE", "Setting", "grid", "recipe", "result_name", "run"]
KEY = (*TUNED_BY, *RATES)  # with the seed: one row
SPACE: Space = {
    "learning_rate": Option((4.0, 8.0, 12.0, 16.0, 24.0)),
    "server_rate": Option(
        (1.0, 2.0, 4.0), low_end="1 puts the average in place, as FedAvg does; a smaller one takes part of it"
    ),
}


# All rates of a client with FedAvg's server; a larger server's rate with those that one seed did not lose.
TRIALS = ((4, 1), (8, 1), (12, 1), (16, 1), (24, 1), (8, 2), (12, 2), (16, 2), (8, 4))


@dataclass(frozen=True)
class Setting(experiment.Setting):
    """One trial of the search."""

    seed: int = option(FIRST_SEED, label="Seed", help="As for what is compared, from 100 on.", low=FIRST_SEED)

    def key(self) -> dict[str, Any]:
        """Return the columns that name this trial in the table."""
        return {"corpus": self.corpus, **{name: getattr(self, name) for name in KEY}, "seed": self.seed}


def grid(corpus: str, *, seeds: Sequence[int] = range(1), settings: Sequence[str] = SETTINGS) -> list[Setting]:
    """Return the trials of all methods; fewer `settings` keep a part. Seeds below 100 are counted from there."""
    return [
        Setting(
            corpus, setting, drift, 0, beta, weighting, seed=seed, learning_rate=float(rate), server_rate=float(server)
        )
        for setting in settings
        for drift in DRIFTS
        for beta in BETAS
        for weighting in WEIGHTINGS
        for rate, server in TRIALS
        for seed in search_seeds(seeds)
    ]


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return experiment.search_name(corpus)


def recipe(setting: Setting) -> FederatedConfig:
    """Return the options of `setting` within a period, measured at its end only."""
    options = experiment.recipe(setting)
    return dataclasses.replace(options, evaluate_every=options.rounds)


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one trial and yield its one row; `corpus` is not read: each trial generates its own, with its drift.

    Yields
    ------
    dict
        ``corpus``, ``setting``, ``drift``, ``beta``, ``weighting``, ``learning_rate``, ``server_rate`` and ``seed``;
        ``score``, the accuracy at the end on the validation part of all periods, NaN where it diverged; ``seconds``.
    """
    check(setting)
    said = stream(setting.drift, setting.seed, "validation")
    periods = said.periods * (setting.setting != "static")
    selection = {"strategy": "power", "beta": setting.beta}
    rows = continual(said.problem, said.clients, periods, recipe(setting), selection=selection)
    yield {**setting.key(), **score_unless_lost(rows)}
