"""Numbers of the literature, each with the model, the paper and the table that it was read in."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources


@dataclass(frozen=True)
class Known:
    """One number, or a range of numbers, that a paper reports.

    Attributes
    ----------
    what
        Corpus and measure, such as "snips slot F1".
    model
        Whose number it is.
    low, high
        The number twice, or the range; a share of 1 where the measure is a share.
    source
        Authors, year, venue and table.
    """

    what: str
    model: str
    low: float
    high: float
    source: str

    @property
    def written(self) -> str:
        """The number or the range, such as "0.84–0.89"."""
        return f"{self.low:g}" if self.low == self.high else f"{self.low:g}–{self.high:g}"


@lru_cache
def literature() -> tuple[Known, ...]:
    """Return all numbers, in the order of the file.

    Raises
    ------
    ValueError
        For an entry without a number, or with a range upside down.
    """
    text = resources.files("trustlab.course").joinpath("literature.toml").read_text(encoding="utf-8")
    return tuple(_known(entry) for entry in tomllib.loads(text)["known"])


def known(what: str) -> list[Known]:
    """Return what papers report of `what`.

    Examples
    --------
    >>> [each.written for each in known("snips slot F1") if "BiLSTM" in each.model]
    ['0.84–0.89']
    """
    found = [each for each in literature() if each.what == what]
    if not found:
        names = ", ".join(dict.fromkeys(each.what for each in literature()))
        raise ValueError(f"Expected {what!r} to be one of {names}. Add it with its source to literature.toml.")
    return found


def _known(entry: dict[str, str | float]) -> Known:
    low = float(entry["value"] if "value" in entry else entry["low"])
    high = float(entry["value"] if "value" in entry else entry["high"])
    if not low <= high:
        raise ValueError(f"Expected low <= high for {entry['what']!r}, got {low} and {high}.")
    return Known(str(entry["what"]), str(entry["model"]), low, high, str(entry["source"]))
