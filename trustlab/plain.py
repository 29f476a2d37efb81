"""JSON that keeps every float and every text, and the plain cells that rows are made of."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TEXT, ITEMS = "trustlab:text", "trustlab:items"  # marks of what JSON or UTF-8 cannot hold


def to_json(value: Any, *, indent: int | None = None, sort_keys: bool = True) -> str:
    r"""Return `value` as strict JSON that UTF-8 can hold; with sorted keys, equal values give equal text everywhere.

    What JSON lacks is marked: infinity and NaN as ``{"float": "inf"}``, a text with half of a surrogate pair as
    ``{"trustlab:text": "\\ud83d"}``, and a mapping that would be read as such a mark as
    ``{"trustlab:items": [[key, value], ...]}``. Dataclasses, paths, sets and numpy scalars are written as what they
    hold.

    Raises
    ------
    TypeError
        If something in `value` has no such form, such as a tensor with several elements.
    ValueError
        If two keys of a mapping are the same text, or an integer has more digits than Python writes.

    Examples
    --------
    >>> to_json({"epsilon": math.inf, "seeds": (0, 1)})
    '{"epsilon":{"float":"inf"},"seeds":[0,1]}'
    >>> from_json(to_json([math.inf, 0.1, {"float": "inf"}]))
    [inf, 0.1, {'float': 'inf'}]
    """
    separators = (",", ":") if indent is None else None
    marked = _marked(simple(value), sort_keys)
    return json.dumps(
        marked, sort_keys=sort_keys, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators
    )


def from_json(text: str) -> Any:
    """Read what :func:`to_json` wrote."""
    return json.loads(text, object_hook=_unmarked)


def simple(value: Any) -> Any:
    """Return `value` as dicts, lists, strings and numbers."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: simple(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {name: simple(part) for name, part in _named(value).items()}
    if isinstance(value, list | tuple):
        return [simple(part) for part in value]
    if isinstance(value, set | frozenset):
        return sorted((simple(part) for part in value), key=repr)
    if isinstance(value, Path):
        return value.as_posix()
    return simple(scalar(value))


def _marked(value: Any, sort_keys: bool) -> Any:
    """Return what :func:`simple` returned with marks for what JSON or UTF-8 cannot hold."""
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, str):
        return value if encodable(value) else {TEXT: escaped(value)}
    if isinstance(value, list):
        return [_marked(part, sort_keys) for part in value]
    if isinstance(value, dict):
        parts = {name: _marked(part, sort_keys) for name, part in value.items()}
        # A float's mark was there before the others, and columns named "float" as well: only what is one is marked.
        a_mark = list(parts) in ([TEXT], [ITEMS]) or (list(parts) == ["float"] and _unmarked(parts) is not parts)
        if not a_mark and all(map(encodable, parts)):
            return parts
        return {ITEMS: [[_marked(name, sort_keys), parts[name]] for name in (sorted(parts) if sort_keys else parts)]}
    return value


def _unmarked(content: dict[str, Any]) -> Any:
    """Return what a mark stands for, and any other mapping itself."""
    if len(content) != 1:
        return content
    ((name, value),) = content.items()
    if name == "float" and isinstance(value, str) and value in ("inf", "-inf", "nan"):
        return float(value)
    if name == TEXT:
        return unescaped(value)
    return dict(value) if name == ITEMS else content


def escaped(text: str) -> str:
    r"""Return any text in ASCII, half surrogate pairs too; :func:`unescaped` gives it back.

    Examples
    --------
    >>> escaped("ab\ud83d"), unescaped(escaped("ab\ud83d")) == "ab\ud83d"
    ('ab\\ud83d', True)
    """
    return text.encode("unicode_escape").decode("ascii")


def unescaped(text: str) -> str:
    """Return what :func:`escaped` was given."""
    return text.encode("ascii").decode("unicode_escape")


def encodable(text: str) -> bool:
    """Return whether UTF-8 can hold `text`: it has no place for half of a surrogate pair."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return `row` with plain cells that can be written: what cannot is refused at its row, not after the last.

    Raises
    ------
    TypeError
        If a cell is not a number, a string or None.
    ValueError
        If two columns have one name, or an integer has more digits than Python writes.
    """
    cells = {name: scalar(value) for name, value in _named(row).items()}
    to_json(cells)
    return cells


def _named(content: Mapping[Any, Any]) -> dict[str, Any]:
    """Return `content` with its keys as text, none of them twice."""
    named = {str(key): part for key, part in content.items()}
    if len(named) < len(content):
        raise ValueError(f"Expected keys with different names, got {', '.join(map(repr, content))}. Rename one.")
    return named


def scalar(value: Any) -> Any:
    """Return one cell of a row: a number, string or None as it is, a numpy or torch scalar as the number it holds.

    Raises
    ------
    TypeError
        If `value` is none of these.
    """
    if value is None or type(value) in (str, bool, int, float):
        return value
    if hasattr(value, "item"):
        with contextlib.suppress(ValueError, RuntimeError):
            item = value.item()
            if isinstance(item, str | bool | int | float):
                return item
    raise TypeError(f"Expected a number or a string, got {type(value).__name__}. Store a summary of it instead.")
