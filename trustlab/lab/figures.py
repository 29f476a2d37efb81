"""Drawings for panels: matplotlib figures whose artists are kept and updated, and their way onto a page.

A drawing is an object with ``.figure`` and ``.draw(answer)``. Artists are made once and then moved, because a slider
redraws on every step: updating takes about a third of the time of building the figure again.
``pyplot`` is never used: it keeps global state and every figure alive.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from PIL import Image

from trustlab.lab.display import number
from trustlab.lab.fragments import Fragments, joined
from trustlab.lab.look import em
from trustlab.lab.panes import cuts_of, panes_html
from trustlab.lab.vector import PIXELS_PER_INCH

# Okabe and Ito's colours, distinguishable with every common form of colour blindness, darkest contrasts first. Their
# yellow is left out: it vanishes on white. Each series has a marker too, so that nothing depends on colour alone.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
FONT_POINTS = 10.5
FONTS = "'DejaVu Sans',Verdana,sans-serif"  # the first is the measured one, the second is as wide
HEADING_MARGIN, HEADING_LINE = 12, 20  # CSS pixels
SHARPNESS = 1  # image pixels of a stored picture per CSS pixel: a notebook of 14 pictures stays below 400 kB
COLOURS_IN_PNG = 64
GREY = "#595959"  # 7:1 on white
HALO = (withStroke(linewidth=5, foreground="white"),)  # around a black frame on cells of any colour


def colour_and_marker(series: int) -> tuple[str, str]:
    """Return what tells a series, by its number, from all others: the same colour comes again with another marker.

    Examples
    --------
    >>> colour_and_marker(0)[0] == colour_and_marker(len(PALETTE))[0], colour_and_marker(len(PALETTE))[1]
    (True, 's')
    """
    again, at = divmod(series, len(PALETTE))
    return PALETTE[at], MARKERS[(at + again) % len(MARKERS)]


def new_figure(width: int = 720, height: int = 380) -> Figure:
    """Return an empty figure of `width` × `height` CSS pixels."""
    size = (width / PIXELS_PER_INCH, height / PIXELS_PER_INCH)
    figure = Figure(figsize=size, dpi=PIXELS_PER_INCH, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def clean(axes: Axes, *, x_label: str = "", y_label: str = "") -> None:
    """Give `axes` the house's look: labels of 10 pt or more, a light grid, no box."""
    axes.set_xlabel(x_label, fontsize=FONT_POINTS)
    axes.set_ylabel(y_label, fontsize=FONT_POINTS)
    axes.tick_params(labelsize=FONT_POINTS, color=GREY, length=3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.grid(axis="y", color="#e3e3e3", linewidth=0.8)
    axes.set_axisbelow(True)


class _LogTicks(LogLocator):
    """1, 2 and 5 of each decade where a few are shown, so that no axis has one number only; else whole decades."""

    def tick_values(self, vmin: float, vmax: float) -> Any:
        self.set_params(subs=(1, 2, 5) if vmax < 200 * vmin else (1,))
        return super().tick_values(vmin, vmax)


def logarithmic(axes: Axes, which: Literal["x", "y"] = "x") -> None:
    """Make an axis logarithmic, with plain numbers: a page has no TeX, and "2 × 10¹" is wide enough to overlap."""
    axes.set(**{f"{which}scale": "log"})
    axis = getattr(axes, f"{which}axis")
    axis.set_major_locator(_LogTicks())
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: number(float(value))))


def svg(figure: Figure, *, alt: str) -> str:
    """Return `figure` as HTML with an SVG in it: as wide as there is room, in the theme's colours, without ids.

    What has not changed since the last call is not drawn again.

    Parameters
    ----------
    figure
        Made by :func:`new_figure`.
    alt
        Says what the picture shows.

    Raises
    ------
    ValueError
        If `alt` is empty: a picture without a description is no picture to a reader who cannot see it.

    Examples
    --------
    >>> svg(new_figure(300, 200), alt="Nothing yet.")[:64]
    '<div class="trustlab-drawing" role="img" aria-label="Nothing yet'
    """
    if not alt.strip():
        raise ValueError("Expected a sentence as alt text, got an empty one. Say what the picture shows.")
    if figure not in _FRAGMENTS:
        _FRAGMENTS[figure] = Fragments(figure)
    fragments, (width, height) = _FRAGMENTS[figure], css_size(figure)
    if cuts_of(figure, fragments.writer):
        style, drawn = "container-type:inline-size;", panes_html(figure, fragments)
    else:
        style = f"display:block;width:100%;max-width:{em(width)};height:auto;overflow:visible"
        inside = joined(fragments.pieces(figure))
        style, drawn = "", f'<svg viewBox="0 0 {width} {height}" style="{style}" aria-hidden="true">{inside}</svg>'
    named = f'role="img" aria-label="{html.escape(alt)}"'
    return f'<div class="trustlab-drawing" {named} style="{style}font-family:{FONTS}">{drawn}</div>'


_FRAGMENTS: WeakKeyDictionary[Figure, Fragments] = WeakKeyDictionary()


def png(figure: Figure, *, title: str = "", verdict: str = "") -> bytes:
    """Return `figure` as a PNG on white; the same figure gives the same bytes with the same matplotlib.

    Parameters
    ----------
    figure
        Made by :func:`new_figure`.
    title, verdict
        Written above the picture, for where nothing else of its panel is shown.
    """
    pixels = _pixels(figure)
    if title or verdict:
        pixels = np.concatenate([_pixels(_heading(css_size(figure)[0], title, verdict)), pixels])
    buffer = io.BytesIO()
    _indexed(pixels).save(buffer, "png", optimize=True)
    return buffer.getvalue()


def png_size(data: bytes) -> dict[str, int]:
    """Return the ``width`` and ``height`` in CSS pixels of a PNG that :func:`png` made."""
    width, height = Image.open(io.BytesIO(data)).size
    return {"width": round(width / SHARPNESS), "height": round(height / SHARPNESS)}


def with_picture(data: Mapping[str, Any], picture: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a mime bundle with a PNG that :func:`png` made, and what Jupyter needs to show it in its size."""
    return {**data, "image/png": base64.b64encode(picture).decode("ascii")}, {"image/png": png_size(picture)}


def _pixels(figure: Figure) -> np.ndarray:
    """Return `figure` at the resolution of stored pictures: uint8, [height, width, 4]."""
    canvas: Any = figure.canvas
    try:
        figure.set_dpi(PIXELS_PER_INCH * SHARPNESS)
        canvas.draw()
        return np.array(canvas.buffer_rgba())
    finally:
        figure.set_dpi(PIXELS_PER_INCH)


def _heading(width: int, title: str, verdict: str) -> Figure:
    """Return a figure of `width` CSS pixels with a title and the lines of a verdict."""
    lines = [(line, "bold") for line in _wrapped(title, "bold", width)]
    lines += [(line, "normal") for line in _wrapped(verdict, "normal", width)]
    figure = new_figure(width, HEADING_MARGIN + HEADING_LINE * len(lines))
    height = css_size(figure)[1]
    for i, (line, weight) in enumerate(lines):
        at = (HEADING_MARGIN / width, 1 - (HEADING_MARGIN + HEADING_LINE * i) / height)
        figure.text(*at, line, va="top", fontsize=FONT_POINTS + 0.5, fontweight=weight)
    return figure


def _wrapped(text: str, weight: str, width: int) -> list[str]:
    """Return `text` in lines that are no wider than the picture."""
    font = FontProperties(size=FONT_POINTS + 0.5, weight=weight)
    measure = RendererAgg(1, 1, PIXELS_PER_INCH * SHARPNESS).get_text_width_height_descent
    room = (width - 2 * HEADING_MARGIN) * SHARPNESS
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and measure(longer, font, ismath=False)[0] <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _indexed(pixels: np.ndarray) -> Image.Image:
    """Return an opaque picture with a palette of its commonest colours, the others moved to the nearest of them.

    A drawing needs few colours: these take a third of the bytes and half the time of all of them, notebooks are
    committed with their pictures, and a slider sends one for every step. Pillow's own quantizers average colours:
    white becomes grey, or pale bands merge.

    Parameters
    ----------
    pixels
        uint8, shape (height, width, 4).
    """
    packed = pixels.view("<u4")[..., 0] & 0xFFFFFF  # blue, green, red from the high byte to the low one
    colours, counts = np.unique(packed, return_counts=True)
    kept = colours[np.argsort(-counts, kind="stable")[:COLOURS_IN_PNG]]
    channels, palette = (_channels(packed_colours) for packed_colours in (colours, kept))
    distance = ((channels[:, None, :] - palette[None, :, :]) ** 2).sum(axis=2)  # (colours, kept)
    index = np.zeros(1 << 24, np.uint8)
    index[colours] = distance.argmin(axis=1)
    image = Image.frombytes("P", packed.shape[::-1], index[packed].tobytes())
    image.putpalette(palette.astype(np.uint8).tobytes())
    return image


def _channels(packed: np.ndarray) -> np.ndarray:
    """Return red, green and blue of packed colours, shape (n, 3)."""
    return (packed[:, None] >> np.array([0, 8, 16], np.uint32) & 255).astype(np.int32)


def css_size(figure: Figure) -> tuple[int, int]:
    """Return the width and height of `figure` in CSS pixels."""
    width, height = figure.get_size_inches() * PIXELS_PER_INCH
    return round(width), round(height)


class Drawing:
    """A figure that shows answers: subclasses make their artists in ``__init__`` and move them in :meth:`draw`."""

    def __init__(self, width: int = 720, height: int = 380) -> None:
        self.figure = new_figure(width, height)

    def draw(self, answer: Any) -> None:
        """Update the artists so that the figure shows `answer`."""
        raise NotImplementedError

    def shown(self) -> dict[str, Any]:
        """Return what the artists show now, as data: series, bars, what is ringed. It is read off them."""
        raise NotImplementedError


def points(artist: Any) -> list[tuple[float, float]]:
    """Return the points of a line or of a cloud of markers.

    Examples
    --------
    >>> (line,) = new_figure().add_subplot().plot([1, 2], [0.5, 0.7])
    >>> points(line)
    [(1.0, 0.5), (2.0, 0.7)]
    """
    placed = artist.get_offsets() if hasattr(artist, "get_offsets") else artist.get_xydata()
    return [(float(x), float(y)) for x, y in np.asarray(placed)]


def texts(rows: Sequence[Sequence[Any]]) -> list[list[str]]:
    """Return what is written in a table of texts."""
    return [[text.get_text() for text in row] for row in rows]
