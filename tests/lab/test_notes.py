import json
import threading
import time

import pytest

from trustlab import durable
from trustlab.lab import notes as module
from trustlab.lab.notes import keep_note, notes


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RUNS", str(tmp_path))
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.setattr(module, "_unwritten", {})
    return tmp_path


def test_a_note_is_there_in_another_session_and_a_second_one_replaces_it(store):
    keep_note("31", "prediction", "effect size", choice="two", right=False)
    keep_note("31", "prediction", "effect size", choice="one", right=True)
    keep_note("22", "exercise", "effect size", right=True)
    module._unwritten.clear()  # another session has only the file
    assert [(n.where, n.kind, n.name, n.what) for n in notes()] == [
        ("31", "prediction", "effect size", {"choice": "one", "right": True}),
        ("22", "exercise", "effect size", {"right": True}),
    ]


def test_the_run_store_takes_no_note_for_a_run(store):
    from trustlab.runs import RunStore

    keep_note("31", "exercise", "a test by hand", right=True)
    list(RunStore().record(iter([{"step": 1}]), config={"a": 1}))
    assert len(RunStore().runs()) == 1 and len(notes()) == 1


def test_a_worked_solution_is_not_the_readers(store, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "notebooks/solutions/31_fairness_metrics.ipynb")
    keep_note("31", "exercise", "a test by hand", right=True)
    assert notes() == []


def test_a_folder_that_takes_no_file_stops_nobody_and_the_note_is_written_later(store, monkeypatch):
    def full(*_):
        raise OSError("No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(module, "write_whole", full)
        keep_note("31", "exercise", "first", right=True)
    assert [n.name for n in notes()] == ["first"] and not (store / module.FILE).exists()
    keep_note("31", "exercise", "second", right=True)
    assert module._unwritten == {} and [n.name for n in notes()] == ["first", "second"]


@pytest.mark.parametrize(
    "damage", ["{", "[]", '{"format": 1, "notes": [{"where": "31"}]}', '{"format": 0, "notes": []}']
)
def test_a_damaged_file_is_set_aside_and_nothing_is_raised(store, damage):
    path = store / module.FILE
    path.parent.mkdir(parents=True)
    path.write_text(damage)
    assert notes() == []
    assert path.with_name("notes.json.corrupt").read_text() == damage and not path.exists()


def test_a_newer_versions_file_is_left_as_it_is(store):
    path = store / module.FILE
    path.parent.mkdir(parents=True)
    newer = json.dumps({"format": module.FORMAT + 1, "notes": []})
    path.write_text(newer)
    keep_note("31", "exercise", "kept in this session", right=True)
    assert [n.name for n in notes()] == ["kept in this session"] and path.read_text() == newer


def test_an_unknown_kind_is_refused(store):
    with pytest.raises(ValueError, match="kind='guess' to be one of prediction, exercise, training"):
        keep_note("31", "guess", "x")


def test_a_note_that_comes_while_another_thread_writes_is_kept(monkeypatch):
    threads = []

    def write(path, text):
        if not threads:
            threads.append(threading.Thread(target=keep_note, args=("11", "training", "second"), kwargs={"ε": 8.0}))
            threads[0].start()
            while len(module._unwritten) < 2:
                time.sleep(0.01)
        durable.write_whole(path, text)

    monkeypatch.setattr(module, "write_whole", write)
    keep_note("11", "prediction", "first", right=True)
    threads[0].join(20)
    module._unwritten.clear()  # another session has only the file
    assert {note.name for note in notes()} == {"first", "second"}
