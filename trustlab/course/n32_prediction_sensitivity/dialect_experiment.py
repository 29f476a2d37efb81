"""Prediction sensitivity and dialect: whether P is larger where harmless tweets are flagged more often.

A recurrent network learns from Davidson's tweets what annotators called hateful, offensive or neither; another which of
two dialects a tweet's words make likeliest (:class:`trustlab.fairness.tasks.dialect.DialectModel`), the status here. No
list of words and no swap makes a tweet one in another dialect: P can be computed, counterfactual fairness cannot. The
labels are themselves suspect, since annotators mistake the dialect for abuse. The tweets are read, never printed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trustlab.config import check, option
from trustlab.course.n32_prediction_sensitivity.sensitivity_measures import (
    EVEN,
    SOFT,
    TOLD,
    by_weights,
    rank_correlation,
)
from trustlab.course.n32_prediction_sensitivity.word_classifiers import classifier_of
from trustlab.fairness.sensitivity import StatusModel, TextClassifier, fit_status_model
from trustlab.fairness.tasks.dialect import DialectModel
from trustlab.models.fitting import FitOptions

if TYPE_CHECKING:
    import datasets

CORPORA = ("davidson_hate",)
KEY = ("model",)
NETWORK = "recurrent"
OF = ("probabilities", "log_odds")
RECIPE = {"epochs": 2, "longest": 40, "least": 3}
HARMLESS = "neither"
GROUPS = ("African American English", "white-aligned English")
PLACES = (0, 3)  # of the two among the dialect model's four
# In a column's name; truly harmless tweets are compared as well, because the dialects' tweets differ in their labels.
RATIO, AMONG, WITH = "ratio, ", "ratio among harmless, ", "with the dialect, "


@dataclass(frozen=True)
class Setting:
    """One model of tweets."""

    corpus: str = option("davidson_hate", label="Corpus", help="What is learned.", values=CORPORA)
    model: str = option(NETWORK, label="Model", help="How it is made.", values=(NETWORK,))
    seed: int = option(0, label="Seed", help="Of weights and order.", low=0)

    def key(self) -> dict[str, Any]:
        """Return the columns that name this model in a table."""
        return asdict(self)


def grid(corpus: str, *, seeds: Sequence[int] = range(5)) -> list[Setting]:
    """Return a model for each seed."""
    return [Setting(corpus, seed=seed) for seed in seeds]


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"prediction_sensitivity_dialect_{corpus}"


class Tweets(NamedTuple):
    """Tweets of the two dialects: words, label, whether it is the first dialect, and the share of it in the words."""

    words: list[list[str]]
    label: np.ndarray
    first: np.ndarray
    share: np.ndarray


def tweets_of(rows: datasets.Dataset, dialects: DialectModel) -> Tweets:
    """Return the tweets whose likeliest dialect is one of :data:`GROUPS`."""
    texts = rows["text"][:]
    posterior = dialects.posterior(texts)
    likeliest = np.where(np.isnan(posterior[:, 0]), -1, np.nan_to_num(posterior).argmax(axis=1))
    words = [text.lower().split()[: RECIPE["longest"]] for text in texts]
    chosen = [row for row in np.flatnonzero(np.isin(likeliest, PLACES)).tolist() if words[row]]
    label = np.array(rows["label"])[chosen]
    return Tweets([words[row] for row in chosen], label, likeliest[chosen] == PLACES[0], posterior[chosen, PLACES[0]])


def trained(tweets: dict[str, Tweets], seed: int) -> tuple[TextClassifier, StatusModel]:
    """Train a classifier of tweets of both dialects, and one of the dialect."""
    said = {split: each.words for split, each in tweets.items()}
    labels = {split: each.label.tolist() for split, each in tweets.items()}
    options = FitOptions(epochs=RECIPE["epochs"], seed=seed)
    classifier = classifier_of(said, labels, least=RECIPE["least"], longest=RECIPE["longest"], options=options)
    named = [(each.words, np.where(each.first, *GROUPS)) for each in (tweets["train"], tweets["test"])]
    return classifier, fit_status_model(*named, classifier.reader, options=options)


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one model, measure it, and yield its one row.

    Yields
    ------
    dict
        The columns of :meth:`Setting.key`; ``accuracy``, the ``status`` model's balanced accuracy, ``flagged``, the
        shares of each dialect's harmless tweets that are flagged, the first minus the second; for each measure its mean
        over the first dialect's tweets over that of the second's, of all tweets (*ratio*) and of harmless ones, and
        Spearman's correlation with the share of the first dialect in a tweet's words (*with the dialect*);
        ``seconds``.
    """
    check(setting)
    started, dialects = time.perf_counter(), DialectModel.load()
    tweets = {split: tweets_of(rows, dialects) for split, rows in corpus.items()}
    classifier, status = trained(tweets, setting.seed)
    test = tweets["test"]
    answers = np.array(classifier.reader.intents)[classifier.logits(test.words).argmax(1).numpy()]
    harmless = test.label == HARMLESS
    flagged = [float((answers != HARMLESS)[harmless & own].mean()) for own in (test.first, ~test.first)]
    row: dict[str, Any] = {
        "accuracy": float((answers == test.label).mean()),
        "status": status.accuracy["value"],
        "tweets": len(test.words),
        "flagged": flagged[0] - flagged[1],
    }
    for name, values in by_weights(classifier, status, test.words, (TOLD, SOFT, EVEN), OF).items():
        for prefix, rows in ((RATIO, np.ones(len(harmless), dtype=bool)), (AMONG, harmless)):
            row[prefix + name] = float(values[rows & test.first].mean() / values[rows & ~test.first].mean())
        row[WITH + name] = rank_correlation(values, test.share)
    yield {**setting.key(), **row, "seconds": time.perf_counter() - started}
