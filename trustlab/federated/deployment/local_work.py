"""What a node does with a message that asks it to train."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from trustlab.columns import as_indices
from trustlab.federated.deployment.records import ARRAYS, CLIENT, CONFIG, EXAMPLES, LOSS, METRICS, ROUND, STEPPED
from trustlab.federated.deployment.run_options import read_options
from trustlab.federated.deployment.updates import from_arrays, to_arrays
from trustlab.federated.simulation.definitions import FederatedConfig, Task
from trustlab.federated.simulation.local_training import (
    MINIBATCHES,
    TORCH,
    Update,
    Work,
    minibatches,
    rng_of,
    train_sequentially,
)

if TYPE_CHECKING:
    from flwr.app import RecordDict


def answer(content: RecordDict, run_config: Mapping[str, Any], task: Task, own: np.ndarray) -> dict[str, Any]:
    """Return the records of the reply: the update w_k − w, and what the server weighs it by."""
    from flwr.app import MetricRecord

    config = read_options(run_config).federated
    asked = content.config_records[CONFIG]
    own = as_indices(own, len(task.train), "index of this node's examples")
    weights = {name: p for name, p in task.model.named_parameters() if p.requires_grad}
    found = from_arrays(content.array_records[ARRAYS], weights, "the global model")
    with torch.no_grad():
        for name, value in found.items():
            weights[name].copy_(value)
    work, update = take_steps(task, own, config, int(asked[ROUND]) - 1, int(asked[CLIENT]))
    counted = {
        ROUND: int(asked[ROUND]),
        EXAMPLES: len(own),
        STEPPED: sum(map(len, work.batches)),
        LOSS: float(update.losses[0]),
    }
    delta = {name: value[0] for name, value in update.deltas.items()}
    return {ARRAYS: to_arrays(delta), METRICS: MetricRecord(counted)}


def take_steps(task: Task, own: np.ndarray, config: FederatedConfig, draw: int, client: int) -> tuple[Work, Update]:
    """Return the client's work and its update in the round that `draw` counts from 0: the simulator's, of one client.

    Raises
    ------
    ValueError
        For a node that holds no examples any more.
    """
    if not len(own):
        raise ValueError("Expected examples on this node, got none. It was selected by those that it reported before.")
    work = Work(client, minibatches(own, config, rng_of(config, draw, MINIBATCHES, client)), len(own), True)
    torch.manual_seed(int(rng_of(config, draw, TORCH).integers(2**62)))
    task.model.train()
    (update,) = train_sequentially(task.model, task, [work], config)
    return work, update
