"""Intervals of notebook 31 keep their level on data whose truth is known; a wrong level or quantile fails here."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from trustlab.course.correlation import bootstrap, correlations
from trustlab.course.dose import dose_response
from trustlab.course.n31_fairness_metrics.alignment import interval

DOSES = np.repeat([0.0, 0.1, 0.25, 0.5, 1.0], 5)


def within(covered, level=0.95, loss=0.02):
    """Return whether a share of intervals covers as often as at `level`, or a little less, as percentiles do.

    Three standard deviations are left on either side: a correct implementation fails with a probability of 0.003.
    """
    n, share = len(covered), float(np.mean(covered))
    return level - loss - 3 * np.sqrt(0.05 * 0.95 / n) <= share <= level + 3 * np.sqrt(0.05 * 0.95 / n)


def test_an_interval_over_models_covers_the_mean_of_all_models():
    rng, covered = np.random.default_rng(0), []
    for x in rng.normal(0.3, 1, size=(1500, 60)):
        draws = np.r_[x.mean(), x[rng.integers(60, size=(400, 60))].mean(axis=1)]
        found = interval(draws, 60)
        covered.append(found.low <= 0.3 <= found.high)
    assert within(covered) and found.mean == pytest.approx(x.mean()) and found.n == 60


def test_the_interval_of_a_correlation_covers_the_true_one():
    rng, covered, rho = np.random.default_rng(1), [], 0.5
    for _ in range(200):  # 8 pairs at once, of which those of the same place correlate
        x, e = rng.normal(size=(2, 8, 80))
        y = rho * x + np.sqrt(1 - rho**2) * e
        sides = ({f"m{i}": each for i, each in enumerate(side)} for side in (x, y))
        rows = correlations(*sides, method="pearson", resamples=200, permutations=1)
        covered += [row["low"] <= rho <= row["high"] for row in rows if row["first"] == row["second"]]
    assert len(covered) == 1600 and within(covered)


def test_the_intervals_of_slope_and_tau_hold_95_of_100_resampled_values():
    rng = np.random.default_rng(2)
    y = 0.5 * DOSES + 0.3 * rng.normal(size=25)
    found = dose_response(DOSES, y, resamples=400)
    slopes = bootstrap(lambda drawn: np.array([np.polyfit(DOSES[i], y[i], 1)[0] for i in drawn]), 25, resamples=400)
    taus = bootstrap(lambda drawn: np.array([stats.kendalltau(DOSES[i], y[i])[0] for i in drawn]), 25, resamples=400)
    for drawn, low, high in ((slopes, found.slope_low, found.slope_high), (taus, found.tau_low, found.tau_high)):
        assert np.mean((drawn >= low) & (drawn <= high)) == pytest.approx(0.95, abs=0.006)
        assert np.mean(drawn < low) == pytest.approx(np.mean(drawn > high), abs=0.006)


def test_the_interval_of_a_slope_covers_the_true_one():
    rng = np.random.default_rng(3)
    found = [dose_response(DOSES, DOSES + 0.4 * rng.normal(size=25), resamples=100, seed=t) for t in range(250)]
    assert within([each.slope_low <= 1 <= each.slope_high for each in found], loss=0.03)


def test_the_interval_of_a_threshold_holds_95_of_100_samples_of_the_models():
    rng = np.random.default_rng(4)
    y = DOSES + 0.15 * rng.normal(size=25)
    found = dose_response(DOSES, y, resamples=1000)
    again = []
    for _ in range(1000):  # other models of each dose, drawn from these
        drawn = np.concatenate([y[5 * d : 5 * d + 5][rng.integers(5, size=5)] for d in range(5)])
        again.append(_by_hand(drawn))
    outside = np.mean((np.array(again) < found.threshold_low) | (np.array(again) > found.threshold_high))
    assert outside == pytest.approx(0.05, abs=0.025)
    assert found.threshold == pytest.approx(_by_hand(y), abs=1e-3)


def _by_hand(y):
    """Return the dose at which the mean is at the 95th percentile of a difference of two models, by interpolation."""
    levels, cells = np.unique(DOSES), y.reshape(5, 5)
    with np.errstate(invalid="ignore"):
        risen = (cells.mean(1) - cells[0].mean()) / np.sqrt(cells.var(1, ddof=1) + cells[0].var(ddof=1))
    risen[0] = 0.0
    bar = stats.norm.ppf(0.95)
    if risen[-1] < bar:
        return np.inf
    last = max(i for i in range(5) if risen[i] < bar)
    return np.interp(bar, risen[last : last + 2], levels[last : last + 2])


def test_at_the_detection_threshold_nineteen_of_twenty_biased_models_are_told_apart():
    noise = 0.4 * stats.norm.ppf((np.arange(100) + 0.5) / 100)  # a hundred models a dose, exactly normal
    doses = np.repeat(np.unique(DOSES), 100)
    threshold = dose_response(doses, doses + np.tile(noise, 5), resamples=2).threshold
    biased, without = (
        threshold + 0.4 * np.random.default_rng(5).normal(size=40_000),
        0.4 * np.random.default_rng(6).normal(size=40_000),
    )
    assert np.mean(biased > without) == pytest.approx(0.95, abs=0.01)  # a standard error is 0.001
