"""The comparison of simulators compares the same training; how long it takes is no test."""

import importlib.util

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import page, simulating, simulation_peers
from benchmarks.simulation_peers import Fleet, ours
from trustlab.results import read_results, write_results
from trustlab.versions import ROOT

SMALL = Fleet("small", (12, 1, 25))


def test_engines_and_pfl_train_the_same_weights(monkeypatch):
    monkeypatch.setattr(simulating, "installed", lambda peer: importlib.util.find_spec(peer) is not None)
    rows = list(simulating.side_by_side(SMALL, ("pfl",), turns=2, rounds=3))
    assert [row["method"] for row in rows] == [simulating.OURS, simulating.LOOP, "pfl"]
    assert rows[0]["times ours"] == 1 and all(row.get("difference", 0) < 1e-5 for row in rows)
    assert "note" in rows[2] or rows[2]["times ours"] > 0


def test_a_method_that_trains_something_else_has_no_time(monkeypatch):
    def another(fleet, rounds):
        seconds, weights = ours(fleet, rounds)
        return seconds, {name: weight + 0.01 for name, weight in weights.items()}

    monkeypatch.setitem(simulation_peers.PEERS, "pfl", another)
    monkeypatch.setattr(simulating, "installed", lambda peer: True)
    with pytest.raises(RuntimeError, match=r"Expected the final weights of pfl to be ours, they differ by 0\.01"):
        list(simulating.side_by_side(SMALL, ("pfl",), turns=1, rounds=2))


def test_a_peer_that_is_missing_is_said_and_has_a_row(monkeypatch, capsys):
    monkeypatch.setattr(simulating, "find_spec", lambda name: None)
    rows = list(simulating.side_by_side(SMALL, ("pfl", "Flower"), turns=1, rounds=2))
    assert all("not installed" in row["note"] for row in rows[2:]) and len(rows) == 4
    assert "*** Flower is not installed and LEFT OUT" in capsys.readouterr().err


def test_devices_see_their_own_examples_in_the_order_of_our_minibatches():
    clients = SMALL.clients()
    order = SMALL.batch_order(0, 2, clients[2])
    assert sorted(order) == list(range(13, 38)) and list(order) != sorted(order)
    assert list(SMALL.batch_order(1, 2, clients[2])) != list(order)
    task = SMALL.task()
    assert len(task.train) == 38 and task.train.at_once  # not one row after the other, as pfl would not either
    ids = task.train.dataset.ids
    assert (ids[:, 0] > 0).all() and (ids == 0).any()


def test_measuring_devices_and_registered_ones_have_a_row_each():
    rows = list(simulating.each_device(5, turns=1))
    assert [row["method"] for row in rows] == ["in one pass", "one by one"]
    many = simulating._Registered(10**6, 38)
    assert len(many) == 10**6 and np.array_equal(many[10**6 - 1], (np.arange(40) + 40 * (10**6 - 1)) % 38)


def test_parts_are_chosen_by_name_and_unknown_ones_refused(monkeypatch, capsys):
    ran = []
    monkeypatch.setattr(command, "PARTS", {name: lambda asked, name=name: ran.append(name) for name in command.PARTS})
    for arguments in (["selecting", "partitioning"], []):
        monkeypatch.setattr("sys.argv", ["benchmarks", *arguments])
        command.main()
    assert ran == ["selecting", "partitioning", *command.PARTS]
    monkeypatch.setattr("sys.argv", ["benchmarks", "flying"])
    with pytest.raises(SystemExit):
        command.main()
    assert "unknown part flying: choose from step" in capsys.readouterr().err


def test_the_pages_table_has_the_measured_rows_only(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))
    rows = [
        {"fleet": "a", "method": "ours", "seconds": 0.01234, "times ours": 1.0, "round MB": None, "fleet MB": None},
        {"fleet": "b", "method": "ours", "seconds": 0.5, "times ours": None, "round MB": 9.4, "fleet MB": 30.0},
        {"fleet": "a", "method": "pfl", "seconds": None, "times ours": None, "note": "not installed"},
    ]
    about = {"config": {"cores": 2, "threads": 1, "processor": "x", "peers": "pfl 2"}, "versions": {"torch": "1"}}
    write_results(simulating.NAME, rows, about | {"started": "2026-11-21T00"})
    text = page.simulation()
    assert "| a: ours | 12.3 ms | 1 |  |  |" in text and "| b: ours | 500 ms |  | 9 MB | 30 MB |" in text
    assert ": pfl" not in text and "2 cores (x, 1 thread), 2026-11-21, torch 1, pfl 2;" in text


def test_the_page_shows_the_committed_table_in_which_all_trained_the_same():
    rows, about = read_results(ROOT / "data" / "results" / simulating.NAME)
    compared = rows[rows["difference"].notna()]
    assert set(compared["method"]) == {simulating.OURS, simulating.LOOP, "pfl", "Flower"}
    assert (compared["difference"] <= simulating.AGREE).all() and (compared["turns"] >= 3).all()
    assert about["config"]["threads"] == 1 and "pfl" in about["config"]["peers"]
    text = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert f"{page.SIMULATION_BEGIN}\n{page.simulation()}\n{page.SIMULATION_END}" in text
