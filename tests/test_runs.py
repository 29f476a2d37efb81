import dataclasses
import errno
import json
import math
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from trustlab import durable
from trustlab.config import option
from trustlab.places import LOCK
from trustlab.provenance import code_version, git_commit, provenance
from trustlab.results import read_results, write_results
from trustlab.runs import RunNotSavedError, RunStore, run_key


@dataclasses.dataclass(frozen=True)
class Training:
    epsilon: float = option(1.0, label="ε", help="Privacy budget.", above=0)
    method: str = option("dp-sgd", label="method", help="How to train.")


@dataclasses.dataclass(frozen=True)
class Attack:
    epsilon: float = 1.0
    method: str = "dp-sgd"


ROWS = [{"step": 0, "loss": 0.1 + 0.2, "note": "ε"}, {"step": 1, "loss": math.inf, "note": "NA"}]
ABOUT = dict(config=Training(), seeds=[0, 1], data_hash="d" * 8, code="1")


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "runs")


def get(store):
    return store.get(ABOUT["config"], **{name: ABOUT[name] for name in ("seeds", "data_hash", "code")})


def entries(store):
    return sorted(path.name for path in store.directory.iterdir() if path.name != LOCK)


def test_rows_pass_through_and_come_back_with_their_provenance(store):
    rows = store.record(iter(ROWS), **ABOUT)
    assert next(rows) == ROWS[0]
    assert get(store) is None  # not before the run has ended
    assert list(rows) == ROWS[1:]
    run = get(store)
    assert run.rows == ROWS
    assert list(run.rows[0]) == ["step", "loss", "note"]
    assert run.status == "complete"
    assert run.provenance["config"] == {"epsilon": 1.0, "method": "dp-sgd"}
    assert run.provenance["seeds"] == [0, 1]
    assert run.provenance["versions"]["python"]
    assert run.provenance["versions"]["torch"]
    assert run.provenance["error"] is None
    assert run.provenance["seconds"] >= 0
    assert {"git_commit", "started", "data_hash", "code_version"} <= set(run.provenance)
    assert store.runs() == [run]


def test_infinity_nan_and_numpy_scalars_round_trip(store):
    row = {"a": math.inf, "b": -math.inf, "c": math.nan, "d": np.float64(1 / 3), "e": np.int64(7), "f": True, "g": None}
    list(store.record([row], **ABOUT))
    back = get(store).rows[0]
    assert back["a"] == math.inf
    assert back["b"] == -math.inf
    assert math.isnan(back["c"])
    assert back["d"] == 1 / 3
    assert back["e"] == 7
    assert back["f"] is True
    assert back["g"] is None
    json.loads(next(store.directory.glob("*.json")).read_text(), parse_constant=pytest.fail)  # strict JSON


@pytest.mark.parametrize(
    "change",
    [
        {"config": Training(epsilon=2.0)},
        {"config": Attack()},  # the same fields, another algorithm
        {"seeds": [0]},
        {"data_hash": "other"},
        {"code": "2"},
    ],
)
def test_whatever_decides_a_result_decides_its_key(change):
    about, other = dict(ABOUT), {**ABOUT, **change}
    assert run_key(about.pop("config"), **about) != run_key(other.pop("config"), **other)


def test_an_edit_of_the_source_is_another_code_version(tmp_path, monkeypatch):
    source = tmp_path / "algorithm_of_this_test.py"
    source.write_text("def train():\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import algorithm_of_this_test

    before = code_version(algorithm_of_this_test.train)
    source.write_text("def train():\n    return 2\n")
    assert code_version([algorithm_of_this_test]) != before
    assert code_version() == provenance({})["versions"]["trustlab"]


def test_closing_early_keeps_the_rows_as_stopped_and_closes_the_source(store):
    closed = []

    def source():
        try:
            yield from ROWS
        finally:
            closed.append(True)

    rows = store.record(source(), **ABOUT)
    next(rows)
    rows.close()
    assert closed == [True]
    assert get(store) is None
    (run,) = store.runs()
    assert (run.status, run.rows) == ("stopped", ROWS[:1])


def test_a_failure_keeps_the_rows_and_is_raised_again(store):
    def source():
        yield ROWS[0]
        raise ZeroDivisionError("loss is 0")

    with pytest.raises(ZeroDivisionError, match="loss is 0"):
        list(store.record(source(), **ABOUT))
    assert get(store) is None
    (run,) = store.runs()
    assert (run.status, run.rows, run.provenance["error"]) == ("failed", ROWS[:1], "ZeroDivisionError: loss is 0")


def test_a_cell_that_cannot_be_kept_is_refused_at_its_row(store):
    with pytest.raises(TypeError, match="Expected a number or a string, got ndarray"):
        next(store.record([{"weights": np.zeros(3)}], **ABOUT))


def test_a_stopped_run_never_replaces_a_complete_one(store):
    list(store.record(ROWS, **ABOUT))
    rows = store.record(iter(ROWS), **ABOUT)
    next(rows)
    rows.close()
    assert get(store).rows == ROWS
    assert sorted(run.status for run in store.runs()) == ["complete", "stopped"]


def test_fetch_computes_once(store):
    calls = []

    def compute():
        calls.append(1)
        return iter(ROWS)

    assert list(store.fetch(compute, **ABOUT)) == ROWS
    assert list(store.fetch(compute, **ABOUT)) == ROWS
    assert calls == [1]


def flip(text):
    return text.replace('"step":1', '"step":2')


def truncate(text):
    return text[: len(text) // 2]


def rename_key(text):
    entry = durable.from_json(text)
    entry.pop("sha256")
    entry["provenance"]["config"]["epsilon"] = 9.0  # consistent with its checksum, and another run's
    return durable.to_json({**entry, "sha256": durable.digest(durable.to_json(entry))})


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (flip, "checksum does not match"),
        (truncate, "damaged"),
        (rename_key, "key does not match"),
        (lambda text: "", "damaged"),
        (lambda text: "[1]", "damaged"),
        (lambda text: "{}", "damaged"),
    ],
)
def test_a_damaged_entry_is_set_aside_with_a_warning_and_never_used(store, damage, reason):
    list(store.record(ROWS, **ABOUT))
    (path,) = store.directory.glob("*.json")
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.warns(UserWarning, match=reason):
        assert get(store) is None
    assert entries(store) == [path.name + ".corrupt"]
    assert get(store) is None  # and quietly gone afterwards
    list(store.record(ROWS, **ABOUT))
    assert get(store).rows == ROWS


def no_space(*arguments):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_gives_one_clear_error_with_the_rows_and_leaves_the_old_entry(store, monkeypatch):
    list(store.record(ROWS, **ABOUT))
    before = get(store)
    monkeypatch.setattr(durable.os, "fsync", no_space)
    with pytest.raises(RunNotSavedError, match=r"No space left on device.*TRUSTLAB_RUNS") as caught:
        list(store.record([{"step": 5}, {"step": 6}], **ABOUT))
    assert caught.value.rows == [{"step": 5}, {"step": 6}]
    assert caught.value.provenance["status"] == "complete"
    assert get(store) == before
    assert len(entries(store)) == 1  # nothing was left aside


def test_a_full_disk_does_not_hide_the_error_of_the_run(store, monkeypatch):
    monkeypatch.setattr(durable.os, "fsync", no_space)

    def source():
        yield ROWS[0]
        raise ZeroDivisionError("loss is 0")

    with pytest.raises(ZeroDivisionError) as caught:
        list(store.record(source(), **ABOUT))
    assert any("No space left" in note for note in caught.value.__notes__)


KILLED_WHILE_WRITING = """
import os, sys
from trustlab import durable
from trustlab.runs import RunStore

def hang(handle):  # everything is written aside, nothing is renamed yet
    sys.stdout.write("writing\\n"); sys.stdout.flush()
    import time; time.sleep(60)

store = RunStore(sys.argv[1])
list(store.record([{"step": 0}], config={"run": "old"}, code="1"))
durable.os.fsync = hang
list(store.record([{"step": i} for i in range(10_000)], config={"run": "new"}, code="1"))
"""


def test_a_killed_write_loses_only_the_run_in_progress(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(KILLED_WHILE_WRITING), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "writing\n"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    (left,) = tmp_path.glob(".*" + durable.ASIDE)
    store = RunStore(tmp_path)
    assert store.get({"run": "new"}, code="1") is None
    assert store.get({"run": "old"}, code="1").rows == [{"step": 0}]
    assert len(store.runs()) == 1
    assert left.exists()  # young: its writer might still be at work
    old = time.time() - 2 * durable.SECONDS_UNTIL_STALE
    os.utime(left, (old, old))
    assert RunStore(tmp_path).runs()
    assert not left.exists()


def test_the_directory_comes_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RUNS", str(tmp_path / "here"))
    assert RunStore().directory == tmp_path / "here"
    assert RunStore().runs() == []
    monkeypatch.delenv("TRUSTLAB_RUNS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert RunStore().directory == tmp_path / "trustlab" / "runs"


def test_outside_a_checkout_there_is_no_commit(monkeypatch, tmp_path):
    monkeypatch.setattr("trustlab.provenance.ROOT", tmp_path)
    assert git_commit() is None


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))
    return tmp_path


def test_results_round_trip_exactly(results):
    path = write_results("dp_0.5", [*ROWS, {"step": 2, "extra": np.float32(0.5)}], provenance(Training(), seeds=[0]))
    assert path == results / "dp_0.5.csv"
    frame, about = read_results("dp_0.5")
    assert list(frame.columns) == ["step", "loss", "note", "extra"]
    assert frame["loss"].tolist()[:2] == [0.1 + 0.2, math.inf]
    assert math.isnan(frame["loss"][2])
    assert frame["note"].tolist()[:2] == ["ε", "NA"]  # a word, not a missing value
    assert about["config"] == {"epsilon": 1.0, "method": "dp-sgd"}
    assert str(results) not in (results / "dp_0.5.json").read_text(encoding="utf-8")


def test_an_edited_or_missing_table_is_named(results):
    write_results("table", ROWS, {})
    (results / "table.csv").write_text("step\n9\n")
    with pytest.raises(ValueError, match=r"table.csv is not the table that table.json describes"):
        read_results("table")
    with pytest.raises(FileNotFoundError, match="Set TRUSTLAB_RESULTS"):
        read_results("absent")
    with pytest.raises(ValueError, match="at least one row"):
        write_results("empty", [], {})


def test_a_failed_write_leaves_both_old_files(results, monkeypatch):
    write_results("table", ROWS, {"a": 1})
    monkeypatch.setattr(durable.os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        write_results("table", [{"step": 9}], {"a": 2})
    frame, about = read_results("table")
    assert len(frame) == len(ROWS)
    assert about["a"] == 1
