"""How good the server's model is: over all examples, and device by device."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from trustlab.federated.simulation.devices import means
from trustlab.federated.simulation.fleet import Fleet, counts
from trustlab.federated.simulation.model_state import left_as_it_is
from trustlab.federated.simulation.task import Task

AT_ONCE = 1024  # examples in one forward


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Turn off dropout and the like for a while, and undo what measuring does to the model.

    A count in a buffer, rows cut to a largest norm, or a measure that fine-tunes would else move the training, by how
    often it is measured.
    """
    with left_as_it_is(model):
        model.eval()
        yield


@torch.no_grad()
def measure(model: nn.Module, task: Task, fleet: Fleet) -> dict[str, float]:
    """Return what the task measures on all test examples, and where devices have their own, their means.

    ``device_…`` is the mean over devices that have test examples, each counting once, and ``light_…`` the mean over
    those of them that hold no more training examples than the median one, see ``simulation.devices``.

    With ``task.per_example_scores`` the devices are measured in one pass over the test examples, and on what it scores;
    without, ``task.evaluate`` is called for each device, which in a large fleet takes longer than a round.
    """
    with evaluating(model):
        # Plain numbers: a checkpoint holds nothing else.
        row = {name: float(value) for name, value in task.evaluate(model, task.test).items()}
        if fleet.test_clients is None or not len(devices := np.flatnonzero(counts(fleet.test_clients))):
            return row
        by_device = _one_by_one if task.per_example_scores is None else _in_one_pass
        own = by_device(model, task, [fleet.test_clients[k] for k in devices.tolist()])
    for name, values in own.items():
        row[f"device_{name}"], row[f"light_{name}"] = means(values, devices, fleet.sizes)
    return row


def _one_by_one(model: nn.Module, task: Task, tests: list[Any]) -> dict[str, np.ndarray]:
    """Return each measure of each device, [d]."""
    rows = []
    for indices in tests:
        with evaluating(model):  # each device's by itself
            rows.append(task.evaluate(model, task.test[torch.as_tensor(indices)]))
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _in_one_pass(model: nn.Module, task: Task, tests: list[Any]) -> dict[str, np.ndarray]:
    """Return each measure of each device, [d]; every example that somebody is tested on goes through once."""
    indices = np.concatenate([np.asarray(own, dtype=np.int64) for own in tests])
    owners = np.repeat(np.arange(len(tests)), [len(own) for own in tests])
    used, places = np.unique(indices, return_inverse=True)
    parts = [task.per_example_scores(model, task.test[part]) for part in torch.from_numpy(used).split(AT_ONCE)]
    found = {}
    for name in parts[0]:
        # Several tables of one number per example, of which each device adds up its own.
        score, weight = (torch.cat([part[name][i] for part in parts]).double().cpu().numpy()[places] for i in (0, 1))
        found[name] = np.bincount(owners, score) / np.bincount(owners, weight)
    return found


@torch.no_grad()
def check_scores(model: nn.Module, task: Task) -> None:
    """Refuse scores of single examples that do not add up to what ``task.evaluate`` says of a few of them.

    Raises
    ------
    ValueError
        Naming the measure; and for a measure that ``evaluate`` does not know.
    """
    few = torch.arange(min(len(task.test), 64))
    with evaluating(model):
        wanted = task.evaluate(model, task.test[few])
        found = _in_one_pass(model, task, [few])
    for name, value in found.items():
        if name not in wanted or not np.allclose(value, wanted[name], rtol=1e-3, atol=1e-6, equal_nan=True):
            raise ValueError(
                f"Expected per_example_scores of {name!r} to add up to what evaluate says, {wanted.get(name)}, got "
                f"{value[0]:.6g} on the same {len(few)} examples. A measure that is no sum of scores over a sum of "
                "weights, such as F1, must be left to evaluate."
            )


@torch.no_grad()
def device_losses(model: nn.Module, task: Task, fleet: Fleet, devices: np.ndarray) -> np.ndarray:
    """Return the mean loss of `model` on the training examples of each of `devices`, float64 [d]; 0 without any."""
    own = [np.asarray(fleet.clients[device], dtype=np.int64) for device in devices.tolist()]
    held = np.array([len(part) for part in own])
    indices = torch.from_numpy(np.concatenate(own))
    with evaluating(model):
        losses = [task.per_example_loss(model, task.train[part]).double().cpu() for part in indices.split(AT_ONCE)]
    sums = np.bincount(np.repeat(np.arange(len(own)), held), torch.cat(losses).numpy(), minlength=len(own))
    return sums / np.maximum(held, 1)
