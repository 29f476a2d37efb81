"""Federated rounds of Flower as a deployment on this machine: a SuperLink and two SuperNodes, each a process.

Run it with ``python -m benchmarks deploying``; it needs the extra ``flower`` and a checkout, whose ``examples/flower``
it runs. ``--write`` stores the table, which notebook 25 shows until a reader starts a deployment.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from benchmarks.turns import load, store
from trustlab.federated.deployment import loopback
from trustlab.lab.display import table

NAME = "flower_loopback"
NODES, ROUNDS = 2, 3
KEPT = ("seconds", "round", "clients", "arrived", "refused", "lost", "examples", "train_loss", "round_seconds",
        "bytes_down", "bytes_up", "score")  # fmt: skip


def measure() -> Iterator[dict[str, Any]]:
    """Yield a row for each round of one deployment."""
    for row in loopback(nodes=NODES, rounds=ROUNDS):
        if row["stage"] == "round":
            yield {name: row[name] for name in KEPT}


def main(asked: argparse.Namespace) -> None:
    """Run, print, and store where asked to."""
    busy = load()
    rows = list(measure())
    print(table(rows))
    if asked.write:
        print("wrote", store(NAME, rows, [measure], ("flwr",), nodes=NODES, load=busy))
