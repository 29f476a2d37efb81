"""How long reference models take to train, stacked and one after another.

``python -m benchmarks stacking`` prints a table, and with ``--write`` stores it. Both ways take turns on one thread and
are compared by the processor's time: the same models, methods, sizes of batches and steps; stacked by
:func:`trustlab.privacy.membership.reference_models.train_together`, and one after another by the package's own step
(:func:`~trustlab.privacy.private_gradients`, or a plain backward), of which a turn trains :data:`FEW` of the models and
is scaled. A training is as long as notebook 12's: 20 epochs of 4 steps.

A step of one small model is nearly all overhead, of Python and of calls: by SGD 0.6 ms, of which the arithmetic takes
less than 0.1 ms. A stack pays it once, so many small models gain most. Most of a stacked step by SGD is arithmetic: two
products with every model's own examples, the softmax and its gradient, on batches filled up to the longest. Clipping by
the package's step costs one model much more, and the private methods gain more.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.turns import load, one_thread, store, take_turns
from trustlab.lab.display import table
from trustlab.privacy import TrainConfig, private_gradients
from trustlab.privacy.membership import halves
from trustlab.privacy.membership.reference_models import Stack, classification_loss, train_together
from trustlab.privacy.training_options import noise_schedule

NAME = "stacking_speed"
FEW, EXAMPLES, WORDS, CLASSES = 4, 600, 256, 11
EPOCHS, STEPS, BATCH = 20, 80, 75  # of an epoch of 300 examples each: 4 steps
STACKED, IN_TURN = "stacked", "one after another"
METHODS: dict[str, dict[str, Any]] = {
    "SGD": {"method": "sgd"},
    "DP-SGD": {"method": "dp-sgd", "clip_norm": 0.1, "epsilon": 8.0},
    "eDP-SGD": {"method": "edp-sgd", "clip_norm": 0.1, "epsilon": 8.0, "micro_batches": 16},
}
# Models, their width, and by which methods: notebook 12's model first, then fewer, and wider ones.
CASES = ((64, 16, tuple(METHODS)), (16, 16, ("SGD", "DP-SGD")), (64, 64, ("SGD", "DP-SGD")))


class Batch:
    """Words and labels as `private_gradients` takes them."""

    def __init__(self, words: torch.Tensor, labels: torch.Tensor) -> None:
        self.words, self.labels = words, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, which: torch.Tensor) -> Batch:
        return Batch(self.words[which], self.labels[which])


def perceptron(width: int) -> nn.Module:
    """Return one model, that of notebook 12 where the hidden layer has 16 units."""
    return nn.Sequential(nn.Linear(WORDS, width), nn.Tanh(), nn.Linear(width, CLASSES))


def loss(model: nn.Module, batch: Batch) -> torch.Tensor:
    """Return the cross-entropy of each example [B]."""
    return F.cross_entropy(model(batch.words), batch.labels, reduction="none")


def measure(repetitions: int = 4) -> Iterator[dict[str, Any]]:
    """Yield a row for each case, method and way: seconds of a training, and how many times the stacked one's."""
    rng = torch.Generator().manual_seed(0)
    words = torch.rand(EXAMPLES, WORDS, generator=rng).round()
    labels = torch.randint(CLASSES, (EXAMPLES,), generator=rng)
    for models, width, names in CASES:
        inside, make = halves(EXAMPLES, models, seed=0), functools.partial(perceptron, width)
        for name in names:
            config = TrainConfig(**METHODS[name], epochs=EPOCHS, batch_size=BATCH, evaluate_every=10**6)
            ways = {
                STACKED: functools.partial(stacked, make, words, labels, inside, config),
                IN_TURN: functools.partial(in_turn, make, words, labels, inside, config),
            }
            what = f"{models} models of width {width} by {name}, {STEPS} steps of {BATCH}"
            for row in take_turns(ways, repetitions, shares={IN_TURN: FEW / models}, by_processor=True):
                yield {"what": what, **row}


def stacked(make: Any, words: torch.Tensor, labels: torch.Tensor, inside: np.ndarray, config: TrainConfig) -> None:
    """Train all models together."""
    for _ in train_together(Stack(make, inside.shape[1]), classification_loss, (words, labels), inside, config):
        pass


def in_turn(make: Any, words: torch.Tensor, labels: torch.Tensor, inside: np.ndarray, config: TrainConfig) -> None:
    """Train :data:`FEW` models, each by itself, by the package's own step."""
    ((sigma, _),) = noise_schedule(config, EXAMPLES // 2)
    rng = torch.Generator().manual_seed(0)
    for k in range(FEW):
        model = make()
        optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
        own = torch.from_numpy(np.flatnonzero(inside[:, k]))
        for _ in range(STEPS):
            drawn = own[torch.rand(len(own), generator=rng) < BATCH / (EXAMPLES // 2)]
            gradient(model, Batch(words[drawn], labels[drawn]), config, sigma, rng)
            optimizer.step()
        with torch.no_grad():
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


def main(asked: argparse.Namespace) -> None:
    """Run, print, and store where asked to."""
    with one_thread():
        rows = list(measure())
        print(table(rows))
        if asked.write:
            print("wrote", store(NAME, rows, [measure], [], load=load()))
