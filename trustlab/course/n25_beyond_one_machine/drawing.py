"""The picture of notebook 25's panel: four quantities, each with a bar for every way to add up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from trustlab.lab.answer import Answer
from trustlab.lab.display import duration, number
from trustlab.lab.figures import FONT_POINTS, PALETTE, Drawing, clean

# Ends of each axis: fixed, so that a reader sees the bars grow and not the axis.
PANES = {
    "traffic": (1e6, 1e13),
    "seconds": (10, 1e4),
    "server memory": (1e5, 1e11),
    "server masks": (1e6, 1e16),
}
TITLES = {"traffic": "traffic of a round", "seconds": "time of a round", "server memory": "server memory",
          "server masks": "masks the server makes"}  # fmt: skip
UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


def sized(count: float) -> str:
    """Return a number of bytes as a reader says it, to two digits.

    Examples
    --------
    >>> sized(0), sized(999), sized(2_600_000_000), sized(1.8e15)
    ('none', '999 bytes', '2.6 GB', '1.8 PB')
    """
    if not count:
        return "none"
    power = min(int(math.log10(count) // 3), len(UNITS) - 1)
    return f"{number(float(f'{count / 1000**power:.2g}') if power else int(count))} {UNITS[power]}"


def told(name: str, value: float) -> str:
    """Return the value of a pane as it is written at its bar."""
    return duration(value) if name == "seconds" else sized(value)


class NeedsDrawing(Drawing):
    """Four panes with bars on logarithmic axes, the value written at each bar's end."""

    def __init__(self, ways: Sequence[str]) -> None:
        super().__init__(width=920, height=270)
        self.ways = tuple(ways)
        self._bars: dict[str, Any] = {}
        self._told: dict[str, Any] = {}
        for i, (name, (low, high)) in enumerate(PANES.items()):
            axes = self.figure.add_axes((0.1 + 0.228 * i, 0.2, 0.19, 0.66))
            clean(axes)
            axes.grid(False)
            axes.set_title(TITLES[name], fontsize=FONT_POINTS + 0.5, loc="left")
            axes.set(xscale="log", xlim=(low, high), ylim=(len(ways) - 0.5, -0.5))
            axes.set_yticks(range(len(ways)), ways if i == 0 else [""] * len(ways))
            axes.set_xticks([low, high], [told(name, low), told(name, high)])
            axes.get_xticklabels()[0].set_ha("left")
            axes.get_xticklabels()[1].set_ha("right")
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
                text.set(text=told(name, value), ha="right" if far else "left")
                text.set(x=value / 1.25 if far else max(value, low) * 1.25, color="white" if far else "black")

    def shown(self) -> dict[str, Any]:
        """Return what is written at each bar."""
        return {name: [text.get_text() for text in told] for name, told in self._told.items()}
