"""What makes a federated training this one: whatever differs, its checkpoint is refused, and what differs is said."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from trustlab.checkpoint import describe_model
from trustlab.federated.simulation.batches import as_tensors
from trustlab.federated.simulation.definitions import FederatedConfig
from trustlab.federated.simulation.fleet import Fleet, counts
from trustlab.federated.simulation.task import Batches, Task


def identity(task: Task, fleet: Fleet, config: FederatedConfig) -> dict[str, str]:
    """Name every option, the model's shape, the data, who holds them and how devices are selected.

    The weights are not part of it: a model freshly built gets those of the checkpoint. Nor is the code of the loss, of
    which only the name is known; a selector is told by its options and by whom it draws with fixed seeds.
    """
    return {
        **{field.name: repr(getattr(config, field.name)) for field in dataclasses.fields(config)},
        "model": describe_model(task.model),
        "loss": getattr(task.per_example_loss, "__qualname__", type(task.per_example_loss).__qualname__),
        "train data": _examples(task.train),
        "test data": _examples(task.test),
        "clients": _holders(fleet.clients),
        "test clients": "none" if fleet.test_clients is None else _holders(fleet.test_clients),
        "selector": f"{fleet.selector.config}, {_digest(*_cohorts(fleet, config))}",
    }


def _examples(examples: Batches) -> str:
    """Name examples by their number and a hash of all their tensors."""
    tensors, _ = as_tensors(examples[torch.arange(len(examples))])
    return f"{len(examples)} examples, {_digest(*(tensor.detach().cpu().numpy() for tensor in tensors))}"


def _holders(clients: Sequence[Any]) -> str:
    """Name who holds what by the number of devices and a hash of their indices, in order."""
    flat = clients.flat if hasattr(clients, "flat") else np.concatenate([np.asarray(own, np.int64) for own in clients])
    return f"{len(clients)} devices, {_digest(np.asarray(flat, np.int64), counts(clients))}"


def _cohorts(fleet: Fleet, config: FederatedConfig) -> list[np.ndarray]:
    """Return a few cohorts, drawn apart from the training's own."""
    asked = {"losses": lambda devices: np.zeros(len(devices))} if fleet.selector.design == "power-of-choice" else {}
    return [fleet.selector.draw(config.clients_per_round, np.random.default_rng(i), **asked) for i in range(8)]


def _digest(*arrays: np.ndarray) -> str:
    """Return eight digits of a hash of arrays, their types and their shapes."""
    hashed = hashlib.sha256()
    for array in arrays:
        hashed.update(f"{array.dtype} {array.shape} ".encode())
        hashed.update(np.ascontiguousarray(array).tobytes())
    return hashed.hexdigest()[:8]
