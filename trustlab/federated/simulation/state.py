"""All that a model holds beside the weights that are trained: looked at, compared, and put back.

A device gets weights and sends weights. Whatever else a layer writes, such as a running average in a buffer or a count
in an attribute, would pass from one simulated device to the next, as it never does between real ones.
"""

from __future__ import annotations

import contextlib
import copy
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

DEPTH = 6  # how far into containers and objects an attribute is looked at
LONGEST = 1000  # entries of a container that are looked at
PLAIN = (bool, int, float, complex, str, bytes, type(None))
# Of torch's own bookkeeping; hooks are functions, which hold no numbers of their own.
INTERNAL = frozenset(vars(nn.Module())) | {"forward"}


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


def attributes_of(model: nn.Module) -> dict[str, Any]:
    """Return every number, text and tensor among the attributes of all modules, and the buffers no checkpoint holds.

    Examples
    --------
    >>> layer = nn.Linear(1, 1)
    >>> layer.seen = [3, {"of": 4.0}]
    >>> found = attributes_of(layer)
    >>> found["seen[0]"], found["seen[1]['of']"]
    (3, 4.0)
    """
    found: dict[str, Any] = {}
    seen: set[int] = set()
    lasting = model.state_dict(keep_vars=True)
    for name, buffer in model.named_buffers():
        if name not in lasting:
            found[name] = buffer.detach().clone()
    for place, module in model.named_modules():
        for name, value in vars(module).items():
            if name not in INTERNAL:
                _walk(f"{place}.{name}" if place else name, value, found, DEPTH, seen)
    return found


def _walk(name: str, value: Any, found: dict[str, Any], depth: int, seen: set[int]) -> None:
    """Put what `value` consists of into `found`, each under a name of its own; an object `seen` already is done."""
    if isinstance(value, Tensor):
        found[name] = value.detach().clone()
    elif isinstance(value, np.ndarray):
        found[name] = value.copy()
    elif isinstance(value, PLAIN):
        found[name] = value
    elif depth and id(value) not in seen and not isinstance(value, nn.Module | type):
        seen.add(id(value))
        for part, content in _parts(value):
            _walk(f"{name}{part}", content, found, depth - 1, seen)


def _parts(value: Any) -> list[tuple[str, Any]]:
    """Return the parts of a container or of an object that has attributes; none of what cannot be looked into."""
    if isinstance(value, dict):
        items = [(f"[{key!r}]", content) for key, content in list(value.items())[:LONGEST]]
        return [(" of length", len(value)), *items]
    if isinstance(value, set | frozenset):
        return [(" of length", len(value)), (" in words", repr(sorted(map(repr, value))[:LONGEST]))]
    if isinstance(value, list | tuple | deque):
        items = [(f"[{i}]", content) for i, content in zip(range(LONGEST), value, strict=False)]
        return [(" of length", len(value)), *items]
    if callable(value):
        return []
    return [(f".{key}", content) for key, content in getattr(value, "__dict__", {}).items()]


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the names of what is not the same in both, in order.

    Examples
    --------
    >>> differing({"a": 1, "b": torch.tensor([float("nan")])}, {"a": 2, "b": torch.tensor([float("nan")]), "c": 0})
    ['a', 'c']
    """
    names = dict.fromkeys([*before, *after])
    return [name for name in names if not (name in before and name in after and _same(before[name], after[name]))]


def _same(a: Any, b: Any) -> bool:
    """Return whether two values are equal; what is no number equals itself."""
    if type(a) is not type(b):
        return False
    if isinstance(a, Tensor):
        if (a.shape, a.dtype, a.layout) != (b.shape, b.dtype, b.layout):
            return False
        if a.layout != torch.strided:
            a, b = a.to_dense(), b.to_dense()
        return torch.equal(a, b) or bool(((a == b) | ((a != a) & (b != b))).all())
    if isinstance(a, np.ndarray):
        return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()
    return bool(a == b or (a != a and b != b))


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
                    if not _same(tensor.detach(), value):
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
        same = now.get(name) is tensor and tensor._version == version
        if not same and not (value is not None and name in now and _same(value, now[name].detach())):
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
