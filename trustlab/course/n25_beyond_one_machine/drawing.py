"""The picture of notebook 25's panel: four quantities, each with a bar for every way to add up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trustlab.lab.answer import Answer
from trustlab.lab.display import number
from trustlab.lab.figures import FONT_POINTS, PALETTE, Drawing, clean

# Ends of each axis: fixed, so that a reader sees the bars grow and not the axis.
PANES = {
    "traffic, GB": (1e-3, 1e4),
    "round, s": (1, 1e4),
    "server memory, MB": (0.1, 1e5),
    "server masks, GB": (1e-3, 1e9),
}


class NeedsDrawing(Drawing):
    """Four panes with bars on logarithmic axes, the value written at each bar's end."""

    def __init__(self, ways: Sequence[str]) -> None:
        super().__init__(width=920, height=270)
        self.ways = tuple(ways)
        self._bars: dict[str, Any] = {}
        self._told: dict[str, Any] = {}
        for i, (name, (low, high)) in enumerate(PANES.items()):
            axes = self.figure.add_axes((0.085 + 0.23 * i, 0.2, 0.195, 0.66))
            clean(axes)
            axes.grid(False)
            axes.set_title(name, fontsize=FONT_POINTS + 0.5, loc="left")
            axes.set(xscale="log", xlim=(low, high), ylim=(len(ways) - 0.5, -0.5))
            axes.set_yticks(range(len(ways)), ways if i == 0 else [""] * len(ways))
            axes.set_xticks([low, (low * high) ** 0.5, high], [number(x, 2) for x in (low, (low * high) ** 0.5, high)])
            axes.minorticks_off()
            self._bars[name] = axes.barh(range(len(ways)), [low] * len(ways), height=0.62, color=PALETTE[: len(ways)])
            self._told[name] = [
                axes.text(low, y, "", va="center", fontsize=FONT_POINTS, fontweight="bold") for y in range(len(ways))
            ]
        self._low = {name: low for name, (low, _) in PANES.items()}

    def draw(self, answer: Answer) -> None:
        """Set the bars' ends; a quantity of nothing has no bar, and says so."""
        for name, bars in self._bars.items():
            low, high = PANES[name]
            for bar, text, row in zip(bars, self._told[name], answer.numbers, strict=True):
                value = float(row[name])
                bar.set_width(max(value, low))
                far = value > (low * high) ** 0.5
                bar.set_alpha(1.0 if value else 0.0)
                text.set(text=number(value, 2) if value else "none", ha="right" if far else "left")
                text.set(x=value / 1.25 if far else max(value, low) * 1.25, color="white" if far else "black")

    def shown(self) -> dict[str, Any]:
        """Return what is written at each bar."""
        return {name: [text.get_text() for text in told] for name, told in self._told.items()}
