"""A reader's own runs: kept while they are computed, and found again when their position is opened later.

The run store names a run by its configuration, seeds, data and code, so a run of other code is not found. What that
name costs to compute (reading the code, hashing the corpus) is spent only where the store has a run of the same
configuration and seed.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

from trustlab.closure import Closure, closure
from trustlab.durable import from_json, simple, to_json
from trustlab.lab.display import number
from trustlab.lab.notes import keep_note
from trustlab.runs import DAMAGE, Row, Run, RunStore


class OwnRuns:
    """The runs of one generator function in the reader's run store.

    Parameters
    ----------
    rows
        The generator function of a module whose runs these are; its code is part of their names.
    data
        The corpus that it reads; None where it reads none.
    """

    def __init__(self, rows: Callable[..., Any], data: Any = None) -> None:
        self.rows, self.data = rows, data

    def keep(self, rows: Iterator[Row], config: Any, seed: int) -> Iterator[Row]:
        """Pass `rows` on and keep them, also those of a run that is stopped; see :meth:`RunStore.record`.

        What was reached is noted for the end of the notebook.
        """
        kept = RunStore().record(rows, config=config, seeds=[seed], data_hash=self._data_hash, code=self._code)
        return self._noted(kept, config, seed)

    def _noted(self, rows: Generator[Row, None, None], config: Any, seed: int) -> Iterator[Row]:
        last: Row = {}
        try:
            for last in rows:
                yield last
        finally:
            rows.close()
            if last:
                reached = {name: value for name, value in last.items() if name != "progress"}
                keep_note(self.rows.__module__, "training", _position(config, seed), **reached)

    def prepare(self) -> None:
        """Compute what names a run (hash of the corpus, code that computes it) before it is needed."""
        _ = self._data_hash, self._code

    def find(self, config: Any, seed: int) -> Run | None:
        """Return the complete run of `config` and `seed` by this code on this data, else a stopped one, else None.

        A store that cannot be read has none: the saved answer is shown then.
        """
        try:
            store = RunStore()
            if not _may_have(store.directory, from_json(to_json(simple(config))), [seed]):
                return None
            about = dict(seeds=[seed], data_hash=self._data_hash, code=self._code)
            return store.get(config, **about, partial=True)
        except OSError:
            return None

    @functools.cached_property
    def _data_hash(self) -> str:
        from trustlab.data import fingerprint

        return "" if self.data is None else fingerprint(self.data)

    @functools.cached_property
    def _code(self) -> Closure:
        return closure(self.rows)


def _position(config: Any, seed: int) -> str:
    """Name the position of a run in one line.

    Examples
    --------
    >>> _position({"live": {"fleet": "steep", "beta": 0.5, "seed": 0}}, 0)
    'fleet steep, beta 0.5, seed 0'
    """
    decided = {**config.get("live", config), "seed": seed}
    return ", ".join(f"{name.replace('_', ' ')} {number(value)}" for name, value in decided.items())


def _may_have(directory: Path, config: Any, seeds: list[int]) -> bool:
    return any(_asked(path) == (config, seeds) for path in directory.glob("*.json"))


_known: dict[Path, tuple[Any, Any]] = {}  # an entry's name decides its configuration: it is read once


def _asked(path: Path) -> tuple[Any, Any] | None:
    """Return configuration and seeds of an entry, None if it cannot be read. Completeness is checked later."""
    if path not in _known:
        try:
            about = from_json(path.read_text(encoding="utf-8"))["provenance"]
            _known[path] = about["config"], about["seeds"]
        except (OSError, *DAMAGE):
            return None
    return _known[path]


def from_when(run: Run, unit: str, now: datetime.datetime | None = None) -> str:
    """Say since when a run is there, in local time, and how far one got that was stopped.

    Parameters
    ----------
    run
        With at least one row; its last ``step`` and ``progress`` say how far it got.
    unit
        What a step is, in the plural.
    now
        The current time, which decides what "today" is; default the computer's.

    Examples
    --------
    >>> at = datetime.datetime(2026, 5, 1, 14, 5).astimezone()
    >>> stopped = Run("key", [{"step": 40, "progress": 0.4}], {"started": at.isoformat(), "status": "stopped"})
    >>> print(from_when(stopped, "rounds", now=at))
    yours, from 14:05, stopped after 40 of 100 rounds
    >>> print(from_when(stopped, "rounds", now=at + datetime.timedelta(days=1)))
    yours, from 2026-05-01 14:05, stopped after 40 of 100 rounds
    """
    started = datetime.datetime.fromisoformat(run.provenance["started"]).astimezone()
    today = (now or datetime.datetime.now()).date()
    said = f"yours, from {started:%H:%M}" if started.date() == today else f"yours, from {started:%Y-%m-%d %H:%M}"
    if run.status == "complete":
        return said
    last = run.rows[-1]
    step, progress = last.get("step", len(run.rows)), last.get("progress")
    whole = f" of {round(step / progress)}" if progress else ""
    return f"{said}, {run.status} after {step}{whole} {unit}"
