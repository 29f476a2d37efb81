"""The level of word models in notebook 11: what a BiLSTM reaches on SNIPS and ATIS where nothing has to be private.

The models that are trained privately are small, and read hashed words. This one is what the field used before
pretrained encoders: words of the training split and their characters, dropout, a schedule, the best epoch on the
validation split, and valid tag sequences. The learning rate is the one that :mod:`.word_level_search` chose on the
corpus' own validation split, which is the field's habit: it costs privacy, and is not what a private training may do.

Beside it stand what a table must beat: the most frequent intent, counted words, and each word's most frequent tag.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trustlab.config import check, option
from trustlab.course.baselines import MAJORITY, TFIDF, WORDS_TAG, majority, tfidf_logistic, word_tags
from trustlab.course.tuning import chosen
from trustlab.lab.saved import read
from trustlab.models import entity_f1, predict
from trustlab.models.fitting import FitOptions, fit
from trustlab.models.spelling import SpelledVocabulary, SpellingTagger, spelling_tagger
from trustlab.models.vocabulary import Examples

if TYPE_CHECKING:
    import datasets

CORPORA = ("snips", "atis")
BILSTM = "bilstm"
METHODS = {
    BILSTM: "BiLSTM, words and characters",
    MAJORITY: "most frequent intent",
    TFIDF: "counted words (tf-idf)",
    WORDS_TAG: "each word's most frequent tag",
}
EPOCHS = {"snips": 8, "atis": 15}  # ATIS has a third of the utterances
SEARCH = "tuning/dp_sgd_vs_edp_sgd_words_{}"
KEY = ("method",)  # with the seed: one row


@dataclass(frozen=True)
class Setting:
    """One training, or one baseline."""

    corpus: str = option("snips", label="Corpus", help="One of the corpora compared.", values=CORPORA)
    method: str = option(BILSTM, label="Method", help="The model, or a baseline.", values=tuple(METHODS))
    seed: int = option(0, label="Seed", help="Seed of weights, batches and dropout.", low=0)
    learning_rate: float = option(4e-3, label="Rate", help="Adam's largest learning rate.", above=0)

    def key(self) -> dict[str, Any]:
        """Return the columns that name this training in a table."""
        return {"corpus": self.corpus, "method": self.method, "seed": self.seed}


def grid(corpus: str, *, seeds: Sequence[int] = range(5), methods: Sequence[str] = tuple(METHODS)) -> list[Setting]:
    """Return the settings for `corpus`: the model over `seeds` with the rate found, and each baseline once."""
    found = [Setting(corpus, name, seeds[0]) for name in METHODS if name != BILSTM]
    if BILSTM in methods:
        rate = chosen(read(SEARCH.format(corpus))[0], options=["learning_rate"], corpus=corpus)
        found = [Setting(corpus, BILSTM, seed, **rate) for seed in seeds] + found
    return [setting for setting in found if setting.method in methods]


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"dp_sgd_vs_edp_sgd_words_{corpus}"


def recipe(setting: Setting) -> FitOptions:
    """Return the training options of `setting`."""
    return FitOptions(learning_rate=setting.learning_rate, epochs=EPOCHS[setting.corpus], seed=setting.seed)


def prepare(setting: Setting, corpus: datasets.DatasetDict) -> tuple[SpellingTagger, dict[str, Examples]]:
    """Return the model with its first weights, and the encoded splits."""
    vocabulary = SpelledVocabulary.from_corpus(corpus)
    return spelling_tagger(vocabulary, seed=setting.seed), vocabulary.encode_corpus(corpus)


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Compute one setting on `corpus` and yield its one row.

    Yields
    ------
    dict
        ``corpus``, ``method`` and ``seed``; of the model ``learning_rate`` and ``best_epoch``; on the test split
        ``accuracy`` of the intents and ``slot_f1``, where the method gives such; ``seconds``.
    """
    check(setting)
    start = time.perf_counter()
    if setting.method != BILSTM:
        yield {**setting.key(), **_baseline(setting.method, corpus), "seconds": time.perf_counter() - start}
        return
    model, data = prepare(setting, corpus)
    best = max(fit(model, data, recipe(setting)), key=lambda row: row["score"])
    intents, tags = predict(model, data["test"], valid=True)
    yield {
        **setting.key(),
        "learning_rate": setting.learning_rate,
        "accuracy": _share(intents, corpus),
        "slot_f1": entity_f1(corpus["test"]["slots"], tags),
        "best_epoch": best["epoch"],
        "seconds": time.perf_counter() - start,
    }


def _baseline(method: str, corpus: datasets.DatasetDict) -> dict[str, float]:
    """Return what a baseline reaches on the test split: of what it answers."""
    train, test = corpus["train"], corpus["test"]
    if method == WORDS_TAG:
        tags = word_tags(train["tokens"][:], train["slots"][:], test["tokens"][:])
        return {"slot_f1": entity_f1(test["slots"], tags)}
    if method == MAJORITY:
        return {"accuracy": _share(majority(train["intent"][:], len(test)), corpus)}
    texts = ([" ".join(tokens) for tokens in split["tokens"]] for split in (train, test))
    known, asked = texts
    return {"accuracy": _share(tfidf_logistic(known, train["intent"][:], asked), corpus)}


def _share(intents: Sequence[Any], corpus: datasets.DatasetDict) -> float:
    right = [guess == said for guess, said in zip(intents, corpus["test"]["intent"], strict=True)]
    return sum(right) / len(right)


def described(corpus: str) -> dict[str, Any]:
    """Return the options of the model's training on `corpus`, for the table's provenance."""
    (setting,) = grid(corpus, seeds=[0], methods=[BILSTM])
    return {BILSTM: dataclasses.asdict(recipe(setting))}
