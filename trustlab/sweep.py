"""One function over many configurations, anywhere: processes of this machine, Dask, Ray, or another executor.

What was computed is kept in the run store, so that a second sweep computes only what is missing, whichever machine
computed the rest. The executor is any ``concurrent.futures.Executor``; ``docs/deployment/sweeps.md`` has the commands.
"""

from __future__ import annotations

import functools
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from trustlab.closure import closure
from trustlab.durable import digest
from trustlab.executors import Processes, refuse_unsendable
from trustlab.interrupts import interrupts
from trustlab.plain import flat
from trustlab.provenance import code_version, provenance
from trustlab.runs import Row, Run, RunNotSavedError, RunStore, run_key

SECONDS_BETWEEN_LOOKS = 0.1  # at `stop`, while nothing is done


@dataclass(frozen=True)
class Outcome:
    """What became of one configuration.

    Attributes
    ----------
    config
        The configuration.
    rows
        Its rows; where it failed, those until then.
    provenance
        Where and by what it was computed; empty where it is unknown, such as of a process that was killed.
    restored
        Whether it was in the run store before.
    place, of
        It is the outcome number `place` of `of`, in the order in which they come.
    error
        Why it failed, as "ZeroDivisionError: division by zero"; empty where it did not.
    trace
        The traceback of the error, where it happened.
    unsaved
        Why its rows could not be saved, such as a full disk; they are here.
    """

    config: Any
    rows: list[Row]
    provenance: dict[str, Any]
    restored: bool
    place: int
    of: int
    error: str = ""
    trace: str = ""
    unsaved: str = ""


class _Task(NamedTuple):
    config: Any
    about: dict[str, Any]
    key: str


def sweep(
    function: Callable[[Any], Iterable[Mapping[str, Any]]],
    configs: Iterable[Any],
    *,
    executor: Executor | None = None,
    workers: int | None = None,
    about: Mapping[str, Any] | Callable[[Any], Mapping[str, Any]] | None = None,
    store: RunStore | None = None,
    stop: threading.Event | None = None,
) -> Iterator[Outcome]:
    """Yield what becomes of each configuration, as it is known; those in the run store first.

    A configuration that fails is an outcome with an ``error``; the others go on. Closing the iterator, Ctrl-C or `stop`
    keep what is done; no further configuration is begun. Processes of this machine then end at once; an executor that
    was given is the caller's and finishes what it computes.

    Parameters
    ----------
    function
        Takes a configuration and yields flat rows. Other processes import it: it is defined in a module.
    configs
        Configurations, dataclasses or mappings; each is computed once.
    executor
        Where to compute, as ``dask.distributed.Client(…).get_executor()``; by default processes of this machine. It is
        not shut down.
    workers
        How many processes of this machine; by default one per core.
    about
        What else decides the rows, of all configurations or as a function of one: ``seeds``, ``data_hash`` and
        ``code``, see :func:`trustlab.provenance.provenance`. By default the configuration's ``seed`` if it has one,
        and the code that `function` may run.
    store
        Where runs are kept; default :class:`trustlab.runs.RunStore`.
    stop
        When it is set, the sweep ends within a tenth of a second.

    Raises
    ------
    ValueError
        If two configurations are the same run, or `workers` is given with an executor.
    TypeError
        If `function` cannot be sent to a process, or the code that decides the rows cannot be named.
    RunNotSavedError
        If something is missing in the store, and it cannot be written: before anything is computed.

    Examples
    --------
    >>> import tempfile
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> store = RunStore(tempfile.mkdtemp())
    >>> def square(config):
    ...     yield {"square": config["x"] ** 2}
    >>> with ThreadPoolExecutor(1) as executor:
    ...     given = dict(executor=executor, about={"code": "1"}, store=store)
    ...     done = list(sweep(square, [{"x": 2}, {"x": 3}], **given))
    ...     again = list(sweep(square, [{"x": 3}, {"x": 4}], **given))
    >>> [each.rows for each in done], [each.restored for each in again]
    ([[{'square': 4}], [{'square': 9}]], [True, False])
    """
    if executor is not None and workers is not None:
        raise ValueError(f"Expected workers={workers} or an executor, got both. An executor has its own workers.")
    if executor is None:
        refuse_unsendable(function)
    given = _describing(function, about)
    tasks = [_Task(config, known := given(config), run_key(config, **known)) for config in configs]
    _refuse_twice(tasks)
    store = store or RunStore()
    saved = {task.key: run for task in tasks if (run := store.get(task.config, **task.about)) is not None}
    missing = [task for task in tasks if task.key not in saved]
    if missing:
        store.refuse_unwritable(missing[0].key)
    known = [(task, saved[task.key]) for task in tasks if task.key in saved]
    return _outcomes(function, known, missing, executor, workers, store, stop or threading.Event())


def _outcomes(
    function: Callable[[Any], Any],
    known: list[tuple[_Task, Run]],
    missing: list[_Task],
    executor: Executor | None,
    workers: int | None,
    store: RunStore,
    stop: threading.Event,
) -> Iterator[Outcome]:
    place, of = 0, len(known) + len(missing)
    for place, (task, run) in enumerate(known, start=1):
        yield Outcome(task.config, run.rows, run.provenance, True, place, of)
    if not missing:
        return
    own = Processes(workers) if executor is None else None
    source = None if own else sources(function)  # processes of this machine import the very files that are here
    futures: dict[Future, _Task] = {}
    suspects, alone = [], set()

    def submit(task: _Task) -> None:
        futures[(own or executor).submit(compute, function, task.config, task.about, task.key, source)] = task

    try:
        with interrupts() as interrupted:
            for task in missing:
                submit(task)
            for future in _as_done(futures, stop, interrupted):
                task = futures[future]
                if _killed_a_worker(future) and task.key not in alone:
                    suspects.append(futures.pop(future))
                else:
                    place += 1
                    outcome = _outcome(task, future, store, place, of)
                    del futures[future]  # saved: not before, for Ctrl-C may come in between
                    _raise_dropped(interrupted)
                    yield outcome
                    interrupted.clear()  # what came meanwhile is the caller's
                if suspects and not futures:
                    alone.add(suspects[0].key)
                    submit(suspects.pop(0))
    finally:
        for future in futures:
            future.cancel()
        if own:
            own.stop()
        _save_done(futures, store, place, of)


def _save_done(futures: Mapping[Future, _Task], store: RunStore, place: int, of: int) -> None:
    """Save what is done and was not yet looked at."""
    for future, task in futures.items():
        if future.done() and not future.cancelled():
            _outcome(task, future, store, place, of)


def _as_done(futures: Mapping[Future, _Task], stop: threading.Event, interrupted: threading.Event) -> Iterator[Future]:
    while futures and not stop.is_set():
        _raise_dropped(interrupted)
        for future in wait(list(futures), timeout=SECONDS_BETWEEN_LOOKS, return_when=FIRST_COMPLETED).done:
            if stop.is_set():
                return
            yield future


def _raise_dropped(interrupted: threading.Event) -> None:
    """Raise the ``KeyboardInterrupt`` that should have ended the sweep when Ctrl-C came."""
    if interrupted.is_set():
        raise KeyboardInterrupt


def _killed_a_worker(future: Future) -> bool:
    """Return whether Dask gave a task up: the workers it was given to died, of this task or of another there."""
    return not future.cancelled() and type(future.exception()).__name__ == "KilledWorker"


def _outcome(task: _Task, future: Future, store: RunStore, place: int, of: int) -> Outcome:
    """Return what a future says, having saved it."""
    if future.cancelled():
        error = "CancelledError: the executor dropped it; was it shut down?"
        return Outcome(task.config, [], {}, False, place, of, error)
    if (broken := future.exception()) is not None:  # of the executor: a task's own error is a value
        trace = "".join(traceback.format_exception(broken))
        return Outcome(task.config, [], {}, False, place, of, f"{type(broken).__name__}: {broken}", trace)
    run, trace = future.result()
    unsaved = ""
    try:
        store.keep(run)
    except RunNotSavedError as error:
        unsaved = str(error)
    error = run.provenance["error"] or ""
    return Outcome(task.config, run.rows, run.provenance, False, place, of, error, trace, unsaved)


def compute(
    function: Callable[[Any], Iterable[Mapping[str, Any]]],
    config: Any,
    about: Mapping[str, Any],
    key: str,
    source: str | None,
) -> tuple[Run, str]:
    """Compute one configuration where the executor runs it; return the run, and the traceback where it failed.

    Parameters
    ----------
    function, config, about
        As of :func:`sweep`.
    key
        The run's key where the sweep was called.
    source
        What :func:`sources` returned there; None does not compare.
    """
    made, rows, trace, error = provenance(config, **about), [], "", None
    started = time.monotonic()
    try:
        _refuse_other_code(function, config, about, key, source)
        for row in function(config):
            rows.append(flat(row))
    except Exception as raised:  # whatever it is, a value: not every exception can be sent from machine to machine
        error, trace = f"{type(raised).__name__}: {raised}", traceback.format_exc()
    about_run = {"status": "failed" if error else "complete", "error": error}
    return Run(key, rows, {**made, **about_run, "seconds": round(time.monotonic() - started, 3)}), trace


@functools.cache
def sources(function: Callable[..., Any]) -> str:
    """Return a hash of the files of trustlab and of the file that defines `function`."""
    import importlib.util

    root = Path(__file__).parent
    files = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*.py"))}
    module = getattr(function, "__module__", None) or ""
    spec = importlib.util.find_spec(module) if module not in ("", "__main__") else None
    if spec is not None and spec.origin and not module.startswith("trustlab."):
        files[module] = Path(spec.origin)
    return digest("\n".join(f"{name} {digest(path.read_bytes())}" for name, path in files.items()))


def _refuse_other_code(
    function: Callable[..., Any], config: Any, about: Mapping[str, Any], key: str, source: str | None
) -> None:
    """Raise where this machine would not compute what the sweep asked for, and its rows would be taken for that."""
    if source is not None and sources(function) != source:
        raise RuntimeError(
            "Expected the same trustlab on this worker as where the sweep was called, got other files. Its rows would "
            "be kept as those of the other code: install the same commit on both."
        )
    if run_key(config, **about) != key:
        raise RuntimeError(
            f"Expected the packages' versions of where the sweep was called, got {code_version(about.get('code'))} on "
            "this worker. Install those of requirements.lock on both."
        )


def _describing(
    function: Callable[..., Any], about: Mapping[str, Any] | Callable[[Any], Mapping[str, Any]] | None
) -> Callable[[Any], dict[str, Any]]:
    """Return what says, of a configuration, what else decides its rows."""
    fixed = about if isinstance(about, Mapping) else {}
    code = None if callable(about) or "code" in fixed else closure(function)

    def describe(config: Any) -> dict[str, Any]:
        seed = config.get("seed") if isinstance(config, Mapping) else getattr(config, "seed", None)
        usual = {"seeds": [] if seed is None else [seed], "code": code}
        return {**usual, **(about(config) if callable(about) else fixed)}

    return describe


def _refuse_twice(tasks: list[_Task]) -> None:
    first: dict[str, Any] = {}
    for task in tasks:
        if task.key in first:
            raise ValueError(
                f"Expected different configurations, got {task.config!r} twice. Their rows would be the same ones: for "
                "repetitions, give each its own seed."
            )
        first[task.key] = task.config
