"""How often an audit of a whole training claims too much, and finds forgotten noise: 200 real trainings of each kind.

``python -m benchmarks training_audits`` prints the table, and with ``--write`` stores it.
"""

from __future__ import annotations

import argparse

from benchmarks.turns import store
from trustlab.lab.display import table
from trustlab.privacy.auditing.training_audit import COVERAGE
from trustlab.privacy.auditing.training_coverage import training_coverage


def main(asked: argparse.Namespace) -> None:
    """Run, print, and store where asked to."""
    rows = list(training_coverage())
    print(table(rows))
    if asked.write:
        print("wrote", store(COVERAGE, rows, [training_coverage], [], seeds="0 to 199"))
