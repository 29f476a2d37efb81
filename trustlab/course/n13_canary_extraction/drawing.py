"""The pictures of notebook 13: what is known of each digit of a code, and how many bits of it are exposed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from trustlab.course.n13_canary_extraction.defended import DEFENCES, EPSILONS, NONE, ONCE, SPELLED, STOPPED, THREE, N
from trustlab.data.phrases import DIGITS
from trustlab.lab.answer import Answer
from trustlab.lab.figures import FONT_POINTS, GREY, PALETTE, Drawing, clean, points, texts
from trustlab.lab.vector import keep_colours, name_points
from trustlab.privacy.inversion import chance, exposure

CODES = len(DIGITS) ** N
BITS = math.log2(CODES)
THREE_GUESSES = exposure(3, CODES)
BY_CHANCE = chance(N)["exposure_95"]
LEVELS = 20  # few colours make a small picture
DARK = 0.6  # where white digits read better than black ones
TRUE = "#D55E00"
LABELS = {
    NONE: "no defence",
    STOPPED: "early stopping",
    SPELLED: "characters",
    THREE: "all three",
    ONCE: "no doubles",
    **{name: f"DP, ε = {epsilon:g}" for name, epsilon in EPSILONS.items()},
}
NAMES = {name: LABELS.get(name, name) for name in DEFENCES}


@dataclass(frozen=True)
class CanaryAnswer(Answer):
    """An answer that also has a code: its digits, and what is known of them.

    Attributes
    ----------
    cells
        A row per place, a number per digit: the guess in which the digit is first tried there. No rows: nothing yet.
    secret
        The true digits.
    """

    cells: Sequence[Sequence[float]] = ()
    secret: Sequence[int] = ()


class Digits:
    """A row per place of a code and a column per digit, in `axes`; the true digits are framed."""

    def __init__(self, axes: Axes, places: int = N) -> None:
        self.axes, count = axes, len(DIGITS)
        look = colormaps["Blues"].resampled(LEVELS)
        self._image = axes.imshow(np.full((places, count), np.nan), cmap=look, vmin=0, vmax=1, aspect="auto")
        self._texts = [
            [axes.text(digit, place, "", ha="center", va="center", fontsize=FONT_POINTS - 1) for digit in range(count)]
            for place in range(places)
        ]
        for row in self._texts:
            for text in row:
                keep_colours(text)
        self._frames = [Rectangle((0, 0), 0.94, 0.94, fill=False, edgecolor=TRUE, linewidth=2) for _ in range(places)]
        for frame in self._frames:
            axes.add_patch(frame)
        clean(axes, x_label="digit")
        axes.grid(visible=False)
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.tick_params(length=0)
        axes.set_xticks(range(count), [str(digit) for digit in range(count)])
        axes.set_yticks(range(places), [f"{place + 1}." for place in range(places)])

    def show(self, shades: np.ndarray, words: Sequence[Sequence[str]], secret: Sequence[int]) -> None:
        """Shade each cell from 0 to 1 and write in it; frame the digits of `secret`."""
        self._image.set_data(shades)
        for place, row in enumerate(self._texts):
            for digit, text in enumerate(row):
                text.set_text(words[place][digit])
                text.set_color("white" if shades[place][digit] > DARK else "black")
        for place, frame in enumerate(self._frames):
            frame.set_visible(place < len(secret))
            if place < len(secret):
                frame.set_xy((secret[place] - 0.47, place - 0.47))

    def show_guesses(self, cells: Sequence[Sequence[float]], secret: Sequence[int]) -> None:
        """Show in which guess each digit is first tried: the sooner, the darker."""
        if not len(cells):
            self.show(np.full((N, len(DIGITS)), np.nan), [[""] * len(DIGITS)] * N, secret)
            return
        ranks = np.asarray(cells, dtype=float)
        words = [[_short(rank) for rank in row] for row in ranks]
        self.show(1 - np.log2(ranks) / BITS, words, secret)

    def shown(self) -> list[list[str]]:
        """Return what is written in the cells."""
        return texts(self._texts)


def _short(rank: float) -> str:
    """Write a guess's number into a small cell.

    Examples
    --------
    >>> _short(7), _short(1234), _short(9999)
    ('7', '1.2k', '10k')
    """
    return f"{rank:.0f}" if rank < 1000 else f"{float(f'{rank / 1000:.2g}'):g}k"


class CanaryDrawing(Drawing):
    """Bits exposed by each defence on the left, a point per training; the digits of one code on the right."""

    def __init__(self) -> None:
        super().__init__(width=960, height=360)
        self.bits = self.figure.add_axes((0.165, 0.15, 0.31, 0.68))
        self._lines = _strip(self.bits)
        beside = dict(transform=self.bits.get_yaxis_transform(), va="center", fontsize=FONT_POINTS)
        # Texts of their own, not labels of ticks: a label that turns bold is not drawn again.
        self._names = [self.bits.text(-0.03, i, name, ha="right", **beside) for i, name in enumerate(NAMES.values())]
        self._rates = [
            [self.bits.text(x, i, "", ha="center", **beside) for x in (1.10, 1.28)] for i in range(len(NAMES))
        ]
        for x, word in ((1.10, "exact"), (1.28, "in 3")):
            self.bits.text(x, 1.03, word, transform=self.bits.transAxes, ha="center", fontsize=FONT_POINTS)
        (self._own,) = self.bits.plot([], [], "D", color=PALETTE[1], markersize=8, zorder=5)
        self.digits = Digits(self.figure.add_axes((0.655, 0.15, 0.34, 0.68)))
        self.digits.axes.set_title("Guess that first has the digit", fontsize=FONT_POINTS + 1, loc="left")

    def draw(self, answer: CanaryAnswer) -> None:
        """Move points, rates and cells."""
        focus = (answer.focus or {}).get("defence")
        by_name = {row["defence"]: row for row in answer.numbers}
        for i, label in enumerate(NAMES.values()):
            row = by_name.get(label)
            line, chosen = self._lines[i], label == focus
            bits = _numbers(row["bits of each"]) if row else []
            line.set_data(bits, [i] * len(bits))
            line.set_color(PALETTE[0] if chosen else GREY)
            name_points(line, [f"{label}: {each:.1f} bits" for each in bits])
            for text, column in zip(self._rates[i], ("exact", "in 3 guesses"), strict=True):
                text.set_text(row[column] if row else "–")
                text.set_fontweight("bold" if chosen else "normal")
        for text, label in zip(self._names, NAMES.values(), strict=True):
            text.set_fontweight("bold" if label == focus else "normal")
        bits = [row["bits"] for row in answer.live][-1:]
        self._own.set_data(bits, [list(NAMES.values()).index(focus)] * len(bits))
        self.digits.show_guesses(answer.cells, answer.secret)

    def shown(self) -> dict[str, Any]:
        """Return the points, the rates and what is written in the cells."""
        return {
            "bits": [points(line) for line in self._lines],
            "rates": texts(self._rates),
            "own": points(self._own),
            "digits": self.digits.shown(),
        }


def _strip(axes: Axes) -> list[Any]:
    """Give `axes` a line per defence, and say where chance and three guesses are."""
    clean(axes, x_label=f"bits exposed, of {BITS:.1f}")
    axes.set_xticks(range(0, 13, 3))
    axes.set(xlim=(-0.4, BITS + 0.4), ylim=(len(NAMES) - 0.5, -0.5))
    axes.set_yticks(range(len(NAMES)), [""] * len(NAMES))
    axes.axvspan(-0.4, BY_CHANCE, color="#efefef", zorder=0)
    axes.axvline(THREE_GUESSES, color=GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    above = dict(transform=axes.get_xaxis_transform(), fontsize=FONT_POINTS - 0.5, color=GREY, ha="center")
    axes.text(BY_CHANCE / 2, 1.03, "chance (95 %)", **above)
    axes.text(THREE_GUESSES - 0.6, 1.03, "3 guesses", **above)
    return [axes.plot([], [], "o", markersize=6, alpha=1, fillstyle="none", markeredgewidth=1.6)[0] for _ in NAMES]


def _numbers(joined: str) -> list[float]:
    return [float(part) for part in joined.split("|")]


def cells_of(first: str) -> list[list[float]]:
    """Return the numbers of a row's column ``first``, a row per place.

    Examples
    --------
    >>> cells_of("|".join(map(str, range(40))))[1][:3]
    [10.0, 11.0, 12.0]
    """
    return np.reshape(_numbers(first), (N, len(DIGITS))).tolist()


def live_row(row: Mapping[str, Any]) -> bool:
    """Return whether a row of a live training has ranks; the attack's own rows have a guess only."""
    return "first" in row
