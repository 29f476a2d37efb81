"""Pictures of notebook 31: a table of correlations with the models behind one of them, and a needle for each metric."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from trustlab.course.dose import DETECTABLE
from trustlab.course.n31_fairness_metrics.experiment import RECIPES
from trustlab.course.n31_fairness_metrics.extrinsic import EXTRINSIC
from trustlab.course.n31_fairness_metrics.intrinsic import INTRINSIC
from trustlab.lab.display import number
from trustlab.lab.figures import FONT_POINTS, GREY, HALO, MARKERS, PALETTE, Drawing, clean, points, texts
from trustlab.lab.vector import keep_colours, name_points

# From orange over white to blue: distinguishable with every common colour blindness, and by the numbers written inside.
SIGNED = LinearSegmentedColormap.from_list("signed", [PALETTE[1], "white", PALETTE[0]])
DOSED = LinearSegmentedColormap.from_list("dosed", ["#d5e3ee", PALETTE[0], "#001f33"])
FARTHEST = 60.0  # noises, the right end of the needles' axis


class AgreementDrawing(Drawing):
    """r of all pairs on the left, bold where the corrected p < 0.05; on the right one dot a model, by dose."""

    def __init__(self) -> None:
        super().__init__(width=940, height=430)
        self.table = self.figure.add_axes((0.105, 0.27, 0.40, 0.62))
        self.models = self.figure.add_axes((0.605, 0.15, 0.325, 0.66))
        shape = (len(INTRINSIC), len(EXTRINSIC))
        self._image = self.table.imshow(np.zeros(shape), cmap=SIGNED, vmin=-1, vmax=1, aspect="auto")
        self.table.set_xticks(range(shape[1]), EXTRINSIC, rotation=40, ha="right", rotation_mode="anchor")
        self.table.set_yticks(range(shape[0]), INTRINSIC)
        self.table.tick_params(length=0, labelsize=FONT_POINTS)
        self.table.spines[:].set_visible(False)
        centred = dict(ha="center", va="center", fontsize=10)
        self._numbers = [[self.table.text(j, i, "", **centred) for j in range(shape[1])] for i in range(shape[0])]
        for text in itertools.chain(*self._numbers):
            keep_colours(text)
        self._ring = Rectangle((0, 0), 1, 1, fill=False, edgecolor="black", linewidth=2.2, zorder=5, path_effects=HALO)
        self.table.add_patch(self._ring)
        self.table.set_title("r of all pairs (bold: corrected p < 0.05)", fontsize=FONT_POINTS + 1, loc="left")
        clean(self.models)
        self._dots = {}
        for name, marker in zip(RECIPES, MARKERS, strict=False):
            self._dots[name] = self.models.scatter([], [], s=52, marker=marker, edgecolor=GREY, linewidth=0.7,
                                                   cmap=DOSED, vmin=0, vmax=1, c=[], label=name)  # fmt: skip
        legend = self.models.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3, frameon=False, fontsize=10,
                                    columnspacing=1.0, handletextpad=0.2)  # fmt: skip
        for handle in legend.legend_handles:
            handle.set_color(GREY)
        bar = self.figure.colorbar(ScalarMappable(Normalize(0, 1), DOSED), ax=self.models, pad=0.02, fraction=0.045)
        bar.set_label("planted bias, intrinsic notion", fontsize=10)
        bar.outline.set_visible(False)

    def draw(self, answer: Any) -> None:
        """Write the correlations and move the dots."""
        at = {(row["first"], row["second"]): row for row in answer.numbers}
        values = np.array([[at[first, second]["r"] for second in EXTRINSIC] for first in INTRINSIC])
        self._image.set_data(np.ma.masked_invalid(values))
        for i, first in enumerate(INTRINSIC):
            for j, second in enumerate(EXTRINSIC):
                row, text = at[first, second], self._numbers[i][j]
                text.set_text(_short(row["r"]))
                text.set_fontweight("bold" if row["p_family"] < 0.05 else "normal")
                text.set_color("white" if abs(row["r"]) > 0.7 else "black")
        first, second = answer.focus["first"], answer.focus["second"]
        self._ring.set_xy((EXTRINSIC.index(second) - 0.5, INTRINSIC.index(first) - 0.5))
        for name, dots in self._dots.items():
            own = [dot for dot in answer.dots if dot["recipe"] == name]
            dots.set_offsets([(dot["x"], dot["y"]) for dot in own] or np.empty((0, 2)))
            dots.set_array(np.array([dot["dose"] for dot in own]))
            name_points(dots, [f"{name}: {first} {number(dot['x'])}, {second} {number(dot['y'])}" for dot in own])
        for side, values in (("x", [dot["x"] for dot in answer.dots]), ("y", [dot["y"] for dot in answer.dots])):
            room = 0.07 * (max(values) - min(values)) or 0.1
            getattr(self.models, f"set_{side}lim")(min(values) - room, max(values) + room)
        self.models.set_xlabel(first, fontsize=FONT_POINTS)
        self.models.set_ylabel(second, fontsize=FONT_POINTS)

    def shown(self) -> dict[str, Any]:
        """Return the correlations as written, the pair that is framed, and the dots of each recipe."""
        x, y = self._ring.get_xy()
        framed = INTRINSIC[round(y + 0.5)], EXTRINSIC[round(x + 0.5)]
        dots = {name: points(each) for name, each in self._dots.items()}
        return {"table": texts(self._numbers), "frame": framed, "dots": dots}


def _short(r: float) -> str:
    """Write a correlation with two digits and nothing else; a dash where there is none."""
    if math.isnan(r):
        return "–"
    return "0" if abs(r) < 0.005 else f"{r:.2f}".replace("0.", ".").replace("-", "−")


class NeedleDrawing(Drawing):
    """A bar for each metric: its distance from its value without bias, in units of the noise; a dot for each model."""

    def __init__(self) -> None:
        super().__init__(width=860, height=420)
        axes = self.axes = self.figure.add_axes((0.15, 0.13, 0.82, 0.735))
        self.metrics = (*INTRINSIC, *EXTRINSIC)
        self._draw_axes()
        colours = [PALETTE[0]] * len(INTRINSIC) + [PALETTE[1]] * len(EXTRINSIC)
        places = range(len(self.metrics))
        self._bars = axes.barh(places, 0, height=0.55, color=colours, alpha=0.3)
        self._ends = axes.hlines(places, 0, 0, colors=colours, linewidth=2.4)
        look: dict[str, Any] = dict(s=20, facecolor="white", linewidth=1.2, zorder=4)
        self._models = {name: axes.scatter([], [], edgecolor=colour, **look)
                        for name, colour in zip(self.metrics, colours, strict=True)}  # fmt: skip
        (self._own,) = axes.plot([], [], "D", color="black", markersize=7, zorder=5)
        self._explain()

    def _draw_axes(self) -> None:
        axes = self.axes
        clean(axes, x_label="above no bias, in standard deviations of the difference between two models")
        axes.set_xscale("symlog", linthresh=4, linscale=1.4)
        axes.set_xticks([-3, 0, 3, 10, 30], ["−3", "0", "3", "10", "30"])
        axes.minorticks_off()
        axes.set_xlim(-4, FARTHEST)
        axes.set_ylim(len(self.metrics) - 0.4, -0.7)
        axes.set_yticks(range(len(self.metrics)), self.metrics)
        axes.grid(axis="x", color="#e3e3e3", linewidth=0.8)
        axes.axvline(0, color=GREY, linewidth=1.2)
        axes.axvline(DETECTABLE, color=GREY, linewidth=1.2, linestyle="--")
        axes.axhline(len(INTRINSIC) - 0.5, color=GREY, linewidth=0.8)
        axes.annotate("distinguishable from a model without bias →", (DETECTABLE, -0.62), (4, 0), fontsize=10,
                      color=GREY, textcoords="offset points", va="bottom", annotation_clip=False)  # fmt: skip
        for text, place in (("intrinsic", len(INTRINSIC) - 0.62), ("extrinsic", len(self.metrics) - 0.52)):
            axes.text(0.995, place, text, transform=axes.get_yaxis_transform(), ha="right", va="bottom", color=GREY)

    def _explain(self) -> None:
        """Say in the picture what bars, lines, dots and diamonds are."""
        dot = dict(linestyle="none", marker="o", color=GREY)
        handles = [
            Patch(color=GREY, alpha=0.3, label="mean of the saved models"),
            Line2D([], [], color=GREY, linewidth=2.4, label="95 % interval of the mean"),
            Line2D([], [], markerfacecolor="white", markersize=5, label="one saved model", **dot),
            Line2D([], [], linestyle="none", marker="D", color="black", markersize=7, label="your model"),
        ]
        at: dict[str, Any] = dict(loc="lower left", bbox_to_anchor=(-0.16, 1.055), ncols=4, frameon=False)
        self.axes.legend(handles=handles, fontsize=10, handlelength=1.4, columnspacing=1.6, **at)

    def draw(self, answer: Any) -> None:
        """Move bars and dots; the reader's own model is a diamond at each metric that was measured so far."""
        rows = {row["metric"]: row for row in answer.numbers}
        for place, (name, bar) in enumerate(zip(self.metrics, self._bars, strict=True)):
            bar.set_width(rows[name]["risen"])
            name_points(bar, [f"{name}, mean: {number(rows[name]['risen'])}"])
            models = [(row["risen"], place) for row in answer.dots if row["metric"] == name]
            self._models[name].set_offsets(models or np.empty((0, 2)))
            name_points(self._models[name], [f"{name}: {number(risen)}" for risen, _ in models])
        ends = [[(rows[name]["low"], y), (rows[name]["high"], y)] for y, name in enumerate(self.metrics)]
        self._ends.set_segments(ends)
        own = {row["metric"]: row["risen"] for row in answer.live}
        places = [(own[name], place) for place, name in enumerate(self.metrics) if name in own]
        self._own.set_data([x for x, _ in places], [y for _, y in places])
        name_points(self._own, [f"yours, {self.metrics[y]}: {number(x)}" for x, y in places])

    def shown(self) -> dict[str, Any]:
        """Return each bar's end, the ends of its interval, its single models, and the reader's own model's place."""
        bars = {name: float(bar.get_width()) for name, bar in zip(self.metrics, self._bars, strict=True)}
        ends = {name: (float(low[0]), float(high[0])) for name, (low, high) in
                zip(self.metrics, self._ends.get_segments(), strict=True)}  # fmt: skip
        models = {name: [x for x, _ in points(each)] for name, each in self._models.items()}
        own = {self.metrics[int(y)]: x for x, y in points(self._own)}
        return {"risen": bars, "ends": ends, "models": models, "own": own}
