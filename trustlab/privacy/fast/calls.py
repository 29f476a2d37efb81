"""A custom layer whose weights go through known functions: recorded there, like the known layers.

BART's and Gemma's embeddings call ``F.embedding`` and multiply what comes out; other layers call ``F.linear``, or pick
rows of a table by index. Computed as any other function, such a layer would need a gradient of the whole table for
every example. Here the functions themselves are watched while its forward runs. A weight that is used in any other way
sends the whole layer to :mod:`trustlab.privacy.fast.function`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from trustlab.privacy.fast import function
from trustlab.privacy.fast.factors import Dense, Rows, outer, single
from trustlab.privacy.fast.recording import Parts, Recording, detached

# Layers that were seen to use a weight in another way.
_other: weakref.WeakSet[nn.Module] = weakref.WeakSet()


class _Unknown(Exception):
    """A weight is used in a way that is not known here."""


def may_apply(module: nn.Module) -> bool:
    """Return whether `module` is worth a try: its forward computes with its own weights, not with other layers."""
    return isinstance(module, nn.Linear | nn.Embedding) or not any(True for _ in module.children())


def rule(name: str, module: nn.Module, forward: Callable[..., Any], record: Recording) -> Callable[..., Any]:
    """Return a forward that taps the outputs of known functions, or else :func:`function.rule`'s."""
    as_one = function.rule(name, module, forward, record)
    trained = function.own_parameters(module)

    def recorded(*args: Any, **kwargs: Any) -> Any:
        if module in _other:
            return as_one(*args, **kwargs)
        given = [(value, value._version) for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        undo = _state(module, record)
        try:
            with detached(module):
                own = {id(module._parameters[key]): parameter for key, parameter in trained.items()}
                with _Calls(name, own, record) as calls:
                    outputs = forward(*args, **kwargs)
            if calls.found:
                return outputs
        except _Unknown:
            pass
        if any(value._version != version for value, version in given):
            raise ValueError(
                f"Expected {name!r} ({type(module).__name__}) to leave its inputs alone, but it changes one in place. "
                "Its gradient would be of other numbers: use the operation that returns a new tensor."
            )
        _other.add(module)
        undo()
        return as_one(*args, **kwargs)

    return recorded


def _state(module: nn.Module, record: Recording) -> Callable[[], None]:
    """Return a function that forgets what was recorded since, and restores the states of random generators."""
    lengths = {name: len(value) for name, value in vars(record).items() if isinstance(value, list)}
    turns, met, widened = {name: [*turn] for name, turn in record.turns.items()}, dict(record.met), set(record.widened)
    random, device = torch.get_rng_state(), next(module.parameters()).device
    other_random = torch.cuda.get_rng_state(device) if device.type == "cuda" else None

    def undo() -> None:
        for name, length in lengths.items():
            del getattr(record, name)[length:]
        record.turns, record.met, record.widened = turns, met, widened
        torch.set_rng_state(random)
        if other_random is not None:
            torch.cuda.set_rng_state(other_random, device)

    return undo


class _Calls(TorchFunctionMode):
    """Catch the functions that read detached parameters, whose owners `own` gives by identity."""

    def __init__(self, name: str, own: dict[int, nn.Parameter], record: Recording) -> None:
        super().__init__()
        self.name, self.own, self.record, self.found = name, own, record, False

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Run `func`; tap its output if it reads a weight."""
        kwargs = kwargs or {}
        if not any(id(leaf) in self.own for leaf in tree_leaves((args, kwargs))):
            return func(*args, **kwargs)
        if func in KNOWN:
            return KNOWN[func](self, *args, **kwargs)
        result = func(*args, **kwargs)
        if func in CONSTANT or not any(isinstance(leaf, Tensor) for leaf in tree_leaves(result)):
            return result  # a shape, a dtype, a number: no gradient passes here
        raise _Unknown

    def tap(self, x: Tensor, output: Tensor, parts: Callable[[Tensor], Parts]) -> Tensor:
        """Record one use whose input and output have the examples first."""
        rows = self.record.examples
        if id(x) in self.own or x.ndim == 0 or output.ndim == 0 or not len(x) == len(output) == rows:
            raise _Unknown
        output = self.record.tap(self.name, output)
        if self.record.taps[-1].dim:
            raise _Unknown
        self.record.note(self.name, [x], 1, parts)
        self.found = True
        return output


def _linear(calls: _Calls, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Record y = W x + b: Σ_s δ_s x_sᵀ and Σ_s δ_s, of those that are trained."""
    if input.ndim < 2 or weight.ndim != 2:
        raise _Unknown
    own_weight, own_bias = calls.own.get(id(weight)), calls.own.get(id(bias))

    def parts(delta: Tensor) -> Parts:
        x, rows = (single(t.detach().reshape(len(t), -1, t.shape[-1])) for t in (input, delta))  # [B, S, I], [B, S, O]
        found: Parts = [] if own_weight is None else [(own_weight, outer(rows, x))]
        return found + ([] if own_bias is None else [(own_bias, Dense(rows.sum(1)))])

    return calls.tap(input, F.linear(input, weight, bias), parts)


def _embedding(
    calls: _Calls,
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Record y_s = W[id_s]: δ_s is added to row id_s, except the padding's; the sum is dense in any case."""
    if max_norm is not None or scale_grad_by_freq or id(weight) not in calls.own:
        raise _Unknown
    never = None if padding_idx is None else padding_idx % len(weight)
    return calls.tap(input, F.embedding(input, weight), _rows_of(calls.own[id(weight)], input, never))


def _picked(calls: _Calls, weight: Tensor, index: Any) -> Tensor:
    """Record rows of a table that one tensor of indices picks."""
    whole = isinstance(index, Tensor) and index.dtype in (torch.int64, torch.int32)
    if not whole or id(weight) not in calls.own or weight.ndim != 2:
        raise _Unknown
    return calls.tap(index, weight[index], _rows_of(calls.own[id(weight)], index % len(weight), None))


def _rows_of(weight: nn.Parameter, ids: Tensor, never: int | None) -> Callable[[Tensor], Parts]:
    def parts(delta: Tensor) -> Parts:
        flat = ids.reshape(len(ids), -1).long()  # [B, S]
        values = single(delta.reshape(*flat.shape, weight.shape[1]))  # [B, S, I]
        if never is not None:
            values = values.masked_fill((flat == never)[..., None], 0.0)
        return [(weight, Rows(flat, values, len(weight)))]

    return parts


KNOWN: dict[Any, Callable[..., Tensor]] = {
    F.linear: _linear,
    F.embedding: _embedding,
    torch.Tensor.__getitem__: _picked,
}
CONSTANT = (torch.Tensor.detach, torch.Tensor.data.__get__)
