"""Files that are whole or absent: JSON that keeps every float, and writing aside before renaming."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# A write takes seconds; a file still aside after an hour belongs to a process that was killed.
SECONDS_UNTIL_STALE = 3600
ASIDE = ".aside"


def to_json(value: Any, *, indent: int | None = None, sort_keys: bool = True) -> str:
    """Return `value` as strict JSON; with sorted keys, equal values give equal text on every machine.

    Infinity and NaN, which JSON lacks, are written as ``{"float": "inf"}``; dataclasses, paths, sets and numpy scalars
    as what they hold.

    Raises
    ------
    TypeError
        If something in `value` has no such form, such as a tensor with several elements.

    Examples
    --------
    >>> to_json({"epsilon": math.inf, "seeds": (0, 1)})
    '{"epsilon":{"float":"inf"},"seeds":[0,1]}'
    >>> from_json(to_json([math.inf, 0.1]))
    [inf, 0.1]
    """
    separators = (",", ":") if indent is None else None
    return json.dumps(
        simple(value), sort_keys=sort_keys, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators
    )


def simple(value: Any) -> Any:
    """Return `value` as dicts, lists, strings and finite numbers."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"float": repr(float(value))}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: simple(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): simple(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [simple(part) for part in value]
    if isinstance(value, set | frozenset):
        return sorted((simple(part) for part in value), key=repr)
    if isinstance(value, Path):
        return value.as_posix()
    return simple(scalar(value))


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


def from_json(text: str) -> Any:
    """Read what :func:`to_json` wrote."""
    return json.loads(text, object_hook=lambda d: float(d["float"]) if set(d) == {"float"} else d)


def digest(content: str | bytes) -> str:
    """Return the sha256 of `content`, text as UTF-8, as 64 hexadecimal digits."""
    return hashlib.sha256(_bytes(content)).hexdigest()


def write_whole(path: Path, content: str | bytes) -> None:
    """Write `content`, text as UTF-8, so that a reader of `path` finds the old file or the new one, never a part.

    Raises
    ------
    OSError
        If the disk is full or the folder cannot be written; the old file is intact.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_stale(path.parent)
    # Beside the target: renaming is atomic only within one file system.
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=ASIDE)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_bytes(content))
            file.flush()
            os.fsync(file.fileno())
        os.chmod(aside, 0o644)  # mkstemp's files are private; results are there to be shared
        os.replace(aside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(aside)
        raise
    _sync_folder(path.parent)


def remove_stale(folder: Path) -> None:
    """Remove what killed writers left aside in `folder`."""
    for aside in folder.glob(f".*{ASIDE}"):
        with contextlib.suppress(OSError):  # another process may have removed it
            if time.time() - aside.stat().st_mtime > SECONDS_UNTIL_STALE:
                aside.unlink()


def _bytes(content: str | bytes) -> bytes:
    return content.encode("utf-8") if isinstance(content, str) else content


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut, where folders can be opened (not on Windows)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
