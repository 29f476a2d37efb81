"""Processes that belong together and end together, whatever ends first: the block, an error, or this Python itself.

Flower's processes start others, some in a session of their own, so that no process group holds them all. What they do
inherit is the environment: every process of a deployment carries its mark there, and is found by it. Another process,
``watchdog``, waits for the end of this one, so that nothing is left behind after ``kill -9`` either.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import psutil

MARK = "TRUSTLAB_DEPLOYMENT"  # the variable that holds the mark
PAUSE, QUIET = 0.02, 3  # seconds between looks, and how many must find nothing: a fork shows its mark only after exec


class Processes:
    """Start processes, each in a group of its own, and end them with all that they have started.

    Parameters
    ----------
    folder
        Where each writes ``NAME.log``.
    environment
        Variables over those of this process.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Processes(Path(folder)) as processes:
    ...     sleeper = processes.start("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"])
    ...     alive = sleeper.poll() is None
    >>> alive, sleeper.poll() is None
    (True, False)
    """

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder, self.mark = Path(folder), secrets.token_hex(8)
        self.environment = {**os.environ, **(environment or {}), MARK: self.mark}
        self.started: list[subprocess.Popen[bytes]] = []
        self._watchdog: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Processes:
        command = [sys.executable, "-m", "trustlab.federated.deployment.watchdog", self.mark]
        own = {name: value for name, value in self.environment.items() if name != MARK}
        self._watchdog = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, env=own)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def start(self, name: str, command: Sequence[str], **environment: str) -> subprocess.Popen[bytes]:
        """Start `command`, which writes to ``NAME.log``; `environment` is its own."""
        if self._watchdog is None:
            raise RuntimeError("Expected Processes to be entered before a process is started: with Processes(...) as …")
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self.folder,
                env={**self.environment, **environment},
            )
        self.started.append(process)
        return process

    def log_of(self, name: str) -> str:
        """Return what the process wrote so far."""
        path = self.folder / f"{name}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """Kill one process and those that it has started."""
        with contextlib.suppress(psutil.NoSuchProcess):
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            _kill(family)
        process.wait()

    def close(self) -> None:
        """Kill all of them; a second call does nothing."""
        end_marked(self.mark)
        for process in self.started:
            process.wait()
        if self._watchdog is not None and self._watchdog.stdin is not None:
            self._watchdog.stdin.close()
            self._watchdog.wait()
            self._watchdog = None


def marked(mark: str) -> list[psutil.Process]:
    """Return the running processes that carry `mark`."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def end_marked(mark: str) -> None:
    """Kill the processes that carry `mark`, and those that they start meanwhile."""
    quiet = 0
    while quiet < QUIET:
        found = marked(mark)
        _kill(found)
        quiet = 0 if found else quiet + 1
        time.sleep(PAUSE)


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
