"""A figure as SVG, of which only what has changed is drawn again.

Each artist's piece of SVG is kept. matplotlib marks an artist as stale when something of it is set, and drawing it
takes the mark away; what else decides a piece is where its axes are and which limits they have. So a piece is kept
until its artist is stale or its axes have other limits: axes, ticks, legends and texts, which cost most, mostly stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Any
from weakref import WeakKeyDictionary

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.legend import Legend

from trustlab.lab.vector import PIXELS_PER_INCH, Writer

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
        self._kept: WeakKeyDictionary[Artist, tuple[Any, list[Piece]]] = WeakKeyDictionary()
        # Another renderer takes the marks away, and then it is not known what has changed since.
        figure.canvas.mpl_connect("draw_event", lambda _: self._kept.clear())

    def pieces(self, figure: Figure) -> Iterator[Piece]:
        """Yield the pieces from the back to the front."""
        behind = [artist for artist in figure.get_children() if artist is not figure.patch]
        for artist in sorted(behind, key=attrgetter("zorder")):
            if isinstance(artist, Axes):
                yield from self._pieces_of_axes(artist)
            else:
                yield from self._pieces_of(artist, None)

    def _pieces_of_axes(self, axes: Axes) -> Iterator[Piece]:
        if not axes.get_visible():
            return
        locator = axes.get_axes_locator()
        axes.apply_aspect(locator(axes, self.writer) if locator else None)
        where = (*axes.bbox.bounds, *axes.viewLim.bounds, axes.get_xscale(), axes.get_yscale())
        for artist in sorted(_drawn(axes), key=attrgetter("zorder")):
            yield from self._pieces_of(artist, where)

    def _pieces_of(self, artist: Artist, where: Any) -> list[Piece]:
        """Return the pieces of an artist: those kept, unless it has changed."""
        if not artist.get_visible():
            return []
        kept = self._kept.get(artist)
        if kept is None or kept[0] != where or any(part.stale for part in _parts(artist)):
            kept = (
                where,
                self.writer.pieces_of_image(artist)
                if isinstance(artist, AxesImage)
                else (self.writer.pieces_of(artist)),
            )
            self._kept[artist] = kept
        return kept[1]


def _drawn(axes: Axes) -> list[Artist]:
    """Return what matplotlib draws of `axes`, apart from their ground."""
    framed = axes.axison and axes.get_frame_on()
    left_out = {axes.patch, *(() if framed else axes.spines.values()), *(() if axes.axison else _axis(axes))}
    return [artist for artist in axes.get_children() if artist not in left_out]


def _axis(axes: Axes) -> tuple[Axis, Axis]:
    return axes.xaxis, axes.yaxis


def _parts(artist: Artist) -> Iterable[Artist]:
    """Return the artist and what it does not watch itself: the texts and signs in it."""
    if isinstance(artist, Axis):
        return (artist, artist.label) if artist.label.get_text() else (artist,)
    if isinstance(artist, Legend):
        return artist, *artist.get_texts()
    return (artist,)


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
