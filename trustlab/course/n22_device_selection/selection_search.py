"""The search behind notebook 22: the rates at which each selection is compared, and the accuracy at all others.

Every fleet, selection and aggregation has the same trials: pairs of a client's and a server's rate. A trial is one
training as in :mod:`trustlab.course.n22_device_selection.experiment`, or, on the fleet without heavy travellers,
as in :mod:`trustlab.course.n22_device_selection.harm`. Its seed is not reported, so people and utterances are others,
and it is measured on their validation part.

A training whose updates were not all finite has no score. A pair of rates is a candidate for a method if none of its
trainings was lost, with any seed, at that pair and at the next larger client's rate, see
:mod:`trustlab.course.sensitivity`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trustlab.config import check, option
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n22_device_selection import experiment as activity
from trustlab.course.n22_device_selection import harm
from trustlab.course.n22_device_selection.fleets import FLEETS, Problem, problem
from trustlab.course.sensitivity import RATES, score_unless_lost
from trustlab.course.tuning import FIRST_SEED, Option, Space, search_seeds
from trustlab.federated.simulation import FederatedConfig, simulate

if TYPE_CHECKING:
    import datasets

CORPORA = (EMBEDDED,)
KEY = (*activity.KEY, *RATES)  # with the seed: one row
FEDAVG = "1 puts the average in place, as FedAvg does; a smaller one takes a part of it"
SPACE: Space = {
    "learning_rate": Option((3.0, 6.0, 12.0, 18.0, 24.0)),
    "server_rate": Option((1.0, 2.0, 4.0), low_end=FEDAVG),
}
# All rates of a client with FedAvg's server; a larger server's rate with fewer, as their product decides what is lost.
TRIALS = ((3, 1), (6, 1), (12, 1), (18, 1), (24, 1), (6, 2), (12, 2), (18, 2), (6, 4))


@dataclass(frozen=True)
class Setting(activity.Setting):
    """One trial of the search."""

    fleet: str = option(
        activity.AS_IT_IS, label="Fleet", help="Those compared, and the one without heavy travellers.",
        values=(*FLEETS, harm.NAME),
    )  # fmt: skip
    seed: int = option(FIRST_SEED, label="Seed", help="As for what is compared, from 100 on.", low=FIRST_SEED)

    def key(self) -> dict[str, Any]:
        """Return the columns that name this trial in the table."""
        return {"corpus": self.corpus, **{name: getattr(self, name) for name in KEY}, "seed": self.seed}


def grid(
    corpus: str, *, seeds: Sequence[int] = range(1), fleets: Sequence[str] = (*FLEETS, harm.NAME)
) -> list[Setting]:
    """Return the trials of all methods on `corpus`; fewer `fleets` keep a part of them.

    `seeds` are those of a search, see :func:`trustlab.course.tuning.search_seeds`.
    """
    return [
        dataclasses.replace(method, learning_rate=float(rate), server_rate=float(server), seed=seed)
        for method in methods(corpus)
        if method.fleet in fleets
        for rate, server in TRIALS
        for seed in search_seeds(seeds)
    ]


def methods(corpus: str) -> list[Setting]:
    """Return what is tuned on its own: all that is compared, and the fleet of the harm."""
    compared = [_trial(each) for each in activity.methods(corpus)]
    harmed = [Setting(corpus, harm.NAME, beta=beta, aggregation=way) for beta in harm.BETAS for way in activity.WAYS]
    return [*compared, *harmed]


def _trial(method: activity.Setting) -> Setting:
    own = {field.name: getattr(method, field.name) for field in dataclasses.fields(method)}
    return Setting(**{**own, "seed": FIRST_SEED})


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return activity.search_name(corpus)


def recipe(setting: Setting) -> FederatedConfig:
    """Return the options of `setting`, measured at the end only."""
    options = harm.recipe(setting) if setting.fleet == harm.NAME else activity.recipe(setting)
    return dataclasses.replace(options, evaluate_every=options.rounds)


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one trial and yield its one row.

    Yields
    ------
    dict
        ``corpus``, ``fleet``, ``selection``, ``aggregation``, ``cohort``, ``learning_rate``, ``server_rate`` and
        ``seed``; ``score``, the accuracy on the validation part at the end, NaN where it diverged; ``seconds``.
    """
    check(setting)
    made = _problem(setting, corpus)
    rows = simulate(made.task, made.clients, recipe(setting), selector=activity.selector(setting, made.clients))
    yield {**setting.key(), **score_unless_lost(rows)}


def _problem(setting: Setting, corpus: datasets.DatasetDict) -> Problem:
    if setting.fleet == harm.NAME:
        return harm.quiet_fleet(corpus, setting.seed, "validation").problem
    return problem(setting.corpus, corpus, fleet=setting.fleet, seed=setting.seed, scored="validation")
