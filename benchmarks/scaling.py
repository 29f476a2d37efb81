"""Time and memory of selection, partition, accounting and simulation on ten thousand to ten million devices.

Run it with ``python -m benchmarks scaling``. Every repetition is a fresh process on one thread with a seed of its own;
seconds are the processor's, memory is the peak above what was in use before the call. Activity follows a Pareto
distribution of exponent 1.2, rounded down to whole examples; cohorts have 1,000 devices, drawn independently (Poisson)
in proportion to activity.

- ``selection``: setting up a selector; *again* is one draw.
- ``partition, sizes``: four examples per device, sizes from a Dirichlet distribution.
- ``partition, labels``: the same examples with ten labels, each device with a label distribution of its own (FedNLP).
- ``accounting, system``: the inclusion probability of every device, and the ε of the most active one.
- ``accounting, each``: the ε of every rate that occurs: devices with as many examples have the same.
- ``simulation``: the first of six rounds of FedAvg with 100 of so many registered devices; *again* is one more.

A size at which one call would take longer than half a minute is not tried, and its row says so.

Predictions, written after single calls on a busy machine: all but the accounting for each device grow linearly, and
reach ten million; a partition by labels takes a minute for a million devices (it draws a distribution for each) and
ends there. Accounting for each device follows the number of different rates, which grows like the square root of the
devices: a thousand at a million, each 50 ms.

What came of them: the busy machine had multiplied all times by ten. A partition by labels takes 6 s for a million
devices, and a rate a few milliseconds.
"""

from __future__ import annotations

import argparse
import gc
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from benchmarks import memory
from benchmarks.simulating import EVEN, SELECTED, registered_fleet
from benchmarks.turns import store
from trustlab.federated.partition import partition
from trustlab.federated.selection import Selector
from trustlab.federated.simulation import FederatedConfig, simulate
from trustlab.lab.display import table
from trustlab.privacy.accounting import epsilon

NAME = "scaling"
DEVICES = (10_000, 100_000, 1_000_000, 10_000_000)
REPETITIONS, COHORT, PATIENCE = 5, 1000, 30.0  # seconds of one call
ROUNDS, AGAIN = 6, 5
NOISE = dict(noise_multiplier=1.0, steps=500)


def activity(devices: int, seed: int) -> np.ndarray:
    """Return the examples of each device, whole numbers from 1 on with a heavy tail."""
    return np.floor(np.random.default_rng(seed).pareto(1.2, devices) + 1)


def selection(devices: int, seed: int) -> Iterator[None]:
    """Set up a selector, and draw."""
    held, rng = activity(devices, seed), np.random.default_rng(seed)
    yield
    selector = Selector(held, design="poisson")
    yield
    for _ in range(AGAIN):
        selector.draw(COHORT, rng)
        yield


def by_size(devices: int, seed: int) -> Iterator[None]:
    """Divide four examples per device by size."""
    examples = range(4 * devices)
    yield
    partition(examples, scheme="quantity-dirichlet", clients=devices, seed=seed)
    yield


def by_label(devices: int, seed: int) -> Iterator[None]:
    """Divide four examples per device by their labels."""
    labels = np.random.default_rng(seed).integers(0, 10, 4 * devices)
    yield
    partition(labels, scheme="label-dirichlet-fednlp", clients=devices, alpha=0.5, seed=seed)
    yield


def for_system(devices: int, seed: int) -> Iterator[None]:
    """Account for the most active device."""
    selector = Selector(activity(devices, seed), design="poisson")
    yield
    rates = selector.inclusion(COHORT)
    epsilon(**NOISE, sample_rate=float(rates.max()), delta=0.1 / devices)
    yield


def for_each(devices: int, seed: int) -> Iterator[None]:
    """Account for every rate that occurs."""
    selector = Selector(activity(devices, seed), design="poisson")
    yield
    for rate in np.unique(selector.inclusion(COHORT)):
        epsilon(**NOISE, sample_rate=float(rate), delta=0.1 / devices)
    yield


def rounds(devices: int, seed: int) -> Iterator[None]:
    """Train rounds of FedAvg."""
    config = FederatedConfig(rounds=ROUNDS, clients_per_round=SELECTED, seed=seed)
    task, fleet = EVEN.task(), registered_fleet(devices)
    list(simulate(task, registered_fleet(SELECTED), config))  # what torch takes once
    yield
    for _ in simulate(task, fleet, config):
        yield


PARTS: dict[str, Callable[[int, int], Iterator[None]]] = {
    "selection": selection,
    "partition, sizes": by_size,
    "partition, labels": by_label,
    "accounting, system": for_system,
    "accounting, each": for_each,
    "simulation": rounds,
}


def one(part: str, devices: int, seed: int) -> dict[str, Any]:
    """Return the processor's seconds and the peak megabytes of one repetition, in a fresh process."""
    torch.set_num_threads(1)
    steps = PARTS[part](devices, seed)
    next(steps)  # what is given
    gc.collect()
    before = memory.in_use("cpu") if memory.RESET.exists() else math.nan
    ends = [time.process_time()]  # on one thread: an idle machine's clock, whatever else runs here
    ends += [time.process_time() for _ in steps]
    took = np.diff(ends)
    peak = memory.resident("VmHWM") if memory.RESET.exists() else math.nan
    return {
        "seconds": float(took[0]),
        "seconds again": float(np.median(took[1:])) if len(took) > 1 else math.nan,
        "megabytes": (peak - before) / memory.MB,
    }


def measure(
    *, sizes: tuple[int, ...] = DEVICES, repetitions: int = REPETITIONS, parts: tuple[str, ...] = tuple(PARTS)
) -> Iterator[dict[str, Any]]:
    """Yield a row for each repetition of each part at each size, and one for a size that is not tried."""
    for part in parts:
        before = 0.0
        for devices in sizes:
            row = {"part": part, "devices": devices}
            if 10 * before > PATIENCE:
                why = f"not tried: with {devices // 10:,} devices it took {before:.0f} s"
                yield {**row, "repetition": -1, "seconds": None, "seconds again": None, "megabytes": None, "note": why}
                break
            found = []
            for repetition in range(repetitions):
                found.append(memory.fresh(one, part, devices, repetition))
                yield {**row, "repetition": repetition, **found[-1], "note": ""}
            before = statistics.median(each["seconds"] for each in found)
            told = f"{part}, {devices:,} devices: {before:.3g} s, {found[-1]['megabytes']:.0f} MB"
            print(told, file=sys.stderr, flush=True)


def main(asked: argparse.Namespace) -> None:
    """Run, print, and store where asked to."""
    rows = list(measure())
    print(table(rows))
    if asked.write:
        about = dict(repetitions=REPETITIONS, cohort=COHORT, patience=PATIENCE)
        print("wrote", store(NAME, rows, [measure, *PARTS.values()], (), **about))
