"""How long a label-Dirichlet partition takes, ours next to flwr-datasets', and what ten million examples cost.

``python -m benchmarks partitioning`` prints two tables. In the first, all methods take turns on the same 200,000
labels and 1,000 clients; Flower's ``load_partition(0)`` computes all clients' indices, ours gives them all at once. Its
minimum size is set to 0, so that neither draws twice. In the second, ours alone, each in a fresh process: seconds, and
the peak of resident memory above the labels, in bytes per example.

Predictions, written before the first run of this file on an idle machine, from what a prototype took on a busy one:

- Ours stay under 50 ms for both definitions at every α, with 10 labels and with 150: FedNLP's near 10 and 25 ms (1,000
  clients are served one after another), Flower's near 7 and 13 ms.
- flwr-datasets takes 1 to 2 s with 10 labels, a hundred times as long, and longer with 150: it visits every client for
  every label in Python, and appends indices to lists.
- Ten million examples: 1 to 2 s. Memory is linear in n: 8 bytes of codes, 4 of owners, 8 of the order, 8 of the result,
  and a copy of one or two of these while sorting, so between 30 and 60 bytes per example.

What came (two idle cores, 2026-11-21): with 10 labels FedNLP's takes 12 to 14 ms and Flower's 7 to 11, with 150
labels 29 to 30 and 14 to 18; flwr-datasets takes 1.3 to 1.5 s, 83 to 178 times our version of Flower's, and hardly
longer with 150 labels. Ten million examples take 0.6 to 1.2 s and 22 to 30 bytes each, both less
than predicted; the reason was not investigated.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from benchmarks.memory import RESET, resident
from benchmarks.turns import seconds_of, take_turns
from trustlab.federated.partition import partition
from trustlab.lab.display import table

EXAMPLES, CLIENTS = 200_000, 1_000
FEDNLP, FLOWER = "label-dirichlet-fednlp", "label-dirichlet-flower"
PEER = "flwr-datasets DirichletPartitioner"


def measure(repetitions: int = 5) -> Iterator[dict[str, Any]]:
    """Yield one row per number of labels, α and method; ``times ours`` divides by ours by Flower's scheme."""
    for labels in (10, 150):
        values = np.random.default_rng(0).integers(labels, size=EXAMPLES)
        for alpha in (0.1, 1.0):
            for row in take_turns(_methods(values, alpha), repetitions):
                yield {"labels": labels, "alpha": alpha, **row}


def _methods(values: np.ndarray, alpha: float) -> dict[str, Callable[[], Any]]:
    """Return what is timed, each from labels in memory to the indices of every client."""
    methods = {
        scheme: lambda scheme=scheme: partition(values, scheme=scheme, clients=CLIENTS, alpha=alpha).indices
        for scheme in (FLOWER, FEDNLP)
    }
    try:
        import datasets
        from flwr_datasets.partitioner import DirichletPartitioner
    except ImportError:
        print(f"*** {PEER} is not installed and LEFT OUT of the comparison.", file=sys.stderr, flush=True)
        return methods
    corpus = datasets.Dataset.from_dict({"label": values})

    def peer() -> Any:
        partitioner = DirichletPartitioner(CLIENTS, "label", alpha, min_partition_size=0)
        partitioner.dataset = corpus
        return partitioner.load_partition(0)

    return methods | {PEER: peer}


def ten_million(examples: int = 10_000_000) -> Iterator[dict[str, Any]]:
    """Yield the seconds and the peak memory of one large partition by each scheme, each in its own process."""
    context = multiprocessing.get_context("spawn")
    for scheme, options in (
        (FEDNLP, {"alpha": 0.1}),
        (FLOWER, {"alpha": 0.1}),
        ("iid", {}),
        ("quantity-dirichlet", {}),
    ):
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            yield {"examples": examples, "method": scheme} | pool.submit(_large, examples, scheme, options).result()


def _large(examples: int, scheme: str, options: dict[str, float]) -> dict[str, float]:
    values = np.random.default_rng(0).integers(20, size=examples)
    partition(values[:1000], scheme=scheme, clients=10, **options)  # imports
    if RESET.exists():
        RESET.write_text("5")
    before = resident("VmRSS")
    seconds = seconds_of(lambda: partition(values, scheme=scheme, clients=CLIENTS, **options))
    return {"seconds": seconds, "peak bytes per example": (resident("VmHWM") - before) / examples}


def main(asked: argparse.Namespace) -> None:
    """Run and print; nothing is stored, whatever is `asked`."""
    print(table(list(measure())))
    print(table(list(ten_million())))
