"""Mechanisms for words: distributions against closed forms, plausible deniability, and what is refused."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from trustlab.privacy.text import (
    NoisyVectors,
    TruncatedExponential,
    TruncatedGumbel,
    WordTable,
    deniability,
    exact_deniability,
    rewrite,
)
from trustlab.privacy.text.deniability import share_interval
from trustlab.privacy.text.rewriting import text_loss
from trustlab.privacy.text.word_table import UNKNOWN


def table_of(size=40, width=4, seed=0):
    rng = np.random.default_rng(seed)
    return WordTable([f"w{i}" for i in range(size)], rng.normal(size=(size, width)) * np.linspace(0.5, 2, width))


MECHANISMS = {
    "laplace": lambda table: NoisyVectors(table, 3.0),
    "shaped": lambda table: NoisyVectors(table, 3.0, shape=0.7),
    "exponential": lambda table: TruncatedExponential(table, 3.0),
    "gumbel": lambda table: TruncatedGumbel(table, 400.0),
}

# Noise


def test_two_words_in_one_dimension_have_the_closed_form():
    # Golden text/Nw_two_words_n1_e2.0: 1 − exp(−ε·D/2)/2, derived on paper.
    table = WordTable(["a", "b"], [[0.0], [1.5]])
    said = NoisyVectors(table, 2.0).draw(np.zeros(40_000, dtype=int), np.random.default_rng(0))
    expected = 0.888434919925785
    assert expected == pytest.approx(1 - math.exp(-1.5) / 2, rel=1e-12)
    assert (said == 0).mean() == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / 40_000))


def test_noise_has_the_gamma_distributions_length():
    # Golden text/radius: d = 25, ε = 10.
    lengths = np.linalg.norm(NoisyVectors(table_of(60, 25), 10.0).noise(20_000, np.random.default_rng(0)), axis=1)
    assert lengths.mean() == pytest.approx(2.5, abs=4 * 0.5 / math.sqrt(20_000))
    assert lengths.var() == pytest.approx(0.25, abs=4 * 0.25 * math.sqrt(2.24 / 20_000))  # kurtosis 3 + 6/25
    assert scipy.stats.kstest(lengths, scipy.stats.gamma(25, scale=0.1).cdf).pvalue > 1e-4


def test_noise_has_no_direction():
    noise = NoisyVectors(table_of(60, 3), 1.0).noise(30_000, np.random.default_rng(0))
    height = noise[:, 0] / np.linalg.norm(noise, axis=1)  # Archimedes: uniform on the sphere in three dimensions
    assert scipy.stats.kstest(height, scipy.stats.uniform(-1, 2).cdf).pvalue > 1e-4


def test_the_covariance_is_scaled_to_the_trace_of_the_dimension():
    # Golden text/mahalanobis_trace: pypantera's rule gives 25.00; mldp-text divides by the variance of all entries.
    mechanism = NoisyVectors(table_of(200, 25), 1.0, shape=0.5)
    assert np.trace(mechanism.covariance()) == pytest.approx(25.0, abs=1e-9)


def test_shaped_noise_has_the_density_that_it_states():
    mechanism = NoisyVectors(table_of(60, 2), 1.3, shape=0.6)
    matrix = 0.6 * mechanism.covariance() + 0.4 * np.eye(2)
    z = np.array([0.3, -0.8])
    assert mechanism.log_density(z) == pytest.approx(-1.3 * math.sqrt(z @ np.linalg.solve(matrix, z)), rel=1e-12)
    lengths = mechanism.distance(mechanism.noise(20_000, np.random.default_rng(0)), np.zeros(2))
    assert scipy.stats.kstest(lengths, scipy.stats.gamma(2, scale=1 / 1.3).cdf).pvalue > 1e-4


def test_the_euclidean_promise_is_the_worst_directions():
    mechanism = NoisyVectors(table_of(60, 3), 2.0, shape=0.9)
    directions = np.random.default_rng(0).normal(size=(20_000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    worst = mechanism.epsilon * mechanism.distance(directions, np.zeros(3)).max()
    assert worst <= mechanism.euclidean_epsilon * (1 + 1e-12)
    assert worst == pytest.approx(mechanism.euclidean_epsilon, rel=0.01)
    assert NoisyVectors(table_of(), 2.0).euclidean_epsilon == pytest.approx(2.0, rel=1e-12)


# The exponential mechanism


def test_probabilities_are_the_formula_and_sum_to_one():
    table = table_of()
    mechanism = TruncatedExponential(table, 4.0, beta=0.2)
    logs = mechanism.log_probabilities(np.arange(len(table)))
    distances = np.linalg.norm(table.vectors[:, None] - table.vectors[None], axis=-1)
    assert (distances > mechanism.threshold).any() and (distances < mechanism.threshold).any()
    weights = np.exp(-2.0 * np.minimum(distances, mechanism.threshold))
    assert np.allclose(np.exp(logs), weights / weights.sum(axis=1, keepdims=True), rtol=1e-9, atol=0)


def test_gumbel_noise_with_one_entry_for_all_beyond_gives_the_same_probabilities():
    """The paper's own algorithm, drawn 40,000 times."""
    table, rng = table_of(12, 2), np.random.default_rng(0)
    mechanism = TruncatedExponential(table, 2.0, beta=0.8)
    distances = table.distances(table.vectors[:1])[0]
    near, far = np.flatnonzero(distances <= mechanism.threshold), np.flatnonzero(distances > mechanism.threshold)
    assert len(near) and len(far)
    scores = np.append(-distances[near], -mechanism.threshold + 2 / 2.0 * math.log(len(far)))
    best = (scores + rng.gumbel(scale=2 / 2.0, size=(40_000, len(scores)))).argmax(axis=1)
    said = np.where(best < len(near), near[np.minimum(best, len(near) - 1)], rng.choice(far, size=40_000))
    expected = 40_000 * np.exp(mechanism.log_probabilities(np.array([0]))[0])
    assert scipy.stats.chisquare(np.bincount(said, minlength=12), expected).pvalue > 1e-4


def test_a_word_within_the_threshold_is_as_likely_as_stated():
    table = table_of(200, 3)
    mechanism = TruncatedExponential(table, 6.0, beta=0.05)
    near = table.distances(table.vectors) <= mechanism.threshold
    share = (np.exp(mechanism.log_probabilities(np.arange(200))) * near).sum(axis=1)
    assert share.min() >= 0.95 - 1e-12


@pytest.mark.parametrize("known", [True, False])
def test_draws_follow_the_probabilities(known):
    table = table_of(30, 3)
    mechanism = TruncatedExponential(table, 2.0)
    word = 7 if known else UNKNOWN
    said = mechanism.draw(np.array([word, 3] * 20_000), np.random.default_rng(0))[::2]
    expected = 20_000 * np.exp(mechanism.log_probabilities(np.array([word]))[0])
    assert scipy.stats.chisquare(np.bincount(said, minlength=30), expected).pvalue > 1e-4


# Truncated Gumbel


def test_truncated_gumbel_noise_has_the_cut_distribution():
    mechanism = TruncatedGumbel(table_of(), 400.0)
    noise = mechanism._noise(np.random.default_rng(0).random(20_000))
    whole = scipy.stats.gumbel_r(scale=mechanism.scale)
    low, high = whole.cdf(-mechanism.most), whole.cdf(mechanism.most)
    assert np.abs(noise).max() <= mechanism.most
    assert scipy.stats.kstest(noise, lambda z: (whole.cdf(z) - low) / (high - low)).pvalue > 1e-4


def test_the_extremes_of_a_table_are_those_of_all_pairs():
    table = table_of(600, 3)
    distances = scipy.spatial.distance.pdist(table.vectors)
    assert table.extremes == (pytest.approx(distances.min(), rel=1e-9), pytest.approx(distances.max(), rel=1e-9))
    twice = WordTable(["a", "b", "c"], [[0.0], [0.0], [2.0]])
    assert twice.extremes == (2.0, 2.0)  # the same vector twice is no distance


def test_two_words_said_by_truncated_gumbel_have_the_integrals_probability():
    table = WordTable(["a", "b"], [[0.0], [1.0]])
    mechanism = TruncatedGumbel(table, 60.0)
    mean, side, b = math.log(2), mechanism.most, mechanism.scale
    one, two = mean * math.exp(-mean), mean**2 / 2 * math.exp(-mean)
    whole = scipy.stats.gumbel_r(scale=b)
    low, high = whole.cdf(-side), whole.cdf(side)

    def below(z):  # cut distribution
        return np.clip((whole.cdf(z) - low) / (high - low), 0, 1)

    def nearer(z):
        return whole.pdf(z) / (high - low) * (1 - below(z - 1.0))

    first, _ = scipy.integrate.quad(nearer, -side, side, limit=200)
    expected = (one + two * first) / (one + two)
    said = mechanism.draw(np.zeros(40_000, dtype=int), np.random.default_rng(0))
    assert (said == 0).mean() == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / 40_000))


def test_the_witness_bounds_what_truncated_gumbel_really_says():
    """P(k ≥ r) and P(k = 1) by scipy.stats, for the pair that the witness names."""
    table = table_of(80, 2)
    mechanism = TruncatedGumbel(table, 4000.0)
    found = mechanism.witness(np.arange(80), np.arange(80))
    distances = table.distances(table.vectors[[found.other]])[0]
    rank = int((distances < distances[found.word]).sum()) + 1
    poisson = scipy.stats.poisson(math.log(80))
    assert found.loss <= poisson.logpmf(1) - poisson.logsf(rank - 1) + 1e-9
    assert found.loss == pytest.approx(poisson.logpmf(1) - poisson.logsf(rank - 1), rel=0.01)
    assert found.promised == pytest.approx(4000.0 * distances[found.word], rel=1e-9)


def test_an_epsilon_too_small_for_the_published_scale_is_refused():
    with pytest.raises(ValueError, match="below it the published scale of truncated Gumbel noise is not positive"):
        TruncatedGumbel(table_of(), 1.0)


# Deniability


def test_two_words_deniability_is_exact():
    table = table_of(30, 3)
    mechanism = TruncatedExponential(table, 3.0)
    words = ["w1", "w5"]
    kept, distinct = exact_deniability(mechanism, words)
    rows = list(deniability(mechanism, words, rounds=100, rng=np.random.default_rng(0), level=0.9999))
    for row, exact, many in zip(rows, kept, distinct, strict=True):
        assert row["draws"] == 10_000
        assert row["kept_low"] <= exact <= row["kept_high"]
        assert row["distinct_low"] <= many <= row["distinct_high"]


def test_more_epsilon_keeps_more_and_hides_among_fewer():
    table, budgets = table_of(60, 3), (0.01, 1, 5, 20, 500)
    found = [exact_deniability(TruncatedExponential(table, epsilon), ["w0", "w9"]) for epsilon in budgets]
    kept, distinct = np.array(found).transpose(1, 2, 0)
    assert (np.diff(kept) > 0).all() and (np.diff(distinct) < 0).all()
    assert kept[:, 0] == pytest.approx(1 / 60, rel=0.02) and (kept[:, -1] >= 0.999 - 1e-12).all()  # 1 − β


@settings(deadline=None)
@given(st.integers(1, 400), st.data())
def test_clopper_and_pearsons_interval_is_scipys(n, data):
    hits = data.draw(st.integers(0, n))
    expected = scipy.stats.binomtest(hits, n).proportion_ci(0.95, method="exact")
    assert share_interval(hits, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


# Any mechanism


@pytest.mark.parametrize("kind", MECHANISMS)
def test_a_word_outside_the_table_never_passes_through_and_a_seed_repeats(kind):
    mechanism = MECHANISMS[kind](table_of())
    texts = [["never", "seen"], [], ["w1", "zebra", "w2"]]
    said = rewrite(texts, mechanism, np.random.default_rng(5))
    assert [len(text) for text in said] == [2, 0, 3]
    assert {word for text in said for word in text} <= set(mechanism.table.words)
    assert said == rewrite(texts, mechanism, np.random.default_rng(5))
    assert said != rewrite(texts, mechanism, np.random.default_rng(6))


@pytest.mark.parametrize("kind", ["laplace", "shaped", "exponential"])
def test_losses_of_a_text_add_up(kind):
    mechanism = MECHANISMS[kind](table_of())
    one, two = text_loss(mechanism, ["w1"], ["w2"]), text_loss(mechanism, ["w3"], ["unheard"])
    assert one > 0 and two > 0
    assert text_loss(mechanism, ["w1", "w3", "w4"], ["w2", "unheard", "w4"]) == pytest.approx(one + two, rel=1e-12)
    assert text_loss(mechanism, [], []) == 0
    assert text_loss(mechanism, ["unheard"], ["unknown"]) == 0


@pytest.mark.parametrize("epsilon", [0, -1.0, math.nan, math.inf, "1", None])
@pytest.mark.parametrize("kind", [NoisyVectors, TruncatedExponential, TruncatedGumbel])
def test_no_epsilon_is_refused(kind, epsilon):
    with pytest.raises(ValueError, match=r"> 0 and finite\. Smaller ε means stronger privacy"):
        kind(table_of(), epsilon)


REFUSED = {
    "one word": (lambda: WordTable(["a"], [[0.0]]), "at least 2 words with different vectors"),
    "one vector": (lambda: WordTable(["a", "b"], [[1.0], [1.0]]), "at least 2 words with different vectors"),
    "a word twice": (lambda: WordTable(["a", "a"], [[1.0], [2.0]]), "distinct words that are not empty, got 'a'"),
    "an empty word": (lambda: WordTable(["a", ""], [[1.0], [2.0]]), "distinct words that are not empty, got ''"),
    "a text": (lambda: WordTable("ab", [[1.0], [2.0]]), "to be a list of words, got the text"),
    "too few vectors": (lambda: WordTable(["a", "b"], [[1.0]]), "a vector for each of 2 words, got 1"),
    "a missing number": (lambda: WordTable(["a", "b"], [[1.0], [math.nan]]), "all finite"),
    "dimensions": (lambda: WordTable.from_encoder(dimensions=385), r"dimensions=385 in \[1, 384\]"),
    "shape": (lambda: NoisyVectors(table_of(), 1.0, shape=1.5), r"shape=1.5 in \[0, 1\]"),
    "flat": (
        lambda: NoisyVectors(WordTable(["a", "b"], [[0.0, 1.0], [1.0, 1.0]]), 1.0, shape=1.0),
        "flat in some direction",
    ),
    "beta": (lambda: TruncatedExponential(table_of(), 1.0, beta=1.0), r"beta=1.0 in \(0, 1\)"),
    "a text for texts": (lambda: rewrite("a b", NoisyVectors(table_of(), 1.0), None), "Expected a list of texts"),
    "a text for words": (lambda: rewrite(["a b"], NoisyVectors(table_of(), 1.0), None), "text 0 to be a list of words"),
    "lengths": (lambda: text_loss(NoisyVectors(table_of(), 1.0), ["w1"], []), "two texts of the same length"),
    "unknown": (
        lambda: list(deniability(NoisyVectors(table_of(), 1.0), ["zebra"], rng=np.random.default_rng(0))),
        "Expected words of the table, got 'zebra'",
    ),
    "one hundred": (
        lambda: list(deniability(NoisyVectors(table_of(), 1.0), ["w1"], rounds=1, rng=np.random.default_rng(0))),
        "rounds=1 >= 2",
    ),
    "no share": (lambda: share_interval(3, 2), "0 <= hits <= n"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_means_nothing_is_refused_by_name(case):
    build, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        build()


# The offline encoder's table


def test_the_encoders_table_has_whole_words_and_keeps_its_distances():
    whole, cut = WordTable.from_encoder(dimensions=384), WordTable.from_encoder(dimensions=50)
    assert len(whole) == len(cut) == 21_745 and whole.words == cut.words
    assert cut.vectors.shape == (21_745, 50) and cut.ids(["monday", "##ing", "7"]).tolist()[1:] == [UNKNOWN, UNKNOWN]
    pair, apart = whole.points(whole.ids(["monday", "tuesday"])), cut.points(cut.ids(["monday", "tuesday"]))
    assert np.linalg.norm(apart[0] - apart[1]) <= np.linalg.norm(pair[0] - pair[1])
    assert np.abs(cut.mean).max() < 1e-9
