"""Equity ratios next to those of a writer who tosses a coin: exact counts, and intervals that cover."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from trustlab.fairness.equity_levels import equity_levels
from trustlab.fairness.generated_texts import equity_ratios
from trustlab.fairness.groups import BETWEEN, Chance, Groups


def openings(sizes):
    return Groups.by(np.repeat([f"opening {g}" for g in range(len(sizes))], sizes))


def test_values_are_those_of_equity_ratios_and_the_level_is_the_binomials():
    said, groups = np.array([1] * 6 + [-1] * 4 + [0] * 5 + [1] * 3 + [-1] * 7), openings([10, 15])
    plain = {(row["metric"], row["group"]): row["value"] for row in equity_ratios(said, groups)}
    rows = equity_levels(said, groups, chance=Chance(draws=20_000))
    for row in rows:
        assert row["value"] == pytest.approx(plain[row["metric"], row["group"]])
    k = np.arange(11)
    ratios, weight = np.minimum(k, 10 - k) / np.maximum(k, 10 - k), stats.binom.pmf(k, 10, 0.5)
    assert rows[0]["blind"] == pytest.approx(ratios @ weight, abs=0.01)
    assert rows[0]["p"] == pytest.approx(stats.binomtest(6, 10).pvalue, abs=0.01)
    assert [row["rows"] for row in rows] == [10, 10, 10]


def test_an_interval_is_clopper_and_pearsons_of_the_share():
    (row, _) = equity_levels(np.array([1] * 28 + [-1] * 12), openings([40]), chance=Chance(draws=39))
    share = stats.binomtest(28, 40).proportion_ci()
    assert (row["low"], row["high"]) == pytest.approx(((1 - share.high) / share.high, (1 - share.low) / share.low))
    (row, _) = equity_levels(np.array([1, -1] * 20), openings([40]), chance=Chance(draws=39))
    assert row["high"] == 1 and row["low"] < 0.6


@pytest.mark.parametrize("shares", [(0.5,) * 6, (0.5, 0.6, 0.5, 0.4, 0.5, 0.85)])
def test_the_interval_of_the_smallest_ratio_covers_it(shares):
    # 95 % or more by construction: of 150, 15 or more miss with probability 0.01. A bootstrap misses 1 nearly always.
    rng, sizes = np.random.default_rng(0), np.array([12, 20, 30, 15, 25, 20])
    truth, missed = min(min(p, 1 - p) / max(p, 1 - p) for p in shares), 0
    for _ in range(150):
        said = np.where(rng.random(sizes.sum()) < np.repeat(shares, sizes), 1, -1)
        row = equity_levels(said, openings(sizes), chance=Chance(draws=39))[-1]
        missed += not row["low"] - 1e-9 <= truth <= row["high"] + 1e-9
    assert missed < 15


def test_a_group_without_gendered_texts_has_no_ratio_and_leaves_none_between_groups():
    rows = {row["group"]: row for row in equity_levels([1, -1, 0], openings([2, 1]))}
    assert rows["opening 1"]["reason"] == rows[BETWEEN]["reason"] == "no gendered text"
    assert math.isnan(rows[BETWEEN]["high"]) and rows["opening 0"]["value"] == 1


def test_what_is_no_polarity_is_refused():
    with pytest.raises(ValueError, match="polarity of −1, 0 or 1 for each of 2 texts"):
        equity_levels([1, 2], openings([2]))
    with pytest.raises(ValueError, match="no units"):
        equity_levels([1, -1], openings([2]), chance=Chance(units=[0, 0]))
