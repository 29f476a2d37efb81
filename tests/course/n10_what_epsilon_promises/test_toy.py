"""The game's numbers against closed forms, the accountant, linear programming over guessers, and simulation."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from trustlab.course.n10_what_epsilon_promises.toy import (
    DELTA,
    EPSILONS,
    EVENINGS,
    NOISES,
    OTHERS,
    GamePosition,
    Score,
    bound,
    noise_std,
    optimal_guess,
    optimal_hit_rate,
    rounds,
)
from trustlab.privacy.accounting import epsilon

FINITE = [each for each in EPSILONS if math.isfinite(each)]


def spent(std, **options):
    return epsilon(noise_multiplier=std, steps=EVENINGS, sampling="none", **options)


@pytest.mark.parametrize("accountant", ["gaussian", "pld"])
@pytest.mark.parametrize("given", FINITE)
def test_the_ten_counts_together_keep_epsilon_and_no_more_noise_than_needed(given, accountant):
    assert spent(noise_std(given), delta=DELTA, accountant=accountant) == pytest.approx(given, rel=5e-3)


@pytest.mark.parametrize("given", FINITE)
def test_the_optimal_hit_rate_is_the_delta_at_which_the_accountants_epsilon_is_zero(given):
    """The best guesser's advantage over a coin is half the total variation distance, and that is δ(ε = 0)."""
    advantage = 2 * optimal_hit_rate(GamePosition(given)) - 1
    std = noise_std(given)
    assert spent(std, delta=1.001 * advantage, accountant="gaussian") == 0
    assert 0 < spent(std, delta=0.999 * advantage, accountant="gaussian") < 0.05


@pytest.mark.parametrize("given", FINITE)
def test_the_optimal_hit_rate_is_that_of_the_likelihood_ratio_of_two_normal_means(given):
    std = noise_std(given) / math.sqrt(EVENINGS)  # of the mean of ten counts
    x = np.linspace(OTHERS - 9 * std, OTHERS + 1 + 9 * std, 200_001)
    likelier = np.maximum(stats.norm.pdf(x, OTHERS, std), stats.norm.pdf(x, OTHERS + 1, std))
    assert optimal_hit_rate(GamePosition(given)) == pytest.approx(np.trapezoid(likelier, x) / 2, rel=1e-6)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("given", EPSILONS)
def test_nobody_beats_the_bound_and_the_optimal_guesser_beats_a_coin(given, noise):
    rate = optimal_hit_rate(GamePosition(given, noise))
    assert 0.5 < rate <= bound(given) <= 1
    assert noise == "gaussian" or rate == bound(given)


def test_the_bound_is_the_largest_hit_rate_of_any_guesser_that_the_promise_allows():
    """Over a fine grid of (a, b), the probabilities to be right with Anna and without her."""
    e, delta = 1.3, DELTA
    a, b = np.meshgrid(*[np.linspace(0, 1, 1001)] * 2)
    kept = (a <= math.exp(e) * (1 - b) + delta) & (b <= math.exp(e) * (1 - a) + delta)
    assert bound(e) == pytest.approx(((a + b) / 2)[kept].max(), abs=1e-3)
    assert bound(e) == pytest.approx((math.exp(e) + delta) / (1 + math.exp(e)), rel=1e-12)
    assert bound(0.0) == pytest.approx(0.5 + DELTA / 2)


@pytest.mark.parametrize("given", FINITE)
def test_the_coin_keeps_the_promise_with_nothing_to_spare(given):
    p = bound(given)
    assert p == pytest.approx(math.exp(given) * (1 - p) + DELTA, rel=1e-9)


@pytest.mark.parametrize("position", [GamePosition(1.0), GamePosition(8.0), GamePosition(1.0, "coin")])
def test_the_optimal_guesser_is_right_as_often_as_said_in_20000_rounds(position):
    """A correct game fails this with probability 1e-6 at each position."""
    played = 20_000
    right = sum(optimal_guess(each.counts) == each.anna for each in itertools.islice(rounds(position, 5), played))
    assert stats.binomtest(right, played, optimal_hit_rate(position)).pvalue > 1e-6


def test_other_rules_are_right_less_often():
    first = list(itertools.islice(rounds(GamePosition(8.0), 3), 20_000))
    anna = np.array([each.anna for each in first])
    counts = np.stack([each.counts for each in first])
    best = np.mean((counts.mean(1) > 28.5) == anna)
    for rule in (counts[:, 0] > 28.5, np.median(counts, 1) > 28.5, counts.mean(1) > 28, counts.max(1) > 31):
        assert np.mean(rule == anna) < best


def test_without_noise_the_counts_are_the_truth():
    for noise in NOISES:
        for each in itertools.islice(rounds(GamePosition(math.inf, noise), 1), 20):
            assert set(each.counts) == {OTHERS + each.anna}


def test_the_same_seed_gives_the_same_rounds_and_another_seed_others():
    def first(seed):
        return [(each.anna, *each.counts) for each in itertools.islice(rounds(GamePosition(), seed), 5)]

    assert first(1) == first(1) != first(2)


@pytest.mark.parametrize(("right", "guesses"), [(0, 10), (7, 10), (10, 10), (555, 1000)])
def test_the_interval_is_scipys_clopper_pearson(right, guesses):
    exact = stats.binomtest(right, guesses).proportion_ci(0.95, method="exact")
    assert Score(right, guesses).interval() == pytest.approx((exact.low, exact.high))
