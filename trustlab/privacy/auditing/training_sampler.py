"""The batches that :func:`trustlab.privacy.train` really draws, watched while it trains: its sampler, for an audit."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from trustlab.models import Examples, Vocabulary, build
from trustlab.privacy.auditing.counts import Array
from trustlab.privacy.training import train
from trustlab.privacy.training_options import TrainConfig

VOCABULARY = Vocabulary(intents=("on", "off"), slots=("O",), buckets=8)


class Watched:
    """Examples that remember which of them were taken."""

    def __init__(self, examples: Examples) -> None:
        self.examples = examples
        self.drawn: list[list[int]] = []

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: Tensor) -> Examples:
        self.drawn.append(index.tolist())
        return self.examples[index]


def utterances(data: Array) -> Examples:
    """Return an utterance for each row of `data` [N, d]: of one word for a row of ones, of nine for larger numbers."""
    words = [9 if row[0] > 1 else 1 for row in data]
    rows = [{"tokens": ["on"] * count, "slots": ["O"] * count, "intent": "on"} for count in words]
    return VOCABULARY.encode(rows)


def training_sampler(config: TrainConfig, examples: int = 200) -> Mapping[str, Any]:
    """Return ``sampler``, ``sample_rate`` and ``examples`` of :func:`trustlab.privacy.auditing.audit` for `config`.

    Each training of the audit has the next seed after ``config.seed``.

    Examples
    --------
    >>> import numpy as np
    >>> watched = training_sampler(TrainConfig(method="sgd", epochs=1, batch_size=20))
    >>> len(watched["sampler"](np.ones((200, 4)))), watched["sample_rate"]
    (10, 0.1)
    """
    seeds = itertools.count(config.seed)

    def sampler(data: Array) -> list[list[int]]:
        seen, own = Watched(utterances(data)), dataclasses.replace(config, seed=next(seeds), evaluate_every=None)
        model = build("bilstm", VOCABULARY, seed=0)
        for _ in train(model, {"train": seen, "validation": seen.examples[:2]}, own):
            pass
        return seen.drawn

    return dict(sampler=sampler, sample_rate=config.batch_size / examples, examples=examples)
