"""One training with a planted secret, and with what is meant to keep a tagger from learning it by heart.

A pin is planted in copies among the sentences of a corpus, and so are decoys: calls of other codes, each once. (The
secret can also be a pin of six digits, or a colour, whose decoys are coloured lights.) The model is a small BiLSTM that
reads words and learns intents and slots, or a small transformer. Every training has the same recipe, which was not
tuned for a defence; a slow one has smaller steps and more of them.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn

from trustlab.config import check, option
from trustlab.course.corpora import EMBEDDED
from trustlab.data.phrases import COLOURS, DIGITS
from trustlab.models import Examples, Vocabulary, build
from trustlab.models.dropped import DroppedTagger
from trustlab.models.evaluation import evaluate
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
# Sentences that are read of each split, from its beginning, so that a training takes seconds; a shorter one is whole.
SENTENCES = MappingProxyType({
    EMBEDDED: {"train": 1500, "validation": 500, "test": 1000},
    "atis": {"train": 3000, "validation": 500, "test": 1000},
    "snips": {"train": 3000, "validation": 500, "test": 1000},
})  # fmt: skip

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
CORPORA = (EMBEDDED, "snips", "atis")
BILSTM, TRANSFORMER = "bilstm", "transformer"
USUAL_PACE, SLOW = "usual", "slow"  # slow: twice the epochs at a third of the rate


class Kind(NamedTuple):
    """A kind of secret: its canary's form, the digits of codes (the decoys' too), and the candidates for each word."""

    form: str
    digits: int
    candidates: tuple[str, ...]


PIN, SIX, COLOUR = "pin", "pin of six", "colour"
KINDS = MappingProxyType({
    PIN: Kind("pin", N, DIGITS),
    SIX: Kind("pin", 6, DIGITS),
    COLOUR: Kind("colour", N, COLOURS),
})  # fmt: skip


@dataclass(frozen=True)
class Planted:
    """What is planted, and what is done against its being found."""

    corpus: str = option(EMBEDDED, label="Corpus", help="Where the pin is planted.", values=CORPORA)
    defence: str = option(NONE, label="Defence", help="What keeps the model from learning by heart.", values=DEFENCES)
    copies: int = option(
        10, label="Copies", help="How often the pin's sentence is in the training data.", values=COPIES
    )
    seed: int = option(0, label="Seed", help="Of the code, the decoys, first weights, batches and noise.", low=0)
    pin: str = option("", label="Your pin", help="Four digits, such as 4711; empty: a random secret.")
    kind: str = option(PIN, label="Secret", help="What is said in confidence.", values=tuple(KINDS))
    model: str = option(BILSTM, label="Model", help="Reads words, or attends to them.", values=(BILSTM, TRANSFORMER))
    pace: str = option(USUAL_PACE, label="Pace", help="Slow: smaller steps, more of them.", values=(USUAL_PACE, SLOW))


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
    """What a training needs: the canary, the encoded corpus with it, and its vocabulary; for the attack, candidates."""

    canary: Canary
    vocabulary: Vocabulary
    data: dict[str, Examples]
    candidates: tuple[str, ...] = DIGITS


def prepare(at: Planted, corpus: datasets.DatasetDict) -> Prepared:
    """Plant the secret of `at` and its decoys in `corpus`, and encode it.

    Raises
    ------
    ValueError
        Before any work, for an option outside its range, a pin that is none or no such secret, a defence that the model
        does not have, or more copies than sentences.
    """
    check(at)
    own = _own_pin(at)
    if at.model == TRANSFORMER and at.defence in (DROPPED, SPELLED, THREE):
        raise ValueError(
            f"Expected model={BILSTM!r} with defence={at.defence!r}, got {at.model!r}. The transformer here has no "
            "dropout and reads no characters."
        )
    small = _part(at.corpus, corpus)
    if at.copies > len(small["train"]):
        raise ValueError(
            f"Expected copies={at.copies} <= the {len(small['train']):,} training sentences. With more, most of what "
            "the model reads would be the pin."
        )
    form, digits, candidates = KINDS[at.kind]
    canary, decoys = canary_and_decoys(form, digits, seed=at.seed)
    if own is not None:
        canary = dataclasses.replace(canary, secret=own)
    planted = plant(small, canary, at.copies, decoys)
    words = SpelledVocabulary if at.defence in (SPELLED, THREE) else Vocabulary
    # The same words, however often the secret is said, and if it never is.
    vocabulary = words.from_corpus(planted if at.copies else plant(small, canary, 1, decoys))
    if at.defence == ONCE:
        planted = deduplicated(planted)
    return Prepared(canary, vocabulary, vocabulary.encode_corpus(planted), candidates)


def _own_pin(at: Planted) -> tuple[str, ...] | None:
    """Return the words of a pin that was typed, None where none was."""
    if at.pin and at.kind != PIN:
        raise ValueError(
            f"Expected no pin of your own with kind={at.kind!r}, got {at.pin!r}. Only a pin of {N} digits is chosen."
        )
    return pin_words(at.pin) if at.pin else None


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
    if at.model == TRANSFORMER:
        return build(TRANSFORMER, vocabulary, seed=at.seed)
    if at.defence != DROPPED:
        return build(BILSTM, vocabulary, seed=at.seed, embedding=WIDTH, hidden=WIDTH)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(at.seed)
        sizes = (vocabulary.size, len(vocabulary.intents), len(vocabulary.slots))
        return DroppedTagger(*sizes, embedding=WIDTH, hidden=WIDTH, dropout=DROPOUT)


def recipe(at: Planted) -> TrainConfig:
    """Return the options of the training: the same for all, and noise where the defence is differential privacy."""
    private = at.defence in EPSILONS
    noise = dict(method="dp-sgd", epsilon=EPSILONS[at.defence], delta=DELTA) if private else dict(method="sgd")
    epochs, rate = (2 * EPOCHS, RATE / 3) if at.pace == SLOW else (EPOCHS, RATE)
    return TrainConfig(epochs=epochs, batch_size=BATCH, learning_rate=rate, seed=at.seed, **noise)


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


def trained(at: Planted, corpus: datasets.DatasetDict) -> tuple[nn.Module, Prepared, dict[str, Any]]:
    """Return a model trained on `corpus` with the secret, what it was trained on, and what was measured of it.

    That is: ``accuracy`` (of intents) and ``slot_f1`` on the test split, ``epochs``, ``epsilon``, and ``seconds`` of
    the processor's time, which other programs on the machine hardly change.
    """
    prepared = prepare(at, corpus)
    model = model_of(at, prepared.vocabulary)
    started = time.process_time()
    rows = list(learn(at, model, prepared.data))
    spent = {"epochs": len(rows), "epsilon": rows[-1]["epsilon"], "seconds": time.process_time() - started}
    measured = evaluate(model, prepared.data["test"])
    return model, prepared, {name: measured[name] for name in ("accuracy", "slot_f1")} | spent


def attacked(model: nn.Module, prepared: Prepared) -> Target:
    """Return what the attacker has: the model, the sentence's beginning, its labels, and candidates (ten digits)."""
    return target_of(model, prepared.vocabulary, prepared.canary, prepared.candidates)
