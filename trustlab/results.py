"""Committed results: a table as CSV, its provenance next to it as JSON, found by name in ``data/results``.

An installed package carries those tables with its code, to be read.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trustlab import versions
from trustlab.deprecation import new_result_name
from trustlab.durable import digest, write_whole
from trustlab.places import expanded, from_environment, locked
from trustlab.plain import flat, from_json, to_json
from trustlab.tables import table_frame, table_text, types_to_keep

if TYPE_CHECKING:
    import pandas

# setup.py puts data/results of the checkout here when it builds a wheel.
SHIPPED = Path(__file__).resolve().parent / "saved_results"

Reader = Callable[[str], "tuple[pandas.DataFrame, dict[str, Any]]"]  # of a table by its name, as read_results
HASH, TYPES = "csv_sha256", "csv_types"  # what the provenance says of its table
SEARCHES = "tuning"  # the folder in the results' folder where searches for options are kept


def results_directory() -> Path:
    """Return the results' folder: ``TRUSTLAB_RESULTS``, else ``data/results`` of the checkout or package."""
    named = from_environment("TRUSTLAB_RESULTS")
    return named or (versions.ROOT / "data" / "results" if versions.is_checkout() else SHIPPED)


def refuse_shipped(folder: Path) -> None:
    """Raise where `folder` is an installation's: its tables are what was released, and an update replaces them.

    Raises
    ------
    PermissionError
        If it is in the package; the message says how to choose another.
    """
    if folder.resolve().is_relative_to(SHIPPED.parent):
        raise PermissionError(
            f"Expected your own folder to write results to, got {folder}, which belongs to the installed package. "
            "Set TRUSTLAB_RESULTS to a folder, or work in a clone of the project."
        )


def write_results(path_stem: str | Path, rows: Iterable[Mapping[str, Any]], provenance: Mapping[str, Any]) -> Path:
    """Write ``<stem>.csv`` and ``<stem>.json`` and return the CSV's path.

    The JSON holds the CSV's hash: a pair that does not match, after a crash between the two writes or an edit, is
    noticed when it is read. It also holds the types of the cells of those columns that a CSV alone would not give
    back, such as the text "007".

    Parameters
    ----------
    path_stem
        A path without suffix; a bare name, or "tuning/" and a name, means a file in :func:`results_directory`.
    rows
        Flat rows; columns are their fields in order of appearance, a missing field is left empty.
    provenance
        See :func:`trustlab.provenance.provenance`.

    Raises
    ------
    ValueError
        If there are no rows, or no columns, or a column's name is no text that UTF-8 can hold.
    TypeError
        If a cell is not a number, a string or None.
    PermissionError
        If the folder is that of an installed package.
    """
    kept = [flat(row) for row in rows]
    columns = list(dict.fromkeys(name for row in kept for name in row))
    if not columns:
        raise ValueError(f"Expected at least one row with a column to write, got {len(kept)} rows without any.")
    stem = _stem(path_stem)
    refuse_shipped(stem.parent)
    table = {name: [row.get(name) for row in kept] for name in columns}
    text = table_text(table)
    about = {name: value for name, value in provenance.items() if name not in (HASH, TYPES)} | {HASH: digest(text)}
    if types := types_to_keep(table):
        about[TYPES] = types
    described = to_json(about, indent=1, sort_keys=False) + "\n"
    stem.parent.mkdir(parents=True, exist_ok=True)
    with locked(stem.parent):
        write_whole(_beside(stem, ".csv"), text)
        write_whole(_beside(stem, ".json"), described)
    return _beside(stem, ".csv")


def read_results(name: str | Path) -> tuple[pandas.DataFrame, dict[str, Any]]:
    """Return a results table and its provenance.

    Cells come back as they were written, with pandas' own way to hold them: a missing number is NaN.

    Parameters
    ----------
    name
        The experiment's name, "tuning/" and a name for a search of options, or a path without suffix.

    Raises
    ------
    FileNotFoundError
        If there is no such table; the message says where it was looked for.
    ValueError
        If table and provenance do not belong together.
    """
    stem = _stem(name)
    try:
        text, about = _read_pair(stem)
        if digest(text) != about.get(HASH):
            with contextlib.suppress(OSError), locked(stem.parent):  # a writer may be between the two files
                text, about = _read_pair(stem)
    except FileNotFoundError as error:
        renamed = new_result_name(stem.name)
        raise FileNotFoundError(
            f"Expected {stem.name}.csv and {stem.name}.json in {stem.parent}. "
            + (f"That table is now called {renamed}. " if renamed else "")
            + "Set TRUSTLAB_RESULTS to the folder that holds the results, or run from a checkout of the repository."
        ) from error
    if digest(text) != about.get(HASH):
        raise ValueError(f"{stem.name}.csv is not the table that {stem.name}.json describes. Write both again.")
    return table_frame(text, about.get(TYPES, {})), about


def _read_pair(stem: Path) -> tuple[str, dict[str, Any]]:
    """Return the table's text, line breaks as they are, and its provenance."""
    text = _beside(stem, ".csv").read_bytes().decode("utf-8")
    return text, from_json(_beside(stem, ".json").read_text(encoding="utf-8"))


def _stem(path_stem: str | Path) -> Path:
    path = expanded(path_stem)
    return results_directory() / path if path.parent in (Path("."), Path(SEARCHES)) else path


def _beside(stem: Path, suffix: str) -> Path:
    """Append `suffix`; ``with_suffix`` would cut a name such as ``dp_0.5``."""
    return stem.with_name(stem.name + suffix)
