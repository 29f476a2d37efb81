"""Methods timed in turns: what else the machine does meets all of them alike, and every ratio is of the same turn.

And a table of such times in ``data/results``, with the machine and the peers' versions next to it.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from trustlab.doctor import usable_cores
from trustlab.intervals import mean_interval
from trustlab.provenance import provenance
from trustlab.results import write_results
from trustlab.versions import installed


def take_turns(
    methods: Mapping[str, Callable[[], Any]], turns: int, *, shares: Mapping[str, float] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield a row for each method, compared with the first one, see :func:`compared`.

    Parameters
    ----------
    methods
        What is timed, by name. A turn before the others is not counted: it imports, and touches memory first.
    turns
        How often each method is timed, >= 1.
    shares
        Of a method that does only a part of the work, which part; its seconds are divided by it.

    Examples
    --------
    >>> [row["method"] for row in take_turns({"ours": lambda: None, "theirs": lambda: time.sleep(0.01)}, 3)]
    ['ours', 'theirs']
    """
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for turn in range(turns + 1):
        for name, method in methods.items():
            took = seconds_of(method)
            if turn:
                seconds[name].append(took / (shares or {}).get(name, 1))
    first = next(iter(seconds.values()))
    for name, times in seconds.items():
        yield {"method": name, **compared(times, first)}


def compared(times: Sequence[float], base: Sequence[float]) -> dict[str, Any]:
    """Return the median of `times` and, turn by turn, how many times `base` they are, with the 95 % interval.

    The ratio is the geometric mean; of a single turn there is no interval. `base` may have had more turns.

    Examples
    --------
    >>> compared([2.0, 6.0], [1.0, 3.0])["times ours"]
    2.0
    """
    row = {"seconds": statistics.median(times), "turns": len(times), "times ours": times[0] / base[0]}
    if len(times) > 1:
        ratios = [np.log(a / b) for a, b in zip(times, base, strict=False)]
        mean, low, high = np.exp(mean_interval(ratios)[:3])
        row |= {"times ours": round(float(mean), 12), "low": float(low), "high": float(high)}
    return row


def seconds_of(run: Callable[[], Any]) -> float:
    """Return how long one call takes."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def store(
    name: str,
    rows: Sequence[Mapping[str, Any]],
    code: Sequence[Any],
    peers: Sequence[str] | Mapping[str, str],
    **settings: Any,
) -> str:
    """Write `rows` as the committed table `name` and return its file's name.

    `code` is what measured them, see :func:`trustlab.provenance.code_version`. Next to it go `settings`, cores, threads
    and processor, and the versions of those `peers` that are installed; or versions themselves, of peers elsewhere.
    """
    about = {"cores": usable_cores(), "threads": torch.get_num_threads(), **settings}
    if not isinstance(peers, Mapping):
        peers = {peer: version for peer in peers if (version := installed(peer))}
    about["processor"] = f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"
    about["peers"] = ", ".join(f"{peer} {version}" for peer, version in peers.items())
    return write_results(name, rows, provenance(about, code=list(code))).name
