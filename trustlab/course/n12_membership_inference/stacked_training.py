"""One stacked training of notebook 12 in all its options: its people, its model, and how it is trained.

A *pool* is 2n distinct utterances; a fair coin decides for each model whether it is trained on an utterance, so a
training has about n. Pools of the five reported seeds have no utterance in common, nor has the search's. The model is a
perceptron on hashed words, small enough that 32 are trained in a second, and large enough to learn its examples by
heart. It learns the domain of an utterance on the embedded corpus, whose intents are too many for a hundred utterances,
and the intent on SNIPS and ATIS.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from trustlab.config import option
from trustlab.course.budgets import DELTA
from trustlab.course.corpora import EMBEDDED
from trustlab.course.once import once
from trustlab.course.tuning import FIRST_SEED
from trustlab.models.vocabulary import Vocabulary
from trustlab.privacy.membership import halves
from trustlab.privacy.membership.reference_models import Stack
from trustlab.privacy.training_options import TrainConfig

if TYPE_CHECKING:
    import datasets

CORPORA = (EMBEDDED, "snips", "atis")
METHODS = {"sgd": "SGD", "dp-sgd": "DP-SGD", "edp-sgd": "eDP-SGD"}
EPSILONS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, math.inf)
SIZES = (100, 300, 900)
MODELS = 32  # each is a target once, and 30 others are its references
POPULATION = 1000  # utterances that no model has, at most: RMIA tells one in a thousand apart
TESTED = 1000  # test utterances
BUCKETS, WIDTH = 255, 16
REPORTED = 5  # seeds with pools of their own; the search has the next
OPTIONS = ("share", "epochs", "learning_rate", "clip_norm", "micro_batches")  # what is tuned, as columns
AT_THE_END = 10**6  # steps between two measurements: the models are looked at once, after the last


@dataclass(frozen=True)
class Training:
    """The options of one stacked training."""

    corpus: str = option(EMBEDDED, label="Corpus", help="One of the corpora compared.", values=CORPORA)
    method: str = option("dp-sgd", label="Method", help="How gradients are made private.", values=tuple(METHODS))
    epsilon: float = option(
        8.0, label="ε", help="Privacy budget: smaller means stronger privacy and more noise.", values=EPSILONS
    )
    size: int = option(300, label="Training size", help="Utterances a model is trained on, about.", values=SIZES)
    seed: int = option(0, label="Seed", help="Of the pool, the coins, weights, batches and noise.", low=0)
    share: float = option(0.25, label="q", help="Share of its utterances that a step takes.", above=0, high=1)
    epochs: int = option(20, label="Epochs", help="Expected passes over the training utterances.", low=1)
    learning_rate: float = option(0.03, label="Rate", help="Step size of Adam.", above=0)
    clip_norm: float = option(0.1, label="C", help="No gradient in the sum is longer; 0 for SGD, which clips none.")
    micro_batches: int = option(0, label="K", help="Micro-batches per step of eDP-SGD; 0 elsewhere.", low=0)


def recipe(training: Training) -> TrainConfig:
    """Return the options of :func:`~trustlab.privacy.membership.reference_models.train_together`."""
    private: dict[str, Any] = {} if training.method == "sgd" else {"clip_norm": training.clip_norm}
    if training.method == "edp-sgd":
        private["micro_batches"] = training.micro_batches
    return TrainConfig(
        method=training.method,
        **private,
        epsilon=training.epsilon,
        delta=DELTA,
        epochs=training.epochs,
        batch_size=round(training.share * training.size),
        learning_rate=training.learning_rate,
        evaluate_every=AT_THE_END,
        seed=training.seed,
    )


@dataclass(frozen=True, eq=False)
class Pool:
    """The examples of one stacked training: of each kind what the model reads [·, D] and labels [·].

    Attributes
    ----------
    rows
        Where the 2n candidates are in the corpus' training split.
    inside : bool [2n, K]
        Which of them each model is trained on.
    population
        Examples that no training has.
    classes
        How many labels there are.
    """

    rows: np.ndarray
    candidates: tuple[torch.Tensor, torch.Tensor]
    inside: np.ndarray
    population: tuple[torch.Tensor, torch.Tensor]
    classes: int


Inputs = Callable[["datasets.DatasetDict", str, Sequence[int]], torch.Tensor]  # of a split's rows, what a model reads


def words(corpus: datasets.DatasetDict, split: str, rows: Sequence[int]) -> torch.Tensor:
    """Return the hashed words of some rows, [n, D]."""
    return bags(corpus)[split][0][rows]


def pool(corpus: datasets.DatasetDict, size: int, seed: int, models: int = MODELS) -> Pool:
    """Return the pool of a seed; smaller ones are parts of larger ones of the same seed."""
    places = distinct(corpus)
    block = len(places) // (REPORTED + 1)
    if 2 * size > block:
        raise ValueError(
            f"Expected 2 · size <= {block}, a sixth of the distinct utterances, got size={size}. Pools of different "
            "seeds would overlap."
        )
    reported = seed < REPORTED or seed >= FIRST_SEED
    own = places[block * min(seed, REPORTED) :][:block] if reported else _drawn(places, seed, block)
    return pool_of(corpus, own[: 2 * size], seed, models)


def pool_of(
    corpus: datasets.DatasetDict, rows: np.ndarray, seed: int, models: int = MODELS, inputs: Inputs = words
) -> Pool:
    """Return the pool of these rows of the training split, for models that read `inputs`."""
    labels, others = {split: part for split, (_, part) in bags(corpus).items()}, population(corpus)
    return Pool(
        rows=rows,
        candidates=(inputs(corpus, "train", rows), labels["train"][rows]),
        inside=halves(len(rows), models, seed=seed),
        population=(inputs(corpus, "validation", others), labels["validation"][others]),
        classes=max(int(part.max()) for part in labels.values()) + 1,
    )


def _drawn(places: np.ndarray, seed: int, block: int) -> np.ndarray:
    """Return utterances for a reader's own seed: they may be in a reported pool too."""
    return np.random.default_rng(seed).permutation(places)[:block]


@once
def population(corpus: datasets.DatasetDict) -> list[int]:
    """Return where in the validation split the utterances are that no training can have, not even a copy."""
    trained = {" ".join(tokens).lower() for tokens in corpus["train"]["tokens"][:]}
    others = [
        i for i, tokens in enumerate(corpus["validation"]["tokens"][:]) if " ".join(tokens).lower() not in trained
    ]
    return others[:POPULATION]


@once
def distinct(corpus: datasets.DatasetDict) -> np.ndarray:
    """Return where the distinct utterances of the training split are, in an order of chance.

    With a copy outside its training an utterance would be neither a member nor a non-member.
    """
    first: dict[str, int] = {}
    for place, tokens in enumerate(corpus["train"]["tokens"][:]):
        first.setdefault(" ".join(tokens).lower(), place)
    return np.random.default_rng(0).permutation(list(first.values()))


@once
def bags(corpus: datasets.DatasetDict) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Return each split as hashed words, counted and scaled to length 1 [N, D], and labels [N].

    Labels are named by every split, as the assistant's schema: of ATIS some are in the test split alone.
    """
    encoded = Vocabulary.hashed(corpus, buckets=BUCKETS).encode_corpus(corpus)
    asked = asked_for(corpus)
    names = sorted({label for split in corpus.values() for label in split[asked][:]})
    return {
        name: (_bag(part.input_ids, part.attention_mask), torch.tensor([names.index(x) for x in corpus[name][asked]]))
        for name, part in encoded.items()
    }


def asked_for(corpus: datasets.DatasetDict) -> str:
    """Return the column that is learned."""
    return "domain" if "domain" in corpus["train"].column_names else "intent"


def _bag(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    counts = torch.zeros(len(ids), BUCKETS + 1).scatter_add_(1, ids, mask.float())
    counts[:, 0] = 0  # what fills short utterances up
    return counts / counts.norm(dim=1, keepdim=True).clamp(min=1)


def models(classes: int, seed: int, count: int = MODELS, width: int = WIDTH) -> Stack:
    """Return so many untrained models."""

    def make() -> nn.Module:
        return nn.Sequential(nn.Linear(BUCKETS + 1, width), nn.Tanh(), nn.Linear(width, classes))

    return Stack(make, count, seed=seed)


def accuracy(stack: Stack, words: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the share of labels that are right, mean over the models."""
    with torch.no_grad():
        right = [(stack.model(k)(words).argmax(1) == labels).float().mean().item() for k in range(stack.models)]
    return float(np.mean(right))
