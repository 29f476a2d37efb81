"""Rounded text and HTML: the only place where numbers are formatted.

Notebook outputs are committed and compared, so everything shown is formatted here: the same input gives the same
characters on every machine whose numbers agree to the digits shown.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any


class Display:
    """Something a notebook cell shows, as HTML where there is a browser and as plain text everywhere else.

    Examples
    --------
    >>> Display(html="<b>7</b>", text="7")
    7
    """

    def __init__(self, *, html: str, text: str) -> None:
        self.html, self.text = html, text

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **kwargs: Any) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.text}


def paragraph(text: str) -> Display:
    """Show a sentence or more as running text, not as a string in quotes.

    Examples
    --------
    >>> paragraph("It is so.")
    It is so.
    """
    return Display(html=f"<p>{inline(text)}</p>", text=text)


def number(value: Any, digits: int = 3) -> str:
    """Write `value` to `digits` significant digits, the way a reader expects it in a table.

    Parameters
    ----------
    value
        A number (numpy scalars too); anything else is written with ``str``, None as a dash.
    digits
        Significant digits, at least 1. Integers are never rounded.

    Examples
    --------
    >>> [number(v) for v in (0.81234, 12345.6, 1.5e-06, float("inf"), -0.0, 1200, "EDP-SGD", None)]
    ['0.812', '12,346', '1.5e-6', '∞', '0', '1,200', 'EDP-SGD', '–']
    """
    if value is None:
        return "–"
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float):
        return str(value)
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.{digits}g}"
    if abs(float(text)) >= 10**digits:
        return f"{value:,.0f}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        return f"{mantissa}e{int(exponent)}"
    return "0" if float(text) == 0 else text


def per_cent(share: float, digits: int = 0) -> str:
    """Write a share in per cent, with a space that does not break.

    Examples
    --------
    >>> per_cent(0.7249), per_cent(-0.031, digits=1)
    ('72\u00a0%', '−3.1\u00a0%')
    """
    return f"{100 * share:.{digits}f}\u00a0%".replace("-", "−")


def listed(names: Sequence[str], none: str = "none") -> str:
    """Join names as a sentence does.

    Examples
    --------
    >>> listed(["LPBS", "WEAT", "SEAT"]), listed(["LPBS"]), listed([])
    ('LPBS, WEAT and SEAT', 'LPBS', 'none')
    """
    if not names:
        return none
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def duration(seconds: float) -> str:
    """Say how long something took, rounded up to five seconds or half a minute: no wait is longer than announced.

    Examples
    --------
    >>> duration(5.0), duration(11.2), duration(61.0)
    ('5 s', '15 s', '1.5 min')
    """
    return f"{math.ceil(seconds / 5) * 5} s" if seconds <= 55 else f"{math.ceil(seconds / 30) / 2:g} min"


def inline(text: str) -> str:
    """Turn one line of ``code``, **bold**, *emphasis* and [links](https://…) into safe HTML.

    Examples
    --------
    >>> inline("a < b, **always**, see `trustlab`")
    'a &lt; b, <strong>always</strong>, see <code>trustlab</code>'
    """
    # Code is lifted out first, so that stars and brackets inside it stay what they are.
    parts = re.split(r"`([^`]+)`", text)
    for i, part in enumerate(parts):
        safe = html.escape(part)
        if i % 2:
            parts[i] = f"<code>{safe}</code>"
            continue
        safe = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", safe)
        safe = re.sub(r"(?<!\w)\*([^*\s][^*]*)\*(?!\w)", r"<em>\1</em>", safe)
        parts[i] = re.sub(r"\[([^\]]+)\]\((https?://[^)\s]+|[\w./-]+\.(?:ipynb|md|py))\)", r'<a href="\2">\1</a>', safe)
    return "".join(parts)


def plain(text: str) -> str:
    """Drop the marks that :func:`inline` understands.

    Examples
    --------
    >>> plain("see **the** `code`, [here](https://example.org)")
    'see the code, here (https://example.org)'
    """
    text = re.sub(r"\*\*([^*]+)\*\*", r"\1", text)
    text = re.sub(r"(?<!\w)\*([^*\s][^*]*)\*(?!\w)", r"\1", text)
    return re.sub(r"\[([^\]]+)\]\(([^)\s]+)\)", r"\1 (\2)", text).replace("`", "")


def columns_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the fields of all `rows`, in the order they first appear."""
    return list(dict.fromkeys(name for row in rows for name in row))


def table_html(
    rows: Sequence[Mapping[str, Any]], *, focus: Mapping[str, Any] | None = None, digits: int = 3, title: str = ""
) -> str:
    """Write `rows` as an HTML table with rounded numbers; rows that match every field of `focus` stand out."""
    columns = columns_of(rows)
    sides = {name: "left" if any(isinstance(row.get(name), str) for row in rows) else "right" for name in columns}
    head = "".join(
        f'<th scope="col" style="text-align:{side}">{html.escape(str(name))}</th>' for name, side in sides.items()
    )
    body = []
    for row in rows:
        chosen = bool(focus) and all(row.get(name) == value for name, value in focus.items())
        cells = "".join(_cell(row.get(name), side, digits) for name, side in sides.items())
        body.append(f'<tr style="font-weight:bold">{cells}</tr>' if chosen else f"<tr>{cells}</tr>")
    caption = f'<caption style="text-align:left;font-weight:bold">{inline(title)}</caption>' if title else ""
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _cell(value: Any, side: str, digits: int) -> str:
    return f'<td style="text-align:{side}">{html.escape(number(value, digits))}</td>'


def table_text(rows: Sequence[Mapping[str, Any]], digits: int = 3) -> str:
    """Write `rows` as an aligned plain-text table with rounded numbers.

    Examples
    --------
    >>> print(table_text([{"method": "SGD", "accuracy": 0.91234}, {"method": "DP-SGD", "accuracy": 0.8}]))
    method  accuracy
    SGD        0.912
    DP-SGD       0.8
    """
    columns = columns_of(rows)
    cells = [[number(row.get(name), digits) for name in columns] for row in rows]
    left = [all(isinstance(row.get(name), str | None) for row in rows) for name in columns]
    widths = [max(len(line[i]) for line in [columns, *cells]) for i in range(len(columns))]
    lines = []
    for line in [columns, *cells]:
        padded = [c.ljust(w) if is_left else c.rjust(w) for c, w, is_left in zip(line, widths, left, strict=True)]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def table(rows: Any, *, digits: int = 3, title: str = "") -> Display:
    """Show a DataFrame or a list of rows with rounded numbers, the same on every machine.

    Parameters
    ----------
    rows
        A pandas DataFrame (its index is left out) or a sequence of mappings.
    digits
        Significant digits of floats.
    title
        A line above the table, where a cell shows several.

    Examples
    --------
    >>> table([{"K": 16, "accuracy": 0.2301}], title="What K gives")
    What K gives
     K  accuracy
    16      0.23
    """
    records = rows.to_dict("records") if hasattr(rows, "to_dict") else [dict(row) for row in rows]
    text = table_text(records, digits)
    return Display(
        html=table_html(records, digits=digits, title=title), text=f"{plain(title)}\n{text}" if title else text
    )
