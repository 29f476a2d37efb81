"""Names of losses: what was checked for a loss holds for the same loss made again, and for no other.

A lambda in a training loop is another object at every step, and its code is the same. One code with a switch that it
closes over, or was given, computes two losses.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import itertools
import numbers
import types
import weakref
from collections.abc import Hashable
from typing import Any

import torch
from torch import Tensor, nn

DEPTH = 8  # parts of parts that are looked at
FEW = 16  # more entries are data, not settings
SETTINGS = (str, bytes, bool, type, type(None), enum.Enum, torch.dtype, torch.device)

# Each object's number, by address, while the object lives: an address is given to another object later.
_numbers: dict[int, tuple[weakref.ref[Any], int]] = {}
_count = itertools.count()


def named(value: Any, around: tuple[int, ...] = ()) -> Hashable:
    """Return a name for a function by its code, and by the settings and the functions that it is made of.

    Tensors, lists and sizes of numbers are data, which may change from step to step; whether a number is zero, which
    switches a term off, is a setting. Models are distinguished by identity.

    Examples
    --------
    >>> def loss(mean):
    ...     return lambda x: x.mean() if mean else x
    >>> named(loss(True)) == named(loss(True)), named(loss(True)) == named(loss(False))
    (True, False)
    """
    if isinstance(value, SETTINGS):
        return type(value), value
    if isinstance(value, numbers.Number):
        return type(value), bool(value)
    if isinstance(value, Tensor | list):
        return type(value)
    if len(around) == DEPTH:  # what is too deep to be named is another loss each time that it is another object
        return (type(value), _number(value)) if callable(value) else type(value)
    if id(value) in around:
        return "again", around.index(id(value))
    inner = functools.partial(named, around=(*around, id(value)))
    if isinstance(value, functools.partial):
        return "partial", inner(value.func), inner(value.args), inner(value.keywords)
    if isinstance(value, types.MethodType):
        return "method", inner(value.__func__), inner(value.__self__)
    if isinstance(value, types.FunctionType):
        return (value.__code__, *map(inner, _made_of(value)))
    if isinstance(value, tuple | dict):
        entries = value.items() if isinstance(value, dict) else value
        return (type(value), *map(inner, entries)) if len(value) <= FEW else type(value)
    if isinstance(value, nn.Module) and next(value.parameters(), None) is not None:
        return type(value), _number(value)
    if hasattr(value, "__dict__") and not isinstance(value, types.ModuleType):
        return type(value), inner(vars(value))
    return (type(value), _number(value)) if callable(value) else type(value)


def named_model(model: nn.Module) -> Hashable:
    """Return a name for how a model computes: the class of each module, with its switches and texts.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(inplace=True))
    >>> before = named_model(model)
    >>> model[1].inplace = False
    >>> named_model(model) == before
    False
    """
    # Nothing that could hold the model itself: names are kept as long as it lives.
    plain = (bool, str)
    return tuple((type(each), *[v for v in vars(each).values() if type(v) in plain]) for each in model.modules())


def _made_of(function: types.FunctionType) -> list[Any]:
    """Return what decides what `function` computes, apart from its code."""
    parts = [function.__defaults__, function.__kwdefaults__]
    for cell in function.__closure__ or ():
        try:
            parts.append(cell.cell_contents)
        except ValueError:  # a name that has no value yet
            parts.append("empty")
    found = (function.__globals__.get(name) for name in function.__code__.co_names)
    return [*parts, *(part for part in found if isinstance(part, types.FunctionType))]


def _number(value: Any) -> int:
    """Return a number that no other object has or will have."""
    address = id(value)
    known = _numbers.get(address)
    if known is not None and known[0]() is value:
        return known[1]
    number = next(_count)
    with contextlib.suppress(TypeError):  # its lifetime is unknown: a new number each time
        # The names of a module are None when Python ends.
        _numbers[address] = weakref.ref(value, lambda _, known=_numbers: known.pop(address, None)), number
    return number
