"""Classifiers trained here that rate texts, each with a name and its own measured error.

A rater's mistakes end up in every number it gives: one that takes the name of a community for an insult rates any
text about that community as toxic. So a scorer reports how often it errs on unseen texts, and for which groups.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from trustlab.columns import as_texts
from trustlab.data import load
from trustlab.fairness.groups import ALL, Bootstrap, Groups
from trustlab.fairness.tasks import GroupedTexts, extrinsic_metrics, load_task

MEASURES = {"toxicity": "hatexplain", "sentiment": "cad_imdb"}  # what is rated, and the corpus it is learned from


@dataclass(frozen=True, eq=False)
class TextScorer:
    """A rater of texts, made by :func:`fit_scorer` or :func:`train_scorer`.

    Attributes
    ----------
    measures, trained_on
        What a high score means, and the corpus it was learned from.
    error
        Flat rows of accuracy, rates and AUC on that corpus' test texts, with intervals; by group too where groups are
        known.
    pipeline
        The fitted scikit-learn pipeline.
    reads
        What it sees of a text, in words.
    """

    measures: str
    trained_on: str
    error: list[dict[str, Any]]
    pipeline: Any
    reads: str = "words"

    @property
    def name(self) -> str:
        """What to call it next to every number: "toxicity (words and logistic regression, hatexplain; AUC 0.80)"."""
        auc = next(row["value"] for row in self.error if (row["metric"], row["group"]) == ("auc", ALL))
        return f"{self.measures} ({self.reads} and logistic regression, {self.trained_on}; AUC {auc:.2f})"

    def score(self, texts: Sequence[str]) -> np.ndarray:
        """Return the probability of each text, float [N] in [0, 1]. A text without a known word gets the prior."""
        return self.pipeline.predict_proba(as_texts(texts))[:, 1]


def fit_scorer(
    measures: str,
    trained_on: str,
    train: GroupedTexts,
    test: GroupedTexts,
    *,
    bootstrap: Bootstrap | None = None,
    reader: tuple[str, Any] | None = None,
) -> TextScorer:
    """Fit a bag of words and pairs of words with logistic regression, and measure its error.

    Simple on purpose: it is trained in seconds on two cores, gives the same on every machine, and a reader can look at
    its weights. It does not understand: it knows "not good" as a pair of words, and no irony.

    Parameters
    ----------
    measures, trained_on
        Its name.
    train, test
        Texts with truth; groups and units of `test` are used where it has them.
    bootstrap
        Of the error; None draws 1,000 resamples, of units where `test` has them.
    reader
        Something else than words to put logistic regression on: what it is called, and a scikit-learn transformer of
        texts to numbers, such as an encoder's vectors (a *probe* of the encoder).

    Examples
    --------
    >>> task = load_task("assistant", utterances=1000)
    >>> scorer = fit_scorer("banking", "assistant", task.train, task.test)
    >>> scorer.score(["please pay my bill", "play a song"]).round() == [1, 0]
    array([ True,  True])
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    for part in (train, test):
        if part.truth is None or len(set(part.truth.tolist())) < 2:
            raise ValueError(f"Expected texts with both answers to learn {measures} and its error from, got {part!r}.")
    reads, seen = reader or ("words", TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True))
    pipeline = make_pipeline(seen, LogisticRegression(max_iter=1000)).fit(list(train.texts), train.truth)
    grouped = test if test.groups else replace(test, groups=Groups.by(["test"] * len(test)))
    scores = pipeline.predict_proba(list(test.texts))[:, 1]
    error = extrinsic_metrics(grouped, scores, bootstrap=bootstrap or Bootstrap())
    error = [row for row in error if test.groups or row["group"] == ALL]
    return TextScorer(measures, trained_on, error, pipeline, reads)


def train_scorer(measures: str, *, directory: str | os.PathLike[str] | None = None) -> TextScorer:
    """Train the rater of "toxicity" (HateXplain: offensive or hateful) or of "sentiment" (film reviews: positive).

    Parameters
    ----------
    measures
        A key of :data:`MEASURES`.
    directory
        As :func:`trustlab.data.load`.
    """
    if measures not in MEASURES:
        raise ValueError(f"Expected measures={measures!r} to be one of {', '.join(map(repr, MEASURES))}.")
    if measures == "toxicity":
        task = load_task("hatexplain", directory=directory)
        return fit_scorer(measures, "hatexplain", task.train, task.test)
    train, test = _reviews(directory)
    return fit_scorer(measures, "cad_imdb", train, test)


def _reviews(directory: str | os.PathLike[str] | None) -> tuple[GroupedTexts, GroupedTexts]:
    """Return the reviews; a review and its counterfactual are one unit."""
    corpus = load("cad_imdb", directory=directory)
    train, test = (
        GroupedTexts(
            texts=tuple(corpus[split]["text"][:]),
            truth=np.array(corpus[split]["label"][:]) == "Positive",
            units=np.array(corpus[split]["pair"][:]),
        )
        for split in ("train", "test")
    )
    return train, test
