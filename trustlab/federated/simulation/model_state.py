"""The state of a model: which weights can be sent and averaged, and all that it holds besides.

A client gets weights and sends weights. Whatever else a layer writes, such as a running average in a buffer or a count
in an attribute, would pass from one simulated client to the next, as it never does between real ones.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.parameter import is_lazy

from trustlab.models.attributes import INTERNAL, same


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    """Return all parameters and buffers by name, those that are not in ``state_dict()`` too."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def kept_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return copies of what a checkpoint of `model` holds and no client sends: frozen parameters and buffers.

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
    """Refuse a training that writes to what no client sends.

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
            raise ValueError(refusal(model, [name], "a client's training wrote to it"))


def refusal(model: nn.Module, names: list[str], why: str) -> str:
    """Return the message that names what a layer keeps; `why` how that was found."""
    owner = max((place for place, _ in model.named_modules() if names[0].startswith(place)), key=len)
    layer = type(model.get_submodule(owner)).__name__
    others = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return (
        f"Expected layers that keep nothing of their inputs, got {names[0]!r} of a {layer}{others}: {why}. It would "
        "pass from one simulated client to the next, and is no weight that a server could average. Use a layer without "
        "such a state (GroupNorm or LayerNorm for a batch norm, weight_norm for spectral_norm), or keep it outside."
    )


def check_model(model: nn.Module) -> None:
    """Refuse weights that cannot be sent and averaged.

    Raises
    ------
    ValueError
        Naming the parameter or the layer.
    """
    for name, tensor in tensors_of(model).items():
        if is_lazy(tensor) or tensor.is_meta:
            raise ValueError(
                f"Expected a model with all its weights, got {name!r} without numbers. Call a lazy model once on a few "
                "examples, and load a model on the meta device, before it is trained."
            )
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not trained:
        raise ValueError("Expected a model with parameters to train, got none with requires_grad. Unfreeze some.")
    for name, parameter in trained.items():
        if not parameter.is_floating_point():
            raise ValueError(
                f"Expected trained parameters of real numbers, got {name!r} of {parameter.dtype}. Norms, noise and "
                "server optimizers are defined for these: keep torch.view_as_real of it."
            )
        if not parameter.isfinite().all():
            raise ValueError(f"Expected finite first weights, got NaN or Inf in {name!r}. Every average would have it.")
    for name, module in model.named_modules():
        if isinstance(module, _NormBase) and module.track_running_stats:
            raise ValueError(
                f"Expected layers that keep nothing of their inputs, got {type(module).__name__} {name!r}. Its "
                "running averages mix examples and are no weights that a server could average: use LayerNorm or "
                "GroupNorm."
            )
    _check_memory(model, trained)


def _check_memory(model: nn.Module, trained: dict[str, nn.Parameter]) -> None:
    """Refuse a parameter that lies where another tensor does: copies of the model would tear them apart."""
    there: dict[int, list[tuple[str, Tensor]]] = {}
    for name, tensor in tensors_of(model).items():
        if tensor.layout == torch.strided and tensor.numel():
            there.setdefault(tensor.untyped_storage().data_ptr(), []).append((name, tensor))
    for name, parameter in trained.items():
        if parameter.numel() and torch._debug_has_internal_overlap(parameter) == 1:
            raise ValueError(f"Expected a place in memory for each number of {name!r}, got an expanded one: clone it.")
    for found in there.values():
        for i, (name, tensor) in enumerate(found):
            for other, earlier in found[:i]:
                if (name in trained or other in trained) and _overlap(tensor, earlier):
                    raise ValueError(
                        f"Expected a parameter of its own under each name, got {other!r} and {name!r} in the same "
                        "memory. They would be averaged apart and overwrite each other: to tie weights, assign the "
                        "same nn.Parameter; otherwise clone one."
                    )


def _overlap(one: Tensor, other: Tensor) -> bool:
    """Return whether some byte belongs to both tensors of one storage."""
    taken = torch.zeros(one.untyped_storage().nbytes(), dtype=torch.bool)
    for tensor in (one, other):
        size = tensor.element_size()
        strides = [stride * size for stride in tensor.stride()]
        view = taken.as_strided((*tensor.shape, size), (*strides, 1), tensor.storage_offset() * size)
        if tensor is other:
            return bool(view.any())
        view.fill_(True)
    return False
