"""The search of settings for heads on the frozen encoder: every method at every ε gets the same number of trials.

On the embedded corpus, which is invented, with 4,000 utterances a training: SNIPS has 6,429 and ATIS 2,094, and what is
best depends on how many share the noise. Scored by accuracy on validation, never by what leaks. C is not searched: in a
look at 0.1, 0.3 and 1, the best of five rates and batches were within 0.02 of each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from trustlab.config import check, option
from trustlab.course.baselines import sentence_embeddings
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n12_membership_inference.membership_search import tried
from trustlab.course.n12_membership_inference.stacked_training import (
    MODELS,
    OPTIONS,
    TESTED,
    Pool,
    Training,
    bags,
    distinct,
    pool_of,
)
from trustlab.course.once import once
from trustlab.course.tuning import FIRST_SEED, Option, Space, trials
from trustlab.privacy.membership.reference_models import Stack

if TYPE_CHECKING:
    import datasets

__all__ = ["CORPORA", "KEY", "SPACES", "HeadTraining", "Setting", "grid", "half", "head", "result_name", "run"]
CORPORA = (EMBEDDED,)
KEY = ("method", "epsilon", "size", *OPTIONS)
SIZES = {EMBEDDED: 4000, "snips": 6429, "atis": 2094}  # half of the distinct utterances, of the embedded corpus fewer
BUDGET = 16  # trials for every method and ε
EPSILONS = {"sgd": (math.inf,), "dp-sgd": (0.5, 2.0, 8.0, 16.0)}
EPOCHS = Option((10,))  # the same number of examples for every method
RATES = Option((0.01, 0.03, 0.1, 0.3, 1.0))
SHARES = Option((1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0), high_end="every step takes every utterance")
SPACES: Mapping[str, Space] = {
    "sgd": {"share": Option((1 / 256, 1 / 128, 1 / 64, 1 / 32)), "epochs": EPOCHS, "learning_rate": RATES},
    "dp-sgd": {"share": SHARES, "epochs": EPOCHS, "learning_rate": RATES},
}
FIXED: Mapping[str, Mapping[str, float | int]] = {
    "sgd": {"clip_norm": 0.0, "micro_batches": 0},
    "dp-sgd": {"clip_norm": 1.0, "micro_batches": 0},
}


@dataclass(frozen=True)
class HeadTraining(Training):
    """The options of one stacked training of heads."""

    size: int = option(4000, label="Training size", help="Utterances a model is trained on, about.", low=1)


@dataclass(frozen=True)
class Setting(HeadTraining):
    """One trial of the search."""

    def key(self) -> dict[str, Any]:
        """Return the columns that name this trial in the table."""
        return {name: getattr(self, name) for name in ("corpus", *KEY, "seed")}


def grid(corpus: str, *, seeds: Sequence[int] = (FIRST_SEED,)) -> list[Setting]:
    """Return the trials of every method at every ε, with a seed that no table reports, whatever `seeds` says."""
    return [
        Setting(corpus, method, epsilon, SIZES[corpus], FIRST_SEED, **FIXED[method], **trial)
        for method in SPACES
        for epsilon in EPSILONS[method]
        for trial in trials(SPACES[method], BUDGET)
    ]


def result_name(corpus: str) -> str:
    """Return the name under which the search is stored in ``data/results``."""
    return f"tuning/membership_inference_encoder_{corpus}"


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one trial on `corpus` and yield its row: the columns of ``key()``, and what it reached on validation."""
    check(setting)
    own = half(corpus, setting.size, setting.seed, models=2)
    stack = head(own, setting.seed)
    labels = bags(corpus)["validation"][1][:TESTED]
    asked = (sentences(corpus, "validation", range(len(labels))), labels)
    yield {**setting.key(), **tried(setting, own, stack, asked)}


def half(corpus: datasets.DatasetDict, size: int, seed: int, models: int = MODELS) -> Pool:
    """Return a pool of 2 · size distinct utterances, the same for every seed, of which each training has half.

    Raises
    ------
    ValueError
        If the corpus has fewer.
    """
    rows = distinct(corpus)
    if 2 * size > len(rows):
        raise ValueError(f"Expected 2 · size <= {len(rows)}, the distinct utterances, got size={size}. Take fewer.")
    return pool_of(corpus, rows[: 2 * size], seed, models, sentences)


def sentences(corpus: datasets.DatasetDict, split: str, rows: Sequence[int]) -> torch.Tensor:
    """Return the embeddings of some rows, [n, 384]."""
    return torch.from_numpy(_embedded(corpus, split)[np.asarray(rows)])


@once
def _embedded(corpus: datasets.DatasetDict, split: str) -> np.ndarray:
    return sentence_embeddings([" ".join(tokens) for tokens in corpus[split]["tokens"][:]])


def head(own: Pool, seed: int) -> Stack:
    """Return an untrained linear head for each model of a pool."""
    return Stack(lambda: nn.Linear(own.candidates[0].shape[1], own.classes), own.inside.shape[1], seed=seed)
