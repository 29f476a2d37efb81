"""The marks of a finding: dots, dumbbells and gauges on lines that are named at the left."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from trustlab.lab.display import number
from trustlab.lab.figures import (
    FONT_POINTS,
    GREY,
    PALETTE,
    PIXELS_PER_INCH,
    clean,
    colour_and_marker,
    logarithmic,
    new_figure,
)
from trustlab.lab.vector import name_points

WIDTH = 760  # CSS pixels
LINE, SERIES, BETWEEN = 34, 14, 8  # CSS pixels of a line; of each of several series on it, and between such lines
MANY, CLOSE = 9, 24  # more lines than this stand closer, or a low window shows the picture with small letters
TOP, BOTTOM = 44, 56  # CSS pixels for the legend, and for the axis with its label
PAD = 6  # CSS pixels around the legend
NAMES = 17  # CSS pixels of the dashed lines' names, above which the legend is
LETTER = 8.0  # CSS pixels, wide enough for the page's font at 10.5 pt
MOST_LEFT = 380
DOT = 8.5
CLAIMED, TRUE = PALETTE[5], PALETTE[1]


class Page:
    """A figure with one line per label, in the order of the rows, the first at the top.

    Parameters
    ----------
    rows
        Rows with a column `label`.
    x_label, per_cent, log
        What the axis measures; whether it writes shares in per cent; whether it is logarithmic.
    """

    def __init__(
        self, rows: Sequence[Mapping[str, Any]], label: str, *, x_label: str, per_cent: bool, log: bool
    ) -> None:
        self._label, self._per_cent = label, per_cent
        self._labels = list(dict.fromkeys(str(row[label]) for row in rows))
        most = max(sum(str(row[label]) == name for row in rows) for name in self._labels)
        line = max(LINE, SERIES * most + BETWEEN) if len(self._labels) <= MANY else max(CLOSE, SERIES * most)
        height = TOP + BOTTOM + len(self._labels) * line
        self.figure: Figure = new_figure(WIDTH, height)
        left = min(MOST_LEFT, 24 + LETTER * max(map(len, self._labels)))
        self.figure.subplots_adjust(
            left=left / WIDTH, right=1 - 40 / WIDTH, top=1 - TOP / height, bottom=BOTTOM / height
        )
        self._axes_height = height - TOP - BOTTOM
        self.axes: Axes = self.figure.add_subplot()
        clean(self.axes, x_label=x_label)
        self.axes.grid(axis="x", color="#e3e3e3", linewidth=0.8)
        self.axes.grid(axis="y", visible=False)
        self.axes.set_yticks(range(len(self._labels)), self._labels)
        self.axes.set_ylim(len(self._labels) - 0.5, -0.5)
        self.axes.tick_params(axis="y", length=0)
        if log:
            logarithmic(self.axes)
        elif per_cent:
            self.axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))  # no halves of a per cent
        self.axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: self.written(value)))

    def written(self, value: float) -> str:
        """Write a value as the axis does."""
        text = f"{100 * value:.0f} %" if self._per_cent else number(float(value))
        return text.replace("-", "−")

    def dot(
        self,
        row: Mapping[str, Any],
        value: str,
        at: int,
        *,
        place: int,
        of: int,
        low: str | None = None,
        high: str | None = None,
    ) -> None:
        """Draw the dot of series number `at`, at `place` of `of` on its line, with its interval where it has one."""
        if not _is_there(row.get(value)):
            return
        y = self._line(row) + (place - (of - 1) / 2) * 0.8 / max(of, 2)
        colour, marker = colour_and_marker(at)
        if low and high and _is_there(row.get(low)) and _is_there(row.get(high)):
            self.axes.plot([row[low], row[high]], [y, y], color=colour, linewidth=2.2, solid_capstyle="butt", zorder=3)
        (dot,) = self.axes.plot([row[value]], [y], marker, color=colour, markersize=DOT, zorder=4)
        name_points(dot, [self._said(row, row[value], value)])

    def dumbbell(self, row: Mapping[str, Any], start: str, end: str) -> None:
        """Draw an open dot at `start`, a full one at `end`, joined by a line, with their values."""
        y = self._line(row)
        there = [(row[name], name == end) for name in (start, end) if _is_there(row.get(name))]
        if len(there) == 2:
            self.axes.plot([row[start], row[end]], [y, y], color=PALETTE[0], linewidth=2.4, alpha=0.45, zorder=2)
        for x, full in there:
            face = PALETTE[0] if full else "white"
            look = dict(color=PALETTE[0], markerfacecolor=face, mew=2, markersize=DOT + 1, zorder=4)
            (dot,) = self.axes.plot([x], [y], "o", **look)
            name_points(dot, [self._said(row, x, end if full else start)])
        self._write_ends([x for x, _ in there], y)

    def gauge(self, row: Mapping[str, Any], claimed: str, true: str) -> None:
        """Draw a bar from what was claimed to what is true, and both values."""
        y = self._line(row)
        self.axes.plot([row[claimed], row[true]], [y, y], color=TRUE, linewidth=7, alpha=0.3, zorder=2)
        self.axes.plot([row[claimed]], [y], "o", color=CLAIMED, markerfacecolor="white", mew=2.2, markersize=DOT + 1)
        self.axes.plot([row[true]], [y], "D", color=TRUE, markersize=DOT, zorder=4)
        self._write_ends([row[claimed], row[true]], y)

    def finished(
        self,
        names: Sequence[str],
        reference: Mapping[str, float] | None,
        *,
        open_first: bool = False,
        gauge: tuple[str, str] | None = None,
    ) -> Figure:
        """Write the legend of `names`, draw the dashed lines, and return the figure."""
        for name, x in (reference or {}).items():
            self.axes.axvline(x, color=GREY, linewidth=1.2, linestyle="--", zorder=1)
            where = dict(xytext=(3, 2), textcoords="offset points", xycoords=("data", "axes fraction"))
            self.axes.annotate(name, (x, 1.0), fontsize=FONT_POINTS - 0.5, color=GREY, va="bottom", **where)
        self.axes.margins(x=0.18 if open_first or gauge else 0.1)  # room for the values at the ends
        handles = _gauge_handles(gauge) if gauge else _handles(names, open_first)
        if handles:
            above = 1.0 + NAMES / self._axes_height if reference else 1.0  # where both fit, none hides the other
            self._write_legend(handles, above)
        return self.figure

    def _write_legend(self, handles: list[Line2D], above: float) -> None:
        """Write the legend in as few rows as the page is wide enough for, and make room for them."""
        look: dict[str, Any] = dict(loc="lower right", bbox_to_anchor=(1.0, above), frameon=False, borderaxespad=0.2)
        look |= dict(fontsize=FONT_POINTS, handlelength=1.2, columnspacing=1.4)
        renderer = self.figure.canvas.get_renderer()
        for columns in range(len(handles), 0, -1):
            by_column = [handle for first in range(columns) for handle in handles[first::columns]]  # read row by row
            legend = self.axes.legend(handles=by_column, ncols=columns, **look)
            around = legend.get_window_extent(renderer)
            if around.width <= WIDTH:
                break
        if around.x0 < 0:  # it may be wider than what is left of the axis' end
            right = 1.0 - around.x0 / self.axes.get_window_extent().width
            legend.set_bbox_to_anchor((right, above), self.axes.transAxes)
        more = max(0.0, around.height + PAD + (above - 1.0) * self._axes_height - TOP)
        height = self._axes_height + TOP + BOTTOM + more
        self.figure.set_size_inches(self.figure.get_figwidth(), height / PIXELS_PER_INCH)
        self.figure.subplots_adjust(top=1 - (TOP + more) / height, bottom=BOTTOM / height)

    def _said(self, row: Mapping[str, Any], value: float, column: str) -> str:
        """Return what the mouse shows at a dot."""
        return f"{row[self._label]}, {column}: {self.written(value)}"

    def _line(self, row: Mapping[str, Any]) -> int:
        return self._labels.index(str(row[self._label]))

    def _write_ends(self, places: Sequence[float], y: float) -> None:
        """Write the values left of the leftmost and right of the rightmost mark, one where they are the same text."""
        ends = [(min(places), -1), (max(places), 1)] if places else []
        if len({self.written(x) for x, _ in ends}) == 1:
            ends = ends[1:]
        for x, side in ends:
            offset = dict(xytext=(side * 9, 0), textcoords="offset points", ha="left" if side > 0 else "right")
            self.axes.annotate(self.written(x), (x, y), fontsize=FONT_POINTS - 0.5, va="center", **offset)


def _is_there(value: Any) -> bool:
    return value is not None and math.isfinite(value)


def _handles(names: Sequence[str], open_first: bool) -> list[Line2D]:
    if open_first:
        look = dict(color=PALETTE[0], marker="o", linestyle="none", mew=2, markersize=DOT)
        faces = ("white", PALETTE[0])
        return [Line2D([], [], label=name, mfc=face, **look) for name, face in zip(names, faces, strict=True)]
    looks = map(colour_and_marker, range(len(names)))
    return [
        Line2D([], [], label=name, color=colour, marker=marker, linewidth=2)
        for name, (colour, marker) in zip(names, looks, strict=True)
    ]


def _gauge_handles(names: tuple[str, str]) -> list[Line2D]:
    look = dict(linestyle="none", markersize=DOT)
    claimed = Line2D([], [], label=names[0], color=CLAIMED, marker="o", mfc="white", mew=2.2, **look)
    return [claimed, Line2D([], [], label=names[1], color=TRUE, marker="D", **look)]
