"""A paper's claims compared with what was measured: one line each, and whether it holds, is refuted or stays open."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

from trustlab.intervals import Interval, mean_interval
from trustlab.lab.display import Display, inline, number, plain, table_text
from trustlab.lab.outcomes import BARS, HOLDS, REFUTED, RUNS, Outcome, outcomes

NARROW = "text-align:left;white-space:nowrap"  # a number and its outcome stay on one line
SMALL = "color:var(--jp-ui-font-color2, #666)"  # what a claim was measured with, under it
MARKS = {HOLDS: ("✓", "#009E73"), REFUTED: ("✗", "#D55E00")}
UNDECIDED = ("?", "#767676")
OPTIONAL = ("unit", "setup", "unless", "p", "sampled")


class Claims(Display):
    """The table of :func:`claims`.

    Attributes
    ----------
    rows
        The rounded cells of every line: ``claim``, ``measured``, ``p (Holm)`` and ``outcome``.
    all_hold
        Whether every claim holds.
    """

    def __init__(self, rows: list[dict[str, str]], notes: list[str]) -> None:
        self.rows = rows
        self.all_hold = all(row["outcome"] == HOLDS for row in rows)
        noted = [_with_note(row, note) for row, note in zip(rows, notes, strict=True)]
        text = table_text([{name: plain(cell) for name, cell in row.items()} for row in noted])
        super().__init__(html=_html(rows, notes), text=text)


def claims(rows: Sequence[Mapping[str, Any]], *, digits: int = 3) -> Claims:
    """Show each claim with what was measured, and whether it holds, is refuted or is not decided by these runs.

    All lines of one call are judged together, see :mod:`trustlab.lab.outcomes`: give a notebook's claims in one call.
    The interval shown is the plain 95 % one; the p-value is corrected for the number of lines.

    Parameters
    ----------
    rows
        One mapping per claim: ``claim``, the sentence; ``values``, one number per seed (or ``measured``, an
        :class:`~trustlab.intervals.Interval`); and one bar for the mean: ``above=x``, ``below=x`` or
        ``within=(low, high)``. Where nothing is left to chance, ``measured`` is a text or a number, and ``holds`` a
        bool. Optionally ``unit``; ``setup``, what it was measured with; ``unless``, what would change it; ``p``, a
        two-sided p-value of the bar that replaces Student's; and ``sampled``, what the interval's n counts where that
        is not runs, such as "models".
    digits
        Significant digits shown. Choose them so that another CPU shows the same.

    Raises
    ------
    ValueError
        If a row lacks its claim, its measurement or its bar, or names something else.

    Examples
    --------
    >>> gain = [0.04, 0.05, 0.06]
    >>> claims([{"claim": "A beats B", "values": gain, "above": 0, "setup": "both tuned"}], digits=2)
    claim                   measured                            p (Holm)  outcome
    A beats B [both tuned]  0.05 (95 % 0.025 to 0.075, 3 runs)  0.013     holds
    """
    if not rows:
        raise ValueError("Expected at least one claim, got none.")
    measured = [_measurement(row) for row in rows]
    judged = outcomes(rows, measured)
    shown = [_row(*each, digits) for each in zip(rows, measured, judged, strict=True)]
    return Claims(shown, [_note(row) for row in rows])


def _measurement(row: Mapping[str, Any]) -> Any:
    """Return what a row measured, after a look at whether it is a claim at all."""
    bars = [name for name in (*BARS, "holds") if name in row]
    unknown = set(row) - {"claim", "values", "measured", *BARS, "holds", *OPTIONAL}
    if unknown or "claim" not in row or len(bars) != 1 or ("values" in row) == ("measured" in row):
        raise ValueError(
            f"Expected claim, values or measured, one of {', '.join(BARS)} or holds, perhaps {', '.join(OPTIONAL)}, "
            f"got {', '.join(row)}."
        )
    measured = mean_interval(row["values"]) if "values" in row else row["measured"]
    exact = not isinstance(measured, Interval)
    if exact != (bars == ["holds"]) or (exact and not isinstance(row["holds"], bool)):
        raise ValueError(
            f"Expected a bar for what has an interval, and holds=True or False for a text or a number, got {bars[0]} "
            f"for {row['claim']!r}. A bool would hide how sure an outcome is."
        )
    return measured


def _row(row: Mapping[str, Any], measured: Any, outcome: Outcome, digits: int) -> dict[str, str]:
    return {
        "claim": row["claim"],
        "measured": _measured(measured, row, digits),
        "p (Holm)": "" if outcome.p is None else "< 0.001" if outcome.p < 0.001 else f"{outcome.p:.2g}",
        "outcome": outcome.word,
    }


def _note(row: Mapping[str, Any]) -> str:
    """Return what a claim was measured with, and what would change it; empty where the row does not say."""
    unless = f"would change with {row['unless']}" if "unless" in row else ""
    return "; ".join(filter(None, (row.get("setup", ""), unless)))


def _with_note(row: dict[str, str], note: str) -> dict[str, str]:
    return {**row, "claim": f"{row['claim']} [{note}]"} if note else row


def _measured(measured: Any, row: Mapping[str, Any], digits: int) -> str:
    unit = f" {row['unit']}" if row.get("unit") else ""
    if not isinstance(measured, Interval):
        return f"{_number(measured, digits)}{unit}"
    mean, low, high = (_number(part, digits) for part in measured[:3])
    if math.isnan(measured.low):
        return f"{mean}{unit} (one run, no interval)"
    return f"{mean}{unit} (95 % {low} to {high}, {measured.n} {row.get('sampled', RUNS)})"


def _number(value: Any, digits: int) -> str:
    text = number(value, digits)
    return text if isinstance(value, str) else text.replace("-", "−")


def _html(rows: Sequence[Mapping[str, str]], notes: Sequence[str]) -> str:
    head = "".join(f'<th scope="col" style="text-align:left">{name}</th>' for name in rows[0])
    body = []
    for row, note in zip(rows, notes, strict=True):
        sign, colour = MARKS.get(row["outcome"], UNDECIDED)
        mark = f'<strong style="color:{colour}">{sign}</strong> {html.escape(row["outcome"])}'
        small = f'<br><small style="{SMALL}">{inline(note)}</small>' if note else ""
        cells = [f"{inline(row['claim'])}{small}", html.escape(row["measured"]), html.escape(row["p (Holm)"]), mark]
        looks = ("text-align:left", NARROW, NARROW, NARROW)
        columns = (f'<td style="{look}">{cell}</td>' for look, cell in zip(looks, cells, strict=True))
        body.append(f"<tr>{''.join(columns)}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
