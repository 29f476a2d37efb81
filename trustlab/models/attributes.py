"""What a model holds in the attributes of its layers: read, compared, and put back.

Weights are not all that a layer can keep. A moving average, the last input, a set of words seen or a count are state
too, in no ``state_dict()``: between private steps they would carry examples, between simulated clients their data.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

DEPTH = 6  # how far into containers and objects an attribute is looked at
LONGEST = 1000  # entries of a container that are looked at
PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic)
# torch's own bookkeeping; hooks are functions, which hold no numbers.
INTERNAL = frozenset(vars(nn.Module())) | {"forward"}


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
    """Put what `value` consists of into `found`, each under its own name; an object in `seen` is skipped."""
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
    return [(f".{key}", content) for key, content in _attributes(value).items()]


def same(a: Any, b: Any) -> bool:
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


def differing(
    before: Mapping[str, Any], after: Mapping[str, Any], alike: Callable[[Any, Any], bool] = same
) -> list[str]:
    """Return the names of what is in one only, or not `alike` in both, in order.

    Examples
    --------
    >>> differing({"a": 1, "b": torch.tensor([float("nan")])}, {"a": 2, "b": torch.tensor([float("nan")]), "c": 0})
    ['a', 'c']
    """
    names = dict.fromkeys([*before, *after])
    return [name for name in names if not (name in before and name in after and alike(before[name], after[name]))]


@contextlib.contextmanager
def attributes_put_back(model: nn.Module) -> Iterator[None]:
    """Put buffers and attributes of all modules back afterwards: each container, array and tensor in its place.

    Examples
    --------
    >>> layer = nn.Linear(1, 1)
    >>> layer.seen = {"words": {3}}
    >>> with attributes_put_back(layer):
    ...     layer.seen["words"].add(5)
    ...     layer.last = 5
    >>> layer.seen, hasattr(layer, "last")
    ({'words': {3}}, False)
    """
    undo: list[Callable[[], Any]] = []
    seen: set[int] = set()
    for module in model.modules():
        _remember(module._buffers, undo, DEPTH, seen)
        own = {name: value for name, value in vars(module).items() if name not in INTERNAL}
        undo.append(lambda module=module, own=own: _set_attributes(module, own))
        for value in own.values():
            _remember(value, undo, DEPTH, seen)
    try:
        yield
    finally:
        with torch.no_grad():
            for step in undo:
                step()


def _set_attributes(module: nn.Module, own: Mapping[str, Any]) -> None:
    attributes = vars(module)
    for name in attributes.keys() - own.keys() - INTERNAL:
        del attributes[name]
    attributes.update(own)


def _remember(value: Any, undo: list[Callable[[], Any]], depth: int, seen: set[int]) -> None:
    """Append to `undo` what puts `value`, and all that it holds, back as it is now."""
    if isinstance(value, nn.Parameter) or id(value) in seen or isinstance(value, PLAIN):
        return
    seen.add(id(value))
    if isinstance(value, Tensor):
        tensor, kept = value.detach(), value.detach().clone()
        undo.append(lambda: same(tensor, kept) or tensor.copy_(kept))
    elif isinstance(value, np.ndarray):
        array = value.copy()
        undo.append(lambda: same(value, array) or np.copyto(value, array))
    elif depth and not isinstance(value, nn.Module | type):
        held = value if isinstance(value, dict | list | set | deque) else _attributes(value)
        if isinstance(held, dict | set):
            contents = held.copy()
            undo.append(lambda: (held.clear(), held.update(contents)))
        elif isinstance(held, list | deque):
            contents = list(held)
            undo.append(lambda: (held.clear(), held.extend(contents)))
        inner = value if isinstance(value, tuple) else held.values() if isinstance(held, dict) else held
        for content in list(inner):
            _remember(content, undo, depth - 1, seen)


def _attributes(value: Any) -> dict[str, Any]:
    """Return the attributes of an object that is no function; nothing of what has none."""
    return {} if callable(value) else getattr(value, "__dict__", {})
