"""Two ``concurrent.futures`` executors: processes of this machine, and a Ray cluster; Dask brings its own.

In :class:`Processes` the end of one process costs one task; in Python's own ``ProcessPoolExecutor`` a process that is
killed ends all tasks that are queued or run. Here each worker is a pool of one process: a task whose process dies is
done again in a fresh one, and a task that kills every process it is given is reported as such, while the others go on.
Processes end with their parent, also where that is killed.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any

MAIN = pickle.dumps("__main__")[-11:-1]  # in a pickle, the module of what is defined in a script or a notebook
ATTEMPTS = 3  # a machine that is short of memory kills a process now and then; a task that does it three times does it


class Processes(Executor):
    """Run tasks in `workers` fresh processes.

    Parameters
    ----------
    workers
        Number of processes; by default as many as this process may use cores.

    Raises
    ------
    ValueError
        If `workers` is less than one.

    Examples
    --------
    >>> with Processes(1) as executor:
    ...     executor.submit(pow, 2, 10).result()
    1024
    """

    def __init__(self, workers: int | None = None) -> None:
        from trustlab.doctor import usable_cores

        count = usable_cores() if workers is None else workers
        if count < 1:
            raise ValueError(f"Expected workers={workers} >= 1; 1 computes one task after another.")
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="trustlab-process")
        self._own = threading.local()
        self._workers: set[_Worker] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Queue a call and return its future.

        The future raises ``BrokenProcessPool`` where the call ended its process three times.

        Raises
        ------
        TypeError
            If the call cannot be sent to another process.
        """
        refuse_unsendable(fn, *args, *kwargs.values())
        return self._threads.submit(self._call, fn, args, kwargs)

    def stop(self) -> None:
        """End all processes at once, whatever they compute, and drop what is queued."""
        with self._lock:
            self._stopped = True
            for worker in self._workers:
                worker.end()
        self.shutdown(cancel_futures=True)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no further tasks, and end the processes when the last of them is done; :meth:`stop` does not wait."""
        self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        if wait:
            for worker in list(self._workers):
                worker.close()
            self._workers.clear()

    def _call(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for attempt in itertools.count(1):
            worker = self._worker()
            try:
                return worker.pool.submit(fn, *args, **kwargs).result()
            except BrokenProcessPool as error:
                self._forget(worker)
                if self._stopped:
                    raise BrokenProcessPool("Its process was stopped.") from error
                if attempt == ATTEMPTS:
                    raise BrokenProcessPool(
                        f"Expected a task that leaves its process alive, got one that ended {ATTEMPTS} of them. Killed "
                        "for want of memory? Use fewer workers. A crash in compiled code? Run this task alone. A "
                        'script? Put what it starts under if __name__ == "__main__".'
                    ) from error

    def _worker(self) -> _Worker:
        """Return the process of this thread, a new one where it has none."""
        worker = getattr(self._own, "worker", None)
        if worker is None:
            with self._lock:
                if self._stopped:
                    raise BrokenProcessPool("Its process was stopped.")
                worker = self._own.worker = _Worker()
                self._workers.add(worker)
        return worker

    def _forget(self, worker: _Worker) -> None:
        self._own.worker = None
        worker.close()
        with self._lock:
            self._workers.discard(worker)


@contextmanager
def dask_cluster(address: str) -> Iterator[Executor]:
    """Give the executor of the Dask cluster whose scheduler listens at `address`, as "tcp://10.0.0.5:8786".

    Dask does a task again whose worker died, three times by default, and then raises its ``KilledWorker``.

    Raises
    ------
    ModuleNotFoundError
        If Dask is not installed.
    OSError
        If no scheduler answers there within ten seconds.
    """
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("Expected Dask: pip install -c requirements.lock -e '.[dask]'.") from error
    with Client(address, timeout="10s") as client:
        yield client.get_executor()


class RayTasks(Executor):
    """Run each task as a Ray task, on the cluster that ``ray.init`` connected this process to.

    Ray does a task again whose worker died, three times by default, and then raises its ``WorkerCrashedError``. A
    future that is cancelled cancels its task, also one that runs.

    Raises
    ------
    RuntimeError
        If no cluster is connected: Ray would start one of its own without saying so.
    """

    def __init__(self) -> None:
        import ray

        if not ray.is_initialized():
            raise RuntimeError(
                'Expected a cluster. Call ray.init(address="auto"), or ray.init() for one on this machine.'
            )
        self._futures: set[Future] = set()
        self._shutdown = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Start a task and return its future."""
        import ray

        if self._shutdown:
            raise RuntimeError("Expected an executor that is open, got one that was shut down. Make a new one.")
        reference = ray.remote(fn).remote(*args, **kwargs)
        future = reference.future()
        self._futures.add(future)
        future.add_done_callback(lambda done: ray.cancel(reference) if done.cancelled() else None)
        future.add_done_callback(self._futures.discard)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no further tasks; the cluster stays as it is."""
        self._shutdown = True
        for future in list(self._futures):
            if cancel_futures:
                future.cancel()
        if wait:
            futures.wait(list(self._futures))


class _Worker:
    """A pool of one process, and the pipe whose end is the end of the process."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")  # fresh: torch's threads do not survive a fork
        self._reader, self._writer = context.Pipe(duplex=False)
        self.pool = ProcessPoolExecutor(1, mp_context=context, initializer=_begin, initargs=(self._reader,))

    def end(self) -> None:
        """End the process now: only this object holds the pipe's other end."""
        self._writer.close()

    def close(self) -> None:
        """Wait for the process' end."""
        self.pool.shutdown()
        self._writer.close()
        self._reader.close()


def _begin(parent: Connection) -> None:
    """Prepare a process: it ends with its parent, and leaves Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Connection) -> None:
    with suppress(EOFError, OSError):
        parent.recv()  # nothing is ever sent: it returns when the parent closes its end, or dies
    os._exit(1)


def refuse_unsendable(*parts: Any) -> None:
    """Raise where another process could not be given these parts of a call.

    Raises
    ------
    TypeError
        If they cannot be pickled, or are defined where another process cannot import them: in a notebook, a lambda,
        inside a function.
    """
    advice = "Define it at the top level of a module (a .py file) and import it from there."
    try:
        sent = pickle.dumps(parts)
    except Exception as error:  # pickle raises what an object's own methods raise
        raise TypeError(f"Expected what can be sent to another process, got {parts[0]!r}: {error}. {advice}") from error
    if MAIN in sent and not getattr(sys.modules["__main__"], "__file__", None):
        raise TypeError(
            f"Expected what another process can import, got something of a notebook: {parts[0]!r}. {advice}"
        )
