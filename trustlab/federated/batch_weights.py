"""A trap of FedNLP's public code, to be measured: clients weighted by their minibatches, not their examples.

A client of n examples takes ⌈n/B⌉ minibatches in a pass. Weighted by that number, a client of one example counts as
much as one of B: light clients count up to B times as much as they should. :func:`by_batches` gives these weights;
pass it to the simulation as ``weigh``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from trustlab.deprecation import warn_of_old_value
from trustlab.federated.simulation import FederatedConfig, Task, simulate


def by_batches(examples: np.ndarray, batch_size: int) -> np.ndarray:
    """Return the weights [K] of clients that have `examples` [K], by the number of their minibatches.

    Examples
    --------
    >>> by_batches(np.array([1, 10, 11, 18]), 10).round(3).tolist()
    [0.167, 0.167, 0.333, 0.333]
    """
    batches = np.ceil(np.asarray(examples) / batch_size)
    return batches / batches.sum()


def by_examples(examples: np.ndarray, batch_size: int) -> np.ndarray:
    """Return FedAvg's weights [K]; the batch size plays no part.

    Examples
    --------
    >>> by_examples(np.array([1, 10, 11, 18]), 10).tolist()
    [0.025, 0.25, 0.275, 0.45]
    """
    return np.asarray(examples) / np.sum(examples)


def average_by(
    task: Task, clients: Sequence[Any], config: FederatedConfig, weigh: Callable[[np.ndarray, int], np.ndarray]
) -> Iterator[dict[str, Any]]:
    """Train with ``weigh(examples, batch_size)``: the old form of ``simulate(..., weigh=...)``."""
    warn_of_old_value("average_by", "simulate(..., weigh=...)")
    return simulate(task, clients, config, weigh=functools.partial(weigh, batch_size=config.batch_size))
