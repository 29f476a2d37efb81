"""Tweets, made up here, in two made-up dialects: what is kept of them, and the row that a model leaves."""

import datasets
import numpy as np
import pytest

from trustlab.course.n32_prediction_sensitivity import dialect_experiment
from trustlab.course.n32_prediction_sensitivity.dialect_experiment import (
    AMONG,
    RATIO,
    WITH,
    Setting,
    grid,
    run,
    tweets_of,
)
from trustlab.fairness.tasks.dialect import DialectModel

WORDS = ("yonder", "over")
COUNTS = np.array([[90, 9, 9, 1], [1, 9, 9, 90]])


def split(rows, seed):
    """Return tweets "yonder|over good|bad day": the first kind of bad ones is also called offensive when it is good."""
    rng, found = np.random.default_rng(seed), []
    for place in range(rows):
        first, bad = place % 2 == 0, bool(rng.random() < 0.4)
        wrong = first and not bad and rng.random() < 0.3
        text = f"{'yonder' if first else 'over'} {'bad' if bad else 'good'}" + " day" * int(rng.integers(1, 3))
        found.append({"text": text, "label": "offensive" if bad or wrong else "neither"})
    return datasets.Dataset.from_list([*found, {"text": "hate day", "label": "hate"}, {"text": "   ", "label": "hate"}])


@pytest.fixture
def dialects(monkeypatch):
    model = DialectModel(WORDS, COUNTS)
    monkeypatch.setattr(dialect_experiment.DialectModel, "load", classmethod(lambda cls, directory=None: model))
    return model


def test_only_tweets_of_the_two_dialects_are_kept(dialects):
    tweets = tweets_of(split(40, 0), dialects)
    assert [words[0] for words in tweets.words[:4]] == ["yonder", "over"] * 2
    assert tweets.first[:4].tolist() == [True, False] * 2
    assert tweets.share[tweets.first].min() > tweets.share[~tweets.first].max()


def test_a_model_leaves_a_row(dialects, monkeypatch):
    monkeypatch.setitem(dialect_experiment.RECIPE, "epochs", 6)
    corpus = datasets.DatasetDict({"train": split(400, 0), "validation": split(100, 1), "test": split(200, 2)})
    (row,) = run(Setting(), corpus)
    assert row["status"] > 0.9 and row["accuracy"] > 0.7
    assert all(row[name] > 0 for name in row if name.startswith((RATIO, AMONG)))
    assert abs(row[f"{WITH}1 − p"]) <= 1
    assert row[f"{AMONG}1 − p"] > 1  # of harmless tweets the model is less sure where annotators were wrong
    assert [each.seed for each in grid("davidson_hate", seeds=range(2))] == [0, 1]
