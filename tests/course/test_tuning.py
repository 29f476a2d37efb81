"""The protocol of tuning: the same trials for each method, the best of them, and no best at an edge."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trustlab.course.registry import EXPERIMENTS
from trustlab.course.tuning import Option, at_the_edge, best, chosen, profile, trials, uneven

SPACE = {"rate": Option((0.1, 0.3, 1.0, 3.0)), "batch": Option((16, 64, 256))}


def search(scores, *, method="a", rates=(0.1, 0.3, 1.0)):
    return pd.DataFrame({"method": method, "rate": rates, "score": scores})


@given(budget=st.integers(1, 12), seed=st.integers(0, 5))
def test_trials_are_distinct_members_of_the_space_and_always_the_same(budget, seed):
    drawn = trials(SPACE, budget, seed)
    assert drawn == trials(dict(reversed(SPACE.items())), budget, seed) == trials(SPACE, 12, seed)[:budget]
    assert len({tuple(sorted(each.items())) for each in drawn}) == budget
    assert all(each[name] in option.values for each in drawn for name, option in SPACE.items())


def test_another_seed_is_another_order_and_every_value_gets_its_turn():
    assert trials(SPACE, 12, 0) != trials(SPACE, 12, 1)
    counts = {value: 0 for value in SPACE["rate"].values}
    for seed in range(200):
        counts[trials(SPACE, 1, seed)[0]["rate"]] += 1
    assert min(counts.values()) > 25  # 50 expected, with a standard deviation of 6


def test_a_wider_space_keeps_the_order_of_the_old_trials():
    wide = {**SPACE, "rate": Option((0.03, 0.1, 0.3, 1.0, 3.0))}
    assert [each for each in trials(wide, 15) if each["rate"] > 0.03] == trials(SPACE, 12)


@pytest.mark.parametrize("budget", [0, 13])
def test_a_space_with_too_few_combinations_is_refused(budget):
    with pytest.raises(ValueError, match="between 1 and 12"):
        trials(SPACE, budget)


@pytest.mark.parametrize("values", [(), (1, 1), (3.0, 1.0)])
def test_a_range_out_of_order_is_refused(values):
    with pytest.raises(ValueError, match="ascending order"):
        Option(values)


def test_the_best_is_by_the_mean_over_seeds_and_a_diverged_seed_is_no_reference():
    table = pd.concat([search([0.5, 0.9, 0.7]), search([0.5, 0.1, 0.7]), search([0.9, 0.2, 0.1], method="b")])
    assert best(table.iloc[:6], by=["method"], options=["rate"]).to_dict("records") == [
        {"method": "a", "rate": 1.0, "score": 0.7}
    ]
    lucky = pd.concat([search([0.5, 1.0, 0.7]), search([0.5, math.nan, 0.7])])
    assert chosen(lucky, options=["rate"], method="a") == {"rate": 1.0}
    assert chosen(table, options=["rate"], method="b") == {"rate": 0.1}
    assert chosen(search([0.7, 0.7, 0.1]), options=["rate"], method="a") == {"rate": 0.1}


def test_what_cannot_be_chosen_is_refused():
    with pytest.raises(ValueError, match="only diverged ones for a"):
        best(search([math.nan, math.inf, math.nan]), by=["method"], options=["rate"])
    with pytest.raises(ValueError, match="as many seeds for every trial"):
        best(pd.concat([search([0.1, 0.2, 0.3]), search([0.9], rates=[0.1])]), by=["method"], options=["rate"])
    with pytest.raises(ValueError, match=r"got none\. Tune this method"):
        chosen(search([0.1, 0.2, 0.3]), options=["rate"], method="c")


def test_a_best_value_at_an_open_end_is_reported():
    looked = dict(by=["method"], options=["rate"])
    spaces = {"a": {"rate": Option((0.1, 0.3, 1.0))}}
    assert at_the_edge(search([0.1, 0.9, 0.3]), spaces, **looked) == []
    assert at_the_edge(search([0.1, 0.2, 0.3]), spaces, **looked) == [
        "a: rate=1.0 is the high end of (0.1, 0.3, 1.0). Widen the search there."
    ]
    assert "low end" in at_the_edge(search([0.3, 0.2, 0.1]), spaces, **looked)[0]
    natural = {"a": {"rate": Option((0.1, 0.3, 1.0), high_end="a share is at most 1")}}
    assert at_the_edge(search([0.1, 0.2, 0.3]), natural, **looked) == []
    with pytest.raises(ValueError, match="another search"):
        at_the_edge(search([0.9, 0.2, 0.3], rates=[0.2, 0.3, 1.0]), spaces, **looked)


def test_an_uneven_budget_is_reported():
    even = pd.concat([search([0.1, 0.2, 0.3]), search([0.1, 0.2, 0.3], method="b")])
    assert uneven(even, by=["method"], options=["rate"]) == []
    # Two seeds of one trial are one trial.
    twice = pd.concat([even, search([0.4, 0.1, 0.1]), search([0.4, 0.1, 0.1], method="b")])
    assert uneven(twice, by=["method"], options=["rate"]) == []
    assert uneven(even.iloc[:5], by=["method"], options=["rate"]) == ["b: 2 trials, where others had 3."]


def test_a_profile_has_the_best_of_the_other_options_at_each_value():
    runs = [(0.1, 16, 0.2), (0.1, 64, 0.6), (0.3, 16, 0.9), (0.3, 64, math.nan), (1.0, 16, math.nan)]
    table = pd.DataFrame([{"method": "a", "rate": r, "batch": b, "score": s} for r, b, s in runs])
    found = profile(table, "rate", by=["method"], options=["rate", "batch"])
    assert [(row["rate"], row["chosen"]) for row in found] == [(0.1, False), (0.3, True), (1.0, False)]
    assert [row["score"] for row in found[:2]] == [0.6, 0.9] and math.isnan(found[2]["score"])
    # The mean over a trial's seeds, not its best seed; a trial with a diverged seed is none.
    lucky = pd.concat([table, table.assign(score=[0.2, 0.0, 0.8, math.nan, 0.9])])
    again = profile(lucky, "rate", by=["method"], options=["rate", "batch"])
    assert [row["score"] for row in again[:2]] == pytest.approx([0.3, 0.85]) and math.isnan(again[2]["score"])


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if name.endswith("-tuning")])
def test_a_search_finds_its_trials_again_by_the_seeds_of_its_table(name):
    """A table is written in the order of the grid of its own seeds."""
    known = EXPERIMENTS[name]
    for corpus in known.corpora():
        table = known.table(corpus)
        seeds = sorted(set(table["seed"]))
        again = known.module.grid(corpus, seeds=seeds)
        keys = [tuple(setting.key().values()) for setting in again]
        assert keys == list(table[[*again[0].key()]].itertuples(index=False, name=None))
