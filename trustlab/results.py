"""Committed results: a table as CSV, its provenance beside it as JSON, found by name in ``data/results``.

An installed package carries those tables beside its code, to be read.
"""

from __future__ import annotations

import contextlib
import csv
import io
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trustlab import versions
from trustlab.durable import digest, from_json, scalar, to_json, write_whole

if TYPE_CHECKING:
    import pandas

# setup.py puts data/results of the checkout here when it builds a wheel.
SHIPPED = Path(__file__).resolve().parent / "saved_results"

Reader = Callable[[str], "tuple[pandas.DataFrame, dict[str, Any]]"]  # of a table by its name, as read_results


def results_directory() -> Path:
    """Return where results lie: ``TRUSTLAB_RESULTS``, else ``data/results`` of the checkout or what was installed."""
    if named := os.environ.get("TRUSTLAB_RESULTS"):
        return Path(named).expanduser()
    return versions.ROOT / "data" / "results" if versions.is_checkout() else SHIPPED


def refuse_shipped(folder: Path) -> None:
    """Raise where `folder` is an installation's: its tables are what was released, and an update replaces them.

    Raises
    ------
    PermissionError
        If it lies in the package; the message says how to name another.
    """
    if folder.resolve().is_relative_to(SHIPPED.parent):
        raise PermissionError(
            f"Expected a folder of yours to write results to, got {folder}, which belongs to the installed package. "
            "Set TRUSTLAB_RESULTS to a folder, or work in a clone of the project."
        )


def write_results(path_stem: str | Path, rows: Iterable[Mapping[str, Any]], provenance: Mapping[str, Any]) -> Path:
    """Write ``<stem>.csv`` and ``<stem>.json`` and return the CSV's path.

    The JSON holds the CSV's hash: a pair that was torn apart, by a crash between the two or by an edit, is noticed
    when it is read.

    Parameters
    ----------
    path_stem
        A path without suffix; a bare name goes to :func:`results_directory`.
    rows
        Flat rows; columns are their fields in order of appearance, a missing field is left empty.
    provenance
        See :func:`trustlab.provenance.provenance`.

    Raises
    ------
    ValueError
        If there are no rows.
    TypeError
        If a cell is not a number, a string or None.
    PermissionError
        If the folder is that of an installed package.
    """
    kept = [{str(name): scalar(value) for name, value in row.items()} for row in rows]
    if not kept:
        raise ValueError("Expected at least one row to write, got none.")
    stem = _stem(path_stem)
    refuse_shipped(stem.parent)
    buffer = io.StringIO()
    columns = list(dict.fromkeys(name for row in kept for name in row))
    writer = csv.DictWriter(buffer, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(kept)
    text = buffer.getvalue()
    write_whole(_beside(stem, ".csv"), text)
    about = {**provenance, "csv_sha256": digest(text)}
    write_whole(_beside(stem, ".json"), to_json(about, indent=1, sort_keys=False) + "\n")
    return _beside(stem, ".csv")


def read_results(name: str | Path) -> tuple[pandas.DataFrame, dict[str, Any]]:
    """Return a results table and its provenance.

    Parameters
    ----------
    name
        The experiment's name, or a path without suffix.

    Raises
    ------
    FileNotFoundError
        If there is no such table; the message says where it was looked for.
    ValueError
        If table and provenance do not belong together.
    """
    import pandas

    stem = _stem(name)
    try:
        text = _beside(stem, ".csv").read_text(encoding="utf-8")
        about = from_json(_beside(stem, ".json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"Expected {stem.name}.csv and {stem.name}.json in {stem.parent}. "
            "Set TRUSTLAB_RESULTS to the folder that holds the results, or run from a checkout of the repository."
        ) from error
    if digest(text) != about.get("csv_sha256"):
        raise ValueError(f"{stem.name}.csv is not the table that {stem.name}.json describes. Write both again.")
    header, *lines = csv.reader(io.StringIO(text))
    columns = zip(*lines, strict=True)
    return pandas.DataFrame({name: _typed(cells) for name, cells in zip(header, columns, strict=True)}), about


def _typed(cells: Sequence[str]) -> list[Any]:
    """Return a column as bools, ints, floats or strings, whichever all of its cells are; an empty cell is missing.

    Not pandas' reader: it takes names such as "NA" for missing values, and not every version reads a float back
    exactly as it was written.
    """
    given = [cell for cell in cells if cell]
    kinds: list[Callable[[str], Any]] = [{"True": True, "False": False}.__getitem__, int, float]
    for kind in kinds if not any("_" in cell for cell in given) else []:  # int("1_2") is 12
        with contextlib.suppress(ValueError, KeyError):
            missing = math.nan if kind in (int, float) else None
            return [kind(cell) if cell else missing for cell in cells]
    return [cell or None for cell in cells]


def _stem(path_stem: str | Path) -> Path:
    path = Path(path_stem)
    return results_directory() / path if path.parent == Path(".") else path


def _beside(stem: Path, suffix: str) -> Path:
    """Append `suffix`; ``with_suffix`` would cut a name such as ``dp_0.5``."""
    return stem.with_name(stem.name + suffix)
