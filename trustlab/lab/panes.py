"""A figure of several panes as HTML: next to each other where there is room, below each other on a narrow page.

All panes have the figure's height and one scale, so side by side they are the figure. A legend above the first pane
becomes a line of its own that breaks where the page is narrow; a pane that shares its y axis with the one before shows
the axis' numbers only when it stands alone.
"""

from __future__ import annotations

import html
import math
from bisect import bisect
from collections.abc import Iterator, Sequence
from weakref import WeakKeyDictionary

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text

from trustlab.lab.fragments import Fragments, joined
from trustlab.lab.look import em
from trustlab.lab.vector import PIXELS_PER_INCH, PIXELS_PER_POINT, Writer

NARROW = 700  # CSS pixels of width below which panes stand below each other
ALONE = "trustlab-alone"
STYLE = (
    f".{ALONE}{{display:none}}@container (max-width:{NARROW - 0.02}px)"
    f"{{.{ALONE}{{display:inline}}div:has(>svg>.{ALONE}){{padding-left:2.4em}}}}"
)
BETWEEN = 20  # CSS pixels: closer axes, such as a scale of colours, stay together
AFTER, NUMBERS_OF_A_SCALE = 12, 40  # CSS pixels from a column's end to its cut
ROOM = 3  # CSS pixels around an entry of a legend, for markers larger than their line


def cuts_of(figure: Figure, writer: Writer) -> list[float]:
    """Return where `figure` is cut, in CSS pixels from the left: between columns of axes, before the next one's labels.

    Labels are measured once: the cuts of a figure stay where they are.

    Examples
    --------
    >>> figure = Figure(figsize=(8, 4), dpi=PIXELS_PER_INCH)
    >>> left, right = figure.add_axes((0.1, 0.1, 0.3, 0.8)), figure.add_axes((0.6, 0.1, 0.3, 0.8))
    >>> cuts_of(figure, Writer(800, 400))
    [332.0]
    """
    if figure not in _CUTS:
        _CUTS[figure] = list(_between_columns(figure, writer))
    return _CUTS[figure]


_CUTS: WeakKeyDictionary[Figure, list[float]] = WeakKeyDictionary()


def _between_columns(figure: Figure, writer: Writer) -> Iterator[float]:
    width = float(figure.get_size_inches()[0] * PIXELS_PER_INCH)
    boxes = ((*(width * axes.get_position(original=True).intervalx), i) for i, axes in enumerate(figure.axes))
    end, after = -math.inf, 0  # of the column so far
    for left, right, i in sorted(boxes):
        axes = figure.axes[i]
        if math.isfinite(end) and left - end > BETWEEN:
            labels = axes.yaxis.get_tightbbox(writer) if axes.axison else None
            yield round(float(max(end, min(end + after, (left if labels is None else labels.x0) - ROOM))), 1)
            end = -math.inf
        if right > end:
            end, after = right, NUMBERS_OF_A_SCALE if hasattr(axes, "_colorbar") else AFTER


def panes_html(figure: Figure, fragments: Fragments) -> str:
    """Return the panes of `figure` as HTML."""
    width, height = figure.get_size_inches() * PIXELS_PER_INCH
    cuts = cuts_of(figure, fragments.writer)
    ends = [0.0, *cuts, float(width)]
    panes: list[list[str]] = [[] for _ in ends[1:]]
    places = {axes: bisect(cuts, sum(axes.bbox.intervalx) / 2) for axes in figure.axes}
    lifted = next((legend for axes in figure.axes if (legend := _above(axes)) and places[axes] == 0), None)
    for axes, place in places.items():
        panes[place].append(joined(fragments.pieces_of_axes(axes, without=lifted)))
        panes[place].append(_numbers(axes, fragments, float(height)) if place else "")
    strip = "" if lifted is None else _strip(lifted, fragments, float(height))
    tops = [0.0 if lifted is None else float(height) - _bottom(lifted, fragments), *(0.0 for _ in panes[1:])]
    parts = []
    for inside, left, right, top in zip(panes, ends, ends[1:], tops, strict=False):
        box = f"{left:.5g} {top:.5g} {right - left:.5g} {height - top:.5g}"
        basis = NARROW * (right - left) / width
        item = f"flex:{right - left:.5g} 1 {basis:.5g}px;max-width:{em(right - left)};min-width:0"
        drawn = (
            f'<svg viewBox="{box}" style="display:block;width:100%;height:auto;overflow:visible" aria-hidden="true">'
        )
        parts.append(f'<div style="{item}">{"" if parts else strip}{drawn}{"".join(inside)}</svg></div>')
    row = "display:flex;flex-wrap:wrap;align-items:flex-end;row-gap:.8em"
    lines = [_line(text, fragments, float(width), float(height)) for text in figure.texts]
    over, under = ("".join(line for line, is_over in lines if is_over == wanted) for wanted in (True, False))
    return f'<style>{STYLE}</style>{over}<div style="{row}">{"".join(parts)}</div>{under}'


def _line(text: Text, fragments: Fragments, width: float, height: float) -> tuple[str, bool]:
    """Return a text of the whole figure as a line of HTML, and whether it is in the free strip above the panes.

    A line breaks where the page is narrow, and then needs more room than the strip.
    """
    box = text.get_window_extent(fragments.writer)
    is_over = bool(box.y0 > height / 2)
    strip = f"margin-bottom:{em(box.y0 - height)}" if is_over else f"margin-top:{em(-box.y1)}"
    sides = f"padding-left:{em(box.x0)}" if text.get_ha() == "left" else f"padding-right:{em(width - box.x1)}"
    size = text.get_fontsize() * PIXELS_PER_POINT
    line = f'<div style="font-size:{em(size)};line-height:1.2">{html.escape(text.get_text())}</div>'
    return f'<div style="{strip};text-align:{text.get_ha()};{sides}" aria-hidden="true">{line}</div>', is_over


def _above(axes: Axes) -> Legend | None:
    """Return the legend that stands above `axes`, if there is one."""
    legend = axes.get_legend()
    return legend if legend is not None and _stands_above(legend) else None


def _stands_above(legend: Legend) -> bool:
    return legend.get_bbox_to_anchor().y0 >= legend.axes.bbox.y1 - 1 and legend._loc == LOWER_LEFT


LOWER_LEFT = Legend.codes["lower left"]


def _bottom(legend: Legend, fragments: Fragments) -> float:
    return float(legend.get_window_extent(fragments.writer).y0)


def _strip(legend: Legend, fragments: Fragments, height: float) -> str:
    """Return a line with an entry for each sign of a legend and its text."""
    writer = fragments.writer
    fragments.pieces_of(legend, legend.axes)  # places its parts
    size = legend.prop.get_size_in_points() * PIXELS_PER_POINT
    before = (legend.handlelength + legend.handletextpad) * size
    entries = []
    for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True):
        box = text.get_window_extent(writer)
        x, y = box.x0 - before - ROOM, height - box.y1 - ROOM
        wide, high = box.width + before + 2 * ROOM, box.height + 2 * ROOM
        drawn = joined([*fragments.pieces_of(handle, legend.axes), *fragments.pieces_of(text, legend.axes)])
        size_on_page = f"width:{em(wide)};height:{em(high)};overflow:visible;flex:none"
        entries.append(f'<svg viewBox="{x:.5g} {y:.5g} {wide:.5g} {high:.5g}" style="{size_on_page}">{drawn}</svg>')
    left = legend.get_window_extent(writer).x0
    style = f"display:flex;flex-wrap:wrap;gap:0 1em;width:100cqi;box-sizing:border-box;padding-left:{em(left)}"
    return f'<div style="{style}" aria-hidden="true">{"".join(entries)}</div>'


def _numbers(axes: Axes, fragments: Fragments, height: float) -> str:
    """Return the numbers of a y axis that `axes` leave to the pane they share it with."""
    if not axes.axison or any(tick.label1.get_visible() for tick in axes.yaxis.get_major_ticks()[:1]):
        return ""
    shared: Sequence[Axes] = [other for other in axes.get_shared_y_axes().get_siblings(axes) if other is not axes]
    if not shared:
        return ""
    low, high = axes.get_ylim()
    first = shared[0]
    texts = []
    for tick in first.yaxis.get_major_ticks():
        y = tick.get_loc()
        if min(low, high) <= y <= max(low, high):
            at = axes.transData.transform((axes.get_xlim()[0], y))[1]
            size = tick.label1.get_fontsize() * PIXELS_PER_POINT
            place = f'x="{axes.bbox.x0 - 8:.5g}" y="{height - at + 0.36 * size:.5g}" font-size="{size:.4g}"'
            texts.append(f'<text {place} text-anchor="end" fill="currentColor">{tick.label1.get_text()}</text>')
    return f'<g class="{ALONE}">{"".join(texts)}</g>'
