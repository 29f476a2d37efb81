"""The exact audit for words: promises that hold, and four that do not, two of them from public packages."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trustlab.privacy.text import NoisyVectors, TruncatedExponential, WordTable, audit_words


def table_of(size=150, width=4, seed=0):
    rng = np.random.default_rng(seed)
    return WordTable([f"w{i}" for i in range(size)], rng.normal(size=(size, width)) * np.linspace(0.3, 2, width))


class MldpExponential(TruncatedExponential):
    """mldp-text 0.1.2's TEM: ⊥ gets ln(V/|near|) instead of ln(V − |near|), and stands for V − |near| words."""

    def log_probabilities(self, ids):
        distances = self.table.distances(self.table.points(ids))
        far = distances > self.threshold
        near, beyond = (~far).sum(axis=1, keepdims=True), far.sum(axis=1, keepdims=True)
        bottom = -self.epsilon / 2 * self.threshold + np.log(len(self.table) / near)
        scores = np.where(far, bottom - np.log(np.maximum(beyond, 1)), -self.epsilon / 2 * distances)
        return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


class PypanteraNoise(NoisyVectors):
    """pypantera 1.0.2's Mahalanobis: the shaped direction is scaled back to length 1 before it gets its length."""

    def noise(self, n, rng):
        shaped = super().noise(n, rng)
        lengths = np.linalg.norm(shaped @ self._inverse, axis=1, keepdims=True)
        return lengths * shaped / np.linalg.norm(shaped, axis=1, keepdims=True)

    def log_density(self, noise):
        # Angular central Gaussian direction (Tyler 1987), length Gamma(d, 1/ε).
        lengths = np.linalg.norm(noise, axis=-1)
        inner = np.linalg.norm(noise @ self._inverse, axis=-1)
        return -self.epsilon * lengths - noise.shape[-1] * np.log(inner / lengths)


class HalfTheNoise(TruncatedExponential):
    """The factor 2 of the exponential mechanism forgotten."""

    def log_probabilities(self, ids):
        return TruncatedExponential(self.table, 2 * self.epsilon).log_probabilities(ids)


class EuclideanClaim(NoisyVectors):
    """Shaped noise whose promise is read as one of Euclidean distances."""

    def distance(self, points, others):
        return np.linalg.norm(points - others, axis=-1)


HONEST = {
    "laplace": lambda table, epsilon: NoisyVectors(table, epsilon),
    "shaped": lambda table, epsilon: NoisyVectors(table, epsilon, shape=0.7),
    "exponential": lambda table, epsilon: TruncatedExponential(table, epsilon),
    "cut early": lambda table, epsilon: TruncatedExponential(table, epsilon, beta=0.5),
}


@pytest.mark.parametrize("kind", HONEST)
@pytest.mark.parametrize("epsilon", [0.1, 1.0, 5.0, 50.0])
def test_every_honest_mechanism_keeps_its_promise_on_ten_thousand_pairs(kind, epsilon):
    found = audit_words(HONEST[kind](table_of(), epsilon))
    assert found.kept and found.ratio <= 1 + 1e-9 and found.pairs >= 10_000
    assert "keeps its promise" in found.verdict


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(sorted(HONEST)), st.integers(0, 10**6), st.integers(1, 5), st.floats(0.05, 30))
def test_no_table_makes_an_honest_mechanism_fail(kind, seed, width, epsilon):
    assert audit_words(HONEST[kind](table_of(40, width, seed), epsilon), pairs=300, seed=seed).kept


def test_noise_uses_up_its_promise_exactly():
    for shape in (0.0, 0.7):
        assert audit_words(NoisyVectors(table_of(), 3.0, shape=shape)).ratio == pytest.approx(1, abs=1e-9)


def test_in_one_dimension_densities_and_what_is_said_agree():
    """Probabilities by Voronoi cells: an independent oracle for what the density allows."""
    places = np.array([0.0, 0.4, 1.5, 1.6, 3.0])
    table, epsilon = WordTable(list("abcde"), places[:, None]), 2.0
    edges = np.r_[-np.inf, (places[1:] + places[:-1]) / 2, np.inf]

    def below(z):
        return np.where(z < 0, np.exp(epsilon * z) / 2, 1 - np.exp(-epsilon * z) / 2)

    cells = np.array([np.diff(below(edges - x)) for x in places])
    ratios = [
        np.abs(np.log(cells[i] / cells[j])).max() / (epsilon * abs(places[i] - places[j]))
        for i in range(5)
        for j in range(i)
    ]
    assert 0.99 < max(ratios) <= 1 + 1e-9 and audit_words(NoisyVectors(table, epsilon)).kept


def test_the_audit_of_probabilities_is_the_maximum_over_all_pairs():
    table = table_of(25, 2)
    mechanism = MldpExponential(table, 3.0, beta=0.6)
    logs = mechanism.log_probabilities(np.arange(25))
    loss = np.abs(logs[:, None] - logs[None]).max(axis=-1)
    promised = 3.0 * np.linalg.norm(table.vectors[:, None] - table.vectors[None], axis=-1)
    np.fill_diagonal(promised, np.inf)
    assert audit_words(mechanism).ratio == pytest.approx((loss / promised).max(), rel=1e-12)


BROKEN = {
    "mldp-text's entry for all beyond": lambda: MldpExponential(table_of(), 4.0, beta=0.6),
    "pypantera's direction": lambda: PypanteraNoise(table_of(), 4.0, shape=0.9),
    "half the noise": lambda: HalfTheNoise(table_of(), 2.0),
    "a claim in the other metric": lambda: EuclideanClaim(table_of(), 2.0, shape=0.9),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_promise_is_found(case):
    found = audit_words(BROKEN[case]())
    assert not found.kept and found.ratio > 1.05
    assert f"loses {found.ratio:.2f} × its promise" in found.verdict
    assert found.loss == pytest.approx(found.ratio * found.promised, rel=1e-9)


def test_the_other_metrics_claim_fails_by_the_smallest_eigenvalue():
    mechanism = EuclideanClaim(table_of(), 2.0, shape=0.9)
    most = mechanism.euclidean_epsilon / mechanism.epsilon
    assert 0.9 * most <= audit_words(mechanism, pairs=10_000).ratio <= most * (1 + 1e-9)


def test_pypanteras_direction_has_the_density_of_the_fixture():
    """Its angle in two dimensions, by the fixture's density on the circle."""
    mechanism = PypanteraNoise(table_of(60, 2), 1.0, shape=0.9)
    noise = mechanism.noise(40_000, np.random.default_rng(0))
    angles = np.sort(np.arctan2(noise[:, 1], noise[:, 0]))
    grid = np.linspace(-math.pi, math.pi, 4001)
    density = np.exp(mechanism.log_density(np.stack([np.cos(grid), np.sin(grid)], axis=-1)))
    share = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2)])
    expected = np.interp(angles, grid, share / share[-1])
    assert np.abs(expected - np.arange(1, 40_001) / 40_000).max() < 1.95 / math.sqrt(40_000)  # p = 0.001


def test_two_words_with_one_vector_must_be_said_alike():
    table = WordTable(["a", "b", "c"], [[0.0], [0.0], [1.0]])
    assert audit_words(TruncatedExponential(table, 2.0)).kept

    class Telling(TruncatedExponential):
        def log_probabilities(self, ids):
            logs = super().log_probabilities(ids)
            logs[np.asarray(ids) == 1, 0] += 0.1
            return logs

    assert audit_words(Telling(table, 2.0)).ratio == math.inf


def test_what_neither_word_says_loses_nothing_and_what_one_says_loses_all():
    class Never(TruncatedExponential):
        """A word is not said, for any word or for some."""

        whose = slice(None)

        def log_probabilities(self, ids):
            logs = super().log_probabilities(ids)
            logs[np.isin(ids, np.arange(3)[self.whose]), 2] = -math.inf
            return logs

    mechanism = Never(WordTable(["a", "b", "c"], [[0.0], [0.5], [1.0]]), 2.0)
    assert audit_words(mechanism).kept
    mechanism.whose = slice(0, 1)
    assert audit_words(mechanism).ratio == math.inf


def test_probabilities_that_are_no_numbers_are_refused():
    class Broken(TruncatedExponential):
        def log_probabilities(self, ids):
            return super().log_probabilities(ids) * math.nan

    with pytest.raises(ValueError, match="Expected log probabilities from Broken, got NaN"):
        audit_words(Broken(table_of(), 1.0))


@pytest.mark.parametrize(("mechanism", "pairs"), [(object(), 10), (None, 0)])
def test_what_cannot_be_audited_is_refused(mechanism, pairs):
    with pytest.raises(ValueError, match="Samples alone bound no loss"):
        audit_words(mechanism or NoisyVectors(table_of(), 1.0), pairs=pairs)
