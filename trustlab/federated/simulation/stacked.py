"""Local training of many devices at once: their weights stacked, [K, ...], and one forward and backward for all.

On a small model a step costs calls, not arithmetic, and K steps at once cost hardly more calls than one. The devices'
own minibatches go through ``torch.func.vmap`` side by side, and as no device's loss depends on another's weights, the
gradient of the *sum* of their losses holds the gradient of each.

Every device takes exactly the steps it would take alone. Devices are sorted by their number of steps, those with most
first, so that the ones still training are the first k of the stack, a view of it: nobody waits masked. Devices of
unlike minibatch sizes go into different stacks, so that padding at most doubles the work; a padded place repeats an
example of the device's own and has weight zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from trustlab.federated.simulation.batches import Rebuild, as_tensors
from trustlab.federated.simulation.config import FederatedConfig
from trustlab.federated.simulation.sequential import Update
from trustlab.federated.simulation.steps import StackedOptimizer
from trustlab.federated.simulation.tables import Rows, Table, looked_up_by, rows_read, still_padding
from trustlab.federated.simulation.task import Task
from trustlab.federated.simulation.work import Work

# Weights of one stack: enough devices to share the calls, few enough to stay in a processor's cache.
STACK_BYTES = 1 << 24


def train_stacked(
    model: nn.Module, task: Task, works: Sequence[Work], config: FederatedConfig, tables: dict[str, Table]
) -> Iterator[Update]:
    """Yield the updates of all devices that take a step, a stack at a time, from the weights of `model`.

    The same as :func:`trustlab.federated.simulation.sequential.train_sequentially`, to rounding.
    """
    for members in stacks(works, model, tables):
        yield _train_together(model, task, [works[i] for i in members], members, config, tables)


def stacks(works: Sequence[Work], model: nn.Module, tables: dict[str, Table]) -> Iterator[list[int]]:
    """Yield the places of works to train together: minibatches of like size, most steps first."""
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    size = sum(p.numel() * p.element_size() for name, p in trained.items() if name not in tables)
    most = max(1, STACK_BYTES // max(size, 1))
    order = sorted((i for i, work in enumerate(works) if work.steps), key=lambda i: -works[i].steps)
    classes: dict[int, list[int]] = {}
    for i in order:
        classes.setdefault((works[i].width - 1).bit_length(), []).append(i)
    for members in classes.values():
        for start in range(0, len(members), most):
            yield members[start : start + most]


def _train_together(
    model: nn.Module,
    task: Task,
    works: list[Work],
    members: list[int],
    config: FederatedConfig,
    tables: dict[str, Table],
) -> Update:
    """Train one stack of devices, sorted by their steps, and return what they send."""
    start = {name: parameter.detach() for name, parameter in model.named_parameters() if parameter.requires_grad}
    rows = _rows(task, works, tables)
    first = {
        name: value[rows[name].numbers] if name in rows else value.expand(len(works), *value.shape)
        for name, value in start.items()
    }
    weights = {name: value.clone(memory_format=torch.contiguous_format) for name, value in first.items()}
    optimizer = StackedOptimizer(list(weights.values()), config)
    places = {tables[name].layer: own.places for name, own in rows.items()}
    total = torch.zeros(len(works), device=next(iter(start.values())).device)
    for step in range(works[0].steps):
        active = [work.batches[step] for work in works if work.steps > step]
        now = {name: weight[: len(active)].detach().requires_grad_() for name, weight in weights.items()}
        here = {layer: own[: len(active)] for layer, own in places.items()}
        losses = stacked_losses(model, task, now, active, here)  # [k]
        gradients = torch.autograd.grad(losses.sum(), list(now.values()), allow_unused=True, materialize_grads=True)
        optimizer.step(list(gradients))
        total[: len(active)] += losses.detach() * torch.tensor([len(batch) for batch in active], device=total.device)
    seen = torch.tensor([sum(map(len, work.batches)) for work in works], device=total.device)
    deltas = dict(zip(weights, torch._foreach_sub(list(weights.values()), list(first.values())), strict=True))
    return Update(members, deltas, total / seen, {name: own.numbers for name, own in rows.items()})


def stacked_losses(
    model: nn.Module,
    task: Task,
    weights: dict[str, Tensor],
    batches: Sequence[np.ndarray],
    places: dict[nn.Embedding, Tensor],
) -> Tensor:
    """Return each device's mean loss [K] on its own minibatch, with its own weights [K, ...]."""
    indices, shares = _padded(batches)  # [K, B]
    tensors, rebuild = as_tensors(task.train[indices.view(-1)])
    tensors = [tensor.view(*indices.shape, *tensor.shape[1:]) for tensor in tensors]
    one = _one_device(model, task, rebuild, list(places))
    shares = shares.to(tensors[0].device)
    # Plain attention: torch's fused one cannot be vectorised. Dropout throws dice of its own for every device.
    with sdpa_kernel(SDPBackend.MATH):
        return vmap(one, randomness="different")(weights, tensors, shares, list(places.values()))


def _one_device(model: nn.Module, task: Task, rebuild: Rebuild, layers: list[nn.Embedding]) -> Callable[..., Tensor]:
    """Return the mean loss of one device as a function of its weights and its minibatch."""
    whole = _Loss(model, task)

    def loss(weights: dict[str, Tensor], tensors: list[Tensor], shares: Tensor, places: list[Tensor]) -> Tensor:
        named = {f"model.{name}": weight for name, weight in weights.items()}
        with still_padding(model), looked_up_by(dict(zip(layers, places, strict=True))):
            losses = functional_call(whole, named, (rebuild(tensors),))  # [B]
        return (losses * shares.to(losses)).sum()

    return loss


class _Loss(nn.Module):
    """The loss as a module around the model, because ``functional_call`` swaps the weights of a module it calls."""

    def __init__(self, model: nn.Module, task: Task) -> None:
        super().__init__()
        self.model, self.task = model, task

    def forward(self, batch: Any) -> Tensor:
        return self.task.per_example_loss(self.model, batch)


def _padded(batches: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Return minibatches as one rectangle of indices [K, B], and each place's share of its device's mean [K, B]."""
    sizes = np.array([len(batch) for batch in batches])
    real = np.arange(sizes.max()) < sizes[:, None]
    flat = np.concatenate(batches)
    indices = np.repeat(flat[np.cumsum(sizes) - sizes], len(real[0])).reshape(real.shape)
    indices[real] = flat
    return torch.from_numpy(indices), torch.from_numpy(real / sizes[:, None])


def _rows(task: Task, works: list[Work], tables: dict[str, Table]) -> dict[str, Rows]:
    """Return, for each table worth it, the rows that each device reads on all its minibatches."""
    if not tables:
        return {}
    # An epoch holds every example once; a slow device may not get through one.
    own = [np.unique(np.concatenate(work.batches)) for work in works]
    fields, _ = as_tensors(task.train[torch.from_numpy(np.concatenate(own))])
    devices = torch.arange(len(works)).repeat_interleave(torch.tensor([len(part) for part in own]))
    found = {
        name: rows_read(fields[table.field], devices.to(fields[table.field].device), len(works), table)
        for name, table in tables.items()
    }
    return {name: rows for name, rows in found.items() if rows is not None}
