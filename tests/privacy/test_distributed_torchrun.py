"""The page on torchrun as written: its program runs on two processes, and survives the death of one."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from trustlab.checkpoint import Checkpoint
from trustlab.versions import ROOT

PAGE = (ROOT / "docs" / "deployment" / "torchrun.md").read_text(encoding="utf-8")
TWO, ALONE, MACHINES = re.findall(r"```sh\n(.*?)\n```", PAGE, re.DOTALL)
TINY = ["--epochs", "1", "--batch-size", "1024"]  # 16 steps, written every 5
LIMIT = 120.0  # seconds, on a busy machine


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a command of the page in a group of its own, which ends with the test."""
    started = []

    def run(command):
        words = [word.replace("run.checkpoint", str(tmp_path / "run.checkpoint")) for word in command.split()]
        words[0] = str(Path(sys.executable).with_name(words[0]))
        clean = {
            name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE", "TRUSTLAB_DATA")
        }
        clean |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(subprocess.Popen([*words, *TINY], cwd=ROOT, env=clean, start_new_session=True, **pipes))
        return started[-1]

    yield run
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def workers_of(process):
    """Return the processes of the ranks."""
    return {each.environ()["RANK"]: each for each in psutil.Process(process.pid).children() if "RANK" in each.environ()}


def test_a_worker_that_is_killed_ends_the_run_and_the_checkpoint_is_resumed(start, tmp_path, monkeypatch):
    path, process = tmp_path / "run.checkpoint", start(TWO)
    monkeypatch.setattr(Checkpoint, "_refuse_another", lambda kept, there: None)
    deadline = time.monotonic() + LIMIT
    while not (path.exists() and Checkpoint(path, {}).read()["counters"]["step"] >= 5):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    ranks = workers_of(process)
    assert set(ranks) == {"0", "1"}
    ranks["1"].kill()
    said = process.communicate(timeout=40)[1]  # torchrun itself gives the others 30 s
    assert process.returncode == 1 and re.search(r"rank +: 1 .*Signal 9 \(SIGKILL\)", said, re.DOTALL)
    assert not psutil.wait_procs(ranks.values(), timeout=2)[1]
    step = Checkpoint(path, {}).read()["counters"]["step"]
    resumed = start(TWO)
    rows, errors = resumed.communicate(timeout=LIMIT)
    assert resumed.returncode == 0, errors
    assert 5 <= step < 16 and re.fullmatch(r"2 workers, step 16: accuracy 0\.\d+ on validation, ε = 7\..*\n", rows)


def test_the_other_lines_start_the_same_program():
    _, program = TWO.split(" examples/")
    assert f"python examples/{program}" == ALONE
    launcher, the_same = MACHINES.split(" examples/")
    assert program == the_same and launcher.split()[0] == "torchrun"
