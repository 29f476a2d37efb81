"""How often an audit of an honest training step accuses it: 200 seeds of each engine, this package's and Opacus'.

``python -m benchmarks false_alarms`` prints the table, and with ``--write`` stores it, after every 20 seeds.
"""

from __future__ import annotations

import argparse
from typing import Any

from benchmarks.turns import store
from trustlab.lab.display import table
from trustlab.privacy.auditing.false_alarms import HONEST, TABLE, accusations, timed

AUDITS, BLOCK = 200, 20


def main(asked: argparse.Namespace) -> None:
    """Run, print, and store where asked to."""
    audits: dict[str, list[Any]] = {name: [] for name in HONEST}
    rows: list[dict[str, Any]] = []
    for start in range(0, AUDITS, BLOCK):
        for name, (engine, options) in HONEST.items():
            audits[name] += [timed(engine, seed, options) for seed in range(start, start + BLOCK)]
        rows = [row for name, each in audits.items() for row in accusations(name, each)]
        if asked.write:
            store(TABLE, rows, [timed, accusations], ["opacus"], seeds=f"0 to {start + BLOCK - 1}")
    print(table(rows))
