"""How long a federated round takes, ours next to pfl's and Flower's, and what a million registered devices cost.

``python -m benchmarks simulating``. The peers, see :mod:`benchmarks.simulation_peers`, train the same model on the same
minibatches, and the run ends with an error unless the final weights agree. Methods take turns; every ratio is of rounds
in the same turn. A peer that is not installed is left out with a note.

Predictions, written before the first run on an idle machine, from CPU times of single runs on a busy one:

- 50 devices × 40 examples: ours 8 ms, pfl 70 ms, so 7 to 9 times ours; the plain loop 6 times. Flower sends 50 messages
  to two processes and back, 300 ms and more: 40 times ours. (In an earlier look it took 3 seconds, a hundred times a
  slower prototype of ours; each of its processes had then as many threads as the machine has cores.)
- 100 devices with sizes like 1/rank: pfl 2.5 to 3 times ours. The heaviest device takes 77 steps, and after the first
  few there is hardly any other client to share the cost.
- Of 1,347 devices each one's own accuracy: in one pass less than a round takes, one by one several rounds.
- Memory: a round with 100 devices takes the same whether 1,000 or 1,000,000 are registered, and registering a million
  takes 50 MB or less: sizes, weights of the selection and its chances, 8 bytes each, and copies of these on the way.

Expected of joining stacks where that saves steps (2026-11-30): the 133 stacked steps of a round on the power law become
83, so pfl should take 3.8 times as long as ours there; nothing changes on the even fleet.

Expected of moving only the rows that a step read (2026-11-30), from a profile in which zeros, scattering and
subtracting of whole tables are a third of a step on the power law and of one on the even fleet: 4 times and 9.5 times
for pfl.

What came (two idle virtual cores, 2026-11-30): on the even fleet pfl takes 9.3 times as long (95 % 7.3 to 11.8; our
goal is 8, so the mean reaches it and the interval does not confirm it), the plain loop 9.6 times and Flower's
simulation 41 times (34 to 50; our goal is 60). On the power law pfl takes 4 times as long (3.2 to 5; our goal is 4),
2.6 and 2.9 before: 78 of the 83 stacked steps are those of the largest device. Measuring 1,347 devices takes 22 ms in
one pass and 446 ms one by one. A million registered devices take 17 MB, and a round 15 MB with a thousand or a
million.
"""

from __future__ import annotations

import argparse
import functools
import gc
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

from benchmarks import memory
from benchmarks.memory import MB, RESET, resident
from benchmarks.simulation_peers import PEERS, Fleet, Result, ours
from benchmarks.turns import compared, store, take_turns
from trustlab.federated import simulation
from trustlab.federated.simulation import FederatedConfig, measurement, simulate
from trustlab.lab.display import table

NAME = "simulation_speed"
EVEN = Fleet("50 devices × 40 examples", (40,) * 50)
POWER = Fleet("100 devices, sizes ∝ 1/rank", tuple(max(1, round(771 / rank)) for rank in range(1, 101)))
OURS, LOOP = "ours", "ours, one device after another"
ROUNDS, SELECTED = 16, 100
PACKAGES = ("pfl", "flwr", "ray")
AGREE = 1e-4  # largest difference of any weight that rounding explains
COLUMNS = ("seconds", "times ours", "low", "high", "turns", "difference", "round MB", "fleet MB", "note")


def measure(turns: int = 8, rounds: int = ROUNDS) -> Iterator[dict[str, Any]]:
    """Yield all rows, saying on standard error how far it is."""
    parts = [
        lambda: side_by_side(EVEN, ("pfl", "Flower"), turns, rounds),
        lambda: side_by_side(POWER, ("pfl",), turns, rounds),
        lambda: each_device(1347, turns),
        lambda: registered((1_000, 1_000_000)),
    ]
    for i, part in enumerate(parts, 1):
        started = time.perf_counter()
        yield from ({"fleet": None, "method": None} | dict.fromkeys(COLUMNS) | row for row in part())
        print(f"simulating, part {i}/{len(parts)}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)


def side_by_side(fleet: Fleet, peers: tuple[str, ...], turns: int, rounds: int) -> Iterator[dict[str, Any]]:
    """Yield one row per method: its median round, and how many of ours that is worth with a 95 % interval."""
    methods: dict[str, Callable[[Fleet, int], Result]] = {
        OURS: ours,
        LOOP: lambda fleet, rounds: ours(fleet, rounds, engine="sequential"),
        **{name: PEERS[name] for name in peers if installed(name)},
    }
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    difference, weights = dict.fromkeys(methods, 0.0), {}
    for _ in range(turns):
        for name, train in methods.items():
            times, weights[name] = train(fleet, rounds)
            seconds[name].append(statistics.median(times))
            difference[name] = max(difference[name], largest_difference(weights[name], weights[OURS]))
            check_agreement(name, difference[name])
    for name, times in seconds.items():
        yield {"fleet": fleet.name, "method": name, "difference": difference[name], **compared(times, seconds[OURS])}
    for name in peers:
        if name not in methods:
            yield {
                "fleet": fleet.name,
                "method": name,
                "note": "not installed",
            }


def installed(peer: str) -> bool:
    """Return whether a peer can be imported, and say so on standard error where it cannot."""
    found = all(find_spec(name) for name in {"pfl": ("pfl",), "Flower": ("flwr", "ray")}[peer])
    if not found:
        print(f"*** {peer} is not installed and LEFT OUT of the comparison.", file=sys.stderr, flush=True)
    return found


def largest_difference(weights: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> float:
    """Return the largest absolute difference of any weight."""
    return max((weights[name] - expected[name]).abs().max().item() for name in expected)


def check_agreement(name: str, difference: float) -> None:
    """Raise ``RuntimeError`` where a method trained something else: its time would mean nothing."""
    if not difference <= AGREE:
        raise RuntimeError(f"Expected the final weights of {name} to be ours, they differ by {difference:.1g}.")


def each_device(devices: int, turns: int) -> Iterator[dict[str, Any]]:
    """Yield what it takes to measure each device by itself: a third of a fleet's examples, sizes like 1/rank."""
    sizes = np.maximum(1, np.round(400 / np.arange(1, devices + 1) ** 0.8)).astype(int)
    fleet = Fleet(f"{devices:,} devices measured", tuple(sizes.tolist()))
    held = simulation.fleet.Fleet.of(fleet.clients(), None, fleet.clients())
    tasks = {"in one pass": fleet.task(scores=True), "one by one": fleet.task()}
    methods = {name: functools.partial(measurement.measure, task.model, task, held) for name, task in tasks.items()}
    for row in take_turns(methods, turns):
        yield {"fleet": fleet.name, **row}


def registered(counts: tuple[int, ...]) -> Iterator[dict[str, Any]]:
    """Yield seconds and memory of rounds with 100 of so many registered devices, each in a fresh process."""
    memory.give_back_at_once()
    for count in counts:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            found = pool.submit(_registered, count).result()
            yield {"fleet": f"{SELECTED} of {count:,} devices", "method": OURS, **found}


class _Registered:
    """So many devices with 40 examples each, of which nothing is stored but how many there are."""

    def __init__(self, count: int, examples: int) -> None:
        self.sizes, self.examples = np.full(count, 40), examples

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, device: int) -> np.ndarray:
        return (device * 40 + np.arange(40)) % self.examples


def registered_fleet(count: int) -> _Registered:
    """Return so many devices that share the examples of :data:`EVEN`."""
    return _Registered(count, sum(EVEN.sizes))


def _registered(count: int) -> dict[str, float]:
    """Return the seconds of a round, its memory above what is held between rounds, and what the fleet holds."""
    torch.set_num_threads(1)
    task = EVEN.task()
    warm = FederatedConfig(rounds=2, clients_per_round=SELECTED)
    list(simulate(task, registered_fleet(SELECTED), warm))  # what torch takes once
    gc.collect()
    before = resident("VmRSS")
    rows = simulate(task, registered_fleet(count), FederatedConfig(rounds=ROUNDS, clients_per_round=SELECTED))
    next(rows)
    held = resident("VmRSS")
    if RESET.exists():
        RESET.write_text("5")
    ends = [row["seconds"] for row in rows]
    return {
        "seconds": float(np.median(np.diff(ends))),
        "round MB": (resident("VmHWM") - held) / MB,
        "fleet MB": (held - before) / MB,
    }


def main(asked: argparse.Namespace) -> None:
    """Run, print, and store where asked to."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as Ray's processes have: no operation here is large enough to be shared
    try:
        rows = list(measure())
        print(table(rows))
        if asked.write:
            print("wrote", store(NAME, rows, [measure], PACKAGES, rounds=ROUNDS))
    finally:
        torch.set_num_threads(threads)
