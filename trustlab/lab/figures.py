"""Drawings for panels: matplotlib figures whose artists are kept and updated, and their way into HTML.

A drawing is an object with ``.figure`` and ``.draw(answer)``. Artists are made once and then moved, because a slider
redraws on every step: updating takes about a third of the time of building the figure again.
``pyplot`` is never used: it keeps global state and every figure alive.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

# Okabe and Ito's colours, told apart with every common form of colour blindness, darkest contrasts first. Their
# yellow is left out: it vanishes on white. Each series has a marker too, so that nothing depends on colour alone.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
FONT_POINTS = 10.5
PIXELS_PER_INCH = 100  # CSS pixels: 7.2 inches are 720 px wide on the page
SHARPNESS = 2  # image pixels per CSS pixel, for screens that have them
COLOURS_IN_PNG = 128
GREY = "#595959"  # 7:1 on white


def new_figure(width: int = 720, height: int = 380) -> Figure:
    """Return an empty white figure of `width` × `height` CSS pixels, drawn at twice that resolution."""
    size = (width / PIXELS_PER_INCH, height / PIXELS_PER_INCH)
    figure = Figure(figsize=size, dpi=PIXELS_PER_INCH * SHARPNESS, facecolor="white")
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


def png(figure: Figure) -> bytes:
    """Return `figure` as a PNG; the same figure gives the same bytes with the same matplotlib."""
    canvas: Any = figure.canvas
    canvas.draw()
    buffer = io.BytesIO()
    _indexed(np.asarray(canvas.buffer_rgba())).save(buffer, "png")
    return buffer.getvalue()


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


def image_html(data: bytes, alt: str, width: int, height: int | None = None) -> str:
    """Return an ``<img>`` with `data` inside it, `alt` as its description and its size in CSS pixels.

    Raises
    ------
    ValueError
        If `alt` is empty: a picture without a description is no picture to a reader who cannot see it.

    Examples
    --------
    >>> image_html(b"x", "One line.", 720)
    '<img alt="One line." width="720" src="data:image/png;base64,eA==">'
    """
    if not alt.strip():
        raise ValueError("Expected a sentence as alt text, got an empty one. Say what the picture shows.")
    size = f'width="{width}"' + ("" if height is None else f' height="{height}"')
    return f'<img alt="{html.escape(alt)}" {size} src="data:image/png;base64,{base64.b64encode(data).decode()}">'


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
