"""Cohorts of 1,000 from ten million devices, against ``numpy.random.Generator.choice``.

Run it with ``python -m benchmarks selecting``. Activity follows a Pareto distribution of exponent 1.2, rounded down to
whole examples. A draw, an update of 1,000 devices and the set-up are timed in turns in one process, and each is divided
by NumPy's draw with replacement in the same round.

Predictions, written after a rough look at single calls on a busy machine:

- ``Generator.choice`` with ``p`` adds up ten million probabilities at every call and checks their sum: 60 ms and more,
  and twice that without replacement, where it adds them up again for every repeat.
- Ours looks up 1,000 points among 156,250 block ends and 64 weights each: under 1 ms with and without replacement. The
  heaviest device's repeats cost a second round of proposals, no more.
- Poisson and systematic sampling first look for devices that are certain, a pass over the block maxima for each time
  that one is found: under 3 ms.
- An update of 1,000 devices adds up their blocks, and the blocks' ends: under 1 ms. Set-up: three passes over the
  fleet, about as long as one call of ``choice``.

What came (two idle cores, 2026-11-21): NumPy takes 71 and 129 ms. Draws take 1.1 ms with and 1.2 ms without
replacement, 2.9 ms Poisson and 2.0 ms systematic; an update 1.1 ms, the set-up 111 ms, half as long again as a call of
``choice``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.turns import take_turns
from trustlab.federated.selection import DESIGNS, Selector
from trustlab.lab.display import table

DEVICES, COHORT = 10_000_000, 1000
NUMPY = "numpy choice, with replacement"


def fleet(devices: int, rng: np.random.Generator) -> np.ndarray:
    """Return the activity of `devices` devices, whole numbers from 1 on with a heavy tail."""
    return np.floor(rng.pareto(1.2, devices) + 1)


def methods(activity: np.ndarray, k: int, rng: np.random.Generator) -> dict[str, Callable[[], Any]]:
    """Return what is timed, by name; selectors are set up here."""
    probabilities = activity / activity.sum()
    selectors = {design: Selector(activity, design=design) for design in DESIGNS}
    top = Selector(activity, strategy="top-k")
    changed = rng.integers(0, len(activity), k)
    of_changed = activity[changed]
    poisson = selectors["poisson"]
    return {
        NUMPY: lambda: rng.choice(len(activity), k, p=probabilities),
        "numpy choice, without replacement": lambda: rng.choice(len(activity), k, replace=False, p=probabilities),
        **{f"draw, {design}": lambda each=each: each.draw(k, rng) for design, each in selectors.items()},
        "draw, top-k": lambda: top.draw(k, rng),
        "update": lambda: poisson.update(changed, of_changed),
        "update, then draw, poisson": lambda: (poisson.update(changed, of_changed), poisson.draw(k, rng)),
        "set-up": lambda: Selector(activity),
    }


def measure(
    *, devices: int = DEVICES, k: int = COHORT, repetitions: int = 15, seed: int = 0
) -> Iterator[dict[str, Any]]:
    """Yield a row for each method: median milliseconds, and the ratio to NumPy's draw with its 95 % interval.

    Examples
    --------
    >>> rows = list(measure(devices=1000, k=10, repetitions=2))
    >>> rows[0]["method"], rows[0]["times numpy"]
    ('numpy choice, with replacement', 1.0)
    """
    rng = np.random.default_rng(seed)
    timed = methods(fleet(devices, rng), k, rng)
    for row in take_turns(timed, repetitions):
        yield {
            "devices": devices,
            "cohort": k,
            "method": row["method"],
            "milliseconds": 1e3 * row["seconds"],
            "times numpy": row["times ours"],
            **{name: row[name] for name in ("low", "high", "turns")},
        }


def main(asked: argparse.Namespace) -> None:
    """Run and print; nothing is stored, whatever is `asked`."""
    print(table(list(measure())))
