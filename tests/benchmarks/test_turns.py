import itertools
import math

import pytest

from benchmarks import turns
from trustlab.intervals import mean_interval


def test_methods_take_turns_and_the_first_one_is_not_counted(monkeypatch):
    clock, order = itertools.count(), []
    monkeypatch.setattr(turns.time, "perf_counter", lambda: 2.0 ** next(clock))  # so every call lasts longer
    rows = list(turns.take_turns({"ours": lambda: order.append("ours"), "theirs": lambda: order.append("theirs")}, 2))
    assert order == ["ours", "theirs"] * 3
    assert [row["seconds"] for row in rows] == [(2**4 + 2**8) / 2, (2**6 + 2**10) / 2]
    assert [row["times ours"] for row in rows] == [1, 4] and {row["turns"] for row in rows} == {2}


def test_seconds_of_a_part_are_those_of_the_whole(monkeypatch):
    clock = itertools.count()
    monkeypatch.setattr(turns.time, "perf_counter", lambda: next(clock))
    rows = list(turns.take_turns({"ours": int, "a tenth": int}, 3, shares={"a tenth": 0.1}))
    assert [row["seconds"] for row in rows] == [1, pytest.approx(10)]
    assert rows[1]["times ours"] == pytest.approx(10)


def test_a_ratio_is_of_the_same_turn_and_has_the_interval_of_its_logarithm():
    row = turns.compared([2.0, 12.0, 3.0], [1.0, 4.0, 2.0, 99.0])
    mean, low, high = mean_interval([math.log(2), math.log(3), math.log(1.5)])[:3]
    assert row["times ours"] == pytest.approx(math.exp(mean))
    assert (row["low"], row["high"]) == pytest.approx((math.exp(low), math.exp(high)))
    assert turns.compared([6.0], [3.0]) == {"seconds": 6.0, "turns": 1, "times ours": 2.0}
