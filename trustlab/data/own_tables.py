"""A user's own rows as they are given, each with the place where a reader finds it: line 7 of a file, row 7 of a frame.

Files are CSV and TSV with a header, JSON Lines, and CoNLL; objects are a pandas frame, a ``datasets.Dataset`` and any
table that gives its columns by Arrow's C stream, as polars frames, Arrow tables and DuckDB's relations do. Here rows
are only read. What a row has to be is looked at in :mod:`trustlab.data.own_rows`.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from trustlab.data.own_conll import read_sentences

FORMATS = {
    "csv": (".csv",),
    "tsv": (".tsv", ".tab"),
    "jsonl": (".jsonl", ".ndjson"),
    "conll": (".conll", ".bio", ".iob", ".iob2"),
}
WORD_AND_TAG = ("tokens", "slots")  # what a CoNLL file calls its two columns here


class Line(NamedTuple):
    """One row: where it is, and its values by column; or what keeps it from being read."""

    place: str
    values: dict[str, Any]
    wrong: str = ""


class Table(NamedTuple):
    """Rows of one source, with the name it has in errors and the columns that there are."""

    name: str
    columns: tuple[str, ...]
    lines: list[Line]


def read_table(source: Any, *, format: str | None, separator: str | None, encoding: str) -> Table:
    """Read one source.

    Parameters
    ----------
    source
        A path, a pandas frame, a ``datasets.Dataset``, or a table with ``__arrow_c_stream__``.
    format
        A key of :data:`FORMATS`; None takes what the file's ending says.
    separator
        What separates the cells of a CSV file; None is a comma, and a tab in TSV.
    encoding
        Of a file. A byte order mark at its beginning is no part of the first name.

    Raises
    ------
    ValueError
        If it is none of these, is not of this encoding, or has two columns of one name.
    FileNotFoundError
        If there is no such file.
    """
    if isinstance(source, str | os.PathLike):
        return _read_file(Path(source).expanduser(), format, separator, encoding)
    if hasattr(source, "column_names") and hasattr(source, "features") and hasattr(source, "__len__"):
        return _read_dataset(source)
    if hasattr(source, "columns") and hasattr(source, "iloc"):
        names = _distinct([str(name) for name in source.columns], "the frame")
        rows = zip(*(source.iloc[:, i].tolist() for i in range(len(names))), strict=True)
        return Table(
            "the frame", names, [Line(f"row {i}", dict(zip(names, row, strict=True))) for i, row in enumerate(rows)]
        )
    if hasattr(source, "__arrow_c_stream__"):
        return _read_arrow(source)
    if hasattr(source, "column_names") and hasattr(source, "take"):
        raise ValueError(
            "Expected rows that are all there, got a stream: how many there are is unknown before it ends. Take those "
            "you want: datasets.Dataset.from_list(list(stream.take(10_000))), each split of a stream on its own."
        )
    raise ValueError(
        f"Expected a path, a pandas DataFrame, a datasets.Dataset or DatasetDict, got {type(source).__module__}."
        f"{type(source).__name__}. Make a frame of it: pandas.DataFrame(rows), or rows.to_pandas()."
    )


def refuse_absent(name: str, table: Table, role: str) -> None:
    """Refuse a column that a table does not have, with those it has."""
    if name in table.columns:
        return
    near = get_close_matches(name, table.columns, n=1, cutoff=0.6)
    raise ValueError(
        f"Expected {role}={name!r} to be a column of {table.name}, which has {_listed(table.columns)}."
        + (f" Did you mean {near[0]!r}?" if near else "")
    )


def _read_file(path: Path, format: str | None, separator: str | None, encoding: str) -> Table:
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected a file {str(path)!r}, there is none in {os.getcwd()!r}. A corpus that is known by its name is "
            "loaded by trustlab.data.load(name)."
        )
    kind = format or next((kind for kind, ends in FORMATS.items() if path.suffix.lower() in ends), "")
    if kind not in FORMATS:
        raise ValueError(
            f"Expected {path.name} to end in {_listed([end for ends in FORMATS.values() for end in ends])}, or format= "
            f"to be one of {_listed(FORMATS)}. Of a spreadsheet or a JSON array make a frame: pandas.read_excel(path), "
            "pandas.read_json(path)."
        )
    text = decoded(path, encoding)
    if not text.strip():
        raise ValueError(f"Expected rows in {path.name}, it is empty.")
    if kind == "jsonl":
        lines = _json_lines(text)
        if all(line.wrong for line in lines):
            raise ValueError(
                f"Expected a JSON object in each line of {path.name}, got none ({lines[0].place}: {lines[0].wrong}). "
                "Of a JSON array make a frame: pandas.read_json(path)."
            )
        return _table_of(path.name, lines)
    if kind == "conll":
        read = [Line(*each) for each in read_sentences(text)]
        return _table_of(path.name, read, first=WORD_AND_TAG)
    return _read_cells(path.name, text, separator or ("\t" if kind == "tsv" else ","))


def decoded(path: Path, encoding: str) -> str:
    """Return the text of a file, without a byte order mark; say where and how it is not of this encoding."""
    raw = path.read_bytes()
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")) and encoding == "utf-8":
        raise ValueError(f"Expected {path.name} to be UTF-8, it begins as UTF-16 does. Pass encoding='utf-16'.")
    try:
        return raw.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ValueError(
            f"Expected {path.name} to be {encoding} text, got the byte 0x{raw[error.start]:02x} in line {line}. "
            "Programs of Windows often write encoding='cp1252': pass that, or save the file as UTF-8."
        ) from None


def _read_cells(name: str, text: str, separator: str) -> Table:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows = _numbered(reader, name)
    _, header = next(rows)
    names = _distinct([cell.strip() for cell in header], name)
    other = next((sign for sign in ";\t|," if sign != separator and sign in header[0]), None)
    if len(names) == 1 and other:
        raise ValueError(
            f"Expected cells separated by {separator!r} in {name}, its first line is one cell, {header[0]!r}. Pass "
            f"separator={other!r}."
        )
    lines = []
    for number, cells in rows:
        wrong = "" if len(cells) == len(names) else f"expected {len(names)} cells, got {len(cells)}"
        lines.append(Line(f"line {number}", dict(zip(names, cells, strict=False)), wrong))
    return Table(name, names, lines)


def _numbered(reader: Any, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that has a cell with the number of the line in which it begins."""
    begins = 1
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise ValueError(
                f"Expected rows of cells in {name}, the one that begins in line {begins} cannot be read: {error}. A "
                'quotation mark is unclosed: inside a quoted cell each has to be written twice ("").'
            ) from None
        if row is None:
            return
        if any(cell.strip() for cell in row):
            yield begins, row
        begins = reader.line_num + 1


def _json_lines(text: str) -> list[Line]:
    lines = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line, object_pairs_hook=_object)
        except ValueError as error:
            lines.append(Line(f"line {number}", {}, f"expected a JSON object, {error}"))
            continue
        wrong = "" if isinstance(found, dict) else f"expected a JSON object, got {type(found).__name__}"
        lines.append(Line(f"line {number}", {} if wrong else found, wrong))
    return lines


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"got {twice[0]!r} twice")
    return dict(pairs)


def _table_of(name: str, lines: list[Line], first: Sequence[str] = ()) -> Table:
    """Return lines that name their columns themselves, as a table of all that occur."""
    columns = dict.fromkeys([*first, *(column for line in lines for column in line.values)])
    return Table(name, tuple(columns), lines)


def _read_dataset(source: Any) -> Table:
    """Read a ``datasets.Dataset``, the numbers of its class labels as their names."""
    names = tuple(source.column_names)
    plain = source.with_format(None)
    columns = [_named(source.features[name], plain[name][:]) for name in names]
    rows = zip(*columns, strict=True)
    lines = [Line(f"row {i}", dict(zip(names, row, strict=True))) for i, row in enumerate(rows)]
    return Table("the data set", names, lines)


def _read_arrow(source: Any) -> Table:
    """Read what gives its columns by Arrow's C stream (the PyCapsule interface)."""
    import pyarrow

    found = pyarrow.table(source)
    names = _distinct([str(name) for name in found.column_names], "the table")
    rows = zip(*(column.to_pylist() for column in found.columns), strict=True)
    return Table(
        "the table", names, [Line(f"row {i}", dict(zip(names, row, strict=True))) for i, row in enumerate(rows)]
    )


def _named(feature: Any, column: list[Any]) -> list[Any]:
    """Return a column, of class labels the names that their feature has; −1 is a label that is not known."""
    inner = getattr(feature, "feature", feature[0] if isinstance(feature, list) else None)
    if hasattr(feature, "int2str"):
        return [_name_of(value, feature.int2str) for value in column]
    if hasattr(inner, "int2str"):
        return [row if row is None else [_name_of(value, inner.int2str) for value in row] for row in column]
    return column


def _name_of(value: Any, name: Callable[[int], str]) -> str | None:
    return None if value is None or value < 0 else name(value)


def _distinct(names: list[str], name: str) -> tuple[str, ...]:
    """Return the names of columns, or refuse two that are alike: which of them a role meant would be a guess."""
    if twice := [each for each, count in Counter(names).items() if count > 1]:
        what = f"{twice[0]!r}" if twice[0] else "an empty name"
        raise ValueError(f"Expected every column of {name} to have a name of its own, got {what} twice. Rename one.")
    return tuple(names)


def _listed(names: Any) -> str:
    return ", ".join(map(repr, names)) if names else "none"
