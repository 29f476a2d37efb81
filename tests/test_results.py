"""What is written into a table or an entry is what is read from it, and lies where it was meant to."""

import csv
import io
import math
import os
import stat
import sys
import tempfile
from pathlib import Path

import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trustlab import durable, places
from trustlab.plain import from_json, to_json
from trustlab.results import read_results, results_directory, write_results
from trustlab.runs import RunStore
from trustlab.versions import ROOT

HARD = [
    "007",
    "",
    "nan",
    "inf",
    "1_0",
    " 7",
    "True",
    "a\rb",
    "\r\n",
    '"x"',
    "\0",
    "\ud83d",
    "\ud83d\ude00",
    "NA",
    "1e5",
]
TEXTS = st.text(st.characters(), max_size=6) | st.sampled_from([*HARD, "٣", "\u2028", ",", "\\ud83d"])
CELLS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
NAMES = st.sampled_from(["a", "b", "c\r", "", '"', "x,y", "float"])


def same(given_, read):
    """Say whether pandas holds what was written: a missing number is NaN, an int may be the equal float."""
    if given_ is None:
        return read is None or read != read
    if isinstance(given_, str | bool) or isinstance(read, str):
        return isinstance(read, str) == isinstance(given_, str) and given_ == read and type(read) is not float
    return given_ == read or (given_ != given_ and read != read)


@settings(deadline=None)
@given(st.lists(st.dictionaries(NAMES, CELLS, min_size=1), min_size=1, max_size=6))
def test_every_cell_of_a_table_comes_back(rows):
    with tempfile.TemporaryDirectory() as folder:
        write_results(f"{folder}/table", rows, {})
        frame, _ = read_results(f"{folder}/table")
    assert len(frame) == len(rows)
    assert set(frame.columns) == {name for row in rows for name in row}
    for row, read in zip(rows, frame.astype(object).to_dict("records"), strict=True):
        assert all(same(row.get(name), value) for name, value in read.items()), (row, read)


@settings(deadline=None)
@given(st.lists(st.dictionaries(NAMES | TEXTS, CELLS), min_size=1, max_size=4))
def test_every_row_of_a_run_comes_back(rows):
    with tempfile.TemporaryDirectory() as folder:
        list(RunStore(folder).record(rows, config={"a": math.inf}, code="1"))
        assert repr(RunStore(folder).get({"a": math.inf}, code="1").rows) == repr(rows)


NESTED = st.recursive(
    CELLS,
    lambda part: (
        st.lists(part, max_size=3)
        | st.dictionaries(TEXTS | st.sampled_from(["float", "trustlab:text", "trustlab:items"]), part, max_size=2)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(NESTED)
def test_whatever_is_written_as_json_is_read_back(value):
    to_json(value).encode("utf-8")
    assert repr(from_json(to_json(value, sort_keys=False))) == repr(value)
    assert to_json(from_json(to_json(value))) == to_json(value)


def test_what_was_written_before_reads_as_it_did():
    """Marks were added for what could not be written or read; the text of everything else is the same."""
    assert to_json({"b": [math.inf, -math.inf, "ε"], "a": {"float": 0.5}}) == (
        '{"a":{"float":0.5},"b":[{"float":"inf"},{"float":"-inf"},"ε"]}'
    )
    assert from_json('{"rows":[{"float":0.5},{"float":"inf"},{"float":"wide"}]}') == {
        "rows": [{"float": 0.5}, math.inf, {"float": "wide"}]
    }


@pytest.mark.parametrize(
    ("row", "error"),
    [({1: 0, "1": 1}, "keys with different names"), ({"n": 10**5000}, "digits")],
)
def test_what_cannot_be_written_is_refused_at_its_row_and_the_rows_before_it_are_kept(row, error, tmp_path):
    with pytest.raises(ValueError, match=error):
        list(RunStore(tmp_path).record([{"step": 0}, row, {"step": 1}], config={}, code="1"))
    (run,) = RunStore(tmp_path).runs()
    assert (run.status, run.rows) == ("failed", [{"step": 0}])
    with pytest.raises(ValueError, match=error):
        write_results(tmp_path / "table", [row], {})


def test_long_cells_do_not_change_the_limit_of_others(tmp_path):
    before = csv.field_size_limit()
    write_results(tmp_path / "table", [{"text": "x" * 200_000, "n": 1}], {})
    assert len(read_results(tmp_path / "table")[0]["text"][0]) == 200_000
    assert csv.field_size_limit() == before


def test_a_table_is_read_while_it_is_written_again(tmp_path, monkeypatch):
    """The reader that comes between table and provenance waits for the second."""
    write_results(tmp_path / "table", [{"a": 1}], {})
    write, seen = durable.write_whole, []

    def between(path, content, **options):
        if path.suffix == ".json":
            seen.append(path)
            pid = os.fork()
            if not pid:
                try:
                    os._exit(0 if read_results(tmp_path / "table")[0]["a"].tolist() == [2] else 1)
                finally:
                    os._exit(2)
            seen.append(pid)
        write(path, content, **options)

    monkeypatch.setattr("trustlab.results.write_whole", between)
    write_results(tmp_path / "table", [{"a": 2}], {})
    assert os.waitstatus_to_exitcode(os.waitpid(seen[1], 0)[1]) == 0


@pytest.mark.parametrize("path", sorted((ROOT / "data" / "results").rglob("*.csv")), ids=lambda path: path.stem)
def test_a_committed_table_written_again_is_the_same_bytes(path, tmp_path):
    frame, about = read_results(path.with_suffix(""))
    raw = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))[1:]

    def cell(text, value):  # a column with missing cells holds its ints as floats
        if value == "":
            return ""  # an empty text, as csv_types has it
        return None if not text else int(value) if isinstance(value, float) and text.lstrip("-").isdigit() else value

    rows = [
        {name: cell(text, value) for name, text, value in zip(frame.columns, texts, values, strict=True)}
        for texts, values in zip(raw, frame.astype(object).itertuples(index=False), strict=True)
    ]
    again = write_results(tmp_path / "table", rows, about)
    assert again.read_bytes() == path.read_bytes()
    assert again.with_suffix(".json").read_bytes() == path.with_suffix(".json").read_bytes()


def test_a_search_lies_in_its_folder_among_the_results(monkeypatch, tmp_path):
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))
    assert write_results("tuning/any_assistant", [{"rate": 0.3}], {}) == tmp_path / "tuning" / "any_assistant.csv"
    assert read_results("tuning/any_assistant")[0]["rate"].tolist() == [0.3]


# Where files lie, and who reads them


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o027, 0o077])
def test_files_are_as_the_umask_says_and_private_ones_private(umask, tmp_path):
    before = os.umask(umask)
    try:
        durable.write_whole(tmp_path / "shared", "")
        durable.write_whole(tmp_path / "own", "", private=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "shared").stat().st_mode) == 0o666 & ~umask
    assert stat.S_IMODE((tmp_path / "own").stat().st_mode) == 0o600


def test_a_link_is_written_through(tmp_path):
    (tmp_path / "far").mkdir()
    for target in ("far/there", "far/new"):
        (tmp_path / "far" / "there").write_text("old")
        link = tmp_path / f"link-{Path(target).name}"
        link.symlink_to(target)
        durable.write_whole(link, "new")
        assert link.is_symlink()
        assert (tmp_path / target).read_text() == "new"


def test_a_folder_a_pipe_and_a_loop_of_links_are_refused_and_stay(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    for name in (".", "loop", "pipe"):
        with pytest.raises(OSError, match=r"folder|links|pipe"):
            durable.write_whole(tmp_path / name, "")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["loop", "pipe"]


def test_the_users_home_is_meant_wherever_a_path_is_named(tmp_path, monkeypatch):
    from trustlab.data.fetching import cache_directory, locate

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for variable, found in {
        "TRUSTLAB_RUNS": lambda: RunStore().directory,
        "TRUSTLAB_RESULTS": results_directory,
        "TRUSTLAB_CACHE": cache_directory,
    }.items():
        monkeypatch.setenv(variable, "~/here")
        assert found() == tmp_path / "here"
    assert RunStore("~/runs").directory == tmp_path / "runs"
    write_results("~/table", [{"a": 1}], {})
    assert read_results("~/table")[0]["a"].tolist() == [1]
    (tmp_path / "data" / "snips").mkdir(parents=True)
    monkeypatch.setenv("TRUSTLAB_DATA", "~/data")
    for directory in (None, "~/data"):
        with pytest.raises(FileNotFoundError, match="snips"):  # the folder is found, and is empty
            locate("snips", directory)
    assert not (tmp_path / "~").exists()
    with pytest.raises(ValueError, match="to begin with a user's home"):
        RunStore("~nobody-of-this-name/runs")


def test_on_a_mac_runs_saved_before_are_found_where_they_are(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(sys, "platform", "darwin")
    assert places.user_data() == tmp_path / "xdg" / "trustlab"
    old = tmp_path / "Library" / "Application Support" / "trustlab"
    old.mkdir(parents=True)
    assert places.user_data() == old


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    durable.write_whole(tmp_path / "file", "old")
    for call in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(durable.os, call, lambda *_: os.write(-1, b""))  # an OSError
            with pytest.raises(OSError, match="Bad file descriptor"):
                durable.write_whole(tmp_path / "file", "new")
        assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_missing_numbers_are_nan_and_texts_none_or_nan(tmp_path):
    write_results(tmp_path / "table", [{"n": 1, "t": "a"}, {"t": ""}, {"n": 2, "t": None}], {})
    frame, _ = read_results(tmp_path / "table")
    assert frame["n"].dtype == float
    assert pandas.isna(frame["t"]).tolist() == [False, False, True]
