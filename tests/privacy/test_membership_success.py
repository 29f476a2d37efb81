"""ROC, its numbers and their intervals, and the curve that a guarantee permits."""

import math

import numpy as np
import pytest
from dp_accounting.pld.privacy_loss_distribution import from_gaussian_mechanism
from scipy.stats import norm
from sklearn import metrics

from trustlab.privacy.membership import Curve, Permitted, above, hull, permitted, roc, success


def gaussian(rng, count=5000, shift=1.0):
    """Scores of `count` members, one σ higher, and as many non-members."""
    members = np.arange(2 * count) < count
    return rng.normal(size=2 * count) + shift * members, members


def value(rows, measure):
    return next(row for row in rows if row["measure"] == measure)


def small(inside, outside):
    """Few scores as enough: each twenty times, which changes no rate."""
    scores = np.repeat([*inside, *outside], 20)
    return scores.astype(float), np.arange(len(scores)) < 20 * len(inside)


def test_auc_is_mann_whitneys_and_the_hulls_area_is_another():
    # google-deepmind/jax_privacy@8967688c test_attack_auroc_simple publishes the hull's area; Mann–Whitney by hand.
    scores, members = small([0, 4, 6, 7], [1, 2, 3, 5])
    rows = success(scores, members, fprs=(), resamples=0)
    assert value(rows, "auc")["value"] == pytest.approx(0.6875, abs=1e-12)
    corners = hull(roc(scores, members))
    assert np.trapezoid(corners.tpr, corners.fpr) == pytest.approx(0.8125, abs=1e-12)


def test_tpr_of_the_hull_is_jax_privacys():
    # google-deepmind/jax_privacy@8967688c test_tpr_at_given_fpr_simple
    corners = hull(roc(*small([1, 3], [0, 2])))
    found = np.interp([0, 0.25, 0.5, 0.75, 1], corners.fpr, corners.tpr)
    np.testing.assert_allclose(found, [0.5, 0.75, 1, 1, 1], atol=1e-12)


def test_tpr_at_a_low_fpr_is_arts_worst_case():
    # Trusted-AI/adversarial-robustness-toolbox@23539e2c tests/metrics/privacy/test_worst_case_mia_score.py
    score, y = np.array([0.35, 0.33, 0.32, 0.6, 0.6, 0.2]), np.array([1, 0, 1, 1, 1, 0])
    scores, members = small(score[y == 1], score[y == 0])
    curve = roc(scores, members)
    at_zero, at_half = (np.flatnonzero(curve.fpr <= fpr)[-1] for fpr in (0.0, 0.5))
    assert (curve.tpr[at_zero], curve.thresholds[at_zero]) == (0.75, 0.35)
    assert (curve.tpr[at_half], curve.thresholds[at_half]) == (1.0, 0.32)
    assert value(success(scores, members, fprs=(0.5,), resamples=0), "tpr at fpr 0.5")["value"] == 1.0


def test_the_roc_is_scikit_learns_ties_included():
    scores, members = gaussian(np.random.default_rng(0), 300)
    scores = scores.round(1)
    curve = roc(scores, members)
    fpr, tpr, thresholds = metrics.roc_curve(members, scores, drop_intermediate=False)
    np.testing.assert_allclose(curve.fpr, fpr)
    np.testing.assert_allclose(curve.tpr, tpr)
    np.testing.assert_allclose(curve.thresholds, thresholds)
    rows = success(scores, members, fprs=(0.05,), resamples=0)
    assert value(rows, "auc")["value"] == pytest.approx(metrics.roc_auc_score(members, scores), abs=1e-12)
    assert value(rows, "advantage")["value"] == pytest.approx((tpr - fpr).max(), abs=1e-12)
    assert value(rows, "tpr at fpr 0.05")["value"] == tpr[fpr <= 0.05].max()
    assert math.isnan(rows[0]["low"])


def test_gaussian_scores_have_their_closed_forms():
    rows = success(*gaussian(np.random.default_rng(1), 20_000), resamples=200)
    expected = {
        "auc": norm.cdf(1 / math.sqrt(2)),
        "advantage": 2 * norm.cdf(0.5) - 1,
        "tpr at fpr 0.01": norm.cdf(norm.ppf(0.01) + 1),
        "tpr at fpr 0.001": norm.cdf(norm.ppf(0.001) + 1),
    }
    # 20,000 scores on a side: standard deviations .0023, .005, .004 and .002; five of them are not passed.
    for (name, exact), width in zip(expected.items(), (0.012, 0.025, 0.02, 0.01), strict=True):
        assert value(rows, name)["value"] == pytest.approx(exact, abs=width)


def test_intervals_are_those_of_a_plain_bootstrap():
    scores, members = gaussian(np.random.default_rng(2), 400)
    rows = success(scores, members, fprs=(0.05,), resamples=2000, seed=1)
    rng, found = np.random.default_rng(5), []
    inside, outside = scores[members], scores[~members]
    for _ in range(2000):
        a, b = rng.choice(inside, 400), np.sort(rng.choice(outside, 400))
        # 20 non-members may be at or above the threshold, which is a drawn score above the 21st.
        found.append((np.searchsorted(b, a).mean() / 400, (a > b[-21]).mean()))
    plain = np.quantile(found, [0.025, 0.975], axis=0)
    for row, ends in zip((value(rows, "auc"), value(rows, "tpr at fpr 0.05")), plain.T, strict=True):
        np.testing.assert_allclose([row["low"], row["high"]], ends, atol=0.02)  # Monte Carlo error, about .003 each
        assert row["low"] < row["value"] < row["high"]


def test_intervals_cover_the_truth_as_often_as_they_say():
    exact, hits = norm.cdf(1 / math.sqrt(2)), 0
    for seed in range(200):
        row = success(*gaussian(np.random.default_rng(seed), 100), fprs=(), resamples=200, seed=seed)[0]
        hits += row["low"] <= exact <= row["high"]
    assert hits >= 180  # 95 % of 200 is 190 ± 3.1; with small samples a percentile interval covers 94 %


def test_the_same_seed_gives_the_same_interval():
    scores, members = gaussian(np.random.default_rng(3), 200)
    assert success(scores, members, fprs=(0.01,)) == success(scores, members, fprs=(0.01,))
    assert success(scores, members, fprs=(0.01,)) != success(scores, members, fprs=(0.01,), seed=1)


def test_what_cannot_be_measured_is_refused():
    scores, members = gaussian(np.random.default_rng(4), 200)
    with pytest.raises(ValueError, match=r"in \[1/200, 1\), one in the number of non-members or more, got 0.001"):
        success(scores, members)
    with pytest.raises(ValueError, match="Expected at least 20 members and 20 non-members, got 200 and 0"):
        success(scores[:200], members[:200], fprs=(0.01,))
    with pytest.raises(ValueError, match="Expected a finite attack score in each of 400 rows, got inf in row 0"):
        success(np.where(np.arange(400) == 0, np.inf, scores), members, fprs=(0.01,))
    with pytest.raises(ValueError, match="resamples=-1 >= 0"):
        success(scores, members, fprs=(0.01,), resamples=-1)


def test_the_hull_of_a_sample_is_above_its_roc_and_concave():
    curve = roc(*gaussian(np.random.default_rng(5), 200))
    corners = hull(curve)
    assert (np.interp(curve.fpr, corners.fpr, corners.tpr) >= curve.tpr - 1e-12).all()
    slopes = np.diff(corners.tpr) / np.maximum(np.diff(corners.fpr), 1e-12)
    assert (np.diff(slopes) < 1e-9).all()
    assert isinstance(corners, Curve)


RATES = np.array([1e-4, 1e-3, 0.01, 0.1, 0.3, 0.5, 0.9])


@pytest.mark.parametrize("sigma", [0.5, 1.0, 3.0])
def test_the_permitted_curve_of_the_gaussian_mechanism_is_its_trade_off(sigma):
    exact = norm.cdf(norm.ppf(RATES) + 1 / sigma)
    found = permitted(((sigma, 1),), sample_rate=1.0).tpr(RATES)
    assert (found >= exact - 1e-9).all()
    assert (found <= 1.04 * exact + 1e-6).all()  # lines between a finite number of pairs


def test_composed_and_doubled_steps_are_one_mechanism():
    exact = permitted(((1.0, 1),), sample_rate=1.0).tpr(RATES)
    np.testing.assert_allclose(permitted(((2.0, 4),), sample_rate=1.0).tpr(RATES), exact, rtol=2e-3)
    np.testing.assert_allclose(permitted(((2.0, 1),), sample_rate=1.0, sensitivity=2.0).tpr(RATES), exact)


def test_every_pair_of_the_curve_is_dp_accountings():
    pairs = permitted(((0.8, 50),), sample_rate=0.1).pairs
    peer = from_gaussian_mechanism(0.8, sampling_prob=0.1, value_discretization_interval=1e-4).self_compose(50)
    for epsilon, delta in pairs[::6]:
        assert epsilon == pytest.approx(peer.get_epsilon_for_delta(delta), rel=5e-3, abs=2e-3)


def test_the_curve_is_below_what_its_one_published_pair_permits():
    curve = permitted(((0.8, 50),), sample_rate=0.1)
    epsilon, delta = min(curve.pairs, key=lambda pair: abs(math.log10(pair[1]) + 5))
    one = Permitted(((epsilon, delta),))
    assert (curve.tpr(RATES) <= one.tpr(RATES) + 1e-12).all()
    assert curve.tpr([0.1])[0] < 0.9 * one.tpr([0.1])[0]


def test_no_noise_permits_everything():
    assert permitted(((0.0, 10),), sample_rate=0.1).tpr(RATES).tolist() == [1.0] * len(RATES)


def test_a_sound_mechanism_is_rarely_above_and_a_broken_one_always():
    allowed = permitted(((1.0, 1),), sample_rate=1.0)
    false = sum(bool(above(*gaussian(np.random.default_rng(seed), 400), allowed, level=0.95)) for seed in range(200))
    assert false <= 10  # at the limit itself, and by Bonferroni below 5 %; over 20 would have probability 1e-3
    for seed in range(20):
        rows = above(*gaussian(np.random.default_rng(seed), 400, shift=2.0), allowed)
        assert rows
        assert all(row["tpr_low"] > row["permitted"] >= row["fpr_high"] for row in rows)


def test_pairs_that_are_no_guarantee_are_refused():
    with pytest.raises(ValueError, match="Expected every epsilon >= 0 and delta in"):
        Permitted(((-1.0, 0.1),))
    with pytest.raises(ValueError, match=r"Expected FPRs in \[0, 1\], got 2"):
        Permitted(((1.0, 0.1),)).tpr([2.0])
