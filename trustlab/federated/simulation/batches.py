"""A batch of any kind as a list of tensors, and back: stacking needs tensors, losses need their batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

Rebuild = Callable[[list[Tensor]], Any]


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
    whole = dataclasses.is_dataclass(batch) and not isinstance(batch, type)
    values, shape = tree_flatten(
        {f.name: getattr(batch, f.name) for f in dataclasses.fields(batch)} if whole else batch
    )
    places = [i for i, value in enumerate(values) if isinstance(value, Tensor)]
    if not places:
        raise TypeError(f"Expected a batch of tensors, got {type(batch).__name__} without any. Encode the examples.")

    def rebuild(tensors: list[Tensor]) -> Any:
        filled = list(values)
        for place, tensor in zip(places, tensors, strict=True):
            filled[place] = tensor
        content = tree_unflatten(filled, shape)
        return dataclasses.replace(batch, **content) if whole else content

    return [values[place] for place in places], rebuild


def rectangle(batches: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Return K minibatches as one rectangle of indices [K, B], and each place's share of its device's mean [K, B].

    Examples
    --------
    >>> indices, shares = rectangle([np.array([7, 8]), np.array([5])])
    >>> indices.tolist(), shares.tolist()
    ([[7, 8], [5, 5]], [[0.5, 0.5], [1.0, 0.0]])
    """
    sizes = np.array([len(batch) for batch in batches])
    real = np.arange(sizes.max()) < sizes[:, None]
    flat = np.concatenate(batches)
    indices = np.repeat(flat[np.cumsum(sizes) - sizes], len(real[0])).reshape(real.shape)
    indices[real] = flat
    return torch.from_numpy(indices), torch.from_numpy(real / sizes[:, None])
