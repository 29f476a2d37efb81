"""A long computation in the background: one thread consumes a generator of rows and shows them as they come.

Every long computation of trustlab is a generator of flat rows. A :class:`Job` pulls it in a daemon thread, hands the
rows so far to one callback, and stops it by closing the generator, which keeps the rows that are there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

Row = dict[str, float | int | str]

# Twenty updates a second: a training of a second still shows its way in twenty pictures.
SECONDS_BETWEEN_UPDATES = 0.05
# A slow callback (a large figure) is called less often, so that showing never takes more than a quarter of the time.
PAUSE_PER_SECOND_SHOWN = 3.0


class Job:
    """Consume `rows` in a daemon thread.

    Parameters
    ----------
    rows
        A generator of rows. The job owns it from now on: only the job's thread advances and closes it.
    update
        Called with the job itself, in the job's thread, at most twenty times a second while rows come and exactly once
        more at the end, when ``status`` is final. A row that follows another within a twentieth of a second is shown
        with the next update. An exception in it fails the job.

    Examples
    --------
    >>> job = Job({"step": step} for step in range(3))
    >>> job.start().wait()
    [{'step': 0}, {'step': 1}, {'step': 2}]
    >>> job.status
    'complete'
    """

    def __init__(self, rows: Iterable[Row], update: Callable[[Job], None] | None = None) -> None:
        self._source = rows
        self._update = update or (lambda job: None)
        self._rows: list[Row] = []
        self._stop = threading.Event()
        self._finished = threading.Event()
        self._thread: threading.Thread | None = None
        self.status = "ready"  # ready, running, then complete, stopped or failed
        self.error: BaseException | None = None

    @property
    def rows(self) -> list[Row]:
        """A copy of the rows so far."""
        return list(self._rows)

    @property
    def steps(self) -> int:
        """How many steps were taken: what the last row's ``step`` says, else one per row."""
        return int(self._rows[-1].get("step", len(self._rows))) if self._rows else 0

    @property
    def running(self) -> bool:
        """Whether the thread still consumes rows; False only after the last update has returned."""
        return self._thread is not None and not self._finished.is_set()

    def start(self) -> Job:
        """Start the thread and return the job.

        Raises
        ------
        RuntimeError
            If the job was started before: a generator runs once.
        """
        if self._thread is not None:
            raise RuntimeError(f"Expected a job that was not started, got one that is {self.status}. Make a new one.")
        self.status = "running"
        self._thread = threading.Thread(target=self._run, name="trustlab-job", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Ask the job to stop after the row it is computing; the rows so far are kept. Returns at once."""
        self._stop.set()

    def wait(self, timeout: float | None = None) -> list[Row]:
        """Wait for the end and return the rows, of a stopped job the rows it got to.

        Parameters
        ----------
        timeout
            Seconds to wait; None waits for ever.

        Raises
        ------
        TimeoutError
            If the job still runs after `timeout`; it continues to run.
        RuntimeError
            If the job was never started.
        Exception
            What the generator or the callback raised.
        """
        if self._thread is None:
            raise RuntimeError("Expected a started job; call start() before wait().")
        if not self._finished.wait(timeout):
            raise TimeoutError(f"The job is still running after {timeout:g} s; wait longer or stop() it.")
        if self.error is not None:
            raise self.error
        return self.rows

    def _run(self) -> None:
        try:
            self.status = self._consume()
        except BaseException as error:
            # Kept for wait() and for the panel: a thread has no caller to raise to.
            self.error, self.status = error, "failed"
        try:
            self._update(self)
        except BaseException as error:
            self.error, self.status = self.error or error, "failed"
        self._finished.set()

    def _consume(self) -> str:
        due = time.monotonic()
        try:
            for row in self._source:
                self._rows.append(row)
                if self._stop.is_set():
                    return "stopped"
                started = time.monotonic()
                if started >= due:
                    self._update(self)
                    now = time.monotonic()
                    due = max(started + SECONDS_BETWEEN_UPDATES, now + PAUSE_PER_SECOND_SHOWN * (now - started))
            return "complete"
        finally:
            close: Any = getattr(self._source, "close", None)
            if close is not None:
                close()
