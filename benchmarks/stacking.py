"""How long 64 reference models take, stacked and one after another; and how long attacks and their intervals take.

``python -m benchmarks stacking`` prints two tables, and with ``--write`` stores the first. In the first, both ways take
turns: the same models, methods, batches' sizes and steps; stacked by
:func:`trustlab.privacy.membership.reference_models.train_together`, and one after another by the package's own step
(:func:`~trustlab.privacy.private_gradients`, or a plain backward), of which a turn trains :data:`FEW` of the models and
is scaled. In the second, ours alone: scoring 10,000 targets by 64 references, and 1,000 bootstrap resamples.

Predictions, written before the first run: SGD 8 times as fast stacked, DP-SGD 10 times, eDP-SGD 6 times. LiRA below
0.15 s, RMIA below 0.05 s, the resamples about 1 s.
"""

from __future__ import annotations

import argparse
import functools
import statistics
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.turns import seconds_of, store, take_turns
from trustlab.lab.display import table
from trustlab.privacy import TrainConfig, private_gradients
from trustlab.privacy.membership import halves, lira, rmia, success
from trustlab.privacy.membership.reference_models import Stack, classification_loss, train_together

NAME = "stacking_speed"
MODELS, FEW, EXAMPLES, WORDS, CLASSES = 64, 4, 600, 256, 11
STEPS, BATCH = 20, 75  # of an epoch of 300 examples each: 4 steps
STACKED, IN_TURN = "stacked", "one after another"
METHODS: dict[str, dict[str, Any]] = {
    "SGD": {"method": "sgd"},
    "DP-SGD": {"method": "dp-sgd", "clip_norm": 0.1, "epsilon": 8.0},
    "eDP-SGD": {"method": "edp-sgd", "clip_norm": 0.1, "epsilon": 8.0, "micro_batches": 16},
}
TARGETS, POPULATION, SCORES, RESAMPLES = 10_000, 1_000, 10_000, 1_000


class Batch:
    """Words and labels as `private_gradients` takes them."""

    def __init__(self, words: torch.Tensor, labels: torch.Tensor) -> None:
        self.words, self.labels = words, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, which: torch.Tensor) -> Batch:
        return Batch(self.words[which], self.labels[which])


def perceptron() -> nn.Module:
    """Return one model, that of notebook 12."""
    return nn.Sequential(nn.Linear(WORDS, 16), nn.Tanh(), nn.Linear(16, CLASSES))


def loss(model: nn.Module, batch: Batch) -> torch.Tensor:
    """Return the cross-entropy of each example [B]."""
    return F.cross_entropy(model(batch.words), batch.labels, reduction="none")


def measure(repetitions: int = 5) -> Iterator[dict[str, Any]]:
    """Yield a row for each method and way: seconds for 64 models of 20 steps, and how many times the stacked ones'."""
    rng = torch.Generator().manual_seed(0)
    words = torch.rand(EXAMPLES, WORDS, generator=rng).round()
    labels = torch.randint(CLASSES, (EXAMPLES,), generator=rng)
    inside = halves(EXAMPLES, MODELS, seed=0)
    for name, options in METHODS.items():
        config = TrainConfig(**options, epochs=STEPS // 4, batch_size=BATCH, evaluate_every=10**6)
        ways = {
            STACKED: functools.partial(stacked, words, labels, inside, config),
            IN_TURN: functools.partial(in_turn, words, labels, inside, config),
        }
        for row in take_turns(ways, repetitions, shares={IN_TURN: FEW / MODELS}):
            yield {"what": f"{MODELS} models by {name}, {STEPS} steps of {BATCH}", **row}


def stacked(words: torch.Tensor, labels: torch.Tensor, inside: np.ndarray, config: TrainConfig) -> None:
    """Train all models together."""
    for _ in train_together(Stack(perceptron, MODELS), classification_loss, (words, labels), inside, config):
        pass


def in_turn(words: torch.Tensor, labels: torch.Tensor, inside: np.ndarray, config: TrainConfig) -> None:
    """Train :data:`FEW` models, each by itself, by the package's own step."""
    from trustlab.privacy.training_options import noise_schedule

    ((sigma, _),) = noise_schedule(config, EXAMPLES // 2)
    rng = torch.Generator().manual_seed(0)
    for k in range(FEW):
        model = perceptron()
        optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
        own = torch.from_numpy(np.flatnonzero(inside[:, k]))
        for _ in range(STEPS):
            drawn = own[torch.rand(len(own), generator=rng) < BATCH / (EXAMPLES // 2)]
            gradient(model, Batch(words[drawn], labels[drawn]), config, sigma, rng)
            optimizer.step()
        loss(model, Batch(words, labels))


def gradient(model: nn.Module, batch: Batch, config: TrainConfig, sigma: float, rng: torch.Generator) -> None:
    """Fill ``.grad`` of one model."""
    if config.method == "sgd":
        model.zero_grad()
        loss(model, batch).mean().backward()
        return
    own: dict[str, Any] = {"expected_batch_size": config.batch_size}
    if config.method == "edp-sgd":
        own = {"micro_batches": config.micro_batches}
    private_gradients(
        model, loss, batch, method=config.method, clip_norm=config.clip_norm, noise_multiplier=sigma, generator=rng,
        **own,
    )  # fmt: skip


def scoring(repetitions: int = 5) -> Iterator[dict[str, Any]]:
    """Yield the seconds of scoring 10,000 targets by 64 references, and of 1,000 bootstrap resamples."""
    rng = np.random.default_rng(0)
    inside = halves(TARGETS, MODELS, seed=0)
    reference, own = rng.normal(size=(TARGETS, MODELS)) + inside, rng.normal(size=TARGETS)
    share = functools.partial(rng.uniform, 0.01, 1)
    asked = (share(size=TARGETS), share(size=(TARGETS, MODELS)), inside)
    others = dict(population_target=share(size=POPULATION), population_reference=share(size=(POPULATION, MODELS)))
    members = np.arange(SCORES) < SCORES // 2
    scores = rng.normal(size=SCORES) + members
    cases: dict[str, Callable[[], Any]] = {
        "LiRA online": lambda: lira(own, reference, inside),
        "LiRA offline": lambda: lira(own, reference, inside, variant="offline"),
        "RMIA": lambda: rmia(*asked, **others),
        "1,000 resamples": lambda: success(scores, members, resamples=RESAMPLES),
    }
    for name, run in cases.items():
        times = [seconds_of(run) for _ in range(repetitions)]
        yield {"what": name, "seconds": statistics.median(times), "slowest": max(times), "rounds": repetitions}


def main(asked: argparse.Namespace) -> None:
    """Run, print, and store where asked to."""
    rows = list(measure())
    print(table(rows))
    print(table(list(scoring())))
    if asked.write:
        print("wrote", store(NAME, rows, [measure], []))
