"""One training with a planted pin, and with what is meant to keep a tagger from learning it by heart.

A pin is planted in copies among the sentences of a corpus, and so are decoys: calls of other codes, each once. The
model is a small BiLSTM that reads words and learns intents and slots. Every training has the same recipe, which was not
tuned for a defence.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from trustlab.config import check, option
from trustlab.course.corpora import EMBEDDED
from trustlab.data.phrases import DIGITS
from trustlab.models import Examples, Vocabulary, build
from trustlab.models.dropped import DroppedTagger
from trustlab.models.spelling import SpelledVocabulary, spelling_tagger
from trustlab.privacy.inversion import Canary, Target, canary_and_decoys, deduplicated, plant, target_of
from trustlab.privacy.training import train
from trustlab.privacy.training_options import TrainConfig

if TYPE_CHECKING:
    import datasets

N = 4  # digits of a pin
COPIES = (0, 1, 10, 100, 500)  # 0 is the control: the pin was never said
EPOCHS, BATCH, RATE = 10, 64, 0.015
WIDTH, FILTERS, DROPOUT = 48, 24, 0.5
DELTA = 1e-5
ENOUGH = 0.8  # early stopping: the first epoch with this share of the validation intents right is the last
# Sentences of train, validation and test that are read, so that a training takes seconds; other corpora are read whole.
SENTENCES = MappingProxyType({EMBEDDED: {"train": 1500, "validation": 500, "test": 1000}})

NONE, DROPPED, STOPPED, SPELLED, THREE, ONCE = (
    "none",
    "dropout",
    "early-stopping",
    "characters",
    "all-three",
    "deduplication",
)
EPSILONS = MappingProxyType({"dp-8": 8.0, "dp-1": 1.0})
DEFENCES = (NONE, DROPPED, STOPPED, SPELLED, THREE, ONCE, *EPSILONS)
CORPORA = (EMBEDDED, "atis", "snips")


@dataclass(frozen=True)
class Planted:
    """What is planted, and what is done against its being found."""

    corpus: str = option(EMBEDDED, label="Corpus", help="Where the pin is planted.", values=CORPORA)
    defence: str = option(NONE, label="Defence", help="What keeps the model from learning by heart.", values=DEFENCES)
    copies: int = option(
        10, label="Copies", help="How often the pin's sentence is in the training data.", values=COPIES
    )
    seed: int = option(0, label="Seed", help="Of the code, the decoys, first weights, batches and noise.", low=0)
    pin: str = option("", label="Your pin", help="Four digits, such as 4711; empty: a random one.")


def pin_words(pin: str) -> tuple[str, ...]:
    """Return the words of a pin that was typed in digits or in words.

    Raises
    ------
    ValueError
        If it is no text, a word is no digit, or there are not :data:`N` of them.

    Examples
    --------
    >>> pin_words("4711"), pin_words("four seven one one")
    (('four', 'seven', 'one', 'one'), ('four', 'seven', 'one', 'one'))
    """
    if not isinstance(pin, str):
        raise ValueError(f"Expected a pin as text, such as '4711', got {pin!r}. A number loses leading zeros.")
    said = [part for word in pin.lower().split() for part in (word if word.isdecimal() else [word])]
    words = tuple(DIGITS[int(part)] if part.isdecimal() else part for part in said)
    if strange := [word for word in words if word not in DIGITS]:
        raise ValueError(
            f"Expected a pin of digits, got {strange[0]!r}. The attack tries the ten digits and nothing else."
        )
    if len(words) != N:
        raise ValueError(f"Expected a pin of {N} digits, got {len(words)}. The attacker knows how many there are.")
    return words


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a training needs: the canary, the encoded corpus with it, and its vocabulary."""

    canary: Canary
    vocabulary: Vocabulary
    data: dict[str, Examples]


def prepare(at: Planted, corpus: datasets.DatasetDict) -> Prepared:
    """Plant the pin of `at` and its decoys in `corpus`, and encode it.

    Raises
    ------
    ValueError
        Before any work, for an option outside its range, a pin that is none, or more copies than sentences.
    """
    check(at)
    own = pin_words(at.pin) if at.pin else None
    small = _part(at.corpus, corpus)
    if at.copies > len(small["train"]):
        raise ValueError(
            f"Expected copies={at.copies} <= the {len(small['train']):,} training sentences. With more, most of what "
            "the model reads would be the pin."
        )
    canary, decoys = canary_and_decoys("pin", N, seed=at.seed)
    if own is not None:
        canary = dataclasses.replace(canary, secret=own)
    kind = SpelledVocabulary if at.defence in (SPELLED, THREE) else Vocabulary
    vocabulary = kind.from_corpus(plant(small, canary, 1, decoys))  # the same words, however often the pin is said
    planted = plant(small, canary, at.copies, decoys)
    if at.defence == ONCE:
        planted = deduplicated(planted)
    return Prepared(canary, vocabulary, vocabulary.encode_corpus(planted))


def _part(name: str, corpus: datasets.DatasetDict) -> dict[str, Any]:
    """Return the splits as far as they are read, each from its beginning."""
    most = SENTENCES.get(name, {})
    return {split: rows.select(range(min(len(rows), most.get(split, len(rows))))) for split, rows in corpus.items()}


def model_of(at: Planted, vocabulary: Vocabulary) -> nn.Module:
    """Return the tagger that the defence asks for, with the first weights of the seed."""
    if isinstance(vocabulary, SpelledVocabulary):
        dropout = DROPOUT if at.defence == THREE else 0.0
        sizes = dict(embedding=WIDTH, filters=FILTERS, hidden=WIDTH)
        return spelling_tagger(vocabulary, seed=at.seed, **sizes, dropout=dropout, word_dropout=0.0)
    if at.defence != DROPPED:
        return build("bilstm", vocabulary, seed=at.seed, embedding=WIDTH, hidden=WIDTH)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(at.seed)
        sizes = (vocabulary.size, len(vocabulary.intents), len(vocabulary.slots))
        return DroppedTagger(*sizes, embedding=WIDTH, hidden=WIDTH, dropout=DROPOUT)


def recipe(at: Planted) -> TrainConfig:
    """Return the options of the training: the same for all, and noise where the defence is differential privacy."""
    private = at.defence in EPSILONS
    noise = dict(method="dp-sgd", epsilon=EPSILONS[at.defence], delta=DELTA) if private else dict(method="sgd")
    return TrainConfig(epochs=EPOCHS, batch_size=BATCH, learning_rate=RATE, seed=at.seed, **noise)


def learn(at: Planted, model: nn.Module, data: dict[str, Examples]) -> Iterator[dict[str, Any]]:
    """Train `model` in place and yield a row per epoch, see :func:`trustlab.privacy.train`.

    Early stopping ends after the first epoch with :data:`ENOUGH` of the validation split's intents right.
    """
    stops = at.defence in (STOPPED, THREE)
    for row in train(model, data, recipe(at)):
        last = stops and row["accuracy"] >= ENOUGH
        yield {**row, "progress": 1.0} if last else row
        if last:
            return


def attacked(model: nn.Module, prepared: Prepared, candidates: Sequence[str] = DIGITS) -> Target:
    """Return what the attacker of the planted pin has: the model, the sentence's beginning, its labels, ten digits."""
    return target_of(model, prepared.vocabulary, prepared.canary, candidates)
