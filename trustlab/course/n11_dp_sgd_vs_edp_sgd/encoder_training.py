"""One training of linear heads on the frozen encoder: what the search and the tables have in common.

The offline encoder, all-MiniLM-L6-v2, was trained on public text. It is not trained here, so its states are computed
once and kept. Of its six layers the lower three are used: on the embedded corpus' validation split, at ε = 3 and with
one training each, the third gave intents of 0.90 and a slot F1 of 0.92, the sixth 0.92 and 0.89, at twice the seconds.
The kind of heads was chosen by first looks at SNIPS' validation split, which no ε here includes: neighbours and the
mean state for linear heads, and no BiLSTM on the states, which reached a slot F1 of 0.60 at ε = 3 where they had 0.75.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from trustlab.config import option
from trustlab.course.budgets import DELTA, EPSILONS
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n11_dp_sgd_vs_edp_sgd.one_training import AT_THE_END, CORPORA, TRAINED_BY, by_length
from trustlab.data import fingerprint
from trustlab.data.fetching import cache_directory
from trustlab.durable import digest, to_json
from trustlab.fairness.vector_cache import cached_vectors
from trustlab.models import Examples, StateTagger, SubwordVocabulary, evaluate, state_examples, word_states
from trustlab.models.encoder import MINILM_SHA256
from trustlab.models.hidden_states import lower_layers
from trustlab.privacy.training import train
from trustlab.privacy.training_options import TrainConfig

if TYPE_CHECKING:
    import datasets

LAYER = 3
OPTIONS = ("share", "epochs", "learning_rate", "clip_norm", "micro_batches")  # what is tuned, as columns
AT_ONCE = 128  # utterances in one forward and backward pass

_kept: dict[str, dict[str, Examples]] = {}  # the last corpus: one process trains on it many times


@dataclass(frozen=True)
class HeadTraining:
    """The options of one training."""

    corpus: str = option(EMBEDDED, label="Corpus", help="One of the corpora compared.", values=CORPORA)
    method: str = option("fast", label="Method", help="How gradients are made private.", values=tuple(TRAINED_BY))
    epsilon: float = option(
        8.0, label="ε", help="Privacy budget: smaller means stronger privacy and more noise.", values=EPSILONS
    )
    seed: int = option(0, label="Seed", help="Seed of batches and noise; the weights start at zero.", low=0)
    share: float = option(0.125, label="q", help="Expected share of the utterances in a step.", above=0, high=1)
    epochs: int = option(10, label="Epochs", help="Expected passes over the training utterances.", low=1)
    learning_rate: float = option(0.01, label="Rate", help="First step size of Adam; it falls to zero.", above=0)
    clip_norm: float = option(
        1.0, label="C", help="No gradient in the sum is longer; 0 for SGD, which clips none.", low=0
    )
    micro_batches: int = option(0, label="K", help="Micro-batches per step of eDP-SGD; 0 elsewhere.", low=0)


def recipe(training: HeadTraining, examples: int) -> TrainConfig:
    """Return the options of :func:`trustlab.privacy.training.train` for `training` on so many `examples`."""
    private: dict[str, Any] = {} if training.method == "sgd" else {"clip_norm": training.clip_norm}
    if training.method == "edp-sgd":
        private["micro_batches"] = training.micro_batches
    return TrainConfig(
        **TRAINED_BY[training.method],
        **private,
        epsilon=training.epsilon if training.method != "sgd" else math.inf,
        delta=DELTA,
        epochs=training.epochs,
        batch_size=round(training.share * examples),
        learning_rate=training.learning_rate,
        physical_batch=AT_ONCE,
        evaluate_every=AT_THE_END,
        seed=training.seed,
    )


def trained(training: HeadTraining, corpus: datasets.DatasetDict) -> tuple[StateTagger, dict[str, Any]]:
    """Train the heads; return them and the last row of the training."""
    data = prepare(corpus)
    known = data["train"]
    model = StateTagger(known.input_ids.shape[2], len(known.intent_names), len(known.slot_names))
    config = recipe(training, len(known))
    steps = config.epochs * round(len(known) / config.batch_size)
    *_, last = train(model, data, config, scheduler=lambda optimizer: falling(optimizer, steps))
    return model, {**last, "batch_size": config.batch_size}


def falling(optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LambdaLR:
    """Let the rate fall to zero in a straight line: the last steps average the noise of the first ones."""
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)


def measured(model: StateTagger, corpus: datasets.DatasetDict, split: str) -> dict[str, float]:
    """Return the share of right intents, and slot F1 of the best tags that BIO allows and of each tag by itself."""
    examples = prepare(corpus)[split]
    reached = evaluate(model, examples, valid=True)
    return {
        "accuracy": reached["accuracy"],
        "slot_f1": reached["slot_f1"],
        "slot_f1_greedy": evaluate(model, examples)["slot_f1"],
    }


def prepare(corpus: datasets.DatasetDict) -> dict[str, Examples]:
    """Return every split as states of words, short utterances of ``"train"`` first."""
    named = fingerprint(corpus)
    if named not in _kept:
        _kept.clear()
        vocabulary = SubwordVocabulary.from_corpus(corpus)
        encoded = vocabulary.encode_corpus(corpus)
        encoder = functools.cache(lambda: lower_layers(None, LAYER))  # loaded once, and only if states are missing
        _kept[named] = {split: _stated(examples, vocabulary, encoder) for split, examples in encoded.items()}
        _kept[named]["train"] = by_length(_kept[named]["train"])  # which are drawn does not depend on their order
    return _kept[named]


def _stated(examples: Examples, vocabulary: SubwordVocabulary, encoder: Callable[[], nn.Module]) -> Examples:
    """Return `examples` with states, which are kept in the cache folder by the encoder and the sub-tokens."""
    key = digest(to_json([MINILM_SHA256, LAYER, examples.input_ids.tolist(), examples.slots.ge(0).tolist()]))[:32]
    words = int(examples.slots.ge(0).sum())

    def compute() -> Any:
        return word_states(examples, vocabulary, layer=LAYER, encoder=encoder()).numpy()

    states = cached_vectors(cache_directory() / "hidden_states", key, words, compute)
    return state_examples(examples, torch.from_numpy(states))


def seconds_of_states(corpus: datasets.DatasetDict) -> float:
    """Return how long it takes to compute the states of the training utterances, tokenizer included."""
    vocabulary = SubwordVocabulary.from_corpus(corpus)
    encoder = lower_layers(None, LAYER)
    started = time.perf_counter()
    word_states(vocabulary.encode(corpus["train"]), vocabulary, layer=LAYER, encoder=encoder)
    return time.perf_counter() - started
