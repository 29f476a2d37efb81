"""Local training, one device after another: the definition, and what is used where devices cannot be stacked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from trustlab.federated.aggregation import proximal_term, summed_in
from trustlab.federated.simulation.definitions import FederatedConfig
from trustlab.federated.simulation.local_training import Work
from trustlab.federated.simulation.model_state import copied, unwritten
from trustlab.federated.simulation.task import Task


@dataclass(frozen=True)
class Update:
    """What K devices trained together send back.

    Attributes
    ----------
    members
        Their places in the round's list of work.
    deltas
        By parameter, w_k − w_t, [K, ...], of half-precision weights in single precision.
    losses : Tensor [K]
        Mean loss over the examples that a device trained on, each measured just before its step.
    rows
        By parameter of which only some rows were sent: their numbers [K, U]; deltas are [K, U, ...] there.
    """

    members: Sequence[int]
    deltas: dict[str, Tensor]
    losses: Tensor
    rows: dict[str, Tensor] = field(default_factory=dict)


def train_sequentially(
    model: nn.Module, task: Task, works: Sequence[Work], config: FederatedConfig
) -> Iterator[Update]:
    """Yield the update of every device that takes a step, from the weights of `model`, which stays as it is."""
    start = {name: parameter.detach() for name, parameter in model.named_parameters() if parameter.requires_grad}
    own = copied(model)
    weights = {name: parameter for name, parameter in own.named_parameters() if parameter.requires_grad}
    with unwritten(own):
        for place, work in enumerate(works):
            if work.steps:
                with torch.no_grad():
                    torch._foreach_copy_(list(weights.values()), list(start.values()))
                loss = _train(own, weights, start, task, work, config)
                deltas = {name: _difference(weights[name].detach(), value)[None] for name, value in start.items()}
                yield Update([place], deltas, loss[None])


def _difference(weight: Tensor, start: Tensor) -> Tensor:
    return weight.to(summed_in(weight.dtype)) - start.to(summed_in(start.dtype))


def _train(
    own: nn.Module,
    weights: dict[str, nn.Parameter],
    start: dict[str, Tensor],
    task: Task,
    work: Work,
    config: FederatedConfig,
) -> Tensor:
    """Take one device's steps on `own` and return the mean loss met on the way."""
    optimizer = _optimizer(list(weights.values()), config)
    total = torch.zeros((), device=next(iter(start.values())).device)
    for indices in work.batches:
        loss = task.per_example_loss(own, task.train[torch.from_numpy(indices)]).mean()
        total += loss.detach().to(total) * len(indices)  # ten times a loss may be beyond half precision
        if config.proximal:
            loss = loss + proximal_term(weights, start, config.proximal)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for weight in weights.values():
            if weight.grad is None:  # unused in this step; its momentum carries it on all the same
                weight.grad = torch.zeros_like(weight)
        optimizer.step()
    return total / sum(map(len, work.batches))


def _optimizer(parameters: list[nn.Parameter], config: FederatedConfig) -> torch.optim.Optimizer:
    options: dict[str, Any] = dict(lr=config.learning_rate)
    if config.optimizer == "adam":
        return torch.optim.Adam(parameters, **options)
    return torch.optim.SGD(parameters, momentum=config.momentum, **options)
