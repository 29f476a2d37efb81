"""What a gap between many groups is worth: exact permutations, closed forms, and truths that were planted."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from trustlab.fairness.groups import (
    BETWEEN,
    Chance,
    Groups,
    Mean,
    estimate_aucs,
    estimate_means,
    estimate_rates,
    gaps,
    group_aucs,
    group_rates,
    pooled,
)
from trustlab.fairness.groups.chance import exchanged
from trustlab.fairness.tasks import GroupedTexts, extrinsic_metrics

SMALL = (12, 15, 22, 26, 39, 45, 47, 55, 63)  # clean posts of HateXplain's nine communities


def of(y, groups, **options):
    """Return the estimates of a rate of `y`."""
    return estimate_means([Mean("rate", np.asarray(y), np.ones(len(y), bool))], groups, chance=Chance(**options))


def named(sizes):
    return Groups.by(np.repeat([f"group {g:02d}" for g in range(len(sizes))], sizes))


def the_difference(estimates):
    return next(row for row in gaps(estimates) if row["metric"] == "rate_difference")


# What chance does


def test_the_level_and_p_are_those_of_all_permutations():
    y, groups = np.array([1, 1, 1, 0, 0, 1, 0, 0]), named([3, 5])
    every = [abs(y[list(a)].mean() - y[[i for i in range(8) if i not in a]].mean())
             for a in itertools.combinations(range(8), 3)]  # fmt: skip
    row = the_difference(of(y, groups, draws=20_000))
    assert row["value"] == pytest.approx(1 - 1 / 5)
    assert row["blind"] == pytest.approx(np.mean(every), abs=0.01)  # four standard errors
    exact = np.mean(np.array(every) >= row["value"] - 1e-12)
    assert row["p"] == pytest.approx(exact, abs=0.01)
    table = [[3, 0], [1, 4]]
    assert exact == pytest.approx(stats.fisher_exact(table).pvalue)


def test_a_row_keeps_all_its_groups_so_that_sizes_and_overlaps_stay():
    masks = np.array([[1, 1, 1], [1, 0, 1], [0, 1, 1], [1, 1, 1], [0, 0, 1]], bool)
    values = np.arange(5.0)
    blind = np.concatenate(list(exchanged(values, masks, None, Chance(draws=400), np.ones(len(values)))))
    assert np.ptp(blind[:, 2]) < 1e-12  # who is in every row cannot change
    possible = {(values[list(o)] @ masks / masks.sum(0)).round(9).tobytes() for o in itertools.permutations(range(5))}
    assert {row.round(9).tobytes() for row in blind} <= possible


def test_rows_of_no_group_take_no_part():
    y = np.r_[np.tile([0, 1], 20), np.ones(200, int)]
    masks = np.zeros((240, 2), bool)
    masks[:20, 0] = masks[20:40, 1] = True
    with_others, alone = (of(y[:n], Groups(("a", "b"), masks[:n]))[0] for n in (240, 40))
    assert with_others.centre == 0.5
    np.testing.assert_array_equal(with_others.blind, alone.blind)


def test_whole_units_are_exchanged_where_their_rows_have_the_same_groups():
    y, units = np.repeat([1, 0, 1, 0], 25), np.repeat(np.arange(4), 25)
    estimates = of(y, named([50, 50]), units=units)
    assert set(np.unique(estimates[0].blind)) == {0.0, 0.5, 1.0}  # four units, not a hundred rows
    assert the_difference(of(y, named([50, 50])))["blind_high"] < 0.5


def test_rows_are_exchanged_within_a_unit_that_has_all_groups():
    y, units, groups = np.tile([0, 0, 1, 1], 5), np.tile(np.arange(4), 5), Groups.by(np.repeat(list("abcde"), 4))
    (estimates,) = of(y, groups, units=units)  # the template decides, so no filling can differ
    assert not estimates.noise.any() and the_difference([estimates])["high"] == pytest.approx(0.0)


# The gap


def test_the_measured_gaps_are_those_of_group_rates_and_of_fairlearn():
    metrics = pytest.importorskip("fairlearn.metrics")
    rng = np.random.default_rng(0)
    y, chosen, names = rng.random(300) < 0.5, rng.random(300) < 0.4, rng.choice(list("abc"), 300)
    plain = {(row["metric"], row["group"]): row["value"] for row in group_rates(y, chosen, Groups.by(names))}
    rows = gaps(estimate_rates(y, chosen, Groups.by(names), chance=Chance(draws=50)))
    assert len(rows) == 8
    for row in rows:
        assert row["value"] == pytest.approx(plain[row["metric"], BETWEEN])
    frame = metrics.MetricFrame(metrics=metrics.false_positive_rate, y_true=y, y_pred=chosen, sensitive_features=names)
    found = {row["metric"]: row["value"] for row in rows}
    assert found["false_positive_rate_difference"] == pytest.approx(frame.difference())
    assert found["false_positive_rate_ratio"] == pytest.approx(frame.ratio())


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), groups=st.integers(2, 5), rate=st.floats(0.05, 0.95), shift=st.floats(0, 0.9))
def test_the_low_end_is_zero_exactly_where_the_test_does_not_reject(seed, groups, rate, shift):
    rng, sizes = np.random.default_rng(seed), np.arange(8, 8 + 5 * groups, 5)[:groups]
    p = np.repeat(np.r_[rate + shift * (1 - rate), [rate] * (groups - 1)], sizes)
    row, *more = gaps(of(rng.random(len(p)) < p, named(sizes), draws=199, seed=seed))
    assert (row["low"] == 0) == (row["p"] > 0.025) or row["value"] == 0
    assert 0 <= row["low"] <= row["corrected"] <= row["high"] <= 1 + 1e-9
    assert row["blind_low"] <= row["blind"] <= row["blind_high"]
    for ratio in more:
        if not ratio["reason"]:
            assert -1e-9 <= ratio["low"] <= ratio["corrected"] <= ratio["high"] <= 1
            assert (ratio["high"] == 1) == (ratio["p"] > 0.025) or ratio["value"] == 1


@pytest.mark.parametrize(
    ("rates", "most"),
    [
        (np.full(9, 0.3), 8),
        (np.linspace(0.1, 0.7, 9)[[3, 7, 1, 8, 0, 5, 2, 6, 4]], 8),
        (np.r_[np.full(8, 0.2), 0.5], 8),
    ],
)
def test_the_interval_covers_the_true_gap_of_groups_of_twelve_to_sixty_three(rates, most):
    # Of 60 intervals of 95 %, 8 or fewer miss with probability 0.99 (binomial); those of a bootstrap miss all at gap 0.
    rng, groups, truth = np.random.default_rng(3), named(SMALL), float(np.ptp(rates))
    missed = ratio_missed = measured = corrected = spread = 0
    for trial in range(60):
        y = rng.random(sum(SMALL)) < np.repeat(rates, SMALL)
        row, ratio = gaps(of(y, groups, draws=150, seed=trial))
        missed += not row["low"] <= truth + 1e-9 <= row["high"] + 2e-9
        ratio_missed += not ratio["low"] <= rates.min() / rates.max() <= ratio["high"]
        spread += not row["spread_low"] <= rates.std(ddof=1) <= row["spread_high"]
        measured, corrected = measured + row["value"] - truth, corrected + row["corrected"] - truth
    assert max(missed, ratio_missed, spread) <= most
    assert measured / 60 > 0.04 and abs(corrected) < 0.6 * measured


@pytest.mark.parametrize("counts", [(400, 420, 430, 460, 470, 480), (15, 20, 22, 50, 52, 60)])
def test_the_ends_are_the_least_favourable_truths_at_which_the_gap_would_surprise(counts):
    y = np.concatenate([np.arange(1000) < k for k in counts])
    row = the_difference(of(y, named([1000] * 6), draws=4000))
    rng, centre = np.random.default_rng(0), y.mean()
    halves, pair = np.repeat([-0.5, 0.5], 3), np.array([-0.5, 0, 0, 0, 0, 0.5])
    for pattern, end, surprised in ((halves, "low", np.greater_equal), (pair, "high", np.less_equal)):
        drawn = np.ptp(rng.binomial(1000, centre + row[end] * pattern, size=(20_000, 6)) / 1000, axis=1)
        assert np.mean(surprised(drawn, row["value"])) == pytest.approx(0.025, abs=0.007)  # of 4,000 exchanges: 0.0025


@pytest.mark.parametrize("rates", [(0.3, 0.4), (0.06, 0.5)])
def test_of_two_large_groups_level_and_interval_are_those_of_a_normal_difference(rates):
    low, high = rates
    y = np.concatenate([np.arange(500) < 500 * rate for rate in rates])
    row, centre, gap = the_difference(of(y, named([500, 500]), draws=4000)), y.mean(), high - low

    def error(apart):  # of rates that are so far apart
        ends = np.array([centre - apart / 2, centre + apart / 2])
        return np.sqrt((ends * (1 - ends)).sum() / 500)

    for end, sign in (("low", -1), ("high", 1)):
        expected = optimize.brentq(lambda apart, sign=sign: apart - gap - sign * 1.96 * error(apart), 0, 2 * centre)
        assert row[end] == pytest.approx(expected, abs=0.005)
    assert row["blind"] == pytest.approx(error(0) * np.sqrt(2 / np.pi), rel=0.05)
    assert row["blind_high"] == pytest.approx(error(0) * stats.norm.ppf(0.9875), rel=0.06)
    assert row["p"] == pytest.approx(2 * stats.norm.sf(gap / error(0)), abs=0.002)
    assert row["spread"] == pytest.approx(np.sqrt(gap**2 / 2 - error(0) ** 2 / 2), rel=0.01)
    assert row["spread_low"] < row["spread"] < row["spread_high"] == pytest.approx(np.std([0, 1], ddof=1))


def test_where_nothing_differs_a_blind_classifiers_gap_is_called_chance():
    rng, groups = np.random.default_rng(1), named(SMALL)
    rows = [the_difference(of(rng.random(sum(SMALL)) < 0.3, groups, draws=99, seed=t)) for t in range(100)]
    p = np.array([row["p"] for row in rows])
    assert stats.kstest(p, "uniform").pvalue > 0.001
    assert np.mean([row["value"] for row in rows]) == pytest.approx(np.mean([row["blind"] for row in rows]), abs=0.02)
    assert 0.2 < np.mean([row["blind"] for row in rows]) < 0.35  # as large as a gap that would alarm


def test_of_large_groups_the_gap_is_what_it_is():
    y = np.concatenate([np.arange(10_000) < share * 10_000 for share in (0.2, 0.25, 0.4)])
    row = the_difference(of(y, named([10_000] * 3), draws=200))
    assert row["corrected"] == pytest.approx(0.2, abs=0.005) and row["p"] == pytest.approx(1 / 201)
    assert 0.18 < row["low"] < 0.2 < row["high"] < 0.22


def test_rows_that_all_agree_do_not_exclude_what_they_could_not_show():
    row, ratio = gaps(of(np.zeros(30, int), named([10, 20])))
    assert (row["value"], row["low"], row["p"]) == (0, 0, 1)
    assert row["high"] == pytest.approx(stats.binomtest(0, 10).proportion_ci().high)  # Clopper and Pearson's
    assert math.isnan(ratio["value"]) and ratio["reason"] == "0 in every group"


def test_numbers_that_can_be_negative_have_a_difference_and_no_ratio():
    rng = np.random.default_rng(0)
    (row,) = gaps(of(np.r_[rng.normal(0, 1, 40), rng.normal(2, 1, 60)], named([40, 60])))
    assert row["low"] < 2 < row["high"] < 3 and row["low"] > 1


def test_a_group_without_such_rows_leaves_no_gap_and_says_why():
    rows = gaps(estimate_rates([1, 1, 0, 1], [1, 0, 0, 1], Groups.by(["a", "b", "a", "b"])))
    found = {row["metric"]: row for row in rows}
    assert found["false_positive_rate_difference"]["reason"] == "b: no negatives"
    assert math.isnan(found["false_positive_rate_difference"]["high"])
    (single, _) = gaps(of([0, 1], Groups.by(["a", "a"])))
    assert single["reason"] == "a single group" and math.isnan(single["p"])


@pytest.mark.parametrize("put", [list, np.float32, pd.Series, lambda y: pd.Series(y, dtype="Int64"), np.int8])
def test_every_container_and_type_gives_the_same(put):
    y = np.array([0, 1, 1, 0, 1, 0, 0, 1, 1, 1])
    mean = Mean("rate", put(y), [True] * 10)
    assert gaps(estimate_means([mean], named([4, 6]))) == gaps(of(y, named([4, 6])))


def test_what_is_no_question_is_refused_by_name():
    with pytest.raises(ValueError, match="units for 4 rows, got 3"):
        of([0, 1, 0, 1], named([2, 2]), units=[1, 2, 3])
    with pytest.raises(ValueError, match="Expected finite rate"):
        of([0, 1, math.nan, 1], named([2, 2]))
    with pytest.raises(ValueError, match="draws"):
        Chance(draws=10)
    with pytest.raises(ValueError, match="2 scores and 3 rows"):
        estimate_aucs([0, 1], [0.1, 0.2], named([1, 2]))
    with pytest.raises(ValueError, match="units for 4 rows"):
        estimate_aucs([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4], named([2, 2]), chance=Chance(units=[1]))


# AUCs


def scored(seed, sizes, shift=1.0):
    rng = np.random.default_rng(seed)
    y = rng.random(sum(sizes)) < 0.5
    return y, rng.normal(size=sum(sizes)) + shift * y


def test_aucs_are_those_of_group_aucs_in_groups_that_overlap_and_with_ties():
    y, s = scored(0, [300])
    groups = Groups(("a", "b", "c"), np.random.default_rng(1).random((300, 3)) < 0.4)
    plain = {(row["metric"], row["group"]): row["value"] for row in group_aucs(y, s.round(), groups)}
    for estimates in estimate_aucs(y, s.round(), groups, chance=Chance(draws=39)):
        for name, value in zip(groups.names, estimates.values, strict=True):
            assert value == pytest.approx(plain[estimates.name, name])


def test_the_errors_of_aucs_are_those_of_fresh_samples():
    sizes = (40, 60, 100)
    drawn = [estimate_aucs(*scored(t, sizes), named(sizes), chance=Chance(draws=39))[0] for t in range(150)]
    seen, said = np.std([each.values for each in drawn], axis=0), np.mean([each.errors for each in drawn], axis=0)
    np.testing.assert_allclose(said, seen, rtol=0.2)  # a standard deviation of 150 is known to 6 %
    noise = estimate_aucs(*scored(0, sizes), named(sizes), chance=Chance(draws=400))[0].noise
    assert np.std(noise[:, 0] - noise[:, 1]) == pytest.approx(math.hypot(*seen[:2]), rel=0.25)


def test_a_group_that_is_ranked_worse_is_found_and_one_that_is_not_is_chance():
    y, s = scored(2, (150, 150, 150))
    (fair, *_) = gaps(estimate_aucs(y, s, named((150, 150, 150)), chance=Chance(draws=199)))
    assert fair["p"] > 0.05 and fair["low"] == 0
    s[:150] = np.random.default_rng(3).normal(size=150)
    found = {row["metric"]: row for row in gaps(estimate_aucs(y, s, named((150, 150, 150)), chance=Chance(draws=199)))}
    assert found["subgroup_auc_difference"]["p"] == 0.005 and found["subgroup_auc_difference"]["low"] > 0.1


def test_fillings_of_a_template_are_exchanged_within_it_for_aucs_too():
    units, y = np.repeat(np.arange(40), 3), np.repeat(np.tile([0, 1], 20), 3)
    s = np.repeat(np.random.default_rng(0).normal(size=40), 3)
    (own, *_) = estimate_aucs(y, s, Groups.by(["a", "b", "c"] * 40), chance=Chance(draws=39, units=units))
    assert not own.noise.any() and not own.errors.any()


# Every metric of a task


def test_a_tasks_metrics_come_with_what_chance_does_and_their_values_stay():
    y, s = scored(1, (30, 50))
    texts = GroupedTexts(("text",) * 80, y, named((30, 50)), units=np.arange(80))
    plain, judged = (extrinsic_metrics(texts, s, chance=chance) for chance in (None, Chance(draws=60)))
    for one, other in zip(plain, judged, strict=True):
        assert [one[key] for key in ("metric", "group", "rows", "reason")] == [
            other[key] for key in ("metric", "group", "rows", "reason")
        ]
        np.testing.assert_equal(one["value"], other["value"])
    with_p = {row["metric"] for row in judged if "p" in row}
    assert len(with_p) == 8 and "equalized_odds_difference" not in with_p  # of four rates the difference and the ratio
    sure = [row for row in judged if "pooled" in row]
    assert len(sure) == 2 * (4 + 3) and all(row["pooled_low"] <= row["pooled"] <= row["pooled_high"] for row in sure)


def test_scores_without_a_truth_are_judged_too_and_by_the_texts_units():
    texts = GroupedTexts(("text",) * 60, None, Groups.by(list("ab") * 30), units=np.repeat(np.arange(30), 2))
    same = np.repeat(np.random.default_rng(0).random(30), 2)
    row = next(row for row in extrinsic_metrics(texts, same, chance=Chance(draws=60)) if "blind" in row)
    assert (row["metric"], row["value"], row["high"]) == ("score_difference", 0, 0)  # both fillings score alike


# Partial pooling is tested in test_pooling; here only that both speak of the same numbers.


def test_pooled_rows_have_the_rates_of_the_gap():
    rng = np.random.default_rng(0)
    estimates = of(rng.random(sum(SMALL)) < 0.3, named(SMALL), draws=50)
    values = [row["value"] for row in pooled(estimates)]
    assert max(values) - min(values) == pytest.approx(the_difference(estimates)["value"])
