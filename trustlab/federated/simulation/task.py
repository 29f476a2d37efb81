"""What devices learn together: a model, examples, a loss and a measure, whatever the kind of problem."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from trustlab.federated.simulation.sendable import check_model


class Batches(Protocol):
    """Examples that can be counted, and taken by a tensor of indices: :class:`trustlab.models.Examples`, a tensor."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any) -> Any: ...


@dataclass(frozen=True)
class Task:
    """A problem that devices learn together.

    Attributes
    ----------
    model
        The server's first model. Only parameters with ``requires_grad`` are trained and sent; the others, and
        buffers, are taken to lie on every device already. A layer that writes to these, a count of batches among them,
        is refused: it would pass from one simulated device to the next.
    train, test
        All devices' examples in one place; who holds which is said by index arrays.
    per_example_loss
        ``per_example_loss(model, batch) -> Tensor [B]``. Each entry depends on its own example only, neither on the
        others nor on the padding beside it: devices are trained in common batches.
    evaluate
        ``evaluate(model, examples) -> {"accuracy": ...}``, flat numbers.
    per_example_scores
        ``per_example_scores(model, batch) -> {"accuracy": (score [B], weight [B])}``, with which thousands of devices
        are measured in one pass. What ``evaluate`` says of any examples must be the sum of their scores over the sum
        of their weights: right or wrong over 1, right words of a text over its words. None: there is no such measure.

    Examples
    --------
    >>> import torch
    >>> x = torch.arange(6.0)[:, None]
    >>> def loss(model, batch):
    ...     return (model(batch) - 2 * batch).square().sum(1)
    >>> task = Task(nn.Linear(1, 1), x, x, loss, lambda model, batch: {"loss": loss(model, batch).mean().item()})
    >>> task.per_example_loss(task.model, task.train[torch.tensor([0, 3])]).shape
    torch.Size([2])
    """

    model: nn.Module
    train: Batches
    test: Batches
    per_example_loss: Callable[[nn.Module, Any], Tensor]
    evaluate: Callable[[nn.Module, Any], dict[str, float]]
    per_example_scores: Callable[[nn.Module, Any], dict[str, tuple[Tensor, Tensor]]] | None = None

    def __post_init__(self) -> None:
        check_model(self.model)
