"""Train a tagger, privately or not: one loop for every method, yielding flat rows as it goes.

Each step draws a Poisson batch (every example independently with probability q = batch_size / N, so the batch varies
in size and may be empty), fills the gradients with the chosen mechanism, and lets an ordinary optimizer do the rest.
The ε of a row is what the steps so far guarantee under the sampler really used.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from trustlab.config import check, option
from trustlab.models import Examples, evaluate, tagging_loss
from trustlab.privacy.accounting import decayed, epsilon, noise_multiplier_for
from trustlab.privacy.clipping import SENSITIVITY, Norms, private_gradients

Step = Callable[..., Norms]
MECHANISM = {"dp-sgd": "loop", "edp-sgd": "micro-batch", "fast": "fast", "opacus": "loop"}


@dataclass(frozen=True)
class TrainConfig:
    """How to train. ``epsilon`` is a target: the noise is chosen so that all epochs together spend at most that."""

    method: str = option(
        "dp-sgd",
        label="Method",
        help="sgd: no privacy. dp-sgd: clips each example, one by one. fast: the same, all in one backward. "
        "edp-sgd: clips micro-batches. opacus: dp-sgd by Opacus.",
        values=("sgd", "dp-sgd", "edp-sgd", "fast", "opacus"),
    )
    epsilon: float = option(
        math.inf,
        label="ε",
        help="Smaller ε means stronger privacy and more noise; math.inf: no noise and no privacy.",
        above=0,
    )
    delta: float = option(1e-5, label="δ", help="Chance that the ε guarantee fails; well below 1/N.", above=0, high=1)
    clip_norm: float = option(1.0, label="C", help="Largest L2 norm that a clipped gradient keeps.", above=0)
    epochs: int = option(5, label="Epochs", help="Expected passes over the training examples.", low=1)
    batch_size: int = option(256, label="Batch size", help="Expected examples per step; q = batch size / N.", low=1)
    learning_rate: float = option(4e-3, label="Learning rate", help="Step size of Adam.", above=0)
    micro_batches: int = option(32, label="K", help="Micro-batches per step (edp-sgd); each is clipped once.", low=1)
    layerwise: str = option(
        "flat",
        label="Thresholds",
        help="How edp-sgd divides C over the layers.",
        values=("flat", "equal", "dimension"),
    )
    noise_decay: float = option(
        1.0, label="γ", help="edp-sgd multiplies its noise by γ every epoch; 1 keeps it.", above=0, high=1
    )
    accountant: str = option(
        "prv", label="Accountant", help="prv is tight; rdp is looser and quicker.", values=("prv", "rdp")
    )
    evaluate_every: int | None = option(
        None, label="Row every", help="Steps between rows; None gives one row per epoch.", unit="steps", low=1
    )
    seed: int = option(0, label="Seed", help="Seed of batches, dice and noise.", low=0)


def train(model: nn.Module, data: Mapping[str, Examples], config: TrainConfig) -> Iterator[dict[str, Any]]:
    """Train `model` in place on ``data["train"]`` and yield a row after each epoch (or `evaluate_every` steps).

    Parameters
    ----------
    model
        A tagger, see :mod:`trustlab.models`.
    data
        Examples under ``"train"`` and ``"validation"``; the latter is taken as public and only measured on.
    config
        Every option; `config.seed` fixes the batches and the noise, not the model's first weights.

    Yields
    ------
    dict
        ``step``, ``epoch`` (expected passes so far), ``epsilon`` (spent so far; ``inf`` without noise), ``loss``,
        ``accuracy``, ``slot_f1`` (on validation), ``seconds`` (of training, evaluation left out), ``noise_multiplier``
        (σ of this step), ``clipped`` (share of units clipped since the last row: not covered by ε), ``progress``.

    Raises
    ------
    ValueError
        At once, before any step, for options outside their range or a δ that 1/N makes meaningless.

    Examples
    --------
    >>> from trustlab.models import Vocabulary, build
    >>> vocabulary = Vocabulary(intents=("on", "off"), slots=("O",), buckets=50)
    >>> rows = [{"tokens": ["turn", word], "slots": ["O", "O"], "intent": word} for word in ["on", "off"] * 50]
    >>> data = {"train": vocabulary.encode(rows), "validation": vocabulary.encode(rows)}
    >>> config = TrainConfig(method="edp-sgd", epsilon=8.0, delta=1e-3, epochs=2, batch_size=20, micro_batches=4)
    >>> last = list(train(build("bilstm", vocabulary), data, config))[-1]
    >>> last["step"], last["epsilon"] <= 8.0
    (10, True)
    """
    if any(hasattr(examples, "column_names") for examples in data.values()):
        raise TypeError("Expected encoded examples, got a corpus of words. Pass vocabulary.encode_corpus(corpus).")
    for split in ("train", "validation"):
        if split not in data or not len(data[split]):
            raise ValueError(f"Expected examples under {split!r} in data, got none. Encode every split of a corpus.")
    examples = len(data["train"])
    check_training(config, examples)
    return _run(model, data, config, noise_schedule(config, examples))


def _run(
    model: nn.Module,
    data: Mapping[str, Examples],
    config: TrainConfig,
    schedule: list[tuple[float, int]],
) -> Iterator[dict[str, Any]]:
    """Take the steps of `schedule`; a generator, so closing it stops the training where it is."""
    generator = torch.Generator().manual_seed(config.seed)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=config.learning_rate)
    gradients = _gradients(model, config)
    examples, steps = data["train"], sum(count for _, count in schedule)
    sample_rate, steps_per_epoch = config.batch_size / len(examples), steps // config.epochs
    every = config.evaluate_every or steps_per_epoch
    taken: list[tuple[float, int]] = []
    seconds, clipped = 0.0, []
    model.train()
    for step, sigma in enumerate((sigma for sigma, count in schedule for _ in range(count)), start=1):
        started = time.perf_counter()
        chosen = (torch.rand(len(examples), generator=generator) < sample_rate).nonzero()[:, 0]  # [B], B varies
        clipped.append(gradients(examples[chosen], noise_multiplier=sigma, generator=generator).clipped)
        optimizer.step()
        seconds += time.perf_counter() - started
        taken = [*taken[:-1], (sigma, taken[-1][1] + 1)] if taken and taken[-1][0] == sigma else [*taken, (sigma, 1)]
        if step % every and step < steps:
            continue
        yield {
            "step": step,
            "epoch": step / steps_per_epoch,
            "epsilon": _spent(config, taken, len(examples)),
            **evaluate(model, data["validation"]),
            "seconds": seconds,
            "noise_multiplier": sigma,
            "clipped": _mean(clipped),
            "progress": step / steps,
        }
        clipped = []


def _gradients(model: nn.Module, config: TrainConfig) -> Step:
    """Return the function that fills ``.grad`` from a batch by the method of `config`."""
    if config.method == "sgd":
        return lambda batch, **noise: plain_gradients(model, batch)
    if config.method == "opacus":
        from trustlab.privacy.reference import opacus_gradients

        return opacus_gradients(model, tagging_loss, clip_norm=config.clip_norm, normalizer=config.batch_size)
    own = dict(normalizer=config.batch_size)
    if config.method == "edp-sgd":
        own = dict(micro_batches=config.micro_batches, layerwise=config.layerwise)
    options = dict(method=MECHANISM[config.method], clip_norm=config.clip_norm, **own)
    return lambda batch, **noise: private_gradients(model, tagging_loss, batch, **options, **noise)


def plain_gradients(model: nn.Module, batch: Examples) -> Norms:
    """Fill ``.grad`` with the gradient of the mean loss: one backward, nothing clipped, no noise."""
    model.zero_grad(set_to_none=True)
    if len(batch):
        tagging_loss(model, batch).mean().backward()
    return Norms(torch.empty(0), math.nan)


def noise_schedule(config: TrainConfig, examples: int) -> list[tuple[float, int]]:
    """Return [(σ, steps), ...] with which all epochs over `examples` examples spend at most ``config.epsilon``.

    An epoch is N / batch_size steps, rounded: with Poisson sampling an expected pass, not an exact one.
    """
    steps_per_epoch = round(examples / config.batch_size)
    steps = config.epochs * steps_per_epoch
    if config.method == "sgd":
        return [(0.0, steps)]
    shape = dict(decay=config.noise_decay, steps=steps, steps_per_epoch=steps_per_epoch)
    sigma = noise_multiplier_for(epsilon=config.epsilon, **_accounted(config, examples), **shape)
    return decayed(sigma, **shape)


def _spent(config: TrainConfig, taken: list[tuple[float, int]], examples: int) -> float:
    """Return the ε of the steps taken so far."""
    if config.method == "sgd":
        return math.inf
    return epsilon(noise_multiplier=taken, **_accounted(config, examples))


def _accounted(config: TrainConfig, examples: int) -> dict[str, Any]:
    """Return what an accountant is told of the mechanism: the same for the noise chosen and for the ε spent."""
    return dict(
        sample_rate=config.batch_size / examples,
        delta=config.delta,
        sensitivity=SENSITIVITY[MECHANISM[config.method]],
        accountant=config.accountant,
    )


def check_training(config: TrainConfig, examples: int) -> None:
    """Refuse options outside their range, and combinations whose ε would not mean what it says."""
    check(config)
    if config.batch_size > examples:
        raise ValueError(
            f"Expected batch_size={config.batch_size} <= the {examples} training examples. "
            "Each is drawn with probability batch_size / N."
        )
    if config.method == "sgd" and config.epsilon != math.inf:
        raise ValueError(
            f"Expected epsilon=inf with method='sgd', got {config.epsilon:g}. "
            "Plain SGD guarantees nothing: choose 'dp-sgd' or 'edp-sgd'."
        )
    if config.epsilon != math.inf and config.delta >= 1 / examples:
        raise ValueError(
            f"Expected delta={config.delta:g} < 1/N = {1 / examples:.2g}. "
            "With δ ≥ 1/N, publishing one whole example at random would count as private."
        )
    if config.method != "edp-sgd" and (config.noise_decay != 1 or config.layerwise != "flat"):
        raise ValueError(
            f"Expected noise_decay=1 and layerwise='flat' with method={config.method!r}, got {config.noise_decay:g} "
            f"and {config.layerwise!r}. They are parts of 'edp-sgd'."
        )


def _mean(shares: list[float]) -> float:
    """Average the steps that clipped anything; NaN when none did."""
    known = [share for share in shares if not math.isnan(share)]
    return sum(known) / len(known) if known else math.nan
