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


def test_the_bounds_of_both_products_hold(monkeypatch):
    rng = np.random.default_rng(2)
    vectors, queries = rng.normal(size=(500, 384)).astype(np.float32), rng.normal(size=(64, 384)).astype(np.float32)
    exact = queries.astype(float) @ vectors.T.astype(float)
    lengths = np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(vectors, axis=1)
    for unit in (False, True):
        monkeypatch.setattr(nearest_words, "_has_bfloat16_unit", lambda unit=unit: unit)
        product, bound = nearest_words._product(vectors)
        off = (np.abs(product(queries) - exact) / lengths).max()
        assert 0 < off <= bound


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
