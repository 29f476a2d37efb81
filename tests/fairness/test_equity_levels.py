"""Equity ratios next to those of a writer who tosses a coin: exact counts, and intervals that cover."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from trustlab.fairness.equity_levels import equal_gendered, equity_levels
from trustlab.fairness.generated_texts import equity_ratios
from trustlab.fairness.groups import BETWEEN, Chance, Groups


def openings(sizes):
    return Groups.by(np.repeat([f"opening {g}" for g in range(len(sizes))], sizes))


def test_values_are_those_of_equity_ratios_and_the_level_is_the_binomials():
    said, groups = np.array([1] * 6 + [-1] * 4 + [0] * 5 + [1] * 3 + [-1] * 7), openings([10, 15])
    plain = {(row["metric"], row["group"]): row["value"] for row in equity_ratios(said, groups)}
    rows = equity_levels(said, groups, chance=Chance(draws=20_000))
    for row in rows:
        if row["metric"] != "female_log_odds":
            assert row["value"] == pytest.approx(plain[row["metric"], row["group"]])
    k = np.arange(11)
    ratios, weight = np.minimum(k, 10 - k) / np.maximum(k, 10 - k), stats.binom.pmf(k, 10, 0.5)
    assert rows[0]["blind"] == pytest.approx(ratios @ weight, abs=0.01)
    assert rows[0]["p"] == pytest.approx(stats.binomtest(6, 10).pvalue, abs=0.01)
    assert [row["rows"] for row in rows] == [10] * 6


def test_an_interval_is_clopper_and_pearsons_of_the_share():
    row, *_ = equity_levels(np.array([1] * 28 + [-1] * 12), openings([40]), chance=Chance(draws=39))
    share = stats.binomtest(28, 40).proportion_ci()
    assert (row["low"], row["high"]) == pytest.approx(((1 - share.high) / share.high, (1 - share.low) / share.low))
    row, *_ = equity_levels(np.array([1, -1] * 20), openings([40]), chance=Chance(draws=39))
    assert row["high"] == 1 and row["low"] < 0.6


@pytest.mark.parametrize("shares", [(0.5,) * 6, (0.5, 0.6, 0.5, 0.4, 0.5, 0.85)])
def test_the_interval_of_the_smallest_ratio_covers_it(shares):
    # 95 % or more by construction: of 150, 15 or more miss with probability 0.01. A bootstrap misses 1 nearly always.
    rng, sizes = np.random.default_rng(0), np.array([12, 20, 30, 15, 25, 20])
    truth, missed = min(min(p, 1 - p) / max(p, 1 - p) for p in shares), 0
    for _ in range(150):
        said = np.where(rng.random(sizes.sum()) < np.repeat(shares, sizes), 1, -1)
        row = equity_levels(said, openings(sizes), chance=Chance(draws=39))[len(sizes)]
        assert row["metric"] == "equity_ratio_minimum"
        missed += not row["low"] - 1e-9 <= truth <= row["high"] + 1e-9
    assert missed < 15


def test_the_level_of_a_fair_writer_is_the_binomials_for_the_mean_and_for_the_smallest_of_many():
    k = np.arange(51)
    ratios, weight = np.minimum(k, 50 - k) / np.maximum(k, 50 - k), stats.binom.pmf(k, 50, 0.5)
    values = np.unique(ratios)
    above = np.array([weight[ratios >= value].sum() for value in values]) ** 18  # all of 18 are that large
    smallest = values @ -np.diff(above, append=0)
    assert (ratios @ weight, smallest) == pytest.approx((0.81, 0.54), abs=0.006)  # a fair model, as it seems
    rows = {row["metric"]: row for row in equity_levels(np.tile([1, -1], 450), openings([50] * 18))}
    assert rows["equity_ratio_mean"]["blind"] == pytest.approx(ratios @ weight, abs=0.003)
    assert rows["equity_ratio_minimum"]["blind"] == pytest.approx(smallest, abs=0.006)


def test_log_odds_have_a_sign_and_the_interval_of_the_share():
    said, groups = np.array([1] * 28 + [-1] * 12 + [-1] * 5), openings([40, 5])
    rows = {row["group"]: row for row in equity_levels(said, groups) if row["metric"] == "female_log_odds"}
    share, row = stats.binomtest(28, 40).proportion_ci(), rows["opening 0"]
    assert row["value"] == pytest.approx(np.log(28.5 / 12.5))
    assert (row["low"], row["high"]) == pytest.approx(tuple(np.log(np.array(share) / (1 - np.array(share)))))
    assert row["p"] == pytest.approx(stats.binomtest(28, 40).pvalue, abs=0.01) and abs(row["blind"]) < 0.03
    never = rows["opening 1"]
    assert never["value"] == pytest.approx(np.log(0.5 / 5.5)) and never["low"] == -math.inf and never["high"] < 1


def test_models_are_compared_with_as_many_gendered_texts_each():
    rng, groups = np.random.default_rng(0), openings([300, 400])
    said = {
        name: (np.where(rng.random(700) < told, rng.choice([-1, 1], 700), 0), groups)
        for name, told in (("talks of people", 0.95), ("writes they", 0.75))
    }
    kept = equal_gendered(said)
    of_each = {name: [int(groups.masks[places, g].sum()) for g in range(2)] for name, places in kept.items()}
    fewest = [min(int((abs(signs) * groups.masks[:, g]).sum()) for signs, _ in said.values()) for g in range(2)]
    assert list(of_each.values()) == [fewest, fewest] and min(fewest) >= 200
    for name, places in kept.items():
        assert (said[name][0][places] != 0).all() and len(set(places.tolist())) == len(places)
    with pytest.raises(ValueError, match=f"Expected 280 or more .* fewer in opening 0: {fewest[0]}"):
        equal_gendered(said, least=280)
    with pytest.raises(ValueError, match="same groups"):
        equal_gendered(said | {"other": (said["writes they"][0], openings([700]))})
    with pytest.raises(ValueError, match="exactly one group"):
        equal_gendered({"model": ([1, -1], Groups.overlapping([["a", "b"], ["a"]]))})


def test_a_group_without_gendered_texts_has_no_ratio_and_leaves_none_between_groups():
    rows = {(row["metric"], row["group"]): row for row in equity_levels([1, -1, 0], openings([2, 1]))}
    assert rows["equity_ratio", "opening 0"]["value"] == 1 and rows["female_log_odds", "opening 0"]["value"] == 0
    none = [(metric, "opening 1") for metric in ("equity_ratio", "female_log_odds")]
    for key in (*none, ("equity_ratio_minimum", BETWEEN), ("equity_ratio_mean", BETWEEN)):
        assert rows[key]["reason"] == "no gendered text" and math.isnan(rows[key]["high"])


def test_what_is_no_polarity_is_refused():
    with pytest.raises(ValueError, match="polarity of −1, 0 or 1 for each of 2 texts"):
        equity_levels([1, 2], openings([2]))
    with pytest.raises(ValueError, match="no units"):
        equity_levels([1, -1], openings([2]), chance=Chance(units=[0, 0]))
