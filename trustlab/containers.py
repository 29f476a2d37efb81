"""What other people's containers hold: an array or a list of plain values, in the container's own order.

The rules of :mod:`trustlab.columns` stand on :func:`read_column`. torch, pandas, ``datasets`` and Arrow are recognised
by their methods and never imported, so that this module is light.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

LARGEST_EXACT = 1 << 53  # a whole number beyond it may change when it becomes a float
PLAIN = frozenset((bool, int, float, str, bytes, type(None)))
NEVER_MISSING = frozenset((bool, int, str, bytes, tuple, frozenset))


def read_column(values: Any, what: str) -> np.ndarray:
    """Return an array [N] of numbers, dates or Python's own values, hashable, missing ones among them."""
    held = opened(values, what)
    if isinstance(held, np.ndarray) and held.ndim != 1:
        raise ValueError(
            f"Expected a column with one {what} per example, got shape {list(held.shape)}. Take one column of it, "
            "values[:, 0], or make one value of each row."
        )
    if isinstance(held, np.ndarray) and held.dtype.kind in "biufcmM":
        return held
    listed = _plain_list(held)
    _refuse_unhashable(set(map(type, listed)), listed, what)
    return _of_list(listed)


def read_rows(values: Any, what: str) -> np.ndarray:
    """Return an array [N, …] of whatever stands in each row, in order: for columns that are kept and not looked at."""
    held = opened(values, what)
    return held if isinstance(held, np.ndarray) else _of_list(_plain_list(held))


def _plain_list(held: np.ndarray | list[Any]) -> list[Any]:
    """Return a list of Python's own values, wherever these can be had."""
    listed = held.tolist() if isinstance(held, np.ndarray) else held
    return listed if set(map(type, listed)) <= PLAIN else [plain(value) for value in listed]


def _of_list(listed: list[Any]) -> np.ndarray:
    """Return a list's values as an array [N] that np.asarray would make of them, unless it would change one."""
    kinds = set(map(type, listed))
    if kinds == {bool}:
        return np.array(listed, dtype=bool)
    if kinds and kinds <= {bool, int}:
        try:
            return np.array(listed, dtype=np.int64)
        except OverflowError:
            pass
    elif kinds and kinds <= {bool, int, float} and all(abs(v) <= LARGEST_EXACT for v in listed if type(v) is int):
        return np.array(listed, dtype=np.float64)
    return np.fromiter(listed, dtype=object, count=len(listed))  # never a second dimension


def _refuse_unhashable(kinds: set[type], listed: list[Any], what: str) -> None:
    """Refuse values that cannot be hashed, or are equal to themselves only: each would be a kind of its own."""
    for kind in kinds - PLAIN:
        if issubclass(kind, str | bytes | int | float | tuple | frozenset):
            continue
        row = next(row for row, value in enumerate(listed) if type(value) is kind)
        if kind.__hash__ is None or getattr(listed[row], "ndim", 0):
            raise ValueError(
                f"Expected {what}s that can be hashed, got {kind.__name__} in row {row}. Make each a text, a number, a "
                "tuple or a frozenset: for BIO tags the set of their types, as FedNLP does."
            )
        if kind.__hash__ is object.__hash__ and not is_missing(listed[row]):
            raise ValueError(
                f"Expected {what}s that are equal when they say the same, got {kind.__name__} in row {row}. Each such "
                "object equals itself only: make texts or numbers of them."
            )


def opened(values: Any, what: str) -> np.ndarray | list[Any]:
    """Return what a container holds, in order, as an array of any shape or a list."""
    refuse_non_columns(values, what)
    if isinstance(values, range):
        return np.array(values, dtype=np.int64)
    if isinstance(values, list | tuple):
        return list(values)
    if is_tensor(values):
        return of_torch(values)
    if isinstance(values, np.ma.MaskedArray) and np.ma.getmaskarray(values).any():
        return values.filled(np.array("NaT", values.dtype)) if values.dtype.kind in "mM" else values.tolist()
    if isinstance(values, np.ndarray):
        return np.asarray(values)
    if hasattr(values, "isna") and hasattr(values, "to_numpy"):  # pandas
        plain_numbers = isinstance(values.dtype, np.dtype) and values.dtype.kind in "biufcmM"
        return values.to_numpy() if plain_numbers else values.to_numpy(dtype=object)
    if hasattr(values, "to_pylist"):  # Arrow
        return values.to_pylist()
    if hasattr(values, "column_name") and hasattr(values, "source"):  # datasets, where [:] reads all in one go
        return opened(values[:], what) if hasattr(values, "__getitem__") else list(values)
    if hasattr(values, "__array__"):
        return np.asarray(values)
    try:
        return list(values)
    except TypeError:
        raise ValueError(
            f"Expected a column with one {what} per example, got {type(values).__name__}. Pass a list or an array."
        ) from None


def refuse_non_columns(values: Any, what: str, *, tables: bool = False) -> None:
    """Refuse what is iterable but no column."""
    if isinstance(values, str | bytes | bytearray):
        raise ValueError(
            f"Expected a column with one {what} per example, got one text. It would be read letter by letter: put it "
            "into a list."
        )
    if isinstance(values, set | frozenset):
        raise ValueError(
            f"Expected a column with one {what} per example, got a set. It has no order, and each value once: pass a "
            "list."
        )
    names = _column_names(values)
    if names is not None and not (tables and not isinstance(values, Mapping)):
        listed = ", ".join(map(repr, names[:4])) + (", …" if len(names) > 4 else "")
        raise ValueError(
            f"Expected a column with one {what} per example, got {type(values).__name__} with {listed or 'nothing'}. "
            "Its names would be read as the values: take one column of it."
        )


def _column_names(values: Any) -> list[Any] | None:
    """Return the names of a mapping's or table's columns, None for what has none."""
    if isinstance(values, Mapping):
        return list(values)
    if isinstance(values, np.ndarray):
        return None if values.dtype.names is None else list(values.dtype.names)
    for attribute in ("column_names", "columns"):  # datasets and Arrow; pandas and polars
        names = getattr(values, attribute, None)
        if isinstance(names, Iterable) and not isinstance(names, str):
            return list(names)
    return None


def is_frame(values: Any) -> bool:
    """Return whether `values` is a table such as pandas'."""
    return hasattr(values, "to_numpy") and hasattr(values, "columns") and hasattr(values, "iloc")


def is_tensor(values: Any) -> bool:
    """Return whether `values` is a tensor of torch."""
    return all(hasattr(values, method) for method in ("detach", "cpu", "numpy"))


def of_torch(values: Any) -> np.ndarray:
    """Return a tensor's numbers, wherever it lies; those of a type that NumPy lacks in single precision."""
    values = values.detach().cpu()
    try:
        return values.numpy()
    except TypeError:  # bfloat16 and the like
        return values.float().numpy()


def missing_rows(column: np.ndarray) -> np.ndarray:
    """Return which rows of an array [N] are None, NaN, NaT or pandas' NA: int64, ascending.

    Examples
    --------
    >>> missing_rows(np.array(["a", None, float("nan")], dtype=object)).tolist()
    [1, 2]
    """
    if column.dtype.kind in "fc":
        return np.flatnonzero(np.isnan(column))
    if column.dtype.kind in "mM":
        return np.flatnonzero(np.isnat(column))
    if column.dtype != object or set(map(type, column)) <= NEVER_MISSING:
        return np.empty(0, dtype=np.int64)
    return np.array([row for row, value in enumerate(column) if is_missing(value)], dtype=np.int64)


def is_missing(value: object) -> bool:
    """Return whether one value is None, NaN, NaT or pandas' NA."""
    try:
        return value is None or bool(value != value)
    except (TypeError, ValueError):  # NA compares with nothing, itself included; an array compares with many answers
        return not hasattr(value, "__len__")


def plain(value: Any) -> Any:
    """Return Python's own value of a NumPy, torch or Arrow scalar, also inside a tuple or frozenset.

    Dates of NumPy become ``datetime.date`` or ``datetime.datetime`` where these can hold them, and stay as they are
    where a nanosecond would be lost.

    Examples
    --------
    >>> plain((np.int64(3), np.datetime64("2026-11-21")))
    (3, datetime.date(2026, 11, 21))
    """
    if value is np.ma.masked:
        return None
    if isinstance(value, np.datetime64 | np.timedelta64):
        coarse = value.astype(f"{value.dtype.kind}8[us]")
        found = coarse.item() if coarse == value and isinstance(value.item(), int) else value.item()
        return value if isinstance(found, int) else found
    if hasattr(value, "as_py"):
        return value.as_py()
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return value.item()
    if type(value) in (tuple, frozenset):
        return type(value)(map(plain, value))
    return str(value) if isinstance(value, np.str_) else value
