"""How good the server's model is: over all examples, and device by device."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from trustlab.federated.simulation.fleet import Fleet
from trustlab.federated.simulation.task import Task


@torch.no_grad()
def measure(model: nn.Module, task: Task, fleet: Fleet) -> dict[str, float]:
    """Return what the task measures on all test examples, and where devices have their own, their means.

    ``device_…`` is the mean over devices that have test examples, each counting once, and ``light_…`` the mean over
    those of them that hold no more training examples than the median one. A gain for heavy devices that costs the
    light ones shows there and not in the pooled number.
    """
    training = model.training
    model.eval()
    try:
        row = task.evaluate(model, task.test)
        if fleet.test_clients is None:
            return row
        devices = [k for k in range(len(fleet)) if len(fleet.test_clients[k])]
        own = [task.evaluate(model, task.test[torch.as_tensor(fleet.test_clients[k])]) for k in devices]
    finally:
        model.train(training)
    sizes = fleet.sizes[devices]
    light = np.flatnonzero(sizes <= np.median(sizes)) if devices else []
    for prefix, chosen in (("device", range(len(devices))), ("light", light)):
        row |= {f"{prefix}_{name}": float(np.mean([own[k][name] for k in chosen])) for name in row if own}
    return row


@torch.no_grad()
def device_losses(
    model: nn.Module, task: Task, fleet: Fleet, devices: np.ndarray, *, at_once: int = 1024
) -> np.ndarray:
    """Return the mean loss of `model` on the training examples of each of `devices`, float64 [d]; 0 without any."""
    own = [np.asarray(fleet.clients[device], dtype=np.int64) for device in devices.tolist()]
    indices = torch.from_numpy(np.concatenate(own))
    losses = [task.per_example_loss(model, task.train[part]).double().cpu() for part in indices.split(at_once)]
    counts = [len(part) for part in own]
    sums = np.bincount(np.repeat(np.arange(len(own)), counts), torch.cat(losses).numpy(), minlength=len(own))
    return sums / np.maximum(counts, 1)
