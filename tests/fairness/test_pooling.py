"""Partial pooling: closed forms of the spread, numerical integrals, a beta-binomial model, and truths drawn anew."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from trustlab.fairness.groups import Chance, Groups, Mean, estimate_means, pooled
from trustlab.fairness.groups.pooling import posterior, spread


def rates(y, sizes, **options):
    groups = Groups.by(np.repeat([f"group {g:02d}" for g in range(len(sizes))], sizes))
    return pooled(estimate_means([Mean("rate", y, np.ones(len(y), bool))], groups, chance=Chance(draws=39, **options)))


# The spread


def test_with_equal_errors_the_spread_has_a_closed_form():
    m, v = np.array([0.1, 0.25, 0.3, 0.55, 0.6]), 0.01
    square, freedom = m.var(ddof=1), 4
    found = spread(m, np.full(5, v**0.5))
    assert found.value == pytest.approx(np.sqrt(square - v))
    ends = freedom * square / stats.chi2.ppf([0.975, 0.025], freedom) - v
    np.testing.assert_allclose((found.low, found.high), np.sqrt(np.maximum(ends, 0)), atol=1e-6)
    assert spread(m / 100, np.full(5, 0.1)) == (0, 0, 0)
    ninety = spread(m, np.full(5, v**0.5), level=0.9)
    assert found.low <= ninety.low < ninety.high < found.high


def test_the_spreads_interval_covers_at_its_level():
    # Normal numbers with known errors: exact. Of 400 at 95 %, between 363 and 393 cover with probability 0.998.
    rng, errors, tau = np.random.default_rng(0), np.linspace(0.05, 0.15, 8), 0.1
    covered = 0
    for _ in range(400):
        low, high = spread(rng.normal(0.4, np.hypot(tau, errors)), errors)[1:]
        covered += low <= tau <= high
    assert 363 <= covered <= 393


def test_one_group_has_no_spread():
    with pytest.raises(ValueError, match="two or more groups"):
        spread(np.array([0.5]), np.array([0.1]))


# The groups' numbers


def test_draws_are_those_of_the_model_integrated_numerically():
    m, v = np.array([0.1, 0.4, 0.9]), np.array([0.1, 0.1, 0.3]) ** 2
    taus, mus = np.linspace(0.0005, 3 * m.std(ddof=1), 400), np.linspace(-2, 3, 801)
    t, mu = np.meshgrid(taus, mus, indexing="ij")
    weight = np.prod([stats.norm.pdf(x, mu, np.sqrt(t**2 + s)) for x, s in zip(m, v, strict=True)], axis=0)
    by_hand = [((t**2 * x + s * mu) / (t**2 + s) * weight).sum() / weight.sum() for x, s in zip(m, v, strict=True)]
    drawn = posterior(m, v**0.5, draws=40_000)
    np.testing.assert_allclose(drawn.mean(axis=0), by_hand, atol=0.01)


def test_small_groups_are_drawn_to_the_mean_as_a_beta_binomial_model_draws_them():
    sizes = np.array([12, 15, 22, 26, 39, 45, 47, 55, 63])
    counts = np.array([7, 3, 5, 9, 8, 12, 16, 12, 30])
    y = np.concatenate([np.arange(n) < k for n, k in zip(sizes, counts, strict=True)])
    rows = rates(y, sizes)
    mu, rho = np.meshgrid(np.linspace(0.01, 0.99, 99), np.linspace(0.002, 0.5, 120), indexing="ij")
    a, b = mu * (1 / rho - 1), (1 - mu) * (1 / rho - 1)
    log = sum(special.betaln(a + k, b + n - k) - special.betaln(a, b) for k, n in zip(counts, sizes, strict=True))
    weight = np.exp(log - log.max())
    theirs = [((a + k) / (a + b + n) * weight).sum() / weight.sum() for k, n in zip(counts, sizes, strict=True)]
    np.testing.assert_allclose([row["pooled"] for row in rows], theirs, atol=0.035)
    for row, k, n in zip(rows, counts, sizes, strict=True):
        assert abs(row["pooled"] - counts.sum() / sizes.sum()) <= abs(k / n - counts.sum() / sizes.sum()) + 0.02


def test_intervals_of_groups_cover_and_the_probability_of_being_worst_is_one():
    # Rates drawn anew in each trial: 60 × 9 intervals of 95 %, and in 60 trials a named group that is or is not last.
    rng, sizes = np.random.default_rng(2), np.array([12, 15, 22, 26, 39, 45, 47, 55, 63])
    covered, said, right = [], 0.0, 0
    for trial in range(60):
        true = rng.beta(6, 14, size=9)
        rows = rates(rng.random(sizes.sum()) < np.repeat(true, sizes), sizes, seed=trial)
        covered += [row["low"] <= rate <= row["high"] for row, rate in zip(rows, true, strict=True)]
        likely = [row["highest"] for row in rows]
        said, right = said + max(likely), right + (np.argmax(likely) == np.argmax(true))
    assert 0.92 <= np.mean(covered) <= 0.98
    assert abs(said - right) < 3 * np.sqrt(60 * 0.25)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(5, 60), st.floats(0, 1)), min_size=2, max_size=6), st.integers(0, 99))
def test_probabilities_of_being_last_add_up_and_intervals_are_rates(groups, seed):
    sizes = [n for n, _ in groups]
    y = np.random.default_rng(seed).random(sum(sizes)) < np.repeat([rate for _, rate in groups], sizes)
    rows = rates(y, sizes)
    for end in ("highest", "lowest"):
        assert sum(row[end] for row in rows) == pytest.approx(1)
    assert all(0 <= row["low"] <= row["pooled"] <= row["high"] <= 1 for row in rows)


def test_equal_groups_share_the_last_place_and_a_sure_one_has_it():
    equal = rates(np.tile([0, 1], 30), [20, 20, 20])
    assert [row["highest"] for row in equal] == pytest.approx([1 / 3] * 3)
    clear = rates(np.r_[np.ones(200), np.tile([0, 1], 100)], [200, 200])
    assert clear[0]["highest"] > 0.999 and clear[1]["lowest"] > 0.999


def test_a_group_without_rows_has_no_number_and_a_reason():
    groups = Groups(("a", "b"), np.array([[True, False]] * 4))
    (first, second) = pooled(estimate_means([Mean("rate", [0, 1, 1, 0], [True] * 4)], groups))
    assert np.isnan(first["pooled"]) and np.isnan(second["highest"]) and second["reason"] == "b: no rows"
