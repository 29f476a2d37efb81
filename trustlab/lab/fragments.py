"""A figure as SVG, of which only what has changed is drawn again.

Each artist's piece of SVG is kept, by what decides it: where its axes are, which limits they have (a legend or a title
does not depend on them), and, of lines and texts, how they look. Of all other artists matplotlib marks as stale what
was set since it was drawn last; a stale one is drawn again. So axes, ticks and legends, which cost most, mostly stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Any
from weakref import WeakKeyDictionary

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis, YAxis
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.spines import Spine
from matplotlib.text import Text

from trustlab.lab.vector import PIXELS_PER_INCH, Writer

MOST_KEPT = 64  # looks of an artist
Piece = tuple[tuple[float, ...] | None, str]


class Fragments:
    """The pieces of one figure.

    Parameters
    ----------
    figure
        At the resolution of CSS pixels.
    """

    def __init__(self, figure: Figure) -> None:
        width, height = figure.get_size_inches() * PIXELS_PER_INCH
        self.writer = Writer(float(width), float(height))
        self._kept: WeakKeyDictionary[Artist, dict[Any, list[Piece]]] = WeakKeyDictionary()
        # Another renderer takes the marks away, and then it is not known what has changed since.
        figure.canvas.mpl_connect("draw_event", lambda _: self._kept.clear())

    def pieces(self, figure: Figure) -> Iterator[Piece]:
        """Yield the pieces from the back to the front."""
        behind = [artist for artist in figure.get_children() if artist is not figure.patch]
        for artist in sorted(behind, key=attrgetter("zorder")):
            if isinstance(artist, Axes):
                yield from self.pieces_of_axes(artist)
            else:
                yield from self.pieces_of(artist, None)

    def pieces_of_axes(self, axes: Axes, *, without: Artist | None = None) -> Iterator[Piece]:
        """Yield the pieces of `axes`, but one artist's."""
        if not axes.get_visible():
            return
        locator = axes.get_axes_locator()
        axes.apply_aspect(locator(axes, self.writer) if locator else None)
        for artist in sorted(_drawn(axes), key=attrgetter("zorder")):
            if artist is not without:
                yield from self.pieces_of(artist, axes)

    def pieces_of(self, artist: Artist, axes: Axes | None) -> list[Piece]:
        """Return the pieces of an artist: those kept, unless it has changed."""
        if not artist.get_visible():
            return []
        look = _look(artist)
        key = None if axes is None else _place(artist, axes), look
        kept = self._kept.setdefault(artist, {})
        if look is None and any(part.stale for part in _parts(artist)):
            kept.clear()
        if key not in kept:
            if len(kept) == MOST_KEPT:
                del kept[next(iter(kept))]
            draw = self.writer.pieces_of_image if isinstance(artist, AxesImage) else self.writer.pieces_of
            kept[key] = draw(artist)
        return kept[key]


def _place(artist: Artist, axes: Axes) -> tuple[Any, ...]:
    """Return what of its axes decides the picture of an artist."""
    box = axes.bbox.bounds
    if isinstance(artist, XAxis):
        return *box, *axes.get_xlim(), axes.get_xscale()
    if isinstance(artist, YAxis):
        return *box, *axes.get_ylim(), axes.get_yscale()
    titles = axes.title, axes._left_title, axes._right_title
    if isinstance(artist, Legend | Spine) or artist in titles or artist.get_transform() is axes.transAxes:
        return box
    return *box, *axes.get_xlim(), *axes.get_ylim(), axes.get_xscale(), axes.get_yscale()


def _look(artist: Artist) -> tuple[Any, ...] | None:
    """Return all that a line, a text or an axis looks like, None for artists whose stale mark has to do.

    Panels set these at every step, mostly to what they are: their marks would say nothing. What an axis looks like
    otherwise (colours and lengths of ticks) is set before it is drawn.
    """
    own = getattr(artist, "_trustlab_names", None), getattr(artist, "_trustlab_faded", None), artist.get_alpha()
    if isinstance(artist, Line2D):
        line = artist.get_color(), artist.get_linestyle(), artist.get_linewidth(), artist.get_xydata().tobytes()
        marker = artist.get_marker(), artist.get_markersize(), artist.get_markeredgewidth()
        return *own, *line, *marker, artist.get_fillstyle(), artist.get_markerfacecolor(), artist.get_markeredgecolor()
    if type(artist) is Text:
        written = artist.get_text(), artist.get_position(), artist.get_color(), artist.get_rotation()
        return *own, *written, artist.get_fontweight(), artist.get_fontsize(), artist.get_ha(), artist.get_va()
    if isinstance(artist, Axis):
        ticks = artist.get_major_locator(), artist.get_major_formatter(), artist.get_minor_locator()
        return *own, *ticks, artist.get_minor_formatter(), artist.label.get_text()
    return None


def _drawn(axes: Axes) -> list[Artist]:
    """Return what matplotlib draws of `axes`, apart from their ground."""
    framed = axes.axison and axes.get_frame_on()
    left_out = {axes.patch, *(() if framed else axes.spines.values()), *(() if axes.axison else _axis(axes))}
    return [artist for artist in axes.get_children() if artist not in left_out]


def _axis(axes: Axes) -> tuple[Axis, Axis]:
    return axes.xaxis, axes.yaxis


def _parts(artist: Artist) -> Iterable[Artist]:
    """Return the artist, and the texts of a legend: it does not watch them."""
    return (artist, *artist.get_texts()) if isinstance(artist, Legend) else (artist,)


def joined(pieces: Iterable[Piece]) -> str:
    """Return pieces as the inside of one SVG; neighbours with the same clip rectangle share one clipping element."""
    parts, open_clip = [], None
    for clip, text in pieces:
        if clip != open_clip:
            parts.append("</svg>" if open_clip else "")
            if clip:
                x, y, width, height = (round(each, 2) for each in clip)
                parts.append(f'<svg x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" ')
                parts.append(f'viewBox="{x:g} {y:g} {width:g} {height:g}">')
            open_clip = clip
        parts.append(text)
    return "".join([*parts, "</svg>" if open_clip else ""])
