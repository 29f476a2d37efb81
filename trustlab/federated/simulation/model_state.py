"""All that a model holds beside the weights that are trained: looked at, compared, and put back.

A device gets weights and sends weights. Whatever else a layer writes, such as a running average in a buffer or a count
in an attribute, would pass from one simulated device to the next, as it never does between real ones.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from trustlab.models.attributes import INTERNAL, same


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    """Return all parameters and buffers by name, those that are not in ``state_dict()`` too."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def kept_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return copies of what a checkpoint of `model` holds and no device sends: frozen parameters and buffers.

    Examples
    --------
    >>> sorted(kept_tensors(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))))
    ['1.num_batches_tracked', '1.running_mean', '1.running_var']
    """
    lasting, found = model.state_dict(keep_vars=True), tensors_of(model)
    return {
        name: tensor.detach().clone() for name, tensor in found.items() if not tensor.requires_grad and name in lasting
    }


def copied(model: nn.Module) -> nn.Module:
    """Return a deep copy; an activation that a layer has kept is copied too, without how it was computed.

    torch refuses to copy a tensor with a history.
    """
    kept = {id(value): value.detach().clone() for value in _activations(model)}
    return copy.deepcopy(model, kept)


def _activations(model: nn.Module) -> Iterator[Tensor]:
    for module in model.modules():
        for name, value in vars(module).items():
            if name in INTERNAL:
                continue
            parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value]
            yield from (each for each in parts if isinstance(each, Tensor) and not each.is_leaf)


@contextlib.contextmanager
def modes_kept(model: nn.Module) -> Iterator[None]:
    """Let every module be in training or not afterwards as it was before."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextlib.contextmanager
def left_as_it_is(model: nn.Module) -> Iterator[None]:
    """Put every parameter, buffer and mode of `model` back afterwards, whatever was done to it."""
    owners = [(module, dict(module._parameters), dict(module._buffers)) for module in model.modules()]
    kept = [(tensor, tensor.detach().clone(), tensor.requires_grad) for tensor in tensors_of(model).values()]
    with modes_kept(model):
        try:
            yield
        finally:
            for module, parameters, buffers in owners:
                module._parameters.update(parameters)
                module._buffers.update(buffers)
            with torch.no_grad():
                for tensor, value, trained in kept:
                    if not same(tensor.detach(), value):
                        tensor.copy_(value)
                    if tensor.requires_grad != trained:
                        tensor.requires_grad_(trained)


@contextlib.contextmanager
def unwritten(model: nn.Module) -> Iterator[None]:
    """Refuse a training that writes to what no device sends.

    Buffers are compared by their values, frozen weights by torch's count of writes: a copy could be a model's size.

    Raises
    ------
    ValueError
        Afterwards, naming the tensor.
    """
    lasting = model.state_dict(keep_vars=True)
    buffers = {id(buffer) for buffer in model.buffers()}
    kept = {
        name: (tensor, tensor._version, tensor.clone() if id(tensor) in buffers else None)
        for name, tensor in tensors_of(model).items()
        if not tensor.requires_grad and name in lasting
    }
    yield
    now = tensors_of(model)
    for name, (tensor, version, value) in kept.items():
        untouched = now.get(name) is tensor and tensor._version == version
        if not untouched and not (value is not None and name in now and same(value, now[name].detach())):
            raise ValueError(refusal(model, [name], "a device's training wrote to it"))


def refusal(model: nn.Module, names: list[str], why: str) -> str:
    """Return the message that names what a layer keeps; `why` says how that was seen."""
    owner = max((place for place, _ in model.named_modules() if names[0].startswith(place)), key=len)
    layer = type(model.get_submodule(owner)).__name__
    others = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return (
        f"Expected layers that keep nothing of their inputs, got {names[0]!r} of a {layer}{others}: {why}. It would "
        "pass from one simulated device to the next, and is no weight that a server could average. Use a layer without "
        "such a state (GroupNorm or LayerNorm for a batch norm, weight_norm for spectral_norm), or keep it outside."
    )
