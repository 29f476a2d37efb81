"""The marks of a sweep: an outcome over an option, a line per method; chosen points ringed, diverged ones crossed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from trustlab.lab.display import number
from trustlab.lab.figures import FONT_POINTS, clean, colour_and_marker, logarithmic, new_figure
from trustlab.lab.vector import name_points

ONE, PANE, HEIGHT = 620, 320, 330  # CSS pixels: the width of one pane alone, of each of several, and the height
ENTRY, LETTER = 40, 7.2  # CSS pixels of a legend: what a name has besides its letters, and a letter
CROWDED = 7  # more values than this on an axis would write into each other


def swept(
    rows: Sequence[Mapping[str, Any]],
    *,
    x: str,
    y: str,
    series: str,
    pane: str | None,
    chosen: str | None,
    x_label: str,
    y_label: str,
    per_cent: bool,
    log: bool,
    log_y: bool,
) -> Figure:
    """Draw the rows of :func:`trustlab.lab.finding.lines`."""
    names = list(dict.fromkeys(str(row[series]) for row in rows))
    panes = list(dict.fromkeys(str(row[pane]) for row in rows)) if pane else [""]
    width = ONE if len(panes) == 1 else PANE * len(panes)
    fits = sum(ENTRY + LETTER * len(name) for name in names) <= width - 64
    columns = len(names) if fits else math.ceil(len(names) / 2)
    head = (66 if pane else 44) + (0 if fits else 20)  # a second row of the legend
    height = HEIGHT + head - 44
    figure = new_figure(width, height)
    axes = figure.subplots(1, len(panes), sharey=True, squeeze=False)[0]
    values = sorted({float(row[x]) for row in rows})
    for at, (ax, title) in enumerate(zip(axes, panes, strict=True)):
        clean(ax, x_label="" if pane else x_label, y_label="" if at else y_label)
        _scale(ax, values, log=log, log_y=log_y, per_cent=per_cent)
        ax.set_title(title, fontsize=FONT_POINTS + 1, loc="left")
        here = [row for row in rows if not pane or str(row[pane]) == title]
        for i, name in enumerate(names):
            own = sorted((row for row in here if str(row[series]) == name), key=lambda row: float(row[x]))
            _line(ax, own, i, x=x, y=y, series=series, chosen=chosen, per_cent=per_cent)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="upper left", bbox_to_anchor=(64 / width, 1.0), ncols=columns, frameon=False,
        fontsize=FONT_POINTS, handlelength=1.6, columnspacing=1.4,
    )  # fmt: skip
    longest = max(len(number(value)) for value in values)
    left = 86 if log_y or per_cent else 70
    right = 34 if longest > 7 else 16  # room for half of a long last value
    figure.subplots_adjust(
        left=left / width,
        right=1 - right / width,
        top=1 - head / height,
        bottom=54 / height,
        wspace=0.14 if longest > 4 else 0.08,
    )
    if pane:  # once for all: a pane may be narrower than its label
        figure.supxlabel(x_label, x=(left + width - right) / 2 / width, y=8 / height, fontsize=FONT_POINTS)
    return figure


def _line(
    ax: Axes,
    rows: Sequence[Mapping[str, Any]],
    at: int,
    *,
    x: str,
    y: str,
    series: str,
    chosen: str | None,
    per_cent: bool,
) -> None:
    """Draw one method: its points joined, a ring around the chosen one, a cross at the foot where one diverged."""
    colour, marker = colour_and_marker(at)
    there = [row for row in rows if row.get(y) is not None and math.isfinite(row[y])]
    (line,) = ax.plot(
        [float(row[x]) for row in there], [row[y] for row in there], color=colour, marker=marker, markersize=6.5,
        linewidth=1.8, label=str(rows[0][series]) if rows else "", zorder=3,
    )  # fmt: skip
    name_points(line, [f"{row[series]}, {x} {number(float(row[x]))}: {written(row[y], per_cent)}" for row in there])
    for row in there:
        if chosen and row.get(chosen):
            ax.plot([float(row[x])], [row[y]], "o", mfc="none", mec=colour, mew=1.8, markersize=14, zorder=4)
    for row in rows:
        if row not in there:
            ax.plot([float(row[x])], [0.04], "x", color=colour, markersize=8, mew=2, transform=ax.get_xaxis_transform())


def written(value: float, per_cent: bool) -> str:
    """Write a value as the axis does."""
    return (f"{100 * value:.0f} %" if per_cent else number(float(value))).replace("-", "−")


def _scale(ax: Axes, values: Sequence[float], *, log: bool, log_y: bool, per_cent: bool) -> None:
    if log:
        logarithmic(ax)
    if log_y:
        logarithmic(ax, "y")
    else:
        ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: written(value, per_cent)))
    if len(values) <= CROWDED:
        ax.xaxis.set_major_locator(FixedLocator(values))
        ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(float(value))))
