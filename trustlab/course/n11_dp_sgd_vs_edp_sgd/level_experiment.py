"""The level without privacy in notebook 11: what the field's models reach on SNIPS and ATIS when nothing is private.

The models that are trained privately are small, and read hashed words. The one trained here is what the field used
before pretrained encoders: a BiLSTM over words of the training split and their characters, with dropout, a schedule,
the best epoch on the validation split, and valid tag sequences. Its learning rate is the one that :mod:`.level_search`
chose on the corpus' own validation split, which is the field's habit: it costs privacy, and is not what a private
training may do.

Next to them stand what a table must beat: the most frequent intent, counted words, and each word's most frequent tag.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
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
TRAINED: Mapping[str, Mapping[str, int]] = {  # epochs and batch; ATIS has a third of the utterances
    BILSTM: {"snips": 8, "atis": 15, "batch_size": 64},
}
SEARCH = "tuning/dp_sgd_vs_edp_sgd_level_{}"
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


def models(corpus: str) -> list[str]:
    """Return the models that are trained on `corpus`."""
    return [method for method, options in TRAINED.items() if corpus in options]


def grid(corpus: str, *, seeds: Sequence[int] = range(5)) -> list[Setting]:
    """Return the settings for `corpus`: each model over `seeds` with the rate found, and each baseline once."""
    search, found = read(SEARCH.format(corpus))[0], []
    for method in models(corpus):
        rate = chosen(search, options=["learning_rate"], method=method)
        found += [Setting(corpus, method, seed, **rate) for seed in seeds]
    return found + [Setting(corpus, each, seeds[0]) for each in METHODS if each not in TRAINED]


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"dp_sgd_vs_edp_sgd_level_{corpus}"


def recipe(setting: Setting) -> FitOptions:
    """Return the training options of `setting`."""
    options = TRAINED[setting.method]
    return FitOptions(
        learning_rate=setting.learning_rate,
        batch_size=options["batch_size"],
        epochs=options[setting.corpus],
        seed=setting.seed,
    )


def prepare(setting: Setting, corpus: datasets.DatasetDict) -> tuple[SpellingTagger, dict[str, Examples]]:
    """Return the model with its first weights, and the encoded splits."""
    vocabulary = SpelledVocabulary.from_corpus(corpus)
    return spelling_tagger(vocabulary, seed=setting.seed), vocabulary.encode_corpus(corpus)


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Compute one setting on `corpus` and yield its one row.

    Yields
    ------
    dict
        ``corpus``, ``method`` and ``seed``; of a model ``learning_rate`` and ``best_epoch``; on the test split
        ``accuracy`` of the intents and ``slot_f1``, NaN where a baseline does not answer; ``seconds``.
    """
    check(setting)
    start = time.perf_counter()
    if setting.method not in TRAINED:
        answered = {"accuracy": math.nan, "slot_f1": math.nan, **_baseline(setting.method, corpus)}
        yield {**setting.key(), **answered, "seconds": time.perf_counter() - start}
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
