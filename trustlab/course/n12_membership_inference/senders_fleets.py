"""Fleets of senders, trained by FedAvg or DP-FedAvg: what is attacked when the question is who took part.

All people are registered with the server, and each round selects a tenth of them, every one independently. A coin
decides who is in the fleet: who is not has nothing to train on and sends nothing. That is the adjacency of DP-FedAvg, a
person's update or zero in its place, and the rate at which people are selected does not depend on who is in the fleet.

The model is a linear one on hashed words; it learns which group a post is for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import TensorDataset

from trustlab.config import option
from trustlab.course.budgets import DELTA
from trustlab.course.n12_membership_inference.senders import BUCKETS, Senders
from trustlab.federated.aggregation import ServerConfig
from trustlab.federated.selection import Selector
from trustlab.federated.simulation import FederatedConfig, Task, simulate
from trustlab.privacy.accounting import noise_multiplier_for
from trustlab.privacy.membership import Permitted, permitted
from trustlab.privacy.membership.reference_models import classification_loss

CORPORA = ("20newsgroups",)
FEDAVG, PRIVATE = "fedavg", "dp-fedavg"
METHODS = {FEDAVG: "FedAvg", PRIVATE: "DP-FedAvg"}
EPSILONS = (2.0, 8.0, math.inf)
FLEETS = 16  # each is a target once, and 14 others are its references
SHARE = 0.1  # of the registered people, selected in a round
ROUNDS, LOCAL_EPOCHS, BATCH = 60, 2, 32
CLIP = 1.0
OPTIONS = ("learning_rate", "server_rate")  # what is tuned, as columns


@dataclass(frozen=True)
class FleetTraining:
    """The options of the fleets of one row."""

    corpus: str = option(CORPORA[0], label="Corpus", help="Whose senders take part.", values=CORPORA)
    method: str = option(PRIVATE, label="Method", help="How updates are made private.", values=tuple(METHODS))
    epsilon: float = option(8.0, label="ε", help="Privacy budget of each person.", values=EPSILONS)
    seed: int = option(0, label="Seed", help="Of who is in which fleet, which posts are held out, and noise.", low=0)
    learning_rate: float = option(1.0, label="Rate", help="Step size of the people's SGD.", above=0)
    server_rate: float = option(0.3, label="η", help="Step size of the server's Adam.", above=0)


def recipe(training: FleetTraining, people: int, fleet: int = 0) -> FederatedConfig:
    """Return the options of one fleet of a row, in which `people` are registered.

    Raises
    ------
    ValueError
        For FedAvg with a finite ε.
    """
    if training.method == FEDAVG and math.isfinite(training.epsilon):
        raise ValueError(
            f"Expected epsilon=inf with method={FEDAVG!r}, got {training.epsilon:g}. It adds no noise, so it promises "
            f"nothing: take {PRIVATE!r}."
        )
    private: dict[str, Any] = {}
    cohort = round(SHARE * people)
    if training.method == PRIVATE:
        sigma = noise_multiplier_for(epsilon=training.epsilon, sample_rate=cohort / people, steps=ROUNDS, delta=DELTA)
        private = dict(clip_norm=CLIP, noise_multiplier=sigma, delta=DELTA)
    return FederatedConfig(
        rounds=ROUNDS,
        clients_per_round=cohort,
        local_epochs=LOCAL_EPOCHS,
        batch_size=BATCH,
        learning_rate=training.learning_rate,
        aggregation="equal",
        server=ServerConfig("adam", learning_rate=training.server_rate),
        evaluate_every=ROUNDS,
        seed=training.seed * 1000 + fleet,
        **private,
    )


def permitted_by(training: FleetTraining, people: int) -> Permitted:
    """Return the curve that the promise to each person permits; of FedAvg everything."""
    config = recipe(training, people)
    schedule = ((config.noise_multiplier, config.rounds),)
    return permitted(schedule, sample_rate=config.clients_per_round / people)


def trained(
    own: Senders, held: Sequence[np.ndarray], inside: np.ndarray, tested: np.ndarray, config: FederatedConfig
) -> tuple[nn.Module, dict[str, Any]]:
    """Train one fleet and return its model and the last round's row.

    Parameters
    ----------
    held
        For each registered person the rows of the posts that they train on, if they are in the fleet.
    inside : bool [people]
        Who is.
    tested
        Rows of the posts that accuracy is measured on.
    """
    model = untrained(len(own.groups))
    clients = [rows if there else rows[:0] for rows, there in zip(held, inside.tolist(), strict=True)]
    task = Task(model, TensorDataset(own.words, own.labels), TensorDataset(own.words[tested], own.labels[tested]),
                classification_loss, accuracy)  # fmt: skip
    registered = Selector(np.ones(len(held)), strategy="uniform", design="poisson")
    *_, last = simulate(task, clients, config, selector=registered, model=model)
    return model, last


def untrained(groups: int) -> nn.Module:
    """Return the first model, all zero: it has learned nothing."""
    model = nn.Linear(BUCKETS + 1, groups)
    for weights in model.parameters():
        nn.init.zeros_(weights)
    return model


@torch.no_grad()
def accuracy(model: nn.Module, posts: TensorDataset) -> dict[str, float]:
    """Return the share of posts whose group is found."""
    words, labels = posts[:]
    return {"accuracy": float((model(words).argmax(1) == labels).float().mean())}


@torch.no_grad()
def losses(model: nn.Module, own: Senders, rows: np.ndarray) -> np.ndarray:
    """Return the loss of every post at `rows`, float64: what an attacker measures."""
    return classification_loss(model, (own.words[rows], own.labels[rows])).double().numpy()
