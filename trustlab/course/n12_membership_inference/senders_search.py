"""The search of rates for the fleets of senders: FedAvg and DP-FedAvg at each ε get the same number of trials.

One fleet of other people is trained, who posted once each and are in no fleet that is attacked; it is scored by
its accuracy on posts of yet other people. Nothing is chosen by what leaks. These people's posts are taken as public.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trustlab.config import check, option
from trustlab.course.n12_membership_inference.senders import senders
from trustlab.course.n12_membership_inference.senders_fleets import (
    CORPORA,
    EPSILONS,
    FEDAVG,
    OPTIONS,
    PRIVATE,
    FleetTraining,
    recipe,
    trained,
)
from trustlab.course.tuning import FIRST_SEED, Option, Space, trials
from trustlab.privacy.membership import halves

if TYPE_CHECKING:
    import datasets

__all__ = ["CORPORA", "KEY", "SPACE", "Setting", "grid", "recipe", "result_name", "run"]
KEY = ("method", "epsilon", *OPTIONS)
SEEDS = (FIRST_SEED,)
COMPARED = ((FEDAVG, math.inf), *((PRIVATE, epsilon) for epsilon in EPSILONS))
SPACE: Space = {
    "learning_rate": Option((0.1, 0.3, 1.0, 3.0, 10.0, 30.0)),
    "server_rate": Option((0.01, 0.03, 0.1, 0.3, 1.0, 3.0)),
}
BUDGET = 36  # trials for every method and ε: all combinations


@dataclass(frozen=True)
class Setting(FleetTraining):
    """One trial of the search."""

    seed: int = option(FIRST_SEED, label="Seed", help="As for what is compared, from 100 on.", low=FIRST_SEED)

    def key(self) -> dict[str, Any]:
        """Return the columns that name this trial in the table."""
        return {name: getattr(self, name) for name in ("corpus", *KEY, "seed")}


def grid(corpus: str, *, seeds: Sequence[int] = SEEDS, methods: Sequence[str] = (FEDAVG, PRIVATE)) -> list[Setting]:
    """Return the trials of every method at every ε; their seed is the search's own, whatever `seeds` says."""
    return [
        Setting(corpus, method, epsilon, seed, **trial)
        for method, epsilon in COMPARED
        if method in methods
        for trial in trials(SPACE, BUDGET)
        for seed in SEEDS
    ]


def result_name(corpus: str) -> str:
    """Return the name under which the search is stored in ``data/results``."""
    return f"tuning/membership_inference_senders_{corpus}"


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one trial and yield its row: the columns of ``key()``, and what it reached on validation."""
    check(setting)
    own = senders(corpus)
    inside = halves(len(own.searched), 1, seed=setting.seed)[:, 0]
    config = recipe(setting, len(own.searched))
    _, last = trained(own, own.searched, inside, own.validation, config)
    yield {
        **setting.key(),
        "score": last["accuracy"],
        "epsilon_spent": last["epsilon"],
        "seconds": last["seconds"],
    }
