"""Ordinary training of a tagger, without privacy: batches of like lengths, a schedule, and the best epoch kept.

:func:`trustlab.privacy.train` is the loop for every private method; its Poisson batches mix lengths. This one is what a
practitioner without a privacy requirement would run, and serves as the level to compare with.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trustlab.config import check, option
from trustlab.models.evaluation import evaluate
from trustlab.models.taggers import tagging_loss
from trustlab.models.vocabulary import Examples

POOL = 20  # batches whose utterances are sorted by length together
WARM_UP = 0.02  # share of the steps in which the rate rises
CLIP_NORM = 5.0  # of a batch's gradient, against the odd long step of an LSTM


@dataclass(frozen=True)
class FitOptions:
    """Options of :func:`fit`."""

    learning_rate: float = option(4e-3, label="Rate", help="Adam's largest; it falls linearly to 0.", above=0)
    batch_size: int = option(64, label="Batch", help="Utterances per step.", low=1)
    epochs: int = option(10, label="Epochs", help="Passes over the training split.", low=1)
    seed: int = option(0, label="Seed", help="Of batches and dropout.", low=0)


def fit(model: nn.Module, data: Mapping[str, Examples], options: FitOptions) -> Iterator[dict[str, Any]]:
    """Train `model` in place on ``data["train"]``, yield a row after each epoch, and leave the best epoch's weights.

    The best epoch is the one with the highest mean of intent accuracy and slot F1 on ``data["validation"]``. torch's
    global generator is left as it was.

    Yields
    ------
    dict
        ``epoch``, ``train_loss``, on the validation split ``accuracy`` and ``slot_f1`` (of valid tag sequences), their
        mean ``score``, and ``seconds`` so far.
    """
    check(options)
    train, best, kept = data["train"], -math.inf, copy.deepcopy(model.state_dict())
    lengths = train.attention_mask.sum(1)

    def loss_of(index: Tensor) -> Tensor:
        return tagging_loss(model, train[index]).mean()

    optimizer = torch.optim.Adam(model.parameters(), lr=options.learning_rate, fused=True)
    steps = options.epochs * math.ceil(len(train) / options.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / (1 + WARM_UP * steps), 1.0) * (1 - step / steps)
    )
    state, start = _seeded(options.seed), time.perf_counter()
    try:
        for epoch in range(1, options.epochs + 1):
            model.train()
            state, loss = one_pass(model, lengths, loss_of, options.batch_size, optimizer, schedule, state)
            row = {"epoch": epoch, "train_loss": loss, **_measured(model, data["validation"])}
            if row["score"] > best:
                best, kept = row["score"], copy.deepcopy(model.state_dict())
            yield {**row, "seconds": time.perf_counter() - start}
    finally:
        model.load_state_dict(kept)


def one_pass(
    model: nn.Module,
    lengths: Tensor,
    loss_of: Callable[[Tensor], Tensor],
    batch_size: int,
    optimizer: Any,
    schedule: Any,
    state: Tensor,
) -> tuple[Tensor, float]:
    """Make one pass over texts of `lengths` [N] with torch's generator in `state`; return its state, and the mean loss.

    Parameters
    ----------
    loss_of
        Indices of a batch → its mean loss.
    """
    losses = []
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(state)
        for index in like_lengths(lengths, batch_size):
            loss = loss_of(index)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        return torch.get_rng_state(), sum(losses) / len(losses)


def like_lengths(lengths: Tensor, batch_size: int) -> list[Tensor]:
    """Return batches of the indices of `lengths` [N], in random order by torch's generator, like lengths together.

    Sorted are :data:`POOL` batches at a time, so that a batch stays a random draw of nearly equal lengths.

    Examples
    --------
    >>> sorted(len(batch) for batch in like_lengths(torch.tensor([3, 9, 4, 8, 5]), 2))
    [1, 2, 2]
    """
    pools = torch.randperm(len(lengths)).split(POOL * batch_size)
    found = [batch for pool in pools for batch in pool[lengths[pool].argsort(stable=True)].split(batch_size)]
    return [found[i] for i in torch.randperm(len(found)).tolist()]


def _measured(model: nn.Module, examples: Examples) -> dict[str, float]:
    found = evaluate(model, examples, valid=True)
    accuracy, slot_f1 = found["accuracy"], found["slot_f1"]
    return {"accuracy": accuracy, "slot_f1": slot_f1, "score": (accuracy + slot_f1) / 2}


def _seeded(seed: int) -> Tensor:
    """Return the state of a generator that starts from `seed`."""
    return torch.Generator().manual_seed(seed).get_state()
