"""Claims: three outcomes, decided as Student's t decides them, and corrected for how many are made."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import stats

from trustlab.intervals import Interval, mean_interval
from trustlab.lab.claims import claims
from trustlab.lab.outcomes import Bar, holm, p_against


def decided(values, **bar):
    return claims([{"claim": "A", "values": values, **bar}]).rows[0]["outcome"]


def test_a_claim_holds_is_refuted_or_stays_open():
    shown = claims(
        [
            {"claim": "A beats B", "values": [0.04, 0.05, 0.06], "above": 0, "unit": "points", "setup": "both tuned"},
            {"claim": "It is **free**", "values": [0.1, 0.3], "below": 0.05},
            {"claim": "Once", "values": [0.5], "above": 0, "unless": "more runs"},
            {"claim": "Given", "measured": Interval(0.5, 0.4, 0.6, 9), "below": 0.2, "sampled": "models"},
            {"claim": "Exact", "measured": "equal", "holds": True},
            {"claim": "Not so", "measured": 3.0, "holds": False},
        ],
        digits=2,
    )
    assert repr(shown).splitlines() == [
        "claim                               measured                                   p (Holm)  outcome",
        "A beats B [both tuned]              0.05 points (95 % 0.025 to 0.075, 3 runs)  0.039     holds",
        "It is free                          0.2 (95 % −1.1 to 1.5, 2 runs)             0.75      not decided (2 runs)",
        "Once [would change with more runs]  0.5 (one run, no interval)                 1         not decided (1 run)",
        "Given                               0.5 (95 % 0.4 to 0.6, 9 models)            < 0.001   refuted",
        "Exact                               equal                                                holds",
        "Not so                              3                                                    refuted",
    ]
    assert not shown.all_hold
    assert claims([{"claim": "Exact", "measured": "equal", "holds": True}]).all_hold
    assert len(re.findall("</strong> refuted", shown.html)) == 2
    assert shown.html.count("?</strong> not decided") == 2
    assert "<strong>free</strong>" in shown.html
    assert "both tuned</small>" in shown.html


@pytest.mark.parametrize("seed", range(6))
def test_one_claim_alone_is_decided_as_a_t_test_decides_it(seed):
    values = np.random.default_rng(seed).normal(0.3, 0.5, size=5)
    interval = mean_interval(values)
    p, _ = p_against(Bar(low=0.1), interval)
    assert p == pytest.approx(stats.ttest_1samp(values, 0.1).pvalue)
    word = "holds" if interval.low > 0.1 else "refuted" if interval.high < 0.1 else "not decided (5 runs)"
    assert decided(values, above=0.1) == word
    assert decided(-values, below=-0.1) == word


def test_within_needs_both_ends_and_is_refuted_beyond_one():
    assert decided([0.001, -0.002, 0.0, 0.001, -0.001], within=(-0.02, 0.02)) == "holds"
    assert decided([0.1, 0.12, 0.11, 0.1, 0.13], within=(-0.02, 0.02)) == "refuted"
    assert decided([-0.1, -0.12, -0.11, -0.1, -0.13], within=(-0.02, 0.02)) == "refuted"
    assert decided([0.01, 0.03, -0.01, 0.02, 0.05], within=(-0.02, 0.02)) == "not decided (5 runs)"
    # Two one-sided tests at half the error rate each: the 95 % interval lies within.
    values = [0.01, 0.012, 0.015, 0.011, 0.0185]
    low, high = mean_interval(values)[1:3]
    assert decided(values, within=(low - 1e-9, high + 1e-9)) == "holds"
    assert decided(values, within=(low - 1e-9, high - 1e-5)) == "not decided (5 runs)"
    assert decided(values, within=(low + 1e-5, high + 1e-9)) == "not decided (5 runs)"


def test_runs_without_spread_are_exact():
    assert decided([0.1, 0.1, 0.1], above=0) == "holds"
    assert decided([0.1, 0.1, 0.1], below=0) == "refuted"
    assert decided([0.0, 0.0], above=0) == "not decided (2 runs)"


def test_the_half_of_a_lopsided_interval_that_faces_the_bar_decides():
    lopsided = Interval(1.0, 0.9, 3.0, 20)
    assert p_against(Bar(low=0.85), lopsided)[0] < 0.05
    assert p_against(Bar(high=2.0), lopsided)[0] > 0.05


def test_holms_method_by_its_definition():
    rng = np.random.default_rng(0)
    for size in (1, 2, 7):
        p = rng.uniform(size=size) ** 3
        rank = stats.rankdata(p, method="ordinal")
        # For each hypothesis the largest (m − i + 1)·p_(i) over those that are at most as large.
        expected = [min(1, max((size - r + 1) * q for q, r in zip(p, rank, strict=True) if r <= own)) for own in rank]
        assert holm(list(p)) == pytest.approx(expected)


def test_true_nulls_are_rarely_found_among_many_lines():
    """The familywise error, by simulation: twenty claims of nothing, three true ones beside them."""
    rng, wrong, found, turns = np.random.default_rng(5), 0, 0, 150
    for _ in range(turns):
        rows = [{"claim": f"{i}", "values": rng.normal(0, 1, size=6), "above": 0} for i in range(20)]
        rows += [{"claim": f"true {i}", "values": rng.normal(9, 1, size=6), "above": 0} for i in range(3)]
        said = [row["outcome"] for row in claims(rows).rows]
        wrong += any(not each.startswith("not decided") for each in said[:20])
        found += said[20:].count("holds")
    assert wrong / turns < 0.05 + 3 * (0.05 * 0.95 / turns) ** 0.5
    assert found == 3 * turns


def test_a_given_p_replaces_students():
    row = {"claim": "A", "measured": Interval(0.5, 0.4, 0.6, 9), "above": 0}
    assert claims([row]).rows[0]["outcome"] == "holds"
    assert claims([{**row, "p": 0.4, "sampled": "pairs"}]).rows[0] == {
        "claim": "A",
        "measured": "0.5 (95 % 0.4 to 0.6, 9 pairs)",
        "p (Holm)": "0.4",
        "outcome": "not decided (9 pairs)",
    }


@pytest.mark.parametrize(
    "row",
    [
        {"claim": "A", "holds": True},
        {"claim": "A", "values": [1.0]},
        {"values": [1.0], "above": 0},
        {"claim": "A", "values": [1.0], "measured": "x", "above": 0},
        {"claim": "A", "values": [1.0], "above": 0, "below": 1},
        {"claim": "A", "values": [1.0], "above": 0, "colour": "red"},
    ],
)
def test_a_claim_without_measurement_or_bar_is_refused(row):
    with pytest.raises(ValueError, match="Expected claim, values or measured, one of above, below, within or holds"):
        claims([row])
    with pytest.raises(ValueError, match="at least one claim"):
        claims([])


@pytest.mark.parametrize(
    "row",
    [
        {"claim": "A", "values": [1.0, 2.0], "holds": True},
        {"claim": "A", "measured": "equal", "above": 0},
        {"claim": "A", "measured": Interval(1, 0, 2, 3), "holds": lambda m: m.low > 0},
        {"claim": "A", "measured": 2.0, "holds": lambda m: m > 1},
    ],
)
def test_an_outcome_that_hides_its_uncertainty_is_refused(row):
    with pytest.raises(ValueError, match="Expected a bar for what has an interval"):
        claims([row])


def test_a_bar_without_room_is_refused():
    with pytest.raises(ValueError, match="Expected a bar with low < high, got within="):
        decided([1.0, 2.0], within=(0.02, -0.02))
