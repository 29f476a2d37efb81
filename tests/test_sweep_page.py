"""The commands of docs/deployment/sweeps.md, as they are written there."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "deployment" / "sweeps.md").read_text(encoding="utf-8")
LINKS = re.findall(r"\]\((?!http)([^)#]+)", PAGE + (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8"))


def section(heading):
    return PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]


def commands(heading):
    (block,) = re.findall(r"```sh\n(.*?)```", section(heading), re.DOTALL)
    return [line.split("  #")[0] for line in block.splitlines()]


@pytest.fixture
def environment(tmp_path):
    scripts = os.path.dirname(sys.executable)
    return {
        **os.environ,
        "TRUSTLAB_RUNS": str(tmp_path / "runs"),
        "PYTHONPATH": str(ROOT),
        "PATH": os.pathsep.join([scripts, os.environ["PATH"]]),
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
    }


def call(command, environment, **options):
    given = dict(cwd=ROOT, env=environment, text=True, capture_output=True, timeout=240)
    return subprocess.run(shlex.split(command), **{**given, **options})


def test_the_example_computes_three_and_finds_them_again(tmp_path, environment):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "my_sweep.py").write_text(code)
    first, again = (call("python my_sweep.py", environment, cwd=tmp_path) for _ in range(2))
    assert first.returncode == again.returncode == 0, first.stderr + again.stderr
    assert first.stdout.count("computed") == again.stdout.count("found") == 3 and "3/3" in again.stdout


def test_make_reproduce_takes_the_options_of_the_page():
    setup, first, again = commands("Processes of this machine")
    assert setup == "make setup" and again == first
    ((_, _, arguments),) = [shlex.split(first)]
    shown = subprocess.run(["make", "-n", "reproduce", arguments], cwd=ROOT, capture_output=True, text=True)
    assert f"-m trustlab run {arguments.removeprefix('ARGS=')}" in shown.stdout


def test_the_three_commands_of_dask_compute_a_part_of_a_table(environment, tmp_path):
    with socket.socket() as free:  # 8786 may be somebody else's here
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    scheduler, worker, run = (line.replace("8786", port) for line in commands("Dask"))
    started = []
    try:
        for command in (f"{scheduler} --no-dashboard", f"{worker} --no-dashboard"):
            given = dict(cwd=tmp_path, env=environment, start_new_session=True)
            quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            started.append(subprocess.Popen(shlex.split(command), **given, **quiet))
        done = call(run, environment)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "assistant 2/2: " in done.stdout and "from the run store" not in done.stdout
        assert len(list((tmp_path / "runs").glob("*.json"))) == 2
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_a_scheduler_that_is_not_there_is_said(environment):
    *_, run = commands("Dask")
    done = call(run.replace("8786", "9"), environment)
    assert done.returncode == 1 and "tcp://127.0.0.1:9" in done.stderr


@pytest.mark.parametrize("link", LINKS)
def test_links_lead_to_files(link):
    folders = [ROOT / "docs", ROOT / "docs" / "deployment"]
    assert any((folder / link).resolve().exists() for folder in folders), link
