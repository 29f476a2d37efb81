"""How a panel trains: one job at a time, whose rows it shows as they come."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, Self

from trustlab.lab.answer import Answer
from trustlab.lab.job import Job, Row
from trustlab.lab.ready import Ahead
from trustlab.lab.shown import Shown, weakly
from trustlab.lab.turns import in_turn
from trustlab.lab.view import View, one_line
from trustlab.runs import RunNotSavedError


class Running(Shown):
    """What a panel does with its training; :class:`~trustlab.lab.panel.Panel` has the rest."""

    job: Job | None
    config: Any
    widgets: View
    _jobs: list[Job]
    _train: Callable[[Any], Iterator[Row]] | None
    _live: Callable[[Any, list[Row]], Answer] | None
    _prepare: Callable[[Any], Any] | None
    _ahead: Ahead | None = None
    _show: Callable[[Callable[[], Answer]], None]
    _show_error: Callable[[BaseException], None]

    @property
    def rows(self) -> list[Row]:
        """The rows of the training that runs or ran last; none before one and after a reset."""
        return [] if self.job is None else self.job.rows

    def view(self) -> dict[str, Any]:
        """Return what a cell shows, and begin to build what a training needs: its button may be pressed at once."""
        if self._prepare is not None and self._ahead is None:
            self._ahead = Ahead(functools.partial(self._prepare, self.config))
        return super().view()

    @in_turn
    def start(self) -> Self:
        """Start the training at the controls' position, as the training button does."""
        if self._train is None or self._live is None:
            raise RuntimeError("This panel shows saved results only; it was made without train.")
        self._refuse_while_running("start another training")
        config = self.config
        live = self._live
        follow = weakly(self._follow)
        try:
            rows = self._train(config)
            rows = rows if self._ahead is None else self._ahead.before(rows)
            job = Job(rows, lambda job: follow(job, lambda: live(config, job.rows)))
        except Exception as error:
            self._show_error(error)
            raise
        self._show(lambda: live(config, []).as_own("running", 0))
        self.widgets.show_progress([], "starting …")
        self.widgets.set_running(True)
        self.job, self._jobs[:] = job, [job]  # before its thread asks whose job it is
        job.start()
        return self

    @in_turn
    def stop(self) -> Self:
        """Ask a running training to stop after its current step; what it reached stays shown."""
        if self.job is not None and self.job.status == "running":
            self.widgets.show_stopping()
            self.job.stop()
        return self

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until the training has ended and return the panel.

        Raises
        ------
        TimeoutError
            If it runs longer than `timeout` seconds.
        RuntimeError
            If no training was started.
        Exception
            What the training raised.
        """
        if self.job is None:
            raise RuntimeError("Expected a training in progress or done; call start() before wait().")
        self.job.wait(timeout)
        return self

    def _refuse_while_running(self, what: str) -> None:
        if self.job is not None and self.job.running:
            raise RuntimeError(f"A training is running; wait() for it, stop() or reset() it before you {what}.")

    @in_turn
    def _follow(self, job: Job, live: Callable[[], Answer]) -> None:
        """Show the rows so far; called in the job's thread."""
        if job is not self.job:
            return  # the panel was reset since
        if isinstance(job.error, RunNotSavedError) and job.rows:  # what was computed stays shown
            self.widgets.show_progress(job.rows, one_line(job.error))
            status = job.error.provenance["status"]
            self._show(lambda: live().as_own(f"not saved, {status}", job.steps))
        elif job.error is not None:
            self._show_error(job.error)
        else:
            self.widgets.show_progress(job.rows, job.status)
            self._show(lambda: live().as_own(job.status, job.steps))
        if job.status != "running":
            self.widgets.set_running(False)  # last: a press on Train is handled once the result is set
