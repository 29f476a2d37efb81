"""The picture of notebook 32: each word's two bars, and all choices of P with both models next to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from trustlab.course.n32_prediction_sensitivity.sensitivity_measures import TOKEN_WEIGHTS
from trustlab.lab.answer import Answer
from trustlab.lab.display import number
from trustlab.lab.figures import FONT_POINTS, GREY, MARKERS, PALETTE, Drawing, clean, points

MOST_WORDS = 12
LETTERS = 13  # of a word that are drawn
MOVES, TELLS = PALETTE[0], PALETTE[1]


@dataclass(frozen=True)
class SensitivityAnswer(Answer):
    """An answer about the words of a sentence, with P of two models under every choice.

    Attributes
    ----------
    choices
        Rows with ``v``, ``biased`` and ``blind``: P of both models.
    swapped
        The change by a swap, of both models.
    """

    choices: Sequence[Mapping[str, Any]] = ()
    swapped: tuple[float, float] = (0.0, 0.0)


class SensitivityDrawing(Drawing):
    """Left, a row for each word: how much it moves the prediction and its weight; right, a dot for each choice."""

    def __init__(self) -> None:
        super().__init__(width=960, height=370)
        self._bars = [self._words_axes((x, 0.13, 0.17, 0.74), title) for x, title in (
            (0.12, "moves the prediction"), (0.32, "weight v"))]  # fmt: skip
        self._names = [
            self._bars[0][0].text(-0.04, i, "", ha="right", va="center", fontsize=FONT_POINTS,
                                  transform=self._bars[0][0].get_yaxis_transform())
            for i in range(MOST_WORDS)
        ]  # fmt: skip
        axes = self.axes = self.figure.add_axes((0.61, 0.15, 0.37, 0.70))
        clean(axes, x_label="model of the blind recorder", y_label="model of the biased recorder")
        axes.set(xscale="log", yscale="log", xlim=(0.1, 1), ylim=(0.1, 1))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 3), numticks=6))
            axis.set_major_formatter(FuncFormatter(lambda value, _: number(float(value))))  # a page has no TeX
            axis.set_minor_formatter(NullFormatter())
        (self._same,) = axes.plot([], [], color=GREY, linewidth=1, linestyle="--")
        self._dots = {
            name: axes.plot([], [], marker, color=colour, markersize=7, linestyle="none", alpha=0.8, label=name)[0]
            for name, marker, colour in zip(TOKEN_WEIGHTS, MARKERS, PALETTE, strict=False)
        }
        (self._swap,) = axes.plot([], [], "*", color="black", markersize=15, label="swap", linestyle="none")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.08, 1.0), ncols=5, frameon=False, fontsize=10,
                    columnspacing=0.9, handletextpad=0.1)  # fmt: skip
        axes.annotate("less fair: biased ↖", (0.03, 0.95), xycoords="axes fraction", fontsize=10, color=GREY, va="top")

    def _words_axes(self, place: tuple[float, float, float, float], title: str) -> tuple[Any, Any]:
        axes = self.figure.add_axes(place)
        axes.set(xlim=(0, 1), ylim=(MOST_WORDS - 0.4, -0.6))
        axes.set_title(title, fontsize=FONT_POINTS, color=GREY, loc="left")
        axes.set_yticks([])
        axes.set_xticks([])
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        return axes, axes.barh(range(MOST_WORDS), 0, height=0.62, color=MOVES if "moves" in title else TELLS)

    def draw(self, answer: SensitivityAnswer) -> None:
        """Write the words, and move bars and dots."""
        rows = list(answer.numbers)[:MOST_WORDS]
        for i, name in enumerate(self._names):
            text = str(rows[i]["word"]) if i < len(rows) else ""
            name.set_text(text if len(text) <= LETTERS else f"{text[: LETTERS - 1]}…")
        for (_, bars), column in zip(self._bars, ("moves", "weight"), strict=True):
            largest = max([float(row[column]) for row in rows] or [1.0]) or 1.0
            for i, bar in enumerate(bars):
                bar.set_width(float(rows[i][column]) / largest if i < len(rows) else 0.0)
        for name, dots in self._dots.items():
            own = [row for row in answer.choices if row["v"] == name]
            dots.set_data([row["blind"] for row in own], [row["biased"] for row in own])
        self._swap.set_data([answer.swapped[1]], [answer.swapped[0]])
        self._fit([*(row[name] for row in answer.choices for name in ("blind", "biased")), *answer.swapped])

    def _fit(self, values: Sequence[float]) -> None:
        there = np.array([value for value in values if value > 0] or [0.1, 1.0])
        low, high = there.min() / 1.5, there.max() * 1.5
        self.axes.set(xlim=(low, high), ylim=(low, high))
        self._same.set_data([low, high], [low, high])

    def shown(self) -> dict[str, Any]:
        """Return the words that are written, the lengths of their bars, and the dots."""
        written = [name.get_text() for name in self._names if name.get_text()]
        lengths = [[float(bar.get_width()) for bar in bars][: len(written)] for _, bars in self._bars]
        dots = {name: points(each) for name, each in self._dots.items()}
        return {"words": written, "moves": lengths[0], "weights": lengths[1], "dots": dots, "swap": points(self._swap)}
