"""What a user's own row has to be before anything is computed with it, and what it becomes.

Every row is looked at, and all that are wrong are counted, before work starts: a label that is missing in row 40,000
would otherwise be found an hour later, or never.
"""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from trustlab.containers import is_missing, plain
from trustlab.data.own_tables import Line, Table
from trustlab.data.own_tags import OUTSIDE, WrongRow, bio_tags
from trustlab.data.words_of_text import words_in

SHOWN = 5  # wrong rows that an error quotes
_NO_VALUE = frozenset(("nan", "<na>"))  # as pandas writes a missing value into a text


def read_rows(table: Table, roles: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return every row of `table` as a row of a corpus.

    Parameters
    ----------
    table
        What was read.
    roles
        The column of each role that the user named: "text" or "tokens", "intent", "slots", "user", "time", "group",
        "split".

    Raises
    ------
    ValueError
        If a row is wrong: it counts them, and shows the first few with their places.
    """
    rows, wrong = [], []
    for line in table.lines:
        try:
            rows.append(_row(line, roles))
        except WrongRow as error:
            wrong.append(f"{line.place}: {error}")
    refuse_wrong(wrong, len(table.lines), table.name)
    return rows


def refuse_wrong(wrong: list[str], rows: int, name: str) -> None:
    """Raise one error for all wrong rows of a source, if there are any."""
    if not wrong:
        return
    shown = "\n".join(f"  {each}" for each in wrong[:SHOWN])
    more = f"\n  … and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    raise ValueError(
        f"Expected every row of {name} to be complete and well-formed, {len(wrong)} of {rows} "
        f"{'is' if len(wrong) == 1 else 'are'} not. Correct these rows or leave them out:\n{shown}{more}"
    )


def _row(line: Line, roles: Mapping[str, str]) -> dict[str, Any]:
    """Return a row of a corpus: tokens, slots, and of each other role its value."""
    if line.wrong:
        raise WrongRow(line.wrong)
    given = {role: line.values.get(column) for role, column in roles.items()}
    row: dict[str, Any] = {}
    if "text" in roles:
        row["tokens"], row["slots"] = _of_text(given["text"], roles, given.get("slots"))
    else:
        row["tokens"] = _words(given["tokens"], roles["tokens"])
        row["slots"] = _tags(given["slots"], roles["slots"], row["tokens"]) if "slots" in roles else []
    row["slots"] = row["slots"] or [OUTSIDE] * len(row["tokens"])
    for role in ("intent", "user", "group", "split"):
        if role in roles:
            row[role] = _name(given[role], roles[role])
    if "time" in roles:
        row["time"] = _when(given["time"], roles["time"])
    return row


def _name(value: Any, column: str) -> str:
    """Return a label or a name as a text; numbers are names too."""
    if isinstance(value, list | tuple | dict | set):
        raise WrongRow(f"expected one value in {column!r}, got {_short(value)}")
    value = plain(value)
    whole = isinstance(value, float) and value.is_integer()  # pandas makes 3.0 of 3 where a column has a gap
    written = "" if is_missing(value) else str(int(value) if whole else value).strip()
    if not written or written.lower() in _NO_VALUE:
        raise WrongRow(f"expected a value in {column!r}, got none")
    return written


def _when(value: Any, column: str) -> float:
    """Return a time as a number: as it is, or the seconds since 1970 of a date (UTC, unless it says another zone)."""
    value = plain(value)
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            try:
                value = datetime.datetime.fromisoformat(value.strip())
            except ValueError:
                raise WrongRow(
                    f"expected a number or a date such as 2026-03-01 in {column!r}, got {_short(value)}"
                ) from None
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime) and not is_missing(value):
        value = datetime.datetime(value.year, value.month, value.day)
    if isinstance(value, datetime.datetime) and not is_missing(value):
        aware = value if value.tzinfo else value.replace(tzinfo=datetime.UTC)
        return aware.timestamp()
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise WrongRow(f"expected a number or a date such as 2026-03-01 in {column!r}, got {_short(value)}")
    return float(value)


def _of_text(text: Any, roles: Mapping[str, str], spans: Any) -> tuple[list[str], list[str]]:
    """Return the words of a text, and the tags that its slots give them: spans of characters."""
    if is_missing(text) or not isinstance(text, str):
        raise WrongRow(f"expected a text in {roles['text']!r}, got {'none' if is_missing(text) else _short(text)}")
    words = words_in(text)
    if not words or text.strip().lower() in _NO_VALUE:
        raise WrongRow(f"expected a word in {roles['text']!r}, got {_short(text)}")
    tags = [OUTSIDE] * len(words)
    for start, end, label in sorted(_spans(spans, roles["slots"], len(text))) if "slots" in roles else ():
        inside = [i for i, word in enumerate(words) if word.start >= start and word.end <= end]
        touched = [i for i, word in enumerate(words) if word.start < end and word.end > start]
        if not inside or inside != touched:
            raise WrongRow(
                f"expected the slot {label!r} to be whole words, got the characters {start} to {end}, "
                f"{_short(text[start:end])}"
            )
        if any(tags[i] != OUTSIDE for i in inside):
            raise WrongRow(f"expected slots that do not overlap, {label!r} at {start} to {end} does")
        tags[inside[0] : inside[-1] + 1] = [f"B-{label}", *[f"I-{label}"] * (len(inside) - 1)]
    return [word.text for word in words], tags


def _spans(value: Any, column: str, length: int) -> list[tuple[int, int, str]]:
    """Return spans as (start, end, label): from [start, end, label] or {"start", "end", "label"} each."""
    found = []
    for span in _listed(value, column, "spans as [[start, end, label], …]"):
        parts = [span.get(name) for name in ("start", "end", "label")] if isinstance(span, Mapping) else span
        if not isinstance(parts, list | tuple) or len(parts) != 3:
            raise WrongRow(f"expected a span as [start, end, label] in {column!r}, got {_short(span)}")
        start, end, label = parts
        if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= length):
            raise WrongRow(f"expected 0 <= start < end <= {length} in {column!r}, got {start!r} and {end!r}")
        if not isinstance(label, str) or not re.fullmatch(r"\S+", label):
            raise WrongRow(f"expected the name of a slot without white space in {column!r}, got {label!r}")
        found.append((start, end, label))
    return found


def _words(value: Any, column: str) -> list[str]:
    words = _listed(value, column, "a list of words", split=True)
    if not words:
        raise WrongRow(f"expected a word in {column!r}, got none")
    if bad := [word for word in words if not isinstance(word, str) or not word.strip()]:
        raise WrongRow(f"expected words in {column!r}, got {bad[0]!r} among them")
    return list(words)


def _tags(value: Any, column: str, words: list[str]) -> list[str]:
    """Return BIO tags, one for each word."""
    tags = _listed(value, column, "a list of BIO tags", split=True)
    if len(tags) != len(words):
        raise WrongRow(f"expected a tag for each of {len(words)} words, got {len(tags)} in {column!r}")
    return bio_tags(tags, words, column)


def _listed(value: Any, column: str, what: str, *, split: bool = False) -> list[Any]:
    """Return a cell as a list: one already, JSON in a text, or, with `split`, its words; [] for none."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, str) and value.strip():
        if not value.lstrip().startswith("["):
            if split:
                return value.split()
            bio = "; where they are BIO tags, name the words by tokens=" if re.match(r"[BIO](-|\s|$)", value) else ""
            raise WrongRow(f"expected {what} in {column!r}, got {_short(value)}{bio}")
        try:
            value = json.loads(value)
        except ValueError:
            if split:
                return value.split()  # a sentence may begin with a bracket
            raise WrongRow(f"expected {what} as JSON in {column!r}, got {_short(value)}") from None
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, str) or is_missing(value):
        return []
    raise WrongRow(f"expected {what} in {column!r}, got {_short(value)}")


def _short(value: Any) -> str:
    """Quote a value, of a long one the beginning."""
    written = repr(value)
    return written if len(written) <= 40 else f"{written[:39]}…"
