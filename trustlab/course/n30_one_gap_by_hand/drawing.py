"""The picture of notebook 30: everybody at their score, the threshold, and how many of each group get a loan."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.course.n30_one_gap_by_hand.people import GROUPS, RATES, asked_about, counts, people, shares, whole
from trustlab.lab.answer import Answer
from trustlab.lab.figures import FONT_POINTS, GREY, PALETTE, Drawing, clean, points, texts

COLOURS = {"hill": PALETTE[0], "valley": PALETTE[1]}
BASES = {"hill": 1.0, "valley": 0.0}  # height of a group's lowest row of people
BIN, STEP = 0.05, 0.17  # people whose scores are this close stand on one another, this far apart
COUNTS = 0.6  # the height of a group's counts above its base


@dataclass(frozen=True)
class LoanAnswer(Answer):
    """An answer with everybody's score, the threshold, and who has moved."""

    threshold: float = 0.5
    rate: str = "true_positive_rate"
    scores: tuple[float, ...] = ()
    moved: int | None = None
    moved_from: float | None = None


class LoanDrawing(Drawing):
    """Left people as dots, full if they would pay back; right the two rates and the gap between them."""

    def __init__(self) -> None:
        super().__init__(width=900, height=340)
        self.figure.subplots_adjust(left=0.075, right=0.975, bottom=0.135, top=0.9, wspace=0.12)
        self._left, self._right = self.figure.subplots(1, 2, width_ratios=(1.75, 1))
        self._table = people()
        self._make_people()
        self._make_rates()

    def _make_people(self) -> None:
        axes = self._left
        clean(axes, x_label="score")
        axes.grid(visible=False)
        axes.set(xlim=(0.05, 1.0), ylim=(-0.25, 2.0))
        axes.set_yticks([BASES[group] + 0.25 for group in GROUPS], [f"{group}\npeople" for group in GROUPS])
        axes.tick_params(axis="y", length=0)
        axes.set_title("● would pay back    ○ would not", fontsize=FONT_POINTS + 1, loc="left")
        self._loan = axes.axvspan(0.5, 1.0, color=PALETTE[2], alpha=0.1, linewidth=0, zorder=0)
        self._line = axes.axvline(0.5, color="black", linewidth=1.6, zorder=1)
        self._word = axes.text(0, 1.9, "loan →", fontsize=FONT_POINTS, va="center")
        look = dict(fontsize=FONT_POINTS + 1, va="center")
        self._counts = [
            [
                axes.text(0, BASES[group] + COUNTS, "", ha=side, color=COLOURS[group], **look)
                for side in ("right", "left")
            ]
            for group in GROUPS
        ]
        axes.axhline(0.87, color="#dddddd", linewidth=0.8)
        colour = [COLOURS[group] for group in self._table.group]
        face = [shade if pays else "white" for shade, pays in zip(colour, self._table.pays, strict=True)]
        self._dots = axes.scatter(np.zeros(36), np.zeros(36), s=95, c=face, edgecolors=colour, linewidths=1.7, zorder=3)
        (self._ring,) = axes.plot([], [], "o", markersize=17, fillstyle="none", color="black", mew=1.8, zorder=4)
        (self._way,) = axes.plot([], [], color="black", linewidth=1.4, zorder=2)

    def _make_rates(self) -> None:
        axes = self._right
        clean(axes)
        axes.grid(visible=False)
        axes.set(xlim=(0, 1.7), ylim=(-0.25, 2.0), yticks=[])
        axes.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
        heights = [BASES[group] + 0.25 for group in GROUPS]
        self._bars = axes.barh(heights, [0.0, 0.0], height=0.42, color=list(COLOURS.values()))
        self._told = [axes.text(0, height, "", va="center", fontsize=FONT_POINTS + 1) for height in heights]
        (self._gap,) = axes.plot([], [], color="black", linewidth=3, solid_capstyle="butt", zorder=4)
        (self._drops,) = axes.plot([], [], color=GREY, linewidth=1, linestyle=(0, (2, 2)), zorder=3)
        self._gap_told = axes.text(0, 0.82, "", va="center", fontsize=FONT_POINTS + 1, weight="bold")

    def draw(self, answer: LoanAnswer) -> None:
        """Move people, threshold, bars and gap to `answer`."""
        table = self._table.assign(score=answer.scores)
        at = answer.threshold
        self._loan.set_x(at)
        self._loan.set_width(1.0 - at)
        self._line.set_xdata([at, at])
        self._word.set_x(at + 0.01)
        self._count(table, at)
        places = _stacked(table)
        self._dots.set_offsets(places)
        self._dots.set_alpha(np.where(asked_about(table, answer.rate), 1.0, 0.25))
        self._show_moved(answer, places)
        self._show_rates(answer, shares(table, at, answer.rate))

    def _count(self, table: Any, at: float) -> None:
        """Write how many of each group would pay back and would not, on both sides of the threshold."""
        for cells, told in zip(counts(table, at).values(), self._counts, strict=True):
            pays, pays_not, other, other_not = cells.values()
            told[0].set(x=at - 0.012, text=f"● {pays_not}   ○ {other_not}")
            told[1].set(x=at + 0.012, text=f"● {pays}   ○ {other}")

    def _show_moved(self, answer: LoanAnswer, places: np.ndarray) -> None:
        if answer.moved is None:
            self._ring.set_data([], [])
            self._way.set_data([], [])
            return
        x, y = places[answer.moved]
        self._ring.set_data([x], [y])
        self._way.set_data([answer.moved_from, x], [y, y])

    def _show_rates(self, answer: LoanAnswer, found: dict[str, tuple[int, int]]) -> None:
        self._right.set_title(f"Loans {RATES[answer.rate]}", fontsize=FONT_POINTS + 1, loc="left")
        rates = [got / of for got, of in found.values()]
        for bar, told, rate, (got, of) in zip(self._bars, self._told, rates, found.values(), strict=True):
            bar.set_width(rate)
            told.set(x=rate + 0.03, text=f"{got} of {of}")
        low, high = min(rates), max(rates)
        self._gap.set_data([low, high], [0.82, 0.82])
        hill, valley = rates
        top, bottom = BASES["hill"] + 0.04, BASES["valley"] + 0.46
        self._drops.set_data([hill, hill, np.nan, valley, valley], [top, 0.82, np.nan, bottom, 0.82])
        self._gap_told.set(x=high + 0.03, text=f"gap {whole(high - low)} points")

    def shown(self) -> dict[str, Any]:
        """Return where people stand, where the threshold is, both rates and the gap."""
        return {
            "people": points(self._dots),
            "threshold": float(self._line.get_xdata()[0]),
            "ring": points(self._ring),
            "counts": texts(self._counts),
            "rates": {group: float(bar.get_width()) for group, bar in zip(GROUPS, self._bars, strict=True)},
            "gap": points(self._gap),
        }


def _stacked(table: Any) -> np.ndarray:
    """Return where to draw everybody, [N, 2]: people of a group with close scores stand on one another."""
    standing: Counter[tuple[str, int]] = Counter()
    places = []
    for group, score in zip(table.group, table.score, strict=True):
        column = group, int(score / BIN + 1e-9)
        places.append((score, BASES[group] + STEP * standing[column]))
        standing[column] += 1
    return np.array(places)
