"""Run small tasks in parallel, one thread each, where torch would run them in turn on all threads.

torch divides every operation among its threads, and waits for all of them after each. Many operations of middling size
are faster when every thread takes whole operations; and normal numbers, which torch draws in one thread,
gain most.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from threading import Barrier

import torch


def side_by_side(tasks: Sequence[Callable[[], None]]) -> None:
    """Run all `tasks`, as many at once as torch uses threads; the first error is raised when all have ended.

    Examples
    --------
    >>> filled = torch.zeros(3)
    >>> side_by_side([lambda i=i: filled[i].fill_(i) for i in range(3)])
    >>> filled
    tensor([0., 1., 2.])
    """
    threads = torch.get_num_threads()
    if threads == 1 or len(tasks) == 1:
        for task in tasks:
            task()
    else:
        list(_pool(threads, os.getpid()).map(lambda task: task(), tasks))


@lru_cache(maxsize=1)
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    """Return `threads` threads of this process (they do not survive a fork), in each of which torch uses one."""
    started = Barrier(threads + 1)

    def start() -> None:
        torch.get_num_threads()  # a new thread takes the process' number at its first call: make that call now
        torch.set_num_threads(1)
        started.wait()

    pool = ThreadPoolExecutor(threads, thread_name_prefix="side-by-side", initializer=start)
    for _ in range(threads):
        pool.submit(int)
    started.wait()
    torch.set_num_threads(threads)  # the calls above also set what threads to come start with
    return pool
