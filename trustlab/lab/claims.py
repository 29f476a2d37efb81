"""A paper's claims compared with what was measured: one line each, with whether it holds."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trustlab.intervals import Interval, mean_interval
from trustlab.lab.display import Display, inline, number, plain, table_text

HOLDS, FAILS = "holds", "does not hold"
NARROW = "text-align:left;white-space:nowrap"  # a number and its outcome stay on one line


class Claims(Display):
    """The table of :func:`claims`; ``rows`` has the rounded cells and ``all_hold`` the overall outcome."""

    def __init__(self, rows: list[dict[str, str]]) -> None:
        self.rows = rows
        self.all_hold = all(row["outcome"] == HOLDS for row in rows)
        text = table_text([{name: plain(cell) for name, cell in row.items()} for row in rows])
        super().__init__(html=_html(rows), text=text)


def claims(rows: Sequence[Mapping[str, Any]], *, digits: int = 3) -> Claims:
    """Show each claim with what was measured and whether it holds.

    Parameters
    ----------
    rows
        One mapping per claim: ``claim``, the sentence; ``values``, one number per seed (or ``measured``, an
        :class:`~trustlab.intervals.Interval` or a text); ``holds``, a bool or a function of the interval, such as
        ``lambda m: m.low > 0``; optionally ``unit``.
    digits
        Significant digits shown. Choose them so that another CPU shows the same.

    Raises
    ------
    ValueError
        If a row lacks its claim, its measurement or its test, or names something else.

    Examples
    --------
    >>> gain = [0.04, 0.05, 0.06]
    >>> claims([{"claim": "EDP-SGD beats DP-SGD", "values": gain, "holds": lambda m: m.low > 0}], digits=2)
    claim                 measured                            outcome
    EDP-SGD beats DP-SGD  0.05 (95 % 0.025 to 0.075, 3 runs)  holds
    """
    if not rows:
        raise ValueError("Expected at least one claim, got none.")
    return Claims([_row(row, digits) for row in rows])


def _row(row: Mapping[str, Any], digits: int) -> dict[str, str]:
    unknown = sorted(set(row) - {"claim", "values", "measured", "holds", "unit"})
    if unknown or not {"claim", "holds"} <= set(row) or ("values" in row) == ("measured" in row):
        raise ValueError(f"Expected claim, holds and either values or measured (and unit), got {', '.join(row)}.")
    measured = mean_interval(row["values"]) if "values" in row else row["measured"]
    outcome = HOLDS if _test(row["holds"], measured) else FAILS
    return {"claim": row["claim"], "measured": _measured(measured, row.get("unit", ""), digits), "outcome": outcome}


def _test(holds: bool | Callable[[Any], bool], measured: Any) -> bool:
    return bool(holds(measured)) if callable(holds) else bool(holds)


def _measured(measured: Any, unit: str, digits: int) -> str:
    unit = f" {unit}" if unit else ""
    if not isinstance(measured, Interval):
        return f"{_number(measured, digits)}{unit}"
    mean, low, high = (_number(part, digits) for part in measured[:3])
    if math.isnan(measured.low):
        return f"{mean}{unit} (one run, no interval)"
    return f"{mean}{unit} (95 % {low} to {high}, {measured.n} runs)"


def _number(value: Any, digits: int) -> str:
    text = number(value, digits)
    return text if isinstance(value, str) else text.replace("-", "−")


def _html(rows: Sequence[Mapping[str, str]]) -> str:
    head = "".join(f'<th scope="col" style="text-align:left">{name}</th>' for name in rows[0])
    body = []
    for row in rows:
        sign, colour = ("✓", "#009E73") if row["outcome"] == HOLDS else ("✗", "#D55E00")
        mark = f'<strong style="color:{colour}">{sign}</strong> {html.escape(row["outcome"])}'
        cells = [inline(row["claim"]), html.escape(row["measured"]), mark]
        looks = ("text-align:left", NARROW, NARROW)
        columns = (f'<td style="{look}">{cell}</td>' for look, cell in zip(looks, cells, strict=True))
        body.append(f"<tr>{''.join(columns)}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
