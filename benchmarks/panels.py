"""What a reader waits for in each panel and toy: from the hand to the painted picture, and how it follows a drag.

Run it with ``python -m benchmarks panels`` on an idle machine. The goals are 100 ms for 95 of 100 moves, and 20
pictures a second for the toys, which follow the hand. ``CPU`` is the kernel's part of a move, its answer and its
picture. Tests cannot hold a time on a busy machine; they hold that a move is answered and drawn once, on artists that
are there.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks import turns
from benchmarks.in_browser import Watched, notebook_of
from trustlab.course.gallery import ALL, TOYS
from trustlab.lab.display import table
from trustlab.lab.panel import Panel

NAME = "panel_speed"
GOAL, FRAMES = 100.0, 20.0  # milliseconds, pictures a second
STEPS = 21  # of a continuous slider


def positions(panel: Panel) -> Iterator[dict[str, Any]]:
    """Yield moves through all positions of each control, one control after the other.

    Examples
    --------
    >>> sum("lean" in move for move in positions(ALL["31 effect size"]()))
    7
    """
    for name, control in panel.controls.items():
        if control.options is not None:
            values: Sequence[Any] = [value for _, value in control.options]
        elif hasattr(control.widget, "min"):
            values = np.linspace(control.widget.min, control.widget.max, STEPS).tolist()
        else:
            continue  # a text has no positions
        yield from ({name: value} for value in values)
        yield {name: values[0]}


def kernel_milliseconds(panel: Panel) -> list[float]:
    """Return the milliseconds of CPU that each move takes the kernel."""
    times = []
    for move in positions(panel):
        started = time.process_time()
        panel.set(**move)
        times.append(1e3 * (time.process_time() - started))
    return times


def measure(names: Sequence[str] = tuple(ALL)) -> Iterator[dict[str, Any]]:
    """Yield a row for each panel: its moves in a browser and in the kernel, and how it follows a drag."""
    with notebook_of(names) as notebook:
        for place, name in enumerate(names):
            watched = Watched(notebook, place)
            moved, own = watched.moves(), kernel_milliseconds(ALL[name]())
            row = {"panel": name, "moves": len(moved)} | _percentiles("ms", moved) | _percentiles("CPU ms", own)
            frames = watched.frames_per_second() if name in TOYS else float("nan")
            met = row["ms, p95"] <= GOAL and not frames < FRAMES
            yield {**row, "pictures per second": round(frames, 1), "within the goals": met}


def _percentiles(name: str, times: Sequence[float]) -> dict[str, float]:
    """Return the median and the 95th percentile of times.

    Examples
    --------
    >>> _percentiles("ms", [1.0, 2.0, 3.0])
    {'ms, p50': 2.0, 'ms, p95': 2.9}
    """
    return {f"{name}, p{part}": round(float(np.percentile(times, part)), 1) for part in (50, 95)}


def main(asked: argparse.Namespace) -> None:
    """Run, print, and store the table where `asked` to."""
    rows = []
    for row in measure():  # minutes: each is said as it comes
        rows.append(row)
        print(", ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    print(table(rows))
    if asked.write:
        print("wrote", turns.store(NAME, rows, [measure], ["jupyterlab", "anywidget", "matplotlib", "playwright"]))
