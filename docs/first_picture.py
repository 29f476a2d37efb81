"""Write the README's moving picture: ``python docs/first_picture.py`` moves the panel of notebook 00 and films it.

Everything in it is the panel's: its title, its controls, its verdict and its picture, at each position.
"""

from __future__ import annotations

import io
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image

from trustlab.course.n00_start_here.panel import first_picture
from trustlab.lab.display import plain
from trustlab.lab.figures import FONT_POINTS, GREY, PALETTE, css_size, new_figure, png
from trustlab.lab.panel import Panel

FILE = Path(__file__).with_suffix(".gif")
SENTENCE = "i need to talk to anna"
HEAD = 168  # pixels above the picture
LETTERS = 118  # of a line of the verdict
COLOURS, STEPS = 256, (1.0, 0.8, 0.6, 0.4, 0.2)

# What happens, and for how many milliseconds it is shown.
SCENES: tuple[tuple[dict[str, Any], int], ...] = (
    ({}, 1800),
    *(({"sentence": SENTENCE[:end]}, 260) for end in (1, 6, 9, 14, 17)),
    ({"sentence": SENTENCE}, 2400),
    ({"epsilon": 3.0}, 2200),
    ({"epsilon": 1.0}, 3800),
    ({"epsilon": float("inf")}, 2600),
)


def frames(panel: Panel | None = None) -> Iterator[tuple[Image.Image, int]]:
    """Yield each frame with its duration in milliseconds."""
    panel = first_picture() if panel is None else panel
    for moved, duration in SCENES:
        yield _frame(panel.set(**moved)), duration


def write(path: Path = FILE) -> Path:
    """Write the moving picture and return its path."""
    pictures, durations = zip(*frames(), strict=True)
    palette = _palette(pictures)
    first, *others = (_indexed(each, palette) for each in pictures)
    first.save(path, save_all=True, append_images=others, duration=durations, loop=0, optimize=True)
    return path


def _palette(pictures: Sequence[Image.Image]) -> np.ndarray:
    """Return colours [256, 3] for all frames: the house's in steps towards white, then the commonest that are new."""
    house = [np.array(to_rgb(colour)) for colour in (*PALETTE, GREY)]
    steps = [tuple(np.rint(255 * (1 - share * (1 - each))).astype(int)) for each in house for share in STEPS]
    counts: Counter[tuple[int, ...]] = Counter()
    for picture in pictures:
        counts.update({colour: count for count, colour in picture.getcolors(1 << 24) or ()})
    kept = dict.fromkeys([(255, 255, 255), *steps, *dict(counts.most_common(COLOURS))])
    return np.array([*kept][:COLOURS])


def _indexed(picture: Image.Image, palette: np.ndarray) -> Image.Image:
    """Return `picture` with the nearest colour of `palette` for each of its own. Pillow's search is coarser."""
    pixels = np.asarray(picture, dtype=int)
    own, index = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
    nearest = np.array([((palette - colour) ** 2).sum(axis=1).argmin() for colour in own], dtype=np.uint8)
    image = Image.fromarray(nearest[index].reshape(pixels.shape[:2]), "P")
    image.putpalette(palette.astype(np.uint8).tobytes())
    return image


def _frame(panel: Panel) -> Image.Image:
    """Return the panel as it is: title, controls and verdict above its picture."""
    width, height = css_size(panel.drawing.figure)
    frame = Image.new("RGB", (width, HEAD + height), "white")
    for data, size, top in (
        (_head(panel, width), (width, HEAD), 0),
        (png(panel.drawing.figure), (width, height), HEAD),
    ):
        frame.paste(Image.open(io.BytesIO(data)).convert("RGB").resize(size, Image.Resampling.LANCZOS), (0, top))
    return frame


def _head(panel: Panel, width: int) -> bytes:
    """Draw title, controls and verdict as a PNG."""
    figure = new_figure(width, HEAD)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(HEAD, 0))
    axes.axis("off")
    axes.text(16, 22, panel.title, fontsize=FONT_POINTS + 3, fontweight="bold", va="center")
    stops = [label for label, _ in panel.controls["epsilon"].options]
    places = [56 + 94 * i for i in range(len(stops))]
    axes.plot([places[0], places[-1]], [54, 54], color=GREY, linewidth=2.5, solid_capstyle="round")
    at = stops.index(panel.controls["epsilon"].text)
    axes.plot(places[at], 54, "o", color=PALETTE[0], markersize=12)
    for i, (stop, place) in enumerate(zip(stops, places, strict=True)):
        weight = "bold" if i == at else "normal"
        axes.text(
            place, 74, f"ε = {stop}" if i == at else stop, ha="center", va="center", fontsize=9, fontweight=weight
        )
    _draw_typed(axes, panel)
    verdict = textwrap.wrap(plain(panel.answer.verdict).replace("\N{NO-BREAK SPACE}", " "), LETTERS)
    axes.text(16, 100, "\n".join(verdict), fontsize=FONT_POINTS, va="top", linespacing=1.35)
    return png(figure)


def _draw_typed(axes: Any, panel: Panel) -> None:
    """Draw the input for a sentence, and what is in it."""
    sentence = panel.controls["sentence"]
    axes.text(440, 54, f"{sentence.label}:", fontsize=FONT_POINTS, va="center")
    axes.plot([548, 884, 884, 548, 548], [40, 40, 68, 68, 40], color=GREY, linewidth=1)
    axes.text(558, 54, sentence.value, fontsize=FONT_POINTS, va="center")


if __name__ == "__main__":
    write()
