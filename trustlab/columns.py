"""Columns from other libraries become this package's arrays here, and only here.

Labels, ids, texts, scores, masks, indices and times come in many containers, and each has its own trap: tensors
hash by identity, pandas looks up by label and not by place, ``astype(int)`` turns a mask into 0 and 1, a text is a list
of letters, NaN sorts last. Every function that takes a column calls one of these first and works on the result:

* :func:`as_labels`: one hashable value per row; :func:`as_ids`: the same, where an empty text is refused too;
* :func:`as_times`: one sortable value per row;
* :func:`as_texts`: a list of ``str``;
* :func:`as_scores`: finite float64 [N]; :func:`as_numbers`: the same with NaN for missing; :func:`as_features`: finite
  numbers [N, d];
* :func:`as_mask`: bool [N]; :func:`as_indices`: int64 [M] inside a range; :func:`as_rows`: a slice or either of them;
* :func:`count_rows`: how many rows there are, where nothing else is needed.

Every container of the same values gives the same answer: list, tuple, range, iterator, NumPy (masked arrays too),
torch (any device, also a list of 0-d tensors), pandas (any index; nullable, categorical, Arrow types), ``datasets``
columns in every format, Arrow arrays. :mod:`trustlab.containers` opens them, and imports none of these libraries.

All errors are ``ValueError`` and name the column. Missing are None, NaN, NaT, pandas' NA and what a masked array masks.

>>> import torch
>>> as_labels(torch.tensor([2, 0, 2])), as_labels([torch.tensor(2), torch.tensor(0), torch.tensor(2)])
(array([2, 0, 2]), array([2, 0, 2]))
"""

from __future__ import annotations

from typing import Any

import numpy as np

from trustlab.containers import (
    is_frame,
    is_missing,
    is_tensor,
    of_torch,
    opened,
    read_rows,
    refuse_non_columns,
)
from trustlab.labels import as_ids, as_labels, as_texts, as_times

__all__ = [
    "as_features",
    "as_ids",
    "as_indices",
    "as_labels",
    "as_mask",
    "as_numbers",
    "as_rows",
    "as_scores",
    "as_texts",
    "as_times",
    "count_rows",
]


def as_scores(
    values: Any, what: str = "score", *, rows: int | None = None, low: float | None = None, high: float | None = None
) -> np.ndarray:
    """Return finite numbers, float64 [N]; True and False count as 1 and 0.

    Parameters
    ----------
    values
        Numbers in any container; texts are refused, also where they look like numbers.
    what
        What one number is, for errors.
    rows
        N, where it is known.
    low, high
        The range, ends included; None is no end.

    Raises
    ------
    ValueError
        For a missing or non-finite number, one out of range, or another length.

    Examples
    --------
    >>> as_scores([0.5, float("nan")])
    Traceback (most recent call last):
    ...
    ValueError: Expected a finite score in each of 2 rows, got nan in row 1. No mean and no order can be computed \
with it: find out where it comes from, or leave the row out.
    """
    column = as_numbers(values, what)
    _check_length(column, rows, what)
    bad = np.flatnonzero(~np.isfinite(column))
    if len(bad):
        raise ValueError(
            f"Expected a finite {what} in each of {len(column)} rows, got {column[bad[0]]:g} in row {bad[0]}. No mean "
            "and no order can be computed with it: find out where it comes from, or leave the row out."
        )
    ends = -np.inf if low is None else low, np.inf if high is None else high
    outside = np.flatnonzero((column < ends[0]) | (column > ends[1]))
    if len(outside):
        value = column[outside[0]]
        raise ValueError(f"Expected {what}s in [{ends[0]:g}, {ends[1]:g}], got {value:g} in row {outside[0]}.")
    return column


def as_numbers(values: Any, what: str = "value") -> np.ndarray:
    """Return numbers, float64 [N], NaN where one is missing: for columns of which only some rows are used.

    Examples
    --------
    >>> as_numbers([1, None, True])
    array([ 1., nan,  1.])
    """
    column = read_rows(values, what)
    if column.ndim != 1:
        raise ValueError(f"Expected one {what} per row, got shape {list(column.shape)}. Take one column of it.")
    if column.dtype == object:
        return np.array([_number(value, what, row) for row, value in enumerate(column)], dtype=float)
    if column.dtype.kind not in "biuf":
        raise ValueError(f"Expected {what}s that are numbers, got {column.dtype}. Convert them first.")
    return column.astype(np.float64)


def as_features(values: Any, what: str = "features") -> np.ndarray:
    """Return finite numbers [N, d] from an array, a tensor, a frame of numbers, or a list of N rows of d numbers.

    Examples
    --------
    >>> as_features([[1, 2], [3, 4], [5, 6]]).shape
    (3, 2)
    """
    array = values.to_numpy(dtype=float) if is_frame(values) else opened(values, what)
    if isinstance(array, list):
        rows = [of_torch(row) if is_tensor(row) else np.asarray(row) for row in array]
        array = np.array(rows) if len({row.shape for row in rows}) == 1 else np.empty(len(rows), dtype=object)
    if array.ndim != 2 or array.dtype.kind not in "fiub" or not np.isfinite(array).all():
        raise ValueError(
            f"Expected {what} of shape [examples, dimensions], all finite, got {array.dtype} {array.shape}. "
            "Turn texts into features with embed(texts)."
        )
    return array


def as_mask(values: Any, rows: int | None = None, what: str = "mask") -> np.ndarray:
    """Return True or False for each row, bool [N]. Numbers are refused: 0 and 1 may as well be indices.

    Examples
    --------
    >>> as_mask([0, 1, 1])
    Traceback (most recent call last):
    ...
    ValueError: Expected a mask of True and False, got int64. Numbers may be indices: write values == 1 for a mask.
    """
    column = as_labels(values, what)
    if len(column) and column.dtype != bool:
        kind = column.dtype if column.dtype != object else type(column[0]).__name__
        raise ValueError(
            f"Expected a {what} of True and False, got {kind}. Numbers may be indices: write values == 1 for a mask."
        )
    _check_length(column, rows, what)
    return column.astype(bool, copy=False)


def as_indices(values: Any, below: int | None = None, what: str = "index", *, repeats: bool = False) -> np.ndarray:
    """Return indices, int64 [M], in [0, `below`).

    Parameters
    ----------
    values
        Whole numbers in any container. A mask and floats are refused: made integers, they are other examples.
    below
        How many there are to point at; None where it is not known.
    what
        What one index is, for errors.
    repeats
        Whether one may occur twice. Where it may not, most arrays that say who *owns* each example are found out.

    Examples
    --------
    >>> as_indices([True, False, True], 3)
    Traceback (most recent call last):
    ...
    ValueError: Expected every index to be a whole number, got a mask. As numbers it would be the examples 0 and 1: \
pass np.flatnonzero(mask).
    """
    column = as_labels(values, what)
    if not len(column):
        return np.empty(0, dtype=np.int64)
    if column.dtype == bool:
        raise ValueError(
            f"Expected every {what} to be a whole number, got a mask. As numbers it would be the examples 0 and 1: "
            "pass np.flatnonzero(mask)."
        )
    if column.dtype.kind not in "iu":
        raise ValueError(
            f"Expected every {what} to be a whole number, got {column.tolist()[0]!r}. Cut off or rounded, it would be "
            "another example: pass integers."
        )
    least, most = int(column.min()), int(column.max())
    if least < 0 or (below is not None and most >= below):
        end = "" if below is None else f" and < {below}"
        raise ValueError(
            f"Expected every {what} >= 0{end}, got {least if least < 0 else most}. There is no such example."
        )
    if not repeats and (kinds := len(np.unique(column))) < len(column):
        raise ValueError(
            f"Expected every {what} once, got {len(column)} with {kinds} different ones. If they say who owns each "
            "example, make a partition of them: Partition.from_owners(owners, clients)."
        )
    return column.astype(np.int64)


def as_rows(rows: Any, count: int, what: str = "row") -> np.ndarray:
    """Return which of `count` rows are chosen by a slice, a mask [count] or indices, int64 [M] in their order.

    Zeros and ones in the length of a mask are refused, from ten rows on: as indices they are the first two rows.

    Examples
    --------
    >>> as_rows([True, False, True], 3), as_rows([2, 2], 3), as_rows(slice(1, None), 3)
    (array([0, 2]), array([2, 2]), array([1, 2]))
    """
    if isinstance(rows, slice):
        return np.arange(count)[rows]
    column = as_labels(rows, what)
    if len(column) and column.dtype == bool:
        return np.flatnonzero(as_mask(column, count))
    indices = as_indices(column, count, what, repeats=True)
    if len(indices) == count >= 10 and indices.max() <= 1:
        raise ValueError(
            f"Expected a mask or indices of {count} rows, got {count} zeros and ones. As indices they are the first "
            "two rows over and over: write values == 1 for a mask."
        )
    return indices


def count_rows(values: Any, what: str = "example") -> int:
    """Return how many rows a column, an array or a table has; one text, a mapping and a set have none.

    Examples
    --------
    >>> count_rows(np.zeros((3, 2))), count_rows(["a", "b"])
    (3, 2)
    """
    refuse_non_columns(values, what, tables=True)
    if not hasattr(values, "__len__") or getattr(values, "ndim", 1) == 0:
        raise ValueError(f"Expected one {what} per row in something that has a length, got {type(values).__name__}.")
    return len(values)


def _number(value: Any, what: str, row: int) -> float:
    """Return one score of a column of mixed objects."""
    number = hasattr(value, "__float__") and not getattr(value, "ndim", 0)
    if isinstance(value, str | bytes) or not (number or is_missing(value)):
        raise ValueError(f"Expected every {what} to be a number, got {value!r} in row {row}.")
    return float("nan") if is_missing(value) else float(value)


def _check_length(column: np.ndarray, rows: int | None, what: str) -> None:
    if rows is not None and len(column) != rows:
        raise ValueError(f"Expected a {what} for each of {rows} rows, got {len(column)}.")
