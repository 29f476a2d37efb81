"""The search for λ in notebook 14: which texts it is tested on, how a trial is scored, and what was chosen."""

import numpy as np
import pytest

from trustlab.course.n14_private_text import TUNING, experiment, shape_search
from trustlab.course.n14_private_text.word_mechanisms import SHAPE, SHAPED
from trustlab.course.tuning import FIRST_SEED, at_the_edge, best
from trustlab.data import assistant


@pytest.fixture(scope="module")
def corpus():
    return assistant(1000, devices=10)


def test_the_search_tests_on_texts_that_it_did_not_learn_from_and_with_seeds_of_its_own(corpus, monkeypatch):
    for name, value in {"TRAIN": 100, "TEST": 50}.items():
        monkeypatch.setattr(shape_search, name, value)
    said = shape_search.held_back(corpus, FIRST_SEED)
    order = np.random.default_rng([FIRST_SEED, 14]).permutation(len(corpus["train"]))
    rows = experiment.lowered(corpus["train"]["tokens"][:])
    assert (said.train, said.test) == ([rows[i] for i in order[:100]], [rows[i] for i in order[100:150]])
    assert {each.seed for each in shape_search.grid("assistant")} == {100, 101, 102}


def test_a_trial_is_scored_where_half_of_the_words_are_recovered(corpus, monkeypatch):
    found = iter([(0.4, 0.5), (0.6, 0.7), (0.7, 0.9)])
    monkeypatch.setattr(
        shape_search, "released", lambda *_: dict(zip(("guessed", "accuracy"), next(found), strict=True))
    )
    (row,) = shape_search.run(shape_search.Setting(), corpus)
    assert row["score"] == pytest.approx(0.6) and (row["least"], row["most"]) == (0.4, 0.7)
    found = iter([(0.1, 0.5), (0.2, 0.7), (0.3, 0.9)])
    (row,) = shape_search.run(shape_search.Setting(), corpus)
    assert np.isnan(row["score"])


def test_the_mechanism_has_the_shape_that_the_search_chose():
    tried = TUNING.table()
    assert at_the_edge(tried, shape_search.SPACES, by=["mechanism"], options=["shape"], of="mechanism") == []
    (row,) = best(tried, by=["mechanism"], options=["shape"]).to_dict("records")
    assert (row["mechanism"], row["shape"]) == (SHAPED, SHAPE)
