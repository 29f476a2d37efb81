import itertools
import math

import pytest
import threadpoolctl
import torch

from benchmarks import deployment, page, turns
from trustlab.intervals import mean_interval
from trustlab.results import read_results


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


def test_the_processors_time_can_be_compared_instead_and_does_not_count_waiting(monkeypatch):
    clock = itertools.count()
    monkeypatch.setattr(turns.time, "perf_counter", lambda: next(clock) ** 3)
    busy = itertools.count()
    monkeypatch.setattr(turns.time, "process_time", lambda: 2 * next(busy))
    methods = {"ours": int, "half": int}
    rows = list(turns.take_turns(methods, 3, shares={"half": 0.5}, by_processor=True))
    assert [row["times ours"] for row in rows] == [1, 2] and [row["CPU seconds"] for row in rows] == [2, 4]
    assert rows[0]["seconds"] != rows[0]["CPU seconds"]
    assert turns.load() >= 0


def test_on_one_thread_there_is_one_thread_and_then_as_many_as_before():
    before = torch.get_num_threads()
    with turns.one_thread():
        assert torch.get_num_threads() == 1
        assert all(pool["num_threads"] == 1 for pool in threadpoolctl.threadpool_info())
    assert torch.get_num_threads() == before


def test_a_stored_table_knows_the_machine_and_the_peers_that_are_there(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))
    assert turns.store("speed", [{"method": "ours"}], [turns], ["numpy", "nobody-has-this"], rounds=3) == "speed.csv"
    config = read_results("speed")[1]["config"]
    assert config["rounds"] == 3 and config["cores"] >= 1 and config["threads"] >= 1
    assert config["peers"].startswith("numpy ") and "nobody" not in config["peers"]


def test_the_page_shows_the_engines_that_ran(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))
    columns = ("seconds a round", "start seconds", "times ours", "difference", "bytes up", "note")
    rows = [
        ("simulator", 0.1716, 0.574, 1.0, 2.7e-6, None, None),
        ("Ray", None, None, None, None, None, "Ray did not start"),
        ("deployed", 13.36, 32.0, 77.87, 0.0, 2_792_772, None),
    ]
    table = [{"method": name} | dict(zip(columns, values, strict=True)) for name, *values in rows]
    turns.store(deployment.NAME, table, [turns], [])
    shown = page.engines()
    assert "| simulator | 172 ms | 1 | 574 ms |  | 3e-06 |\n" in shown
    assert "| deployed | 13.4 s | 77.9 | 32 s | 0.93 MB | 0 |\n" in shown and "Ray" not in shown


def test_the_page_shows_all_fairness_tables_or_none(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))
    row = {"what": "CEAT", "turns": 2}
    slow = {**row, "method": "loop", "seconds": 12.34, "times ours": 198.0, "low": 190.7, "high": 205.0}
    fast = {**row, "method": "ours", "seconds": 0.0441, "times ours": 1.0, "low": 1.0, "high": 1.0}
    turns.store(page.FAIRNESS[0], [fast, slow], [turns], [])
    with pytest.raises(FileNotFoundError):
        page.fairness()
    for name in page.FAIRNESS[1:]:
        turns.store(name, [fast], [turns], ["numpy"])
    shown = page.fairness()
    assert "| CEAT: ours | 44.1 ms | 1 |\n" in shown
    assert "| CEAT: loop | 12.3 s | 198 (191 to 205) |\n" in shown
    assert f"torch {torch.__version__}; all numbers" in shown and ", numpy " in shown
