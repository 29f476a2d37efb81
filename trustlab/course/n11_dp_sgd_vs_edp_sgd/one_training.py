"""One training of notebook 11, in all its options: what the search of settings and the reported tables have in common.

The model is a BiLSTM on hashed word ids. Utterances are sorted by their length, so that the 256 that are computed
at once are about equally long and carry little padding; sampled they are one by one, as everywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trustlab.config import option
from trustlab.course.budgets import DELTA, EPSILONS
from trustlab.course.corpora import EMBEDDED
from trustlab.models.vocabulary import Examples, Vocabulary
from trustlab.privacy.training_options import TrainConfig

if TYPE_CHECKING:
    import datasets

CORPORA = (EMBEDDED, "snips", "atis")
MODEL = "bilstm"
# The column `method` of the tables, and what it means. The loop is not trained: its sums are those of the fast engine.
METHODS = {"sgd": "SGD", "fast": "DP-SGD", "edp-sgd": "eDP-SGD"}
TRAINED_BY = {
    "sgd": {"method": "sgd"},
    "fast": {"method": "dp-sgd", "engine": "fast"},
    "edp-sgd": {"method": "edp-sgd"},
}
RULES = {"flat": "flat", "equal": "per layer", "dimension": "by size", "automatic": "automatic"}
OPTIONS = ("batch_size", "epochs", "learning_rate", "clip_norm", "micro_batches")  # what is tuned, as columns
BUCKETS = 2048
AT_ONCE = 256  # utterances in one forward and backward pass
AT_THE_END = 10**6  # steps between two measurements: the validation split is looked at once, after the last


@dataclass(frozen=True)
class Training:
    """The options of one training."""

    corpus: str = option(EMBEDDED, label="Corpus", help="One of the corpora compared.", values=CORPORA)
    method: str = option("fast", label="Method", help="How gradients are made private.", values=tuple(METHODS))
    epsilon: float = option(
        8.0, label="ε", help="Privacy budget: smaller means stronger privacy and more noise.", values=EPSILONS
    )
    seed: int = option(0, label="Seed", help="Seed of weights, batches and noise.", low=0)
    batch_size: int = option(512, label="Batch", help="Expected utterances in a step; q = batch / N.", low=1)
    epochs: int = option(5, label="Epochs", help="Expected passes over the training utterances.", low=1)
    learning_rate: float = option(0.016, label="Rate", help="Step size of Adam.", above=0)
    clip_norm: float = option(
        1.0, label="C", help="No gradient in the sum is longer; 0 for SGD, which clips none.", low=0
    )
    micro_batches: int = option(0, label="K", help="Micro-batches per step of eDP-SGD; 0 elsewhere.", low=0)
    rule: str = option(
        "flat",
        label="Clipping rule",
        help="flat: one threshold C. per layer, by size: C divided over the parameter tensors, in equal shares or by "
        "their sizes. automatic: every gradient is scaled to about C, short ones too (AUTO-S).",
        values=tuple(RULES),
    )
    noise_decay: float = option(1.0, label="γ", help="The noise is multiplied by γ every epoch.", above=0, high=1)


def recipe(training: Training) -> TrainConfig:
    """Return the options of :func:`trustlab.privacy.training.train` for `training`."""
    private: dict[str, Any] = {}
    if training.method != "sgd":
        private = dict(
            clip_norm=training.clip_norm,
            layerwise="flat" if training.rule == "automatic" else training.rule,
            automatic=training.rule == "automatic",
            noise_decay=training.noise_decay,
        )
    if training.method == "edp-sgd":
        private["micro_batches"] = training.micro_batches
    return TrainConfig(
        **TRAINED_BY[training.method],
        **private,
        epsilon=training.epsilon if training.method != "sgd" else math.inf,
        delta=DELTA,
        epochs=training.epochs,
        batch_size=training.batch_size,
        learning_rate=training.learning_rate,
        physical_batch=AT_ONCE,
        evaluate_every=AT_THE_END,
        seed=training.seed,
    )


def prepare(corpus: datasets.DatasetDict) -> tuple[Vocabulary, dict[str, Examples]]:
    """Return the vocabulary of hashed words, which looks at no utterance, and every split encoded with it."""
    vocabulary = Vocabulary.hashed(corpus, buckets=BUCKETS)
    return vocabulary, vocabulary.encode_corpus(corpus)


def by_length(examples: Examples) -> Examples:
    """Return the same examples, short ones first, so that a part of a batch has little padding."""
    return examples[examples.attention_mask.sum(1).argsort(stable=True)]
