"""How often bounds on ε claim too much in simulated audits.

``python -m benchmarks auditing`` prints the table, and with ``--write`` stores it: 2,000 audits of each mechanism by
each method, α = 0.05, 1,000 canaries, δ = 0.01.
"""

from __future__ import annotations

import argparse

from benchmarks.turns import store
from trustlab.lab.display import table
from trustlab.privacy.auditing import coverage
from trustlab.privacy.auditing.lower_bounds import COVERAGE


def main(asked: argparse.Namespace) -> None:
    """Run, print, and store where asked to."""
    rows = list(coverage())
    print(table(rows))
    if asked.write:
        print("wrote", store(COVERAGE, rows, [coverage], []))
