"""``python -m trustlab run`` as a user calls it: on code that was broken, into a closed pipe, without docstrings."""

import ast
import compileall
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import trustlab
from trustlab.course.n21_non_iid_partitioning import experiment as skew
from trustlab.durable import from_json
from trustlab.results import read_results, results_directory, write_results

PACKAGE = Path(trustlab.__file__).parent
WITHOUT_DOCSTRINGS = [["data"], ["run", "--help"]]
CELL = ["run", "non-iid-partitioning", "--data", "assistant", "--seeds", "1", "--workers", "1"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A copy of the package, with results and runs of its own."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(PACKAGE, folder / "trustlab", ignore=shutil.ignore_patterns("__pycache__"))
    compileall.compile_dir(folder / "trustlab", quiet=1)  # once, and not in every call
    shutil.copytree(results_directory() / "tuning", folder / "results" / "tuning")  # where settings come from
    return folder


def surroundings(place):
    """Return how a Python is started that finds the package in `place`, and what is said to it."""
    own = {"PYTHONPATH": place, "TRUSTLAB_RUNS": place / "runs", "TRUSTLAB_RESULTS": place / "results"}
    environment = {**os.environ, **{name: str(path) for name, path in own.items()}, "OMP_NUM_THREADS": "1"}
    return {"cwd": place, "env": environment, "capture_output": True, "text": True, "timeout": 240}


def call(place, *arguments, **options):
    """Call the command of the package in `place`."""
    return subprocess.run([sys.executable, "-m", "trustlab", *arguments], **{**surroundings(place), **options})


def test_a_broken_aggregation_is_computed_afresh_and_fails(place):
    """Weights of 0 for all but the first device: a band of 0.05 saw nothing of it."""
    table, about = read_results(skew.result_name("assistant"))
    rows = table[(table["scheme"] == "iid") & (table["seed"] == 0)].to_dict("records")
    write_results(place / "results" / skew.result_name("assistant"), rows, about)
    sound = call(place, *CELL, "--schemes", "iid")
    assert sound.returncode == 0, sound.stdout + sound.stderr

    (entry,) = (place / "runs").glob("*.json")  # the store is filled, and the table becomes one of this processor
    run = from_json(entry.read_text(encoding="utf-8"))
    made = {name: run["provenance"][name] for name in ("processor", "versions", "code_version")}
    write_results(place / "results" / skew.result_name("assistant"), run["rows"], {**about, **made})
    again = call(place, *CELL, "--schemes", "iid")
    assert again.returncode == 0 and "from the run store" in again.stdout
    assert "every number agrees: compared with data/results row by row" in again.stdout

    file = place / "trustlab" / "federated" / "aggregation.py"
    source = file.read_text(encoding="utf-8")
    (weigh,) = (each for each in ast.parse(source).body if getattr(each, "name", "") == "client_weights")
    lines = source.splitlines(keepends=True)
    lines.insert(weigh.body[-1].lineno - 1, "    values = values * (torch.arange(len(values)) == 0)\n")
    file.write_text("".join(lines), encoding="utf-8")
    failed = call(place, *CELL, "--schemes", "iid")
    file.write_text(source, encoding="utf-8")
    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert "from the run store" not in failed.stdout
    assert "assistant, iid at α = inf, seed 0: expected accuracy 0.9" in failed.stdout
    assert "does NOT agree" in failed.stdout


@pytest.mark.parametrize("arguments", [["data"], [*CELL, "--schemes", "iid"]])
def test_a_closed_pipe_ends_it_without_a_traceback(arguments, place):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        ended = call(place, *arguments, stdout=closed, stderr=subprocess.PIPE, capture_output=False)
    assert (ended.returncode, ended.stderr) == (141, "")


def test_without_docstrings_it_works_as_well(place):
    """Both commands in one process: without docstrings Python compiles every package again."""
    code = f"""
import runpy, sys
for arguments in {WITHOUT_DOCSTRINGS}:
    sys.argv[1:] = arguments
    try:
        runpy.run_module("trustlab", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        print("ENDED", ended.code, flush=True)
"""
    ended = subprocess.run([sys.executable, "-OO", "-c", code], **surroundings(place))
    *said, rest = re.split(r"ENDED (.*)\n", ended.stdout)
    assert ended.returncode == 0 and rest == "", ended.stderr
    texts, codes = said[::2], said[1::2]
    assert codes == ["0"] * len(WITHOUT_DOCSTRINGS) and all(texts), ended.stderr
