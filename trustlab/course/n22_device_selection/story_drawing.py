"""A fleet as dots that light up when they are drawn, next to the accuracy that the training reaches.

A dot's area is its client's data, its colour and its place what the client asks for, its light the weight that its
update has in the average.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection

from trustlab.lab.answer import Answer
from trustlab.lab.figures import FONT_POINTS, GREY, PALETTE, Drawing, clean, points

WIDTH, HEIGHT = 920, 400
FLEET = (0.0, 0.0, 0.56, 0.92)  # left, bottom, width, height in the figure
RADIUS = 0.82  # CSS pixels, of a client with one example
GAP = 1.0  # CSS pixels between dots
FADES = (1.0, 0.5, 0.25, 0.12)  # how much of a round's light is left in the next ones
DARK, BRIGHT = 0.16, 0.3  # the opacity of a client that is not drawn; the weight from which a dot is at its brightest
PLACES = ((0.17, 0.80), (0.51, 0.80), (0.17, 0.31), (0.51, 0.31), (0.84, 0.58))  # of the groups; the few are last
NAMES = {"homebody": "homebodies"}  # other plurals end in s
LABEL = 13  # CSS pixels between a group and its name


@dataclass(frozen=True)
class StoryAnswer(Answer):
    """An answer about one round: who is lit, who was drawn, and which share of all weight each group had so far."""

    glow: np.ndarray = field(default_factory=lambda: np.zeros(0))
    drawn: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    shares: Mapping[str, float] = dataclasses.field(default_factory=dict)


def packed(radii: Sequence[float]) -> np.ndarray:
    """Return places [N, 2] of circles around the origin that do not overlap, the first of them in the middle.

    Each circle takes the first free place on a spiral; give the largest first.

    Examples
    --------
    >>> places = packed([3.0, 2.0, 1.0])
    >>> bool(np.linalg.norm(places[0] - places[1]) >= 5.0)
    True
    """
    turns = np.arange(1, 3 * sum((radius + GAP) ** 2 for radius in radii))  # twice as wide as all circles together
    spiral = (1.2 * np.sqrt(turns) * np.array([np.cos(2.4 * turns), np.sin(2.4 * turns)])).T  # [places, 2]
    found = np.zeros((len(radii), 2))
    for i, radius in enumerate(radii):
        if i == 0:
            continue
        apart = np.linalg.norm(spiral[:, None] - found[None, :i], axis=2)  # [places, circles]
        free = (apart >= np.asarray(radii[:i]) + radius + GAP).all(axis=1)
        found[i] = spiral[np.flatnonzero(free)[0]]
    return found


class StoryDrawing(Drawing):
    """The fleet on the left, the accuracy of all and of the few over the rounds on the right.

    Parameters
    ----------
    sizes : int [N]
        Examples of each client.
    personas : str [N]
        What each of them asks for.
    few
        The persona whose accuracy is drawn.
    rounds
        Of the whole training.
    """

    def __init__(self, sizes: np.ndarray, personas: np.ndarray, *, few: str, rounds: int) -> None:
        super().__init__(WIDTH, HEIGHT)
        self.few = few
        by_data = sorted(set(personas), key=lambda each: (each == few, -sizes[personas == each].sum()))
        self.colours = dict(zip(by_data, [*PALETTE[:1], *PALETTE[2:5], PALETTE[1]], strict=True))
        self._colour_of = np.array([self.colours[each] for each in personas])
        self._radii = RADIUS * np.sqrt(sizes)
        axes = self.figure.add_axes(FLEET)
        self.places = self._arranged(personas, by_data)
        self._shares = self._draw_fleet(axes, sizes, personas, by_data)
        self._lit = self._dots(axes, np.arange(0), zorder=3)
        self._ringed = self._dots(axes, np.arange(0), zorder=4, linewidth=1.3)
        self.curves = self.figure.add_axes((0.635, 0.14, 0.345, 0.70))
        self._lines = self._draw_curves(self.curves, rounds)

    def draw(self, answer: StoryAnswer) -> None:
        """Light up who has weight, and draw the curves up to the round."""
        lit = np.flatnonzero(answer.glow)
        light = DARK + (1 - DARK) * np.sqrt(np.minimum(answer.glow[lit] / BRIGHT, 1))
        self._move(self._lit, lit)
        self._lit.set_facecolor([_rgba(colour, each) for colour, each in zip(self._colour_of[lit], light, strict=True)])
        self._move(self._ringed, answer.drawn)
        for persona, (text, data) in self._shares.items():
            text.set_text(f"{data} of the data,\n{100 * answer.shares[persona]:.0f} % of the weight")
        chosen, *even = dict.fromkeys(row["drawn"] for row in answer.numbers)
        for (who, name), line in self._lines.items():
            drawn = [row for row in answer.numbers if row["drawn"] == (chosen if who == "chosen" else "".join(even))]
            line.set_data([row["round"] for row in drawn], [row[name] for row in drawn])

    def shown(self) -> dict[str, Any]:
        """Return how many dots there are, who is lit and how much, who is ringed, and the curves."""
        places = {tuple(place): i for i, place in enumerate(self.places.tolist())}
        lit = [places[tuple(place)] for place in self._lit.get_offsets().tolist()]
        return {
            "dots": len(self.places),
            "lit": dict(zip(lit, (float(colour[3]) for colour in self._lit.get_facecolor()), strict=True)),
            "ringed": sorted(places[tuple(place)] for place in self._ringed.get_offsets().tolist()),
            "shares": {persona: text.get_text() for persona, (text, _) in self._shares.items()},
            "curves": {f"{who} {name}": points(line) for (who, name), line in self._lines.items()},
        }

    def _arranged(self, personas: np.ndarray, by_data: Sequence[str]) -> np.ndarray:
        """Return the dots' places in CSS pixels from the axes' lower left corner."""
        size = np.array([WIDTH * FLEET[2], HEIGHT * FLEET[3]])
        places = np.zeros((len(personas), 2))
        for persona, middle in zip(by_data, PLACES, strict=True):
            own = np.flatnonzero(personas == persona)
            own = own[np.argsort(-self._radii[own], kind="stable")]
            found, radii = packed(self._radii[own].tolist()), self._radii[own][:, None]
            found -= ((found - radii).min(axis=0) + (found + radii).max(axis=0)) / 2  # their box around the origin
            places[own] = found + size * middle
        return places

    def _draw_fleet(
        self, axes: Axes, sizes: np.ndarray, personas: np.ndarray, by_data: Sequence[str]
    ) -> dict[str, tuple[Any, str]]:
        """Draw the dark dots and the groups' names; return by group the text of its weight and its share of data."""
        axes.set(xlim=(0, WIDTH * FLEET[2]), ylim=(0, HEIGHT * FLEET[3]))
        axes.axis("off")
        dark = self._dots(axes, np.arange(len(sizes)), zorder=2)
        dark.set_facecolor([_rgba(colour, DARK) for colour in self._colour_of])
        shares = {}
        for persona in by_data:
            own = personas == persona
            low = (self.places[own, 1] - self._radii[own]).min() - LABEL
            middle = self.places[own, 0].mean()
            look: dict[str, Any] = dict(ha="center", va="top", fontsize=FONT_POINTS - 0.5)
            axes.text(
                middle,
                low + LABEL - 3,
                NAMES.get(persona, f"{persona}s"),
                fontweight="bold",
                color=self.colours[persona],
                **look,
            )
            data = f"{100 * sizes[own].sum() / sizes.sum():.0f} %"
            shares[persona] = (axes.text(middle, low - 4, "", color=GREY, **look), data)
        heading = f"{len(sizes)} clients: area = data, light = weight in the average"
        axes.text(12, 0.965 * HEIGHT, heading, va="center", fontsize=FONT_POINTS + 1)
        return shares

    def _dots(self, axes: Axes, which: np.ndarray, *, zorder: int, linewidth: float = 0.0) -> EllipseCollection:
        dots = EllipseCollection([], [], [], units="xy", transOffset=axes.transData, offsets=np.zeros((0, 2)))
        dots.set(linewidth=linewidth, edgecolor="black" if linewidth else "none", facecolor="none", zorder=zorder)
        axes.add_collection(dots)
        self._move(dots, which)
        return dots

    def _move(self, dots: EllipseCollection, which: np.ndarray) -> None:
        """Let a cloud consist of these clients."""
        across = 2 * self._radii[which]
        dots.set_widths(across)
        dots.set_heights(across)
        dots.set_angles(np.zeros(len(which)))
        dots.set_offsets(self.places[which].reshape(-1, 2))

    def _draw_curves(self, axes: Axes, rounds: int) -> dict[tuple[str, str], Any]:
        clean(axes, x_label="round", y_label="requests understood")
        axes.set(xlim=(0, rounds), ylim=(-0.02, 1), yticks=(0, 0.25, 0.5, 0.75, 1))
        axes.set_yticklabels([f"{100 * tick:.0f} %" for tick in axes.get_yticks()])
        colours = {"all": "black", "travellers": self.colours[self.few]}
        lines = {}
        for who, style in (("even", dict(linewidth=1.2, linestyle=(0, (2, 2)))), ("chosen", dict(linewidth=2.6))):
            for name, colour in colours.items():
                (lines[who, name],) = axes.plot([], [], color=colour, **style)
        names = {"all": ("chosen", "all"), "travellers": ("chosen", "travellers"), "if uniform": ("even", "all")}
        look: dict[str, Any] = dict(loc="lower right", bbox_to_anchor=(1.03, 1.0), frameon=False, ncols=3)
        axes.legend([lines[key] for key in names.values()], list(names), fontsize=FONT_POINTS, handlelength=1.8, **look)
        return lines


def _rgba(colour: str, alpha: float) -> tuple[float, float, float, float]:
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue, float(alpha) if math.isfinite(alpha) else DARK
