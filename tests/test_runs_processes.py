"""Several processes, one store: whatever they do to an entry at once, each sees it whole or not at all."""

import json
import multiprocessing
import os
import random
import time
import warnings

import pytest

from trustlab import durable
from trustlab.places import LOCK
from trustlab.runs import RunNotSavedError, RunStore

ROWS = [{"step": step} for step in range(4)]
CONFIG = dict(config={"run": 1}, code="1")
FORK = multiprocessing.get_context("fork")


def entry(store):
    return next(path for path in store.directory.glob("*.json"))


def write(store, rows=ROWS):
    list(store.record(iter(rows), **CONFIG))


def get(store):
    return store.get(CONFIG["config"], code="1")


def together(count, act, *arguments):
    """Let `count` processes act at one moment; return what each said."""
    ready, said = FORK.Barrier(count), FORK.SimpleQueue()

    def run(i):
        ready.wait()
        try:
            said.put(act(i, *arguments))
        except BaseException as error:
            said.put(repr(error))

    processes = [FORK.Process(target=run, args=(i,)) for i in range(count)]
    for process in processes:
        process.start()
    answers = [said.get() for _ in processes]
    for process in processes:
        process.join()
    return answers


def quietly(act):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        return act(), [str(each.message) for each in caught]


def test_six_readers_of_one_damaged_entry_all_go_on(tmp_path):
    store = RunStore(tmp_path)

    def read(i):
        run, told = quietly(lambda: get(store) if i % 2 else store.runs())
        return run in (None, []), len(told) <= 1

    for _ in range(20):  # without the lock a round fails in three of eight
        write(store)
        entry(store).write_text("half of", encoding="utf-8")
        assert together(6, read) == [(True, True)] * 6
        assert [path.suffix for path in tmp_path.iterdir() if path.name != LOCK] == [".corrupt"]


def test_a_reader_of_damage_does_not_take_away_what_a_writer_has_put_in_its_place(tmp_path, monkeypatch):
    store = RunStore(tmp_path)
    write(store)
    path = entry(store)
    whole = path.read_text(encoding="utf-8")
    path.write_text("half of", encoding="utf-8")
    set_aside = RunStore._set_aside

    def late(self, path, error):
        path.write_text(whole, encoding="utf-8")  # the writer was quicker
        return set_aside(self, path, error)

    monkeypatch.setattr(RunStore, "_set_aside", late)
    assert get(store).rows == ROWS
    assert path.is_file()


def test_of_writers_of_one_key_the_longest_run_is_kept_and_readers_see_whole_runs(tmp_path):
    store = RunStore(tmp_path)

    def act(i):
        for _ in range(15):
            if i < 3:
                quietly(lambda: write(store, ROWS[: random.Random(i).randint(1, 4)] if i else ROWS))
            elif (run := get(store)) is not None and run.rows != ROWS[: len(run.rows)]:
                return run.rows
        return "fine"

    assert together(6, act) == ["fine"] * 6
    assert get(store).rows == ROWS


def test_a_complete_run_never_gives_way_to_a_shorter_one(tmp_path):
    store = RunStore(tmp_path)
    write(store)
    with pytest.warns(
        UserWarning, match=r"Expected a complete run of 4 rows, as is saved .*, got 1 rows\. The saved one"
    ):
        write(store, ROWS[-1:])
    assert get(store).rows == ROWS


def test_a_temporary_file_of_a_living_writer_is_not_stale_however_old(tmp_path):
    """A process that was paused for a night goes on in the morning."""
    path = tmp_path / "big"

    def slow(i):
        if i:
            time.sleep(0.5)
            for aside in tmp_path.glob(f".*{durable.ASIDE}"):
                os.utime(aside, (0, 0))
            RunStore(tmp_path)
            return "cleaned"
        fsync = os.fsync
        durable.os.fsync = lambda handle: (time.sleep(1.5), fsync(handle))
        durable.write_whole(path, "whole")
        return "written"

    assert sorted(together(2, slow)) == ["cleaned", "written"]
    assert path.read_text(encoding="utf-8") == "whole"


def newer(path):
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({"format": 2, "other": content["rows"]}), encoding="utf-8")
    return path.read_bytes()


def test_an_entry_of_a_newer_version_is_left_as_it_is(tmp_path):
    store = RunStore(tmp_path)
    write(store)
    path = entry(store)
    content = newer(path)
    for look in (lambda: get(store), lambda: store.runs() or None):
        with pytest.warns(UserWarning, match="has format 2, expected at most 1; a newer version of trustlab wrote it"):
            assert look() is None
        assert path.read_bytes() == content
    steps = []
    with pytest.raises(RunNotSavedError, match="a newer version of trustlab wrote it"):
        store.record(iter(steps.append, 1), **CONFIG)
    assert (steps, path.read_bytes()) == ([], content)


def test_a_place_that_cannot_be_written_is_said_before_the_first_row(tmp_path):
    (tmp_path / "file").write_text("")
    steps = []
    for folder in (tmp_path / "file", tmp_path / "file" / "runs"):
        with pytest.raises(
            RunNotSavedError, match=r"will not be computed.*set TRUSTLAB_RUNS to another folder"
        ) as caught:
            RunStore(folder).record(iter(steps.append, 1), **CONFIG)
        assert caught.value.rows == steps == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_access_is_read_and_not_computed_into(tmp_path):
    store = RunStore(tmp_path)
    write(store)
    tmp_path.chmod(0o500)
    try:
        assert get(store).rows == ROWS
        with pytest.raises(RunNotSavedError):
            store.record(iter(ROWS), **CONFIG)
    finally:
        tmp_path.chmod(0o700)


def test_damage_in_a_folder_that_cannot_be_written_is_said_and_no_error(tmp_path, monkeypatch):
    store = RunStore(tmp_path)
    write(store)
    entry(store).write_text("half of", encoding="utf-8")
    monkeypatch.setattr("trustlab.runs.os.replace", lambda *_: os.write(-1, b""))  # an OSError
    with pytest.warns(UserWarning, match="it could not be set aside"):
        assert get(store) is None


def test_ctrl_c_is_what_is_seen_also_where_the_rows_cannot_be_saved(tmp_path, monkeypatch):
    def source():
        yield ROWS[0]
        monkeypatch.setattr(durable.os, "fsync", lambda handle: os.write(-1, b""))  # an OSError
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        list(RunStore(tmp_path).record(source(), **CONFIG))
    assert any("could not be written" in note for note in caught.value.__notes__)


def test_rows_are_saved_also_where_closing_their_source_fails(tmp_path):
    def source():
        try:
            yield from ROWS
        finally:
            raise ZeroDivisionError

    rows = RunStore(tmp_path).record(source(), **CONFIG)
    next(rows)
    with pytest.raises(ZeroDivisionError):
        rows.close()
    (run,) = RunStore(tmp_path).runs()
    assert (run.status, run.rows) == ("stopped", ROWS[:1])
