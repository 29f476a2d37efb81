"""The pictures of notebook 23: a forgetting matrix, and next to it what happened over time."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from trustlab.course.n23_continual_learning.experiment import PERIODS, ROUNDS
from trustlab.lab.answer import Answer
from trustlab.lab.curves import Curves
from trustlab.lab.figures import FONT_POINTS, GREY, Drawing, clean, texts
from trustlab.lab.vector import keep_colours

LEVELS = 20  # few colours make a small picture
DARK = 0.6  # where white digits read better than black ones
KNOWN = "#D55E00"


@dataclass(frozen=True)
class ContinualAnswer(Answer):
    """An answer that also has a forgetting matrix, [periods trained so far, periods tested]; none is no row."""

    matrix: Sequence[Sequence[float]] = ()


class Matrix:
    """A forgetting matrix in `axes`: a row per period trained, a column per period tested, numbers in per cent.

    Framed is what can be measured while a period's data are there: by the model that comes into it, and by the model
    that leaves it.
    """

    def __init__(self, axes: Axes, periods: int) -> None:
        self.axes = axes
        look = colormaps["Blues"].resampled(LEVELS)
        self._image = axes.imshow(np.full((periods, periods), np.nan), cmap=look, vmin=0, vmax=1, aspect="auto")
        self._texts = [
            [axes.text(s, t, "", ha="center", va="center", fontsize=FONT_POINTS) for s in range(periods)]
            for t in range(periods)
        ]
        for text in itertools.chain(*self._texts):
            keep_colours(text)
        for t in range(periods):
            for s in {t, min(t + 1, periods - 1)}:
                frame = Rectangle((s - 0.45, t - 0.45), 0.9, 0.9, fill=False, edgecolor=KNOWN, linewidth=1.6)
                axes.add_patch(frame)
        clean(axes, x_label="tested on the data of period", y_label="after period")
        axes.grid(visible=False)
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.tick_params(length=0)
        names = [str(period) for period in range(1, periods + 1)]
        axes.set_xticks(range(periods), names)
        axes.set_yticks(range(periods), names)

    def show(self, matrix: Sequence[Sequence[float]]) -> None:
        """Show a matrix; rows that it does not have yet stay white."""
        periods = len(self._texts)
        whole = np.full((periods, periods), np.nan)
        if len(matrix):
            whole[: len(matrix)] = np.asarray(matrix, dtype=float)
        self._image.set_data(whole)
        for values, cells in zip(whole, self._texts, strict=True):
            for value, text in zip(values, cells, strict=True):
                text.set_text("" if math.isnan(value) else f"{100 * value:.0f}")
                text.set_color("white" if value > DARK else "black")

    def shown(self) -> list[list[str]]:
        """Return what is written in the cells."""
        return texts(self._texts)


class ContinualDrawing(Drawing):
    """Accuracy over the rounds, periods marked, on the left; the forgetting matrix on the right."""

    def __init__(self) -> None:
        super().__init__(width=920, height=350)
        left = self.figure.add_axes((0.07, 0.16, 0.52, 0.66))
        self.rounds = Curves(
            "round",
            "accuracy",
            "selection",
            x_label="round",
            y_label="accuracy on all periods' requests",
            y_limits=(0.0, 1.0),
            live_line=True,
            legend_at=1.03,
            axes=left,
        )
        self.matrix = Matrix(self.figure.add_axes((0.68, 0.16, 0.31, 0.66)), PERIODS)
        self.matrix.axes.set_title("What is left, % right", fontsize=FONT_POINTS + 1, loc="left")
        length = ROUNDS // PERIODS
        for period in range(PERIODS):
            if period:
                left.axvline(period * length + 0.5, color=GREY, linewidth=0.8, linestyle=(0, (1, 3)), zorder=1)
            place = ((period + 0.5) * length, 0.02)
            left.text(*place, f"period {period + 1}", color=GREY, fontsize=FONT_POINTS - 0.5, ha="center", va="bottom")

    def draw(self, answer: ContinualAnswer) -> None:
        """Move the curves and write the matrix."""
        selection: dict[str, Any] = {"selection": (answer.focus or {})["selection"]}
        self.rounds.draw(dataclasses.replace(answer, focus=selection | {"round": ROUNDS}))
        self.matrix.show(answer.matrix)

    def shown(self) -> dict[str, Any]:
        """Return what the curves show, and what is written in the matrix."""
        return {"rounds": self.rounds.shown(), "matrix": self.matrix.shown()}
