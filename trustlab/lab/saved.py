"""Reading a committed table: its rows, the mean and interval over its seeds, and the curves that it keeps as text.

A table has one row per training, named by its seed and the columns that were varied. A curve is kept in one cell, as
``"0.1|0.2|0.3"``. What a single room computes from its table is in that room's ``results.py``.
"""

from __future__ import annotations

import contextvars
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.intervals import mean_interval
from trustlab.results import read_results, results_directory

if TYPE_CHECKING:
    import pandas

Row = dict[str, Any]
MOST_REMEMBERED = 512
CORPUS_NAMES: Mapping[str, str] = {
    "assistant": "the embedded corpus",
    "snips": "SNIPS",
    "atis": "ATIS",
    "clinc150": "CLINC150",
    "shakespeare_roles": "Shakespeare's roles",
    "20newsgroups": "20 Newsgroups",
    "wnut17": "WNUT17",
    "xquad": "XQuAD",
    "e2e_nlg": "E2E",
}


def read(name: str) -> tuple[pandas.DataFrame, dict[str, Any]]:
    """Return a committed table and its provenance; read once, and again after its files have changed.

    The table is shared by all callers: select from it and copy it, but do not change it.

    Parameters
    ----------
    name
        As in :func:`trustlab.results.read_results`.

    Raises
    ------
    FileNotFoundError
        If there is no such table.
    """
    stem = str(results_directory() / name)
    for read_by in _reading.get():
        read_by[stem] = _stamps(stem)
    return _read(stem, _stamps(stem))


def remembered(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` so that it computes each result once, and again after a table that it has read has changed.

    Parameters
    ----------
    function
        Its result depends on its arguments, which can be keys of a dict, and on committed tables. All callers share the
        result: copy it before a change.

    Examples
    --------
    >>> @remembered
    ... def seeds(corpus):
    ...     return len(read(f"dp_sgd_vs_edp_sgd_{corpus}")[0]["seed"].unique())
    >>> seeds("assistant") is seeds("assistant")
    True
    """
    kept: dict[Any, tuple[dict[str, Any], Any]] = {}

    @functools.wraps(function)
    def once(*arguments: Any) -> Any:
        key = str(results_directory()), arguments
        tables, result = kept.get(key, ({}, None))
        if key not in kept or any(_stamps(stem) != stamps for stem, stamps in tables.items()):
            tables = {}
            token = _reading.set((*_reading.get(), tables))
            try:
                result = function(*arguments)
            finally:
                _reading.reset(token)
            if len(kept) >= MOST_REMEMBERED:
                del kept[next(iter(kept))]
            kept[key] = tables, result
        for read_by in _reading.get():
            read_by.update(tables)
        return result

    return once


_reading: contextvars.ContextVar[tuple[dict[str, Any], ...]] = contextvars.ContextVar("reading", default=())


def _stamps(stem: str) -> tuple[Any, ...]:
    return tuple(_stamp(Path(f"{stem}{ending}")) for ending in (".csv", ".json"))


@functools.lru_cache(maxsize=32)
def _read(stem: str, stamps: tuple[Any, ...]) -> tuple[pandas.DataFrame, dict[str, Any]]:
    return read_results(stem)


def _stamp(path: Path) -> tuple[int, ...]:
    """Return what differs once a file was replaced; empty where there is none, which reading then reports."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return ()
    return found.st_mtime_ns, found.st_ino, found.st_size


def is_saved(name: str) -> bool:
    """Return whether there is a table of this name."""
    return (results_directory() / f"{name}.csv").is_file()


def select(table: pandas.DataFrame, **values: Any) -> pandas.DataFrame:
    """Return the rows that have all these values, in the order of their seeds; none where there are none.

    Examples
    --------
    >>> import pandas
    >>> table = pandas.DataFrame({"alpha": [1.0, 1.0, 0.1], "seed": [1, 0, 0], "accuracy": [0.8, 0.9, 0.5]})
    >>> select(table, alpha=1.0)["accuracy"].tolist()
    [0.9, 0.8]
    """
    keep = np.ones(len(table), dtype=bool)
    for name, value in values.items():
        keep &= (table[name] == value).to_numpy()
    rows = table[keep]
    return rows.sort_values("seed", kind="stable") if "seed" in rows else rows


def over_seeds(values: Iterable[float], name: str = "accuracy", *, limits: tuple[float, float] | None = None) -> Row:
    """Return the mean over seeds under `name`, and the ends of its 95 % interval as ``low`` and ``high``.

    Parameters
    ----------
    values
        One number per seed.
    name
        What they measure.
    limits
        Where the interval is cut, such as (0, 1) for a share.

    Examples
    --------
    >>> row = over_seeds([0.90, 1.00, 0.95], "score", limits=(0.0, 1.0))
    >>> {name: round(value, 3) for name, value in row.items()}
    {'score': 0.95, 'low': 0.826, 'high': 1.0}
    """
    mean, low, high, _ = mean_interval(list(values))
    if limits is not None:
        low, high = max(low, limits[0]), min(high, limits[1])
    return {name: mean, "low": low, "high": high}


def numbers(texts: Iterable[str]) -> np.ndarray:
    """Return curves that are kept as text: an array with a row for each text.

    Examples
    --------
    >>> numbers(["0.1|0.2", "0.3|0.4"]).tolist()
    [[0.1, 0.2], [0.3, 0.4]]
    """
    return np.array([[float(part) for part in str(text).split("|")] for text in texts])


def curve(
    texts: Iterable[str],
    at: Sequence[float],
    x: str = "round",
    name: str = "accuracy",
    *,
    limits: tuple[float, float] | None = None,
) -> list[Row]:
    """Return a curve over seeds: a row for each measurement, as :func:`over_seeds` makes it.

    Parameters
    ----------
    texts
        The curve of each seed, as a table keeps it.
    at
        Where each measurement was made.
    x
        What `at` counts.
    name, limits
        As in :func:`over_seeds`.

    Raises
    ------
    ValueError
        If `at` has not one place for each measurement.

    Examples
    --------
    >>> [(row["round"], row["accuracy"]) for row in curve(["0.25|0.5", "0.75|1.0"], at=(5, 10))]
    [(5, 0.5), (10, 0.75)]
    """
    places = numbers(texts).T  # [measurements, seeds]
    return [
        {x: place, **over_seeds(values.tolist(), name, limits=limits)} for place, values in zip(at, places, strict=True)
    ]


def per_cent(shares: Iterable[float]) -> str:
    """Write the mean over seeds and its 95 % interval in whole per cent, cut at 0 and 100.

    Examples
    --------
    >>> per_cent([0.90, 0.92, 0.91]), per_cent([1.0, 0.99, 1.0]), per_cent([0.5])
    ('91 (89 to 93)', '100 (98 to 100)', '50')
    """
    mean, low, high, n = mean_interval(list(shares))
    if n == 1:
        return f"{100 * mean:.0f}"
    return f"{100 * mean:.0f} ({100 * max(low, 0):.0f} to {100 * min(high, 1):.0f})"


def seeds_of(about: Mapping[str, Any]) -> str:
    """Name the seeds of a table, from its provenance.

    Examples
    --------
    >>> seeds_of({"seeds": [0, 1, 2]})
    'seeds 0–2'
    """
    return f"seeds {about['seeds'][0]}–{about['seeds'][-1]}"


def saved_over(about: Mapping[str, Any]) -> str:
    """Say that numbers are saved means, and over which seeds, from the provenance of their table.

    Examples
    --------
    >>> saved_over({"seeds": [0, 1, 2]})
    'saved, mean and 95 % interval over seeds 0–2'
    """
    return f"saved, mean and 95 % interval over {seeds_of(about)}"


def means_over(about: Mapping[str, Any], *, tabled: bool = False) -> str:
    """Say the same of a picture that draws means without their intervals.

    Parameters
    ----------
    about
        The table's provenance.
    tabled
        Whether the numbers behind the picture have the intervals.

    Examples
    --------
    >>> means_over({"seeds": [0, 1, 2]})
    'saved, means over seeds 0–2'
    >>> means_over({"seeds": [0, 1, 2]}, tabled=True)
    'saved, means over seeds 0–2; their 95 % intervals are among the numbers'
    """
    intervals = "; their 95 % intervals are among the numbers" if tabled else ""
    return f"saved, means over {seeds_of(about)}{intervals}"
