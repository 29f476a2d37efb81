"""How often an audit of a whole training claims too much, and how often it finds forgotten noise: real trainings.

Small taggers on made-up utterances, by this package's training, and training on gradients by its step. In the last kind
the noise is forgotten while ε = 1 is declared: its claims are true, and are what an audit is for.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from trustlab.models import Vocabulary, build
from trustlab.privacy.accounting import epsilon
from trustlab.privacy.auditing.counts import check_whole
from trustlab.privacy.auditing.engines import engine_step
from trustlab.privacy.auditing.training_audit import (
    Fit,
    audit_training,
    gradient_fit,
    made_up_utterances,
    utterance_fit,
)
from trustlab.privacy.training_options import TrainConfig

DELTA, UTTERANCES = 1e-5, 100
METHODS = ("one run", "exact tail")
VOCABULARY = Vocabulary(intents=tuple("abcdefgh"), slots=("O", "B-thing"), buckets=200)


class Training(NamedTuple):
    """A kind of training: how it is made from a seed, its canaries, what it declares, and which methods are valid."""

    fit: Callable[[int], Fit]
    canaries: int
    epsilon: float
    valid: Sequence[str]
    honest: bool = True


def trainings() -> dict[str, Training]:
    """Return the trainings that are audited, by name.

    Examples
    --------
    >>> {name: round(each.epsilon, 2) for name, each in trainings().items()}  # doctest: +NORMALIZE_WHITESPACE
    {'train, DP-SGD': 4.0, 'train, eDP-SGD': 4.0, 'gradients, 50 steps': 10.13, 'gradients, eDP-SGD': 11.1,
     'train, noise forgotten': 1.0}
    """
    tagger = dict(epochs=4, batch_size=50, micro_batches=8, delta=DELTA)
    forgotten = TrainConfig(method="dp-sgd", epsilon=math.inf, **{**tagger, "epochs": 20})
    spent = epsilon(noise_multiplier=1.0, sample_rate=0.2, steps=50, delta=DELTA)
    halved = epsilon(noise_multiplier=2.0, sample_rate=0.2, steps=60, sensitivity=2.0, delta=DELTA)
    return {
        "train, DP-SGD": Training(_tagger(TrainConfig(method="dp-sgd", epsilon=4.0, **tagger)), 200, 4.0, METHODS[:1]),
        "train, eDP-SGD": Training(
            _tagger(TrainConfig(method="edp-sgd", epsilon=4.0, **tagger)), 200, 4.0, METHODS[:1]
        ),
        "gradients, 50 steps": Training(_gradients("fast", 1.0, 50), 500, spent, METHODS),
        "gradients, eDP-SGD": Training(_gradients("eDP, fast", 2.0, 60), 500, halved, METHODS[:1]),
        "train, noise forgotten": Training(_tagger(forgotten), 200, 1.0, METHODS[:1], honest=False),
    }


def training_coverage(audits: int = 200, *, kinds: Mapping[str, Training] | None = None) -> Iterator[dict[str, Any]]:
    """Audit each training with `audits` seeds.

    Yields
    ------
    dict
        ``training``, ``method``, ``valid`` (whether validity is claimed), ``audits``, ``false claims`` (the share of
        bounds above the declared ε; where the noise was forgotten they are true), ``allowed`` (α and two standard
        errors), ``accused`` (how many reports failed), ``declared epsilon``, ``mean bound``.

    Examples
    --------
    >>> few = {name: each for name, each in trainings().items() if name == "gradients, 50 steps"}
    >>> [row["method"] for row in training_coverage(2, kinds=few)]
    ['one run', 'exact tail']
    """
    check_whole("audits", audits, low=1, means="Each is one training.")
    allowed = 0.05 + 2 * math.sqrt(0.05 * 0.95 / audits)
    for name, kind in (trainings() if kinds is None else kinds).items():
        how = dict(canaries=kind.canaries, epsilon=kind.epsilon, delta=DELTA, methods=METHODS)
        reports = [audit_training(kind.fit(seed), seed=seed, **how) for seed in range(audits)]
        for i, method in enumerate(METHODS):
            bounds = np.array([report.bounds[i].epsilon for report in reports])
            yield {
                "training": name,
                "method": method,
                "valid": kind.honest and method in kind.valid,
                "audits": audits,
                "false claims": float(np.mean(bounds > kind.epsilon)),
                "allowed": allowed,
                "accused": sum(report.checks[i].name in report.failed for report in reports),
                "declared epsilon": kind.epsilon,
                "mean bound": float(bounds.mean()),
            }


def _tagger(config: TrainConfig) -> Callable[[int], Fit]:
    """Return the training of a tagger with `config`, made from a seed."""
    rng = np.random.default_rng(0)
    words = [[f"w{word}" for word in rng.integers(100, size=5)] for _ in range(UTTERANCES)]
    intents = VOCABULARY.intents
    rows = [{"tokens": row, "slots": ["O"] * 5, "intent": intents[i % len(intents)]} for i, row in enumerate(words)]
    examples = VOCABULARY.encode(rows)

    def fit(seed: int) -> Fit:
        own = dataclasses.replace(config, seed=10_000 + seed)
        canaries = made_up_utterances(examples, 200, seed=20_000 + seed)
        data = {"train": examples, "validation": examples[:5]}
        return utterance_fit(build("bilstm", VOCABULARY, seed=0), data, own, canaries)

    return fit


def _gradients(engine: str, sigma: float, steps: int) -> Callable[[int], Fit]:
    how = dict(clip_norm=0.5, expected_batch_size=16)
    step, _ = engine_step(engine, noise_multiplier=sigma, **how)
    return lambda seed: gradient_fit(step, sample_rate=0.2, steps=steps, seed=30_000 + seed, **how)
