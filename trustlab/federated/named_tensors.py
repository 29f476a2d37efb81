"""Models as tensors by name: the same names on both sides, one client on top of another, and the type to add up in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

State = dict[str, Tensor]  # tensors by name, as a module's named_parameters()


def summed_in(dtype: torch.dtype) -> torch.dtype:
    """Return the type in which numbers of `dtype` are added up: single precision for half, else their own.

    Examples
    --------
    >>> summed_in(torch.bfloat16), summed_in(torch.float64)
    (torch.float32, torch.float64)
    """
    return torch.promote_types(dtype, torch.float32)


def stack(states: Sequence[Mapping[str, Tensor]]) -> State:
    """Lay the K clients' tensors of each name on top of one another: [K, ...].

    Raises
    ------
    ValueError
        Where a client has other names or shapes than the first.
    """
    states = list(states)
    if not states:
        raise ValueError("Expected the states of some clients, got none. An empty cohort has no tensors to stack.")
    for k, state in enumerate(states):
        same_names(state, states[0], f"the state of client {k}", "the first's")
        for name, value in state.items():
            if value.shape != states[0][name].shape:
                raise ValueError(
                    f"Expected {name!r} of shape {list(states[0][name].shape)} from every client, got "
                    f"{list(value.shape)} from client {k}. They hold different models."
                )
    return {name: torch.stack([state[name] for state in states]) for name in states[0]}


def add_rows(total: Tensor, numbers: Tensor, values: Tensor) -> None:
    """Add `values` [..., D] to the rows `numbers` [...] of `total` [V, D]; a row may come several times."""
    total.index_add_(0, numbers.flatten(), values.reshape(-1, total.shape[1]))


def same_names(found: Mapping[str, Any], wanted: Mapping[str, Any], what: str, whose: str) -> None:
    """Refuse tensors that are missing, and those that would be dropped without a word."""
    missing, extra = [n for n in wanted if n not in found], [n for n in found if n not in wanted]
    if missing or extra:
        raise ValueError(
            f"Expected {what} to have {whose} names, got {missing or 'none'} missing and {extra or 'none'} too many. "
            "Leave buffers and frozen weights out of both."
        )
