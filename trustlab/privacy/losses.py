"""The one place where losses are computed, for every method: the result is one loss per example, or an error.

A mean over the batch, a loss for each token, or the [B, B] that broadcasting makes from [B] and [B, 1] still have a
gradient, but not the one that clipping bounds. A forward that writes into the parameters, as ``nn.Embedding`` with
`max_norm` shortens the rows of the words that it sees, reveals what it read, whatever noise the gradients get.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

PerExampleLoss = Callable[[nn.Module, Any], Tensor]
Named = Sequence[tuple[str, nn.Parameter]]

UNREACHED = (
    "Expected per_example_loss to depend on a trainable parameter of the model, got losses that depend on none. Its "
    "gradient would be noise alone: compute the losses from the model that is given, not from another or a copy."
)

# Modes in which a model was watched: the first forward is, those that follow are compared before and after.
_watched: weakref.WeakKeyDictionary[nn.Module, set[bool]] = weakref.WeakKeyDictionary()


def checked(model: nn.Module, per_example_loss: PerExampleLoss) -> PerExampleLoss:
    """Return `per_example_loss` of `model`, which raises where it does not give one loss per example.

    Raises
    ------
    ValueError
        When called: for another shape, a loss that no gradient can be taken of, or a forward that writes into a
        parameter of `model`, frozen ones included. The first forward is stopped before it writes.

    Examples
    --------
    >>> model = nn.Linear(2, 1)
    >>> checked(model, lambda model, batch: model(batch).squeeze(1))(model, torch.zeros(3, 2)).shape
    torch.Size([3])
    >>> checked(model, lambda model, batch: model(batch))(model, torch.zeros(3, 2))
    Traceback (most recent call last):
    ...
    ValueError: Expected per_example_loss to return shape (3,), one loss per example, got (3, 1). Drop the last ...
    """
    # autocast keeps the weights that it has rounded: old ones, or ones without a graph, whose gradients would be zero.
    torch.clear_autocast_cache()
    # A partial: the fast engine distinguishes losses by the functions that they consist of.
    return functools.partial(_losses, per_example_loss, tuple(model.named_parameters()))


def _losses(per_example_loss: PerExampleLoss, parameters: Named, model: nn.Module, batch: Any) -> Tensor:
    """Compute the losses [B]; see :func:`checked`."""
    before = [(parameter._version, parameter.data_ptr()) for _, parameter in parameters]
    modes = _watched.setdefault(model, set())
    if model.training in modes:
        losses = per_example_loss(model, batch)
    else:
        with _Watch(parameters):
            losses = per_example_loss(model, batch)
        modes.add(model.training)
    if not torch.is_grad_enabled():
        torch.clear_autocast_cache()
    for (name, parameter), (version, place) in zip(parameters, before, strict=True):
        if parameter._version != version or parameter.data_ptr() != place:
            raise ValueError(_written(name) + " It has been changed already: reload its old values.")
    check_losses(losses, len(batch))
    return losses


class _Watch(TorchDispatchMode):
    """Stop every operation that is about to write into a parameter's memory, also through ``.data``."""

    def __init__(self, parameters: Named) -> None:
        super().__init__()
        self.names = {parameter.untyped_storage().data_ptr(): name for name, parameter in parameters}
        self.names.pop(0, None)  # the address of what holds no memory

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Run `func`, unless it writes where it must not."""
        for tensor in _written_by(func, args, kwargs or {}):
            if tensor.layout == torch.strided and tensor.untyped_storage().data_ptr() in self.names:
                raise ValueError(_written(self.names[tensor.untyped_storage().data_ptr()]))
        return func(*args, **(kwargs or {}))


def _written_by(func: Any, args: tuple, kwargs: dict[str, Any]) -> Iterator[Tensor]:
    """Yield the tensors that `func` changes in place, by its declaration."""
    for place, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            value = args[place] if place < len(args) else kwargs.get(argument.name)
            yield from (leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor))


def _written(name: str) -> str:
    return (
        f"Expected a forward that leaves the parameters alone, but it writes into {name!r}. What it writes can depend "
        "on the batch, and no noise covers it: change weights after the optimizer's step only, on what was released."
    )


def check_losses(losses: Any, examples: int) -> None:
    """Refuse what is not a loss for each of so many `examples`, with a gradient where torch records them.

    Examples
    --------
    >>> check_losses(torch.ones(3).mean(), 3)
    Traceback (most recent call last):
    ...
    ValueError: Expected per_example_loss to return shape (3,), one loss per example, got (). A mean over the ...
    """
    if not isinstance(losses, Tensor) or not losses.is_floating_point():
        came = losses.dtype if isinstance(losses, Tensor) else type(losses).__name__
        raise ValueError(
            f"Expected per_example_loss to return a tensor of {examples} real numbers, one loss per example, got "
            f"{came}. Return the losses that torch computed, unchanged."
        )
    if losses.shape != (examples,):
        raise ValueError(
            f"Expected per_example_loss to return shape ({examples},), one loss per example, got "
            f"{tuple(losses.shape)}. {_advice(losses.shape, examples)}"
        )
    if torch.is_grad_enabled() and not losses.requires_grad:
        raise ValueError(
            "Expected per_example_loss to depend on trainable parameters, got losses without a gradient. Compute them "
            "from the model that is given, without no_grad(), detach() or numbers taken out of tensors."
        )


def _advice(shape: torch.Size, examples: int) -> str:
    """Explain what a loss of the wrong `shape` means, and what to do."""
    if shape == (examples, 1):
        return "Drop the last dimension with squeeze(1)."
    if len(shape) < 2:
        return "A mean over the batch has lost what is to be clipped: use reduction='none'."
    if shape == (examples, examples):
        return "Broadcasting [B] against [B, 1] compares every example with every other: give both the same shape."
    return "Take the mean or the sum over all dimensions but the first: each example has one loss."
