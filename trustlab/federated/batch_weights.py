"""A trap of FedNLP's public code, rebuilt to be measured: devices weighed by their minibatches, not their examples.

A device of n examples takes ⌈n/B⌉ minibatches in a pass. Weighted by that number, a device of one example counts as
much as one of B: light devices are heard up to B times too loudly. This file is what the simulation refuses to be:
FedAvg with any weights, to show what wrong ones do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from trustlab.federated.simulation import FederatedConfig, Task
from trustlab.federated.simulation.engine_choice import choose_engine
from trustlab.federated.simulation.fleet import Fleet
from trustlab.federated.simulation.local_training import SELECTION, source, works
from trustlab.federated.simulation.loss_checks import check_learning
from trustlab.federated.simulation.measurement import measure
from trustlab.federated.simulation.model_state import copied
from trustlab.federated.simulation.server import Server, average, check_heard
from trustlab.federated.simulation.stacked import train_stacked


def by_batches(examples: np.ndarray, batch_size: int) -> np.ndarray:
    """Return the weights [K] of devices that have `examples` [K], by the number of their minibatches.

    Examples
    --------
    >>> by_batches(np.array([1, 10, 11, 18]), 10).round(3).tolist()
    [0.167, 0.167, 0.333, 0.333]
    """
    batches = np.ceil(np.asarray(examples) / batch_size)
    return batches / batches.sum()


def by_examples(examples: np.ndarray, batch_size: int) -> np.ndarray:
    """Return FedAvg's weights [K], whatever the batch size.

    Examples
    --------
    >>> by_examples(np.array([1, 10, 11, 18]), 10).tolist()
    [0.025, 0.25, 0.275, 0.45]
    """
    return np.asarray(examples) / np.sum(examples)


def average_by(
    task: Task,
    clients: Sequence[Any],
    config: FederatedConfig,
    weigh: Callable[[np.ndarray, int], np.ndarray],
) -> Iterator[dict[str, Any]]:
    """Train as FedAvg does, with the weights that `weigh` gives, and yield a row after each round.

    With :func:`by_examples` these are the rounds of :func:`trustlab.federated.simulation.simulate`, to rounding.

    Parameters
    ----------
    task, clients
        As there.
    config
        Its rounds, cohort and local training, and how often to measure; the server puts the average in place.
    weigh
        ``weigh(examples, batch_size)`` gives the weights of a cohort.

    Yields
    ------
    dict
        ``round``, and what the task measures after every ``config.evaluate_every`` rounds and the last.

    Raises
    ------
    ValueError
        For a model whose devices cannot be trained in one stack.
    """
    fleet, server = Fleet.of(clients, None, None), Server(copied(task.model), config)
    check_learning(server.model, task, fleet.some_examples())
    plan = choose_engine(server.model, task, replace(config, engine="stacked"), fleet.some_examples()).plan
    for number in range(config.rounds):
        cohort = np.unique(fleet.selector.draw(config.clients_per_round, source(config, number, SELECTION)))
        planned = works(config, number, cohort, clients)
        weights = torch.from_numpy(weigh(np.array([work.examples for work in planned]), config.batch_size))
        updates = train_stacked(server.model, task, planned, config, plan)
        found = average(updates, weights, server, fleet, config)
        check_heard(planned, found.heard, server, config)
        server.step(found.delta)
        server.round += 1
        last = number + 1 == config.rounds
        scores = measure(server.model, task, fleet) if last or (number + 1) % config.evaluate_every == 0 else {}
        yield {"round": number + 1, **scores}
