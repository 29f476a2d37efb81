"""Columns of what is compared and not computed with: labels, names, times and texts.

A part of :mod:`trustlab.columns`, which documents what all of them share and is the place to import them from.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from trustlab.containers import missing_rows, read_column

NO_NAME = frozenset(("nan", "<NA>", "NaT"))  # a missing value that NumPy or pandas made a text, as they write it
NO_TIME = frozenset(("nan", "nat", "none", "null", "<na>"))  # a missing date as pandas or Python writes it


def as_labels(values: Any, what: str = "label") -> np.ndarray:
    """Return one value per row that can be compared and hashed, [N].

    Parameters
    ----------
    values
        Any container of N values: numbers, texts, dates, tuples or frozensets.
    what
        What one value is, for errors: "label", "client".

    Returns
    -------
    array [N]
        Numbers, Booleans and dates of NumPy keep their type; all else is ``object`` with Python's own values. A
        categorical gives its values, not its codes.

    Raises
    ------
    ValueError
        For one text, a table or mapping, a set, a shape other than [N], a missing value, or a value that cannot be
        hashed or that equals nothing but itself.

    Examples
    --------
    >>> as_labels(("play", "stop"))
    array(['play', 'stop'], dtype=object)
    >>> as_labels("play")
    Traceback (most recent call last):
    ...
    ValueError: Expected a column with one label per example, got one text. It would be read letter by letter: put it \
into a list.
    """
    column = read_column(values, what)
    missing = missing_rows(column)
    if len(missing):
        raise ValueError(
            f"Expected a {what} for each of {len(column)} rows, {len(missing)} have none (first: row "
            f"{missing[0]}). Leave them out with all that belongs to them, or give them a name such as 'unknown'."
        )
    return column


def as_ids(values: Any, what: str = "client") -> np.ndarray:
    """Return names of people, groups or clients as :func:`as_labels` does, and refuse texts that are no names.

    These are an empty one, and a missing value that became a text, as ``np.asarray(["ann", math.nan])`` makes it 'nan'.

    Examples
    --------
    >>> as_ids(["ann", ""], "user")
    Traceback (most recent call last):
    ...
    ValueError: Expected a user for each of 2 rows, 1 have none (first: row 1). An empty text is no name: \
leave them out with all that belongs to them, or give them a name such as 'unknown'.
    """
    column = as_labels(values, what)
    names = column if column.dtype == object else ()
    texts = [row for row, name in enumerate(names) if isinstance(name, str) and name in NO_NAME]
    if texts:
        raise ValueError(
            f"Expected a {what} for each of {len(column)} rows, {len(texts)} have the text {names[texts[0]]!r} (first: "
            f"row {texts[0]}). A missing value becomes this text when a column is converted: leave such rows out, or "
            "give them a name such as 'unknown'."
        )
    empty = [row for row, name in enumerate(names) if isinstance(name, str | bytes) and not name.strip()]
    if empty:
        raise ValueError(
            f"Expected a {what} for each of {len(column)} rows, {len(empty)} have none (first: row {empty[0]}). An "
            "empty text is no name: leave them out with all that belongs to them, or give them a name such as "
            "'unknown'."
        )
    return column


def as_times(values: Any, what: str = "time") -> np.ndarray:
    """Return one value per row that can be sorted, [N]: numbers, dates, periods, or texts such as '2026-11-21'.

    Refused are missing times, which every sort puts last, also such as were made text ('', 'NaT'); values of several
    kinds; numbers written as texts of unequal length, where '10' comes before '9'; and an ordered categorical whose
    order is not that of its values.

    Examples
    --------
    >>> as_times(["2026-11-21", "2025-01-01"])
    array(['2026-11-21', '2025-01-01'], dtype=object)
    """
    categories = getattr(getattr(values, "dtype", None), "categories", None)
    column = as_labels(values, what)
    texts = column if column.dtype == object else ()
    none = [row for row, time in enumerate(texts) if isinstance(time, str) and time.strip().lower() in NO_TIME]
    if none:
        raise ValueError(
            f"Expected a {what} for each of {len(column)} rows, got the text {texts[none[0]]!r} in row {none[0]}. "
            f"A missing {what} becomes this text when a column is converted, and would sort among the others: leave "
            "such rows out."
        )
    as_ids(column, what)
    try:
        order = np.argsort(column, kind="stable") if column.dtype.kind != "c" else None
    except TypeError:
        order = None
    if order is None:
        kinds = ", ".join(sorted({type(time).__name__ for time in column.tolist()}))
        raise ValueError(
            f"Expected {what}s of one kind that can be sorted, got {kinds}. Give all examples numbers, dates or texts "
            "such as '2026-11-21'."
        )
    if column.dtype == object and len({len(t) for t in column if isinstance(t, str) and t.strip().isdecimal()}) > 1:
        raise ValueError(
            f"Expected {what}s whose values sort in their order, got numbers written as texts of unequal length. "
            "'10' would come before '9': make them numbers."
        )
    if categories is not None and values.dtype.ordered and list(categories) != sorted(categories):
        raise ValueError(
            f"Expected {what}s whose values sort in their order, got ordered categories in another order, "
            f"{list(categories)[:3]}… Pass their codes: column.cat.codes."
        )
    return column


def as_texts(values: Any, what: str = "text") -> list[str]:
    """Return a list of N texts.

    Raises
    ------
    ValueError
        For one text, which would be read letter by letter, and for a row that is no text.

    Examples
    --------
    >>> as_texts(np.array(["play it", "stop"]))
    ['play it', 'stop']
    """
    listed = as_labels(values, what).tolist()
    for row, value in enumerate(listed):
        if not isinstance(value, str):
            raise ValueError(f"Expected a {what} in each row, got {type(value).__name__} {value!r} in row {row}.")
    return listed
