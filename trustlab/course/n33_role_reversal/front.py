"""The front of notebook 33: how even a student's texts are against its perplexity, a line per operation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from trustlab.course.n33_role_reversal.experiment import SHARES_ADDED
from trustlab.fairness.distillation import REVERSALS
from trustlab.lab.answer import Answer
from trustlab.lab.figures import FONT_POINTS, GREY, MARKERS, PALETTE, clean, points
from trustlab.lab.vector import fade, name_points

FADED = 0.42  # how much of its colour an operation out of focus keeps
ROOM = 0.06  # of the range of perplexities, on both sides


class Front:
    """A line per operation through its students, from the one without added texts (hollow) to the one with all.

    Parameters
    ----------
    axes
        Where it is drawn.
    references
        Named horizontal lines.
    """

    def __init__(self, axes: Axes, references: Mapping[str, float]) -> None:
        self.axes = axes
        clean(axes, x_label="perplexity, held-out texts", y_label="equity ratio, mean")
        axes.set_ylim(0.3, 1.0)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        for name, height in references.items():
            axes.axhline(height, color=GREY, linewidth=1.2, linestyle="--", zorder=1)
            axes.annotate(name, (1.0, height), (0, 4), xycoords=("axes fraction", "data"), ha="right", va="bottom",
                          textcoords="offset points", fontsize=10, color=GREY)  # fmt: skip
        looks = dict(zip(REVERSALS, zip(PALETTE, MARKERS, strict=True), strict=False))
        self._colours = {name: colour for name, (colour, _) in looks.items()}
        self._lines, self._starts = {}, {}
        for name, (colour, marker) in looks.items():
            (self._lines[name],) = axes.plot([], [], color=colour, marker=marker, linewidth=2.2, label=name)
            (self._starts[name],) = axes.plot(
                [], [], marker=marker, mec=colour, mfc="white", linestyle="none", zorder=4
            )
        (self._ring,) = axes.plot([], [], "o", markersize=15, fillstyle="none", color="black", mew=1.8, zorder=5)
        (self._live,) = axes.plot([], [], "D", color="black", markersize=6, zorder=6)
        axes.legend(self._lines.values(), REVERSALS, loc="lower left", bbox_to_anchor=(-0.01, 1.02), ncols=3,
                    frameon=False, fontsize=FONT_POINTS, handlelength=1.8, columnspacing=1.6)  # fmt: skip

    def draw(self, answer: Answer) -> None:
        """Move the lines, the ring and the reader's own student to `answer`."""
        focus = dict(answer.focus or {})
        for name, line in self._lines.items():
            rows = [row for row in answer.numbers if row["operation"] == name]  # in the order of the texts added
            tone = fade(line, self._colours[name], 1 if name == focus.get("operation") else FADED)
            line.set_data(*_places(rows))
            line.set(color=tone, zorder=3 if name == focus.get("operation") else 2)
            name_points(line, [f"{name}, {row['added']:g} of the texts added: {row['equity']:.2f}" for row in rows])
            self._starts[name].set_data(*_places([row for row in rows if row["added"] == SHARES_ADDED[0]]))
            self._starts[name].set_markeredgecolor(fade(self._starts[name], self._colours[name], 1))
        chosen = [row for row in answer.numbers if all(row[key] == value for key, value in focus.items())]
        self._ring.set_data(*_places(chosen))
        self._live.set_data(*_places(answer.live))
        name_points(self._live, [f"yours: {row['equity']:.2f}" for row in answer.live])
        x, _ = _places([*answer.numbers, *answer.live])
        room = ROOM * (max(x) - min(x))
        self.axes.set_xlim(min(x) - room, max(x) + room)

    def shown(self) -> dict[str, Any]:
        """Return the points of each operation, the ring and the reader's own."""
        lines = {name: points(line) for name, line in self._lines.items()}
        return {"series": lines, "ring": points(self._ring), "live": points(self._live)}


def _places(rows: Any) -> tuple[list[float], list[float]]:
    return [float(row["perplexity"]) for row in rows], [float(row["equity"]) for row in rows]
