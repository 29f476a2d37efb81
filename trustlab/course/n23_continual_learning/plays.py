"""Notebook 23's question on a real fleet: Shakespeare's plays as periods, his roles as devices.

In each of six periods two plays are performed. Their roles train a small language model on predicting the next
character of their lines; then the plays are over and their lines are deleted. A role belongs to one play, so here the
clients change with time, not their data: no client returns. The static reference has all twelve plays at once.

The plays are ours to choose, one kind after the other (comedies, histories, tragedies), so that the periods differ.
Model and optimizer are those of notebook 22.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.config import check, option
from trustlab.course.characters import task
from trustlab.course.n23_continual_learning.experiment import SETTINGS, Stream
from trustlab.deprecation import old_names
from trustlab.federated.continual import accuracy_matrix, continual, forgetting
from trustlab.federated.partition import partition_pair
from trustlab.federated.simulation import FederatedConfig

if TYPE_CHECKING:
    import datasets

CORPUS = "shakespeare_roles"
CORPORA = (CORPUS,)
PLAYS = (
    ("midsummer", "much_ado"),
    ("merchant", "twelfth_night"),
    ("richardii", "henryv"),
    ("1henryiv", "richardiii"),
    ("romeo_juliet", "hamlet"),
    ("lear", "macbeth"),
)
BETAS = (0.0, 1.0)
PER_ROUND, ROUNDS = 10, 36
KEY = ("setting", "beta")  # with the seed: one row


@dataclass(frozen=True)
class Setting:
    """One training of the comparison."""

    corpus: str = option(CORPUS, label="Corpus", help="Shakespeare's lines.", values=CORPORA)
    setting: str = option(
        "continual", label="Setting", help="static: twelve plays at once. continual: two in a period.", values=SETTINGS
    )
    beta: float = option(1.0, label="β", help="Roles are drawn in proportion to n^β: 0 uniformly.", values=BETAS)
    seed: int = option(0, label="Seed", help="Seed of first weights, selection and minibatches.", low=0)

    def key(self) -> dict[str, Any]:
        """Return the columns that name this training in a table."""
        return dataclasses.asdict(self)


def grid(corpus: str, *, seeds: Sequence[int] = range(3)) -> list[Setting]:
    """Return every config over `seeds`."""
    return [Setting(corpus, setting, beta, seed) for setting in SETTINGS for beta in BETAS for seed in seeds]


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"continual_learning_plays_{corpus}"


def stream(corpus: datasets.DatasetDict, seed: int = 0) -> Stream:
    """Return the lines of :data:`PLAYS` as a learning problem over time, with the model's first weights.

    Parameters
    ----------
    corpus
        ``load("shakespeare_roles")``.
    seed
        Of the first weights; the lines that are tested on are the corpus' own.
    """
    period = {play: number for number, plays in enumerate(PLAYS) for play in plays}
    chosen = {split: np.flatnonzero([play in period for play in corpus[split]["play"]]) for split in ("train", "test")}
    lines = {split: corpus[split].select(places) for split, places in chosen.items()}
    roles = (lines[split]["role"] for split in ("train", "test"))
    clients, tests = partition_pair(*roles, scheme="natural", new_clients="keep")  # three roles are in test only
    times = (np.array([period[play] for play in lines[split]["play"]]) for split in ("train", "test"))
    return Stream(task(lines, seed), clients, tests, *times)


def recipe(config: Setting) -> FederatedConfig:
    """Return the options of `config`'s training within a period; the static reference has one period."""
    length = ROUNDS // len(PLAYS)
    return FederatedConfig(
        rounds=ROUNDS if config.setting == "static" else length,
        clients_per_round=PER_ROUND,
        batch_size=16,
        optimizer="adam",
        learning_rate=0.003,
        evaluate_every=length,
        seed=config.seed,
    )


def run(config: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one setting and yield its one row.

    Yields
    ------
    dict
        ``corpus``, ``setting``, ``beta`` and ``seed``; ``accuracy`` at the end, the share of next characters guessed in
        the test lines of all periods; ``forgetting``, its mean over periods (0 for the static reference);
        ``examples``, the lines seen over all rounds; ``curve``, the accuracies at the ends of periods, and ``matrix``,
        the forgetting matrix row by row, joined by "|"; ``seconds`` of the training.
    """
    check(config)
    said = stream(corpus, config.seed)
    at_once = config.setting == "static"
    periods = np.zeros_like(said.periods) if at_once else said.periods
    selection = {"strategy": "power", "beta": config.beta}
    rows = list(
        continual(
            said.problem, said.clients, periods, recipe(config), selection=selection, test_periods=said.test_periods
        )
    )
    measured = [row for row in rows if "accuracy" in row]
    matrix = accuracy_matrix(measured)
    yield {
        **config.key(),
        "accuracy": measured[-1]["accuracy"],
        "forgetting": float(forgetting(matrix).mean()) if len(matrix) > 1 else 0.0,
        "examples": sum(row["examples"] for row in rows),
        "curve": "|".join(f"{row['accuracy']:.4f}" for row in measured),
        "matrix": "|".join(f"{value:.4f}" for value in matrix.ravel()),
        "seconds": rows[-1]["seconds"],
    }


__getattr__ = old_names(__name__, {"Cell": "Setting"})
