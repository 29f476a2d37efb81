"""The course's most common drawing: lines with 95 % intervals over a grid, the chosen point ringed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from trustlab.lab.display import number
from trustlab.lab.figures import FONT_POINTS, GREY, Drawing, clean, colour_and_marker, logarithmic, points
from trustlab.lab.vector import fade, name_points

FADED = 0.42  # how much of its colour a series out of focus keeps
SAME = 1e-9  # relative to the values
MOST_MARKED = 40
MOST = 0.8  # of a series' points
NEAR = 0.025  # of the height of all points: closer ones hide each other
KEY_TO_THE_MARKS = "lines: means of saved trainings, bands: 95 % intervals · diamonds: yours, one training"
MOST_DIAMONDS = 25  # marks on the line of a reader's own run: more would hide it
ROOM_BELOW = 0.3  # steps of the grid left of its first value, where smaller values are drawn


class Curves(Drawing):
    """Lines with 95 % intervals, one per series, with the chosen point ringed.

    ``draw(answer)`` reads ``answer.numbers`` (one row per series and x), ``answer.focus`` (column → value: the rows
    that match are ringed) and ``answer.live`` (rows of the reader's own run, drawn as diamonds).

    Parameters
    ----------
    x, y, series
        The columns that hold the abscissa, the ordinate and the name of the line.
    low, high
        The columns of the interval's ends; rows without them are drawn without a band.
    grid
        Values of x drawn at equal steps, in this order (``(0.5, 1, 2, 4, 8, math.inf)``, or names); a number between
        two of them is placed between them, a smaller one in the margin. None draws x as a number.
    log_x
        Draw x on a logarithmic axis (without `grid` only).
    y_limits
        Fixed ends of the y axis. Fix them where a reader compares pictures; default: fitted to the numbers.
    references
        Named horizontal lines, such as ``{"guessing": 0.5}``.
    live_line
        Connect the live points, for a run drawn over its steps.
    axes
        Draw there, on a part of another drawing's figure, instead of on a new figure.
    legend_at
        The height of the legend's bottom edge, in heights of the axes; None for a second pane that shares the first's.
    legend
        Options of matplotlib's legend that differ from the usual ones, such as ``ncols``.
    ringed
        Whether the rows in focus are ringed.
    one_of
        Names of which at most one is drawn at a time, after all others: they share a colour, so that it does not
        depend on which of them was drawn first.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> curves = Curves("epsilon", "accuracy", "method", grid=(1, math.inf), x_label="ε", y_label="accuracy")
    >>> rows = [{"epsilon": e, "accuracy": a, "method": "DP-SGD"} for e, a in [(1, 0.7), (math.inf, 0.9)]]
    >>> curves.draw(SimpleNamespace(numbers=rows, focus={"epsilon": 1}, live=()))
    >>> [label.get_text() for label in curves.axes.get_xticklabels()]
    ['1', '∞']
    """

    def __init__(
        self,
        x: str,
        y: str,
        series: str,
        *,
        x_label: str,
        y_label: str = "",
        low: str = "low",
        high: str = "high",
        grid: Sequence[Any] | None = None,
        log_x: bool = False,
        y_limits: tuple[float, float] | None = None,
        references: Mapping[str, float] | None = None,
        live_line: bool = False,
        width: int = 720,
        height: int = 380,
        axes: Axes | None = None,
        legend_at: float | None = 1.0,
        legend: Mapping[str, Any] | None = None,
        ringed: bool = True,
        one_of: Sequence[str] = (),
    ) -> None:
        axes = axes or self._new_axes(width, height)
        self.axes, self._legend_at, self._legend = axes, legend_at, dict(legend or {})
        self.ringed, self._one_of = ringed, frozenset(one_of)
        self.x, self.y, self.series, self.low, self.high = x, y, series, low, high
        self.grid = None if grid is None else list(grid)
        self._x_name = x_label.partition(",")[0] or x
        self.y_limits, self.references = y_limits, dict(references or {})
        clean(axes, x_label=x_label, y_label=y_label)
        axes.autoscale(False)  # _fit decides: empty artists have no limits to offer
        self._set_x_axis(log_x)
        self._lines: dict[str, Any] = {}
        self._bands: dict[str, Any] = {}
        self._colours: dict[str, str] = {}
        self._guide = axes.axvline(1, color=GREY, linewidth=1, linestyle=(0, (2, 3)), visible=False, zorder=1)
        (self._ring,) = axes.plot([], [], "o", markersize=15, fillstyle="none", color="black", mew=1.8, zorder=5)
        style = "D-" if live_line else "D"
        (self._live,) = axes.plot([], [], style, color="black", markersize=6, linewidth=1.4, label="yours", zorder=6)
        self._draw_references()

    def _new_axes(self, width: int, height: int) -> Axes:
        super().__init__(width, height)
        # Fixed margins: a layout engine would cost more than the drawing, and would make the axes jump.
        self.figure.subplots_adjust(left=78 / width, right=1 - 24 / width, bottom=58 / height, top=1 - 42 / height)
        return self.figure.add_subplot()

    def _set_x_axis(self, log_x: bool) -> None:
        """Give a grid its places, and a logarithmic axis plain numbers."""
        if self.grid is not None:
            self.axes.set_xticks(range(len(self.grid)), [number(value) for value in self.grid])
            self.axes.set_xlim(-ROOM_BELOW - 0.05, len(self.grid) - 0.65)
        elif log_x:
            logarithmic(self.axes)
            self.axes.set_xlim(0.1, 1)

    def draw(self, answer: Any) -> None:
        """Move lines, bands, ring and live points to `answer`."""
        focus = dict(getattr(answer, "focus", None) or {})
        live = list(getattr(answer, "live", ()))
        by_series: dict[str, list[Mapping[str, Any]]] = {}
        for row in answer.numbers:
            by_series.setdefault(str(row[self.series]), []).append(row)
        for name in [*by_series, *self._lines]:
            self._draw_series(name, by_series.get(name, []), faded=focus.get(self.series, name) != name)
        self._outline_hidden(focus.get(self.series))
        chosen = [row for row in answer.numbers if all(row.get(k) == v for k, v in focus.items())] if focus else []
        self._ring.set_data(*self._points(chosen if self.ringed else []))
        self._draw_live(live)
        self._guide.set_visible(self.x in focus)
        if self.x in focus:
            self._guide.set_xdata([self._place(focus[self.x])] * 2)
        self._fit([*answer.numbers, *live])
        if self._legend_at is not None:
            self._write_legend(list(by_series), bool(live))

    def shown(self) -> dict[str, Any]:
        """Return what is drawn, places on the x axis and not its values where there is a grid.

        Returns
        -------
        dict
            ``series``: name → its points; ``bands``: those with an interval; ``faded``: those out of focus; ``ring``,
            ``live``: points; ``guide``: the place of the vertical line, None without one; ``legend``: its names.
        """
        drawn = {name: points(line) for name, line in self._lines.items()}
        legend = self.axes.get_legend()
        return {
            "series": {name: line for name, line in drawn.items() if line},
            "bands": [name for name, band in self._bands.items() if band.get_visible()],
            "faded": [name for name, line in self._lines.items() if line.get_color() != self._colours[name]],
            "ring": points(self._ring),
            "live": points(self._live),
            "guide": float(self._guide.get_xdata()[0]) if self._guide.get_visible() else None,
            "legend": [text.get_text() for text in legend.get_texts()] if legend else [],
        }

    def _draw_series(self, name: str, rows: list[Mapping[str, Any]], *, faded: bool) -> None:
        if name not in self._lines:
            i = len(self._lines.keys() - self._one_of)
            colour, marker = colour_and_marker(i)
            self._colours[name] = colour
            (self._lines[name],) = self.axes.plot([], [], color=colour, marker=marker, linewidth=2.2, markersize=7)
            self._bands[name] = self.axes.fill_between([], [], [], color=colour, linewidth=0, zorder=2)
        rows = sorted(rows, key=lambda row: self._place(row[self.x]))
        x, y = self._points(rows)
        self._lines[name].set_data(x, y)
        name_points(self._lines[name], self._names(name, rows))
        self._lines[name].set_zorder(3 if faded else 4)
        self._lines[name].set_color(fade(self._lines[name], self._colours[name], FADED if faded else 1))
        bounded = [row for row in rows if row.get(self.low) is not None and row.get(self.high) is not None]
        band = self._bands[name]
        band.set_visible(bool(bounded))
        band.set_alpha(0.1 if faded else 0.2)
        if bounded:
            at = [self._place(row[self.x]) for row in bounded]
            band.set_data(at, [row[self.low] for row in bounded], [row[self.high] for row in bounded])

    def _outline_hidden(self, focus: str | None) -> None:
        """Give a series whose points lie under those of another larger, hollow markers: they stand out around these."""
        drawn = {name: dict(points(line)) for name, line in self._lines.items()}
        heights = [y for line in drawn.values() for y in line.values()]
        near = NEAR * (max(heights) - min(heights)) if heights else 0.0
        order = sorted(drawn, key=lambda name: name == focus)  # the last is on top
        for i, name in enumerate(order):
            hidden = any(_lies_under(drawn[name], drawn[other], near) for other in order[i + 1 :])
            self._lines[name].set(fillstyle="none" if hidden else "full", markersize=self._size(name, hidden))

    def _draw_live(self, live: Sequence[Mapping[str, Any]]) -> None:
        self._live.set_data(*self._points(live))
        every = math.ceil(len(live) / MOST_DIAMONDS) or 1
        marked = slice((len(live) - 1) % every, None, every)  # the last one is
        self._live.set_markevery(marked)
        name_points(self._live, self._names("yours", live)[marked])

    def _size(self, name: str, hidden: bool) -> float:
        """Return the size of a series' markers: of many points they would hide the line."""
        return 11.5 if hidden else 7.0 if len(self._lines[name].get_xdata()) <= MOST_MARKED else 3.0

    def _names(self, series: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return what the mouse shows at each point."""
        x = self._x_name
        return [f"{series}, {x} = {number(row[self.x])}: {number(row[self.y])}" for row in rows]

    def _draw_references(self) -> None:
        for name, y in self.references.items():
            self.axes.axhline(y, color=GREY, linewidth=1.2, linestyle="--", zorder=1)
            at = (1.0, y)
            text = dict(ha="right", va="bottom", fontsize=10, color=GREY)
            text["bbox"] = dict(facecolor="white", edgecolor="none", pad=1)
            self.axes.annotate(name, at, (0, 4), xycoords=("axes fraction", "data"), textcoords="offset points", **text)

    def _write_legend(self, names: list[str], live: bool) -> None:
        shown = (*names, *(["yours"] if live else []))
        legend = self.axes.get_legend()
        if legend is not None and tuple(text.get_text() for text in legend.get_texts()) == shown:
            return
        handles = [self._legend_line(name) for name in names] + ([self._live] if live else [])
        usual: dict[str, Any] = dict(loc="lower left", bbox_to_anchor=(-0.01, self._legend_at), frameon=False)
        usual |= dict(ncols=max(len(handles), 1), fontsize=FONT_POINTS, handlelength=1.8, columnspacing=1.6)
        self.axes.legend(handles, shown, **usual | self._legend)

    def _legend_line(self, name: str) -> Line2D:
        """Return a line for the legend that does not fade with its series."""
        line = self._lines[name]
        return Line2D([], [], color=self._colours[name], marker=line.get_marker(), linewidth=2.2, markersize=7)

    def _points(self, rows: Sequence[Mapping[str, Any]]) -> tuple[list[float], list[float]]:
        return [self._place(row[self.x]) for row in rows], [float(row[self.y]) for row in rows]

    def _place(self, value: Any) -> float:
        """Return where on the x axis `value` is drawn."""
        if self.grid is None:
            return float(value)
        if value in self.grid:
            return float(self.grid.index(value))
        if isinstance(value, str):
            raise ValueError(f"Expected {self.x}={value!r} to be one of {', '.join(map(repr, self.grid))}.")
        finite = [(float(v), i) for i, v in enumerate(self.grid) if math.isfinite(v)]
        lowest, at = min(finite)
        if 0 <= value < lowest:
            return at - ROOM_BELOW * (1 - value / lowest)  # in the margin: a value below the grid is not at its edge
        return float(np.interp(value, *zip(*sorted(finite), strict=True)))

    def _fit(self, rows: Sequence[Mapping[str, Any]]) -> None:
        if self.grid is None and rows:
            at = [self._place(row[self.x]) for row in rows]
            room = 0.03 * (max(at) - min(at)) or 0.5
            if self.axes.get_xscale() == "log":
                self.axes.set_xlim(min(at) / 1.15, max(at) * 1.15)
            else:
                self.axes.set_xlim(min(at) - room, max(at) + room)
        if self.y_limits is not None:
            self.axes.set_ylim(*self.y_limits)
            return
        seen = [row[name] for row in rows for name in (self.y, self.low, self.high) if row.get(name) is not None]
        finite = [float(v) for v in [*seen, *self.references.values()] if math.isfinite(v)]
        if finite:
            spread = max(finite) - min(finite)
            room = 0.08 * spread if spread > SAME * max(map(abs, finite)) else 0.1  # rounding errors are no spread
            self.axes.set_ylim(min(finite) - room, max(finite) + room)


def _lies_under(line: Mapping[float, float], other: Mapping[float, float], near: float) -> bool:
    """Return whether most points of `line` have one of `other` at their place.

    Examples
    --------
    >>> _lies_under({1.0: 0.5, 2.0: 0.7}, {1.0: 0.501, 2.0: 0.7, 3.0: 0.9}, near=0.01)
    True
    """
    hidden = sum(x in other and abs(y - other[x]) <= near for x, y in line.items())
    return bool(line) and hidden >= MOST * len(line)


def write_key(figure: Figure) -> None:
    """Write below the curves of a figure what lines, bands and diamonds are."""
    figure.text(0.985, 0.02, KEY_TO_THE_MARKS, ha="right", fontsize=FONT_POINTS - 0.5, color=GREY)
