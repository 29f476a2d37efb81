"""The picture of the comparison: a matrix of algorithms and partitions, and the scores over the passes."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.patches import Rectangle

from trustlab.lab.answer import Answer
from trustlab.lab.curves import Curves
from trustlab.lab.figures import FONT_POINTS, HALO, Drawing, clean, texts
from trustlab.lab.vector import keep_colours

LEVELS = 32  # of the colour: few of them make a small picture
DARK = 0.6  # of the colour's range, from where the numbers on it are white


@dataclass(frozen=True)
class MatrixAnswer(Answer):
    """An answer whose numbers are a matrix, and that also has the scores over the passes.

    Attributes
    ----------
    curves
        Rows of ``algorithm``, ``passes``, ``score``, ``low`` and ``high``, in per cent, for the partition in focus.
    metric
        What the score is called.
    one_place
        The score with all data in one place.
    """

    curves: tuple[dict[str, Any], ...] = ()
    metric: str = "score"
    one_place: float = 1.0


class MatrixDrawing(Drawing):
    """On the left a cell for each algorithm and partition, the chosen one framed; on the right the scores' way there.

    Parameters
    ----------
    algorithms, partitions
        The rows and columns of the matrix, from the top and from the left.
    """

    def __init__(self, algorithms: tuple[str, ...], partitions: tuple[str, ...]) -> None:
        super().__init__(width=900, height=360)
        self.algorithms, self.partitions = algorithms, partitions
        self.matrix = self.figure.add_axes((0.085, 0.14, 0.41, 0.68))
        right = self.figure.add_axes((0.58, 0.14, 0.405, 0.6))
        shape = (len(algorithms), len(partitions))
        blues = colormaps["Blues"].resampled(LEVELS)
        self._cells = self.matrix.imshow(np.zeros(shape), cmap=blues, vmin=0, vmax=1, aspect="auto")
        self._numbers = [
            [self.matrix.text(j, i, "", ha="center", va="center", fontsize=FONT_POINTS + 1) for j in range(shape[1])]
            for i in range(shape[0])
        ]
        for text in itertools.chain(*self._numbers):
            keep_colours(text)
        self._frame = self.matrix.add_patch(
            Rectangle((0, 0), 1, 1, fill=False, edgecolor="black", linewidth=2.4, clip_on=False, path_effects=HALO)
        )
        look: dict[str, Any] = dict(y="score", series="algorithm", x_label="passes over the data", live_line=True)
        # Two rows of names above the curves: five of them do not fit one.
        legend = {"bbox_to_anchor": (-0.02, 1.0), "ncols": 3, "handlelength": 1.6, "columnspacing": 1.2}
        self.curves = Curves("passes", axes=right, legend=legend, ringed=False, **look)
        clean(self.matrix)
        self.matrix.grid(visible=False)
        self.matrix.tick_params(length=0)
        self.matrix.set_xticks(range(shape[1]), partitions)
        self.matrix.set_yticks(range(shape[0]), algorithms)
        self.matrix.spines[:].set_visible(False)

    def draw(self, answer: MatrixAnswer) -> None:
        """Fill the matrix, frame the chosen cell and move the curves."""
        focus = dict(answer.focus or {})
        scores = {(row["algorithm"], row["partition"]): row["score"] for row in answer.numbers}
        values = np.array([[scores[a, p] for p in self.partitions] for a in self.algorithms])
        low, high = float(values.min()), max(float(values.max()), answer.one_place)
        self._cells.set_data(values)
        self._cells.set_clim(low - 0.1 * (high - low), high)
        for i, row in enumerate(values):
            for j, value in enumerate(row):
                place = (value - low) / (high - low) if high > low else 0.0
                self._numbers[i][j].set(text=f"{100 * value:.0f}", color="white" if place > DARK else "black")
        i, j = self.algorithms.index(focus["algorithm"]), self.partitions.index(focus["partition"])
        self._frame.set_xy((j - 0.5, i - 0.5))
        self.matrix.set_title(
            f"{answer.metric} in %, mean over seeds\n(all data in one place: {100 * answer.one_place:.0f})",
            fontsize=FONT_POINTS + 1,
            loc="left",
        )
        chosen = {"algorithm": focus["algorithm"]}
        self.curves.draw(dataclasses.replace(answer, numbers=answer.curves, focus=chosen))
        # From 0 passes and at 0 %: where two tasks are compared, height must mean the same kind of thing.
        right = self.curves.axes
        right.set_xlim(left=0)
        right.set_ylim(bottom=0)
        right.set_ylabel(f"{answer.metric}, %")
        title = f"on the way: {focus['partition']} partition"
        right.set_title(title, fontsize=FONT_POINTS + 1, loc="left", pad=44)

    def shown(self) -> dict[str, Any]:
        """Return what is written in the matrix, which algorithm and partition are framed, and the curves."""
        x, y = self._frame.get_xy()
        framed = self.algorithms[round(y + 0.5)], self.partitions[round(x + 0.5)]
        return {"matrix": texts(self._numbers), "frame": framed, "curves": self.curves.shown()}
