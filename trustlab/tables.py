"""A table as CSV, and back: text stays text, and every number is the one that was written.

A CSV holds no types. A column whose cells are all numbers, truths or plain words is read by what it looks like; for any
other column the type of each cell is kept, one letter a cell, in the provenance next to the table.
"""

from __future__ import annotations

import contextlib
import csv
import io
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trustlab.plain import encodable, escaped, unescaped

if TYPE_CHECKING:
    import pandas

_TRUTHS = {"True": True, "False": False}
# Of a cell's type: none, bool, int, float, string, and a string with half a surrogate pair, which is written escaped.
READERS: Mapping[str, Callable[[str], Any]] = {
    "n": lambda cell: None,
    "b": _TRUTHS.__getitem__,
    "i": int,
    "f": float,
    "s": str,
    "e": unescaped,
}
_LIMIT = threading.Lock()  # the csv module has one limit for all


def table_text(table: Mapping[str, Sequence[Any]]) -> str:
    """Return columns of plain cells as CSV, its rows ended by a line feed.

    Raises
    ------
    ValueError
        If UTF-8 cannot hold a column's name.

    Examples
    --------
    >>> table_text({"name": ["007", None], "ε": [0.5, 1]}).split()
    ['name,ε', '007,0.5', ',1']
    """
    if bad := [name for name in table if not encodable(name)]:
        raise ValueError(f"Expected names of columns that UTF-8 can hold, got {bad[0]!r}. Rename it.")
    columns = [[escaped(cell) if _letter(cell) == "e" else cell for cell in cells] for cells in table.values()]
    lines = []
    for row in [list(table), *zip(*columns, strict=True)]:
        line = io.StringIO(newline="")
        # With both in the terminator, cells that hold either are quoted: by itself "\r" was not, and ended the row.
        csv.writer(line, lineterminator="\r\n").writerow(row)
        lines.append(line.getvalue().removesuffix("\r\n"))
    return "\n".join([*lines, ""])


def types_to_keep(table: Mapping[str, Sequence[Any]]) -> dict[str, str]:
    """Return the types of the columns that :func:`table_frame` would read otherwise than they are.

    Returns
    -------
    dict
        For each such column one letter a cell, or a single one that all share, see :data:`READERS`.

    Examples
    --------
    >>> types_to_keep({"agent": ["007", "7"], "epsilon": [1, 0.5], "note": ["", None]})
    {'agent': 's', 'note': 'sn'}
    """
    kept = {}
    for name, cells in table.items():
        letters = "".join(map(_letter, cells))
        texts = ["" if cell is None else escaped(cell) if _letter(cell) == "e" else str(cell) for cell in cells]
        if "e" in letters or not all(map(_same, cells, _by_look(texts))) or _nan_beside_none(cells):
            kept[name] = letters[0] if len(set(letters)) == 1 else letters
    return kept


def table_frame(text: str, types: Mapping[str, str]) -> pandas.DataFrame:
    """Return the table in `text`, whose columns have the `types` that :func:`types_to_keep` kept.

    Examples
    --------
    >>> table_frame(table_text({"agent": ["007", "7"]}), {"agent": "s"})["agent"].tolist()
    ['007', '7']
    """
    import pandas

    with _LIMIT:
        limit = csv.field_size_limit(max(len(text), 1))
        try:
            header, *lines = csv.reader(io.StringIO(text, newline=""))
        finally:
            csv.field_size_limit(limit)
    columns = {}
    for name, cells in zip(header, zip(*lines, strict=True), strict=True):
        letters = types.get(name)
        if letters is None:
            found = _by_look(cells)
        else:
            each = letters * len(cells) if len(letters) == 1 else letters
            found = [READERS[letter](cell) for letter, cell in zip(each, cells, strict=True)]
        columns[name] = pandas.Series(found, dtype=object if _needs_object(found) else None)
    return pandas.DataFrame(columns)


def _by_look(cells: Sequence[str]) -> list[Any]:
    """Return a column as bools, ints, floats or strings, whichever all of its cells are; an empty cell is missing.

    Not pandas' reader: it takes names such as "NA" for missing values, and not every version reads a float back
    exactly as it was written.
    """
    given = [cell for cell in cells if cell]
    kinds: list[Callable[[str], Any]] = [_TRUTHS.__getitem__, int, float]
    for kind in kinds if not any("_" in cell for cell in given) else []:  # int("1_2") is 12
        with contextlib.suppress(ValueError, KeyError):
            missing = math.nan if kind in (int, float) else None
            return [kind(cell) if cell else missing for cell in cells]
    return [cell or None for cell in cells]


def _letter(cell: Any) -> str:
    if isinstance(cell, str):
        return "s" if encodable(cell) else "e"
    return {type(None): "n", bool: "b", int: "i", float: "f"}[type(cell)]


def _same(given: Any, read: Any) -> bool:
    """Return whether a cell is read as it was given; an int may be read as the same float, a missing number as NaN."""
    if given is None:
        return read is None or read != read
    if isinstance(given, str | bool) or isinstance(read, str | bool):
        return type(given) is type(read) and given == read
    return given == read or (given != given and read is not None and read != read)


def _nan_beside_none(cells: Sequence[Any]) -> bool:
    """Return whether a column has both, which a column of numbers does not distinguish."""
    return any(cell is None for cell in cells) and any(isinstance(cell, float) and cell != cell for cell in cells)


def _needs_object(cells: Sequence[Any]) -> bool:
    """Return whether pandas would hold other values than these: a float for an int too large for it, NaN for None."""
    if any(isinstance(cell, str) for cell in cells):
        return not all(encodable(cell) for cell in cells if isinstance(cell, str))
    floats = any(cell is None or isinstance(cell, float) for cell in cells)
    large = any(type(cell) is int and not _is_a_float(cell) for cell in cells)
    return (floats and large) or _nan_beside_none(cells)


def _is_a_float(number: int) -> bool:
    try:
        return int(float(number)) == number
    except OverflowError:
        return False
