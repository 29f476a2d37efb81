"""What a batch consists of: its tensors, which can be stacked or hashed, and all else."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

Rebuild = Callable[[list[Tensor]], Any]
AT_ONCE = 1024  # examples that are hashed together, at most
NAMES = (str, bytes, int, float, bool, type(None))


def as_tensors(batch: Any) -> tuple[list[Tensor], Rebuild]:
    """Return the tensors of `batch`, each with a row per example, and what makes such a batch of other tensors.

    A batch is a tensor, a dataclass such as :class:`trustlab.models.Examples`, or tuples, lists and dicts of tensors;
    what else it holds is the same for every example and stays.

    Raises
    ------
    TypeError
        For a batch without a tensor.

    Examples
    --------
    >>> import torch
    >>> tensors, rebuild = as_tensors({"x": torch.ones(2, 3), "name": "a"})
    >>> rebuild([tensors[0] + 1])
    {'x': tensor([[2., 2., 2.],
            [2., 2., 2.]]), 'name': 'a'}
    """
    values, shape = _leaves(batch)
    places = [i for i, value in enumerate(values) if isinstance(value, Tensor)]
    if not places:
        raise TypeError(f"Expected a batch of tensors, got {type(batch).__name__} without any. Encode the examples.")

    def rebuild(tensors: list[Tensor]) -> Any:
        filled = list(values)
        for place, tensor in zip(places, tensors, strict=True):
            filled[place] = tensor
        content = tree_unflatten(filled, shape)
        return dataclasses.replace(batch, **content) if dataclasses.is_dataclass(batch) else content

    return [values[place] for place in places], rebuild


def _leaves(batch: Any) -> tuple[list[Any], Any]:
    """Return what is in a batch, in order, and its structure; a dataclass is read as a dict of its fields."""
    whole = dataclasses.is_dataclass(batch) and not isinstance(batch, type)
    return tree_flatten({f.name: getattr(batch, f.name) for f in dataclasses.fields(batch)} if whole else batch)


def _held(batch: Any) -> list[Any]:
    """Return what is in a batch, also in an object that is no dataclass: what its attributes hold.

    Raises
    ------
    TypeError
        For a batch without a tensor: two such batches could not be told apart.
    """
    values = _leaves(batch)[0]
    if not any(isinstance(value, Tensor) for value in values) and hasattr(batch, "__dict__"):
        values = [leaf for value in vars(batch).values() for leaf in _leaves(value)[0]]
    if not any(isinstance(value, Tensor) for value in values):
        raise TypeError(f"Expected a batch of tensors, got {type(batch).__name__} without any. Encode the examples.")
    return values


def hashed(examples: Any) -> str:
    """Name examples by their number and a hash of all that they hold, for a checkpoint that must belong to them.

    Raises
    ------
    TypeError
        For examples without a tensor.

    Examples
    --------
    >>> hashed(torch.zeros(3, 2)) == hashed(torch.zeros(3, 2)), hashed(torch.zeros(3, 2))[:10]
    (True, '3 examples')
    """
    found = hashlib.sha256()
    for places in torch.arange(len(examples)).split(AT_ONCE):
        for value in _held(examples[places]):
            if isinstance(value, Tensor):
                found.update(f"{value.dtype} {tuple(value.shape)}".encode())
                found.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
            elif isinstance(value, NAMES):
                found.update(repr(value).encode())
    return f"{len(examples)} examples, {found.hexdigest()[:8]}"
