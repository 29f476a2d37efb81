"""How often bounds on ε claim too much in simulated audits, and how long a bound takes.

``python -m benchmarks auditing`` prints both tables, and with ``--write`` stores the first: 2,000 audits of each
mechanism by each method, α = 0.05, 1,000 canaries, δ = 0.01.
"""

from __future__ import annotations

import argparse
import functools
import statistics
from collections.abc import Iterator
from typing import Any

from benchmarks.turns import seconds_of, store
from trustlab.lab.display import table
from trustlab.privacy.auditing import METHODS, coverage
from trustlab.privacy.auditing.lower_bounds import COVERAGE

ALPHAS = (0.05, 0.049, 0.048)  # each solves again: outcomes seen before are remembered


def speed() -> Iterator[dict[str, Any]]:
    """Yield the seconds of one bound, 5,000 guesses about 10,000 canaries."""
    for name, method in METHODS.items():
        bound = functools.partial(method.epsilon, 3456, 5000, 10_000, delta=1e-5)
        times = [seconds_of(functools.partial(bound, alpha=alpha)) for alpha in ALPHAS]
        yield {"method": name, "seconds": statistics.median(times)}


def main(asked: argparse.Namespace) -> None:
    """Run, print, and store where asked to."""
    rows = list(coverage())
    print(table(rows))
    print(table(list(speed())))
    if asked.write:
        print("wrote", store(COVERAGE, rows, [coverage], []))
