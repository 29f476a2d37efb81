"""What a move of a control takes: the answer, the drawing and the picture as a PNG.

Run it with ``python -m benchmarks panels``. The goal is 100 ms: a picture that follows the slider. Tests cannot hold a
time on a busy machine; they hold that a move is answered, drawn and encoded once, on artists that are there.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks import turns
from trustlab.course import partition_panel
from trustlab.course.n11_dp_sgd_vs_edp_sgd import panel as privacy_budget
from trustlab.course.n11_dp_sgd_vs_edp_sgd import toy as clipping_toy
from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import EPSILONS
from trustlab.data import load
from trustlab.lab.display import table

NAME = "panel_speed"
GOAL = 0.1  # seconds


def moves() -> dict[str, Callable[[], Any]]:
    """Return, by panel, a function that moves a control to its next position."""
    corpus = load("assistant")
    toy = clipping_toy.clipping_toy()
    budget = privacy_budget.budget_panel(corpus, "assistant")
    fleet = partition_panel.partition_panel(corpus["train"]["intent"], "the embedded corpus")
    positions = {
        "clipping toy, σ": (toy, [{"noise_multiplier": 0.1 * i} for i in range(20)]),
        "privacy budget, ε": (budget, [{"epsilon": epsilon} for epsilon in EPSILONS]),
        "partition, α": (fleet, [{"alpha": alpha, "way": "flower"} for alpha in partition_panel.ALPHAS[:6]]),
    }
    return {name: _mover(panel, itertools.cycle(values)) for name, (panel, values) in positions.items()}


def _mover(panel: Any, values: Iterator[dict[str, Any]]) -> Callable[[], Any]:
    return lambda: panel.set(**next(values))


def measure(repetitions: int = 30) -> Iterator[dict[str, Any]]:
    """Yield a row for each panel: the median seconds of a move, and whether that is within the goal."""
    for row in turns.take_turns(moves(), repetitions):
        kept = {name: row[name] for name in ("seconds", "turns")}
        yield {"panel": row["method"], **kept, "goal": GOAL, "within the goal": row["seconds"] <= GOAL}


def main(asked: argparse.Namespace) -> None:
    """Run, print, and store the table where `asked` to."""
    rows = list(measure())
    print(table(rows))
    if asked.write:
        print("wrote", turns.store(NAME, rows, [measure], []))
