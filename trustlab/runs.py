"""The run store: what was computed here is kept with its provenance, and found again by what it was computed from.

A run's key is the sha256 of configuration, seeds, data hash and code version: change one and it is another run.
Rows pass through :meth:`RunStore.record` on their way to a table or a panel and are written at the end, whole or not
at all. Several processes may read and write one store. It knows no chapter and needs no torch.
"""

from __future__ import annotations

import dataclasses
import os
import re
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from trustlab.durable import digest, from_json, probe, remove_stale, to_json, write_whole
from trustlab.places import expanded, from_environment, locked, user_data
from trustlab.plain import flat
from trustlab.provenance import identity, provenance
from trustlab.results import read_results, write_results

__all__ = ["Run", "RunNotSavedError", "RunStore", "provenance", "read_results", "run_key", "write_results"]

Row = dict[str, Any]
FORMAT = 1
# A stopped or failed run never replaces a complete one: it lies next to it under its own name.
_NAME = re.compile(r"([0-9a-f]{64})(?:\.(stopped|failed))?\.json")
# What reading an entry that was cut, edited or exchanged ends in.
DAMAGE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
_IDENTITY = ("config", "config_type", "seeds", "data_hash", "code_version")


@dataclasses.dataclass(frozen=True)
class Run:
    """A saved run: its key, its rows, and its provenance with ``status``, ``error`` and ``seconds``."""

    key: str
    rows: list[Row]
    provenance: dict[str, Any]

    @property
    def status(self) -> str:
        """Whether the run is "complete", "stopped" or "failed"."""
        return self.provenance["status"]


class RunNotSavedError(OSError):
    """A run cannot be written; its ``rows`` so far, none before it began, and ``provenance`` are here, in memory."""

    def __init__(self, message: str, rows: list[Row], about: dict[str, Any]) -> None:
        super().__init__(message)
        self.rows, self.provenance = rows, about


class NewerFormatError(ValueError):
    """An entry was written by a newer version of trustlab: it is no damage, and nothing to be replaced."""


def run_key(config: Any, *, seeds: Sequence[int] = (), data_hash: str = "", code: Any = None) -> str:
    """Return the key of a run.

    Examples
    --------
    >>> a = run_key({"epsilon": 1.0}, seeds=[0], code="1")
    >>> a == run_key({"epsilon": 1.0}, seeds=[0], code="1"), a == run_key({"epsilon": 1.0}, seeds=[1], code="1")
    (True, False)
    """
    return digest(to_json(identity(config, seeds=seeds, data_hash=data_hash, code=code)))


class RunStore:
    """Runs in a directory, one file each.

    Parameters
    ----------
    directory
        Folder of the runs; default ``TRUSTLAB_RUNS``, else a folder for the user's data.

    Examples
    --------
    >>> import tempfile
    >>> store = RunStore(tempfile.mkdtemp())
    >>> list(store.record(iter([{"step": 0, "loss": 0.5}]), config={"lr": 0.1}, seeds=[0]))
    [{'step': 0, 'loss': 0.5}]
    >>> store.get({"lr": 0.1}, seeds=[0]).rows
    [{'step': 0, 'loss': 0.5}]
    """

    def __init__(self, directory: str | Path | None = None) -> None:
        named = expanded(directory) if directory else from_environment("TRUSTLAB_RUNS")
        self.directory = named or user_data() / "runs"
        if self.directory.is_dir():
            remove_stale(self.directory)

    def record(
        self,
        rows: Iterable[Mapping[str, Any]],
        *,
        config: Any,
        seeds: Sequence[int] = (),
        data_hash: str = "",
        code: Any = None,
    ) -> Generator[Row, None, None]:
        """Pass `rows` through and write the run when they end.

        Closing the generator closes `rows` too and saves the rows so far as "stopped"; an exception saves them as
        "failed" and is raised again. A killed process saves nothing and damages nothing. Of two runs with one key and
        status, complete or stopped, the longer one is kept: they compute the same, so the shorter one lacks rows.

        Parameters
        ----------
        rows
            Flat rows; numpy and torch scalars become Python numbers. A training resumed from its checkpoint yields all
            its rows again, so that the whole table is saved.
        config, seeds, data_hash, code
            What the run is computed from, see :func:`trustlab.provenance.provenance`.

        Raises
        ------
        TypeError
            If a cell of a row is not a number or a string.
        ValueError
            If two columns of a row have one name.
        RunNotSavedError
            At once, if the folder cannot be written or holds this run in a newer format; at the end, if the disk is
            full by then. The error holds the rows, and an older entry is intact.
        """
        key = run_key(config, seeds=seeds, data_hash=data_hash, code=code)
        about = provenance(config, seeds=seeds, data_hash=data_hash, code=code)
        self.refuse_unwritable(key, about)
        return self._record(rows, key, about)

    def refuse_unwritable(self, key: str, about: Mapping[str, Any] | None = None) -> None:
        """Raise where the run of this key could not be saved, before anything is computed.

        Raises
        ------
        RunNotSavedError
            If the folder cannot be written or holds this run in a newer format; the error holds `about`.
        """
        try:
            probe(self.directory)
            self._saved_rows(f"{key}.json")
        except (OSError, NewerFormatError) as error:
            raise self._not_saved("will not be computed, for it", error, Run(key, [], dict(about or {}))) from error

    def keep(self, run: Run) -> None:
        """Write a run that was computed elsewhere, such as on another machine.

        Raises
        ------
        RunNotSavedError
            If it cannot be written; the error holds the rows, and an older entry is intact.
        """
        self._save(run)

    def get(
        self, config: Any, *, seeds: Sequence[int] = (), data_hash: str = "", code: Any = None, partial: bool = False
    ) -> Run | None:
        """Return the complete run computed from exactly this; with `partial` else the stopped one; else None."""
        key = run_key(config, seeds=seeds, data_hash=data_hash, code=code)
        names = (f"{key}.json", f"{key}.stopped.json") if partial else (f"{key}.json",)
        found = (self._read(self.directory / name) for name in names)
        return next((run for run in found if run is not None), None)

    def fetch(
        self,
        compute: Callable[[], Iterable[Mapping[str, Any]]],
        *,
        config: Any,
        seeds: Sequence[int] = (),
        data_hash: str = "",
        code: Any = None,
    ) -> Iterator[Row]:
        """Return the rows of the saved run, else those of `compute` while recording them."""
        about = dict(seeds=seeds, data_hash=data_hash, code=code)
        run = self.get(config, **about)
        return iter(run.rows) if run is not None else self.record(compute(), config=config, **about)

    def runs(self) -> list[Run]:
        """Return every readable run, complete or not, in the order they were started."""
        paths = sorted(self.directory.glob("*.json")) if self.directory.is_dir() else []
        found = [self._read(path) for path in paths if _NAME.fullmatch(path.name)]
        return sorted((run for run in found if run is not None), key=lambda run: run.provenance["started"])

    def _record(self, rows: Iterable[Mapping[str, Any]], key: str, about: dict[str, Any]) -> Generator[Row, None, None]:
        kept: list[Row] = []
        started = time.monotonic()

        def finish(status: str, error: str | None = None) -> None:
            seconds = round(time.monotonic() - started, 3)
            self._save(Run(key, kept, {**about, "status": status, "error": error, "seconds": seconds}))

        try:
            for row in rows:
                kept.append(flat(row))
                yield dict(kept[-1])
        except GeneratorExit:
            try:
                _close(rows)
            finally:
                finish("stopped")
            raise
        except BaseException as error:
            stopped = isinstance(error, KeyboardInterrupt)
            try:
                _close(rows)
            finally:
                try:
                    finish("stopped") if stopped else finish("failed", f"{type(error).__name__}: {error}")
                except RunNotSavedError as unsaved:
                    error.add_note(str(unsaved))  # the run's own error is the one to see
            raise
        finish("complete")

    def _save(self, run: Run) -> None:
        entry = {"format": FORMAT, "key": run.key, "provenance": run.provenance, "rows": run.rows}
        suffix = "" if run.status == "complete" else f".{run.status}"
        path = self.directory / f"{run.key}{suffix}.json"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with locked(self.directory):
                there = self._saved_rows(path.name)
                if run.status == "failed" or there <= len(run.rows):
                    write_whole(path, to_json({**entry, "sha256": digest(to_json(entry))}, sort_keys=False))
                    return
        except (OSError, NewerFormatError) as error:
            raise self._not_saved(f"({run.status}, {len(run.rows)} rows)", error, run) from error
        if run.status == "complete":
            warnings.warn(
                f"Expected a complete run of {there} rows, as is saved under this key, got {len(run.rows)} rows. The "
                "saved one is kept: what computes the rows left some out, or code= does not name what changed.",
                stacklevel=4,
            )

    def _saved_rows(self, name: str) -> int:
        """Return the number of rows in the entry `name`, 0 where there is none that can be read.

        Raises
        ------
        NewerFormatError
            If it is one of a newer version.
        """
        path = self.directory / name
        try:
            return len(_parse(name, path.read_text(encoding="utf-8")).rows)
        except (FileNotFoundError, *DAMAGE) as error:
            if isinstance(error, NewerFormatError):
                raise
            return 0

    def _not_saved(self, what: str, error: Exception, run: Run) -> RunNotSavedError:
        return RunNotSavedError(
            f"The run {what} could not be written to {self.directory}: {error}. "
            "Its rows are in this error's .rows; free space or set TRUSTLAB_RUNS to another folder.",
            run.rows,
            run.provenance,
        )

    def _read(self, path: Path) -> Run | None:
        """Read one entry; set it aside with a warning where it is not what its name says."""
        try:
            return _parse(path.name, path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None  # never there, or set aside by another process since
        except NewerFormatError as error:
            warnings.warn(f"A saved run was left as it is: {error}.", stacklevel=3)
            return None
        except DAMAGE as error:
            return self._set_aside(path, error)

    def _set_aside(self, path: Path, damage: Exception) -> Run | None:
        """Rename a damaged entry, unless another process has by now renamed or replaced it."""
        aside = path.with_name(path.name + ".corrupt")
        said = f"it was set aside as {aside.name}"
        try:
            with locked(path.parent):
                try:
                    return _parse(path.name, path.read_text(encoding="utf-8"))
                except FileNotFoundError:
                    pass  # another reader was quicker
                except DAMAGE:
                    os.replace(path, aside)
        except OSError as error:
            said = f"it could not be set aside: {error}"
        warnings.warn(f"A saved run is damaged ({damage}); {said}.", stacklevel=4)
        return None


def _parse(name: str, text: str) -> Run:
    """Return the run in an entry's text.

    Raises
    ------
    NewerFormatError
        If a newer version wrote it.
    ValueError
        Or another one of `DAMAGE`, if the text is no JSON, was changed after it was written, or belongs to another key.
    """
    entry = from_json(text)
    if isinstance(entry["format"], int) and entry["format"] > FORMAT:
        raise NewerFormatError(
            f"{name} has format {entry['format']}, expected at most {FORMAT}; a newer version of trustlab wrote it"
        )
    if entry["format"] != FORMAT:
        raise ValueError(f"its format is {entry['format']}, expected {FORMAT}")
    written = entry.pop("sha256")
    if digest(to_json(entry)) != written:
        raise ValueError("its checksum does not match its content")
    about = entry["provenance"]
    if not entry["key"] == name[:64] == digest(to_json({field: about[field] for field in _IDENTITY})):
        raise ValueError("its key does not match its content")
    return Run(entry["key"], entry["rows"], about)


def _close(rows: Any) -> None:
    close = getattr(rows, "close", None)
    if close is not None:
        close()
