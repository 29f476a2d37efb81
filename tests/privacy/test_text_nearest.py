"""The nearest word: equal to float64 in every precision, ties to the first, bad queries refused."""

import numpy as np
import pytest
import scipy.spatial.distance
from hypothesis import given, settings
from hypothesis import strategies as st

from trustlab.privacy.text import nearest, nearest_words


def by_scipy(queries, vectors):
    return scipy.spatial.distance.cdist(queries, vectors).argmin(axis=1)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 10**6), st.integers(2, 60), st.sampled_from([1, 3, 25, 200]), st.sampled_from([1e-3, 0.1, 1.0, 50.0])
)
def test_every_query_gets_the_word_that_float64_finds(seed, words, width, noise):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(words, width)) + rng.normal() * 10
    queries = vectors[rng.integers(words, size=70)] + noise * rng.normal(size=(70, width))
    assert (nearest(queries, vectors) == by_scipy(queries, vectors)).all()


def test_a_product_in_bfloat16_changes_no_answer(monkeypatch):
    monkeypatch.setattr(nearest_words, "_has_bfloat16_unit", lambda: True)
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(3000, 384)) * 0.05
    for noise in (0.001, 0.05, 5.0):
        queries = vectors[:400] + noise * rng.normal(size=(400, 384))
        assert (nearest(queries, vectors) == by_scipy(queries, vectors)).all()


@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("gap", [1e-3, 1e-6])
def test_words_that_are_almost_equally_near_are_told_apart(unit, gap, monkeypatch):
    """All distances are 1 up to `gap`, which a product in low precision does not see."""
    monkeypatch.setattr(nearest_words, "_has_bfloat16_unit", lambda: unit)
    rng = np.random.default_rng(2)
    queries = rng.normal(size=(8, 384))
    around = rng.normal(size=(8, 200, 384))
    around *= (1 + gap * rng.random((8, 200, 1))) / np.linalg.norm(around, axis=2, keepdims=True)
    vectors = (queries[:, None] + around).reshape(-1, 384)
    assert (nearest(queries, vectors) == by_scipy(queries, vectors)).all()


@pytest.mark.parametrize("unit", [False, True])
def test_few_words_are_compared_in_float64(unit, monkeypatch):
    monkeypatch.setattr(nearest_words, "_has_bfloat16_unit", lambda: unit)
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(3000, 384)) * 0.05
    queries = vectors[:200] + 0.05 * rng.normal(size=(200, 384))
    compared = sum(len(words) for _, _, words in nearest_words._candidates(queries, vectors))
    assert 200 <= compared < 400


def test_of_equally_near_words_the_first_is_taken():
    vectors = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    assert nearest(np.array([[1.0, 0.0], [0.0, 2.0], [0.5, 0.5]]), vectors).tolist() == [0, 1, 0]
    near_tie = np.array([[1.0], [1.0 + 1e-12]])
    assert nearest(np.array([[2.0]]), near_tie).tolist() == [1]


def test_no_query_has_no_answer():
    assert nearest(np.empty((0, 3)), np.eye(3)).tolist() == []


@pytest.mark.parametrize(
    "queries", [np.zeros((2, 2)), np.zeros(3), np.array([[np.nan, 0, 0]]), np.full((1, 3), np.inf)]
)
def test_queries_that_mean_nothing_are_refused(queries):
    with pytest.raises(ValueError, match=r"Expected finite queries of shape \[n, 3\]"):
        nearest(queries, np.eye(3))
