"""One output for all examples, widened to one for each, which the model still treats as one.

Positions, a prompt, a bias for all pairs of places are computed once, as [1, T, D] or [T, D]. To have a gradient for
each example they get a row for each, [B, T, D]. What a model then does with its one row has to be done with every row:
add a first dimension, permute the others, and at last repeat it B times, where each example gets its own row. A
:class:`Widened` tensor does that; all else that it meets sees a usual tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.func import vmap
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten

_T = torch.Tensor
# Functions that rearrange one tensor: what they do with one row does not depend on its numbers.
SHAPES = {
    torch.permute, _T.permute, torch.transpose, _T.transpose, torch.swapaxes, _T.swapaxes, torch.movedim, _T.movedim,
    torch.unsqueeze, _T.unsqueeze, torch.squeeze, _T.squeeze, torch.reshape, _T.reshape, _T.view, torch.flatten,
    _T.flatten, torch.unflatten, _T.unflatten, _T.expand, _T.expand_as, torch.tile, _T.tile, _T.repeat,
    torch.repeat_interleave, _T.repeat_interleave, torch.narrow, _T.narrow, torch.select, _T.select, _T.__getitem__,
    _T.T.__get__, _T.mT.__get__, _T.to, _T.contiguous, torch.flip, _T.flip, torch.roll, _T.roll,
}  # fmt: skip
REPEATS = {_T.expand, _T.expand_as, torch.tile, _T.tile, _T.repeat, torch.repeat_interleave, _T.repeat_interleave}


class Widened(torch.Tensor):
    """Rows [B, ...] of what the model takes for one tensor: [1, ...], or [...] where `inner`.

    Attributes
    ----------
    inner : bool
        Whether the dimension of examples is one that the model does not know.
    counts : callable
        Says of one row's copies [N, ...] whether there is one for each example: also three of a model's own are N = 3.
    """

    inner: bool
    counts: Callable[[Tensor], bool]

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Rearrange every row, where `func` does that to the one that the model knows; else run it on all rows."""
        kwargs = kwargs or {}
        given = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        if func in SHAPES and len(given) == 1 and isinstance(given[0], Widened):
            return _each_row(given[0], func, args, kwargs)
        result = func(*tree_map(plain, args), **tree_map(plain, kwargs))
        return as_input(result, given)  # an activation, a dropout, a factor


def widened(rows: Tensor, *, inner: bool, counts: Callable[[Tensor], bool]) -> Widened:
    """Return `rows` [B, ...] as what the model takes for one of them."""
    made = rows.as_subclass(Widened)
    made.inner, made.counts = inner, counts
    return made


def as_input(output: Any, given: Sequence[Tensor]) -> Any:
    """Return an output as what the model takes for one, where all that was `given` is one widened tensor."""
    one = given[0] if len(given) == 1 else None
    if isinstance(one, Widened) and isinstance(output, Tensor) and output.shape[:-1] == one.shape[:-1]:
        return widened(plain(output), inner=one.inner, counts=one.counts)
    return output


def plain(value: Any) -> Any:
    """Return `value`, a widened tensor as the usual one with a row for each example."""
    return value.as_subclass(Tensor) if isinstance(value, Widened) else value


def _each_row(tensor: Widened, func: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
    """Rearrange each row [..., of the model's one]; where they are repeated for B examples, each gets its own."""
    rows, inner, counts = plain(tensor), tensor.inner, tensor.counts
    values, shape = tree_flatten((args, kwargs))
    place = next(i for i, value in enumerate(values) if value is tensor)

    def once(row: Tensor) -> Tensor:
        own = list(values)
        own[place] = row if inner else row[None]
        args, kwargs = tree_unflatten(own, shape)
        return func(*args, **kwargs)

    found = vmap(once)(rows)  # [B, *what the model takes for its result]
    if found.ndim > 1 and (not inner or found.ndim > rows.ndim):
        if func in REPEATS and counts(found[0]):
            return found.diagonal(dim1=0, dim2=1).movedim(-1, 0)
        if found.shape[1] == 1:
            return widened(found.squeeze(1), inner=False, counts=counts)
    return widened(found, inner=True, counts=counts)
