"""The picture of notebook 10's game: ten published counts, and hit rates next to the bound and the optimal guesser."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trustlab.course.n10_what_epsilon_promises.toy import (
    EPSILONS,
    EVENINGS,
    OTHERS,
    GamePosition,
    Score,
    bound,
    noise_std,
    optimal_hit_rate,
)
from trustlab.lab.answer import Answer
from trustlab.lab.display import number
from trustlab.lab.figures import FONT_POINTS, GREY, PALETTE, Drawing, clean, points

YOU, OPTIMAL, BOUND = PALETTE[1], PALETTE[0], "black"
Scores = Mapping[GamePosition, Score]


@dataclass(frozen=True)
class GameAnswer(Answer):
    """What the game shows: the position, ten counts, and the scores of the reader and of the optimal guesser."""

    position: GamePosition = field(default_factory=GamePosition)
    counts: tuple[float, ...] = ()
    yours: Scores = field(default_factory=dict)
    played: Scores = field(default_factory=dict)

    def as_own(self, status: str, steps: int) -> GameAnswer:
        """Return the same answer: its provenance already says that all of it is computed here."""
        return self


class GameDrawing(Drawing):
    """Left ten published counts; right the share of right guesses for every ε."""

    def __init__(self) -> None:
        super().__init__(width=900, height=340)
        self.figure.subplots_adjust(left=0.06, right=0.985, bottom=0.15, top=0.74, wspace=0.16)
        left, right = self.figure.subplots(1, 2, width_ratios=(1, 1.15))
        self._left = left
        self._make_counts()
        self._make_rates(right)

    def _make_counts(self) -> None:
        left = self._left
        clean(left, x_label="evening")
        left.set_title("Ten published head counts", fontsize=FONT_POINTS + 1, loc="left", pad=44)
        left.set(xlim=(0.3, EVENINGS + 0.7), xticks=range(1, EVENINGS + 1))
        for height, colour, line in ((OTHERS, GREY, "--"), (OTHERS + 1, YOU, "-")):
            left.axhline(height, color=colour, linestyle=line, linewidth=1.4, zorder=1)
        words = dict(fontsize=FONT_POINTS, transform=left.transAxes, va="bottom")
        left.text(0.0, 1.02, "— 29, with Anna", color=YOU, ha="left", **words)
        left.text(1.0, 1.02, "- - 28, without", color=GREY, ha="right", **words)
        (self._counts,) = left.plot([], [], "o", color=OPTIMAL, markersize=7, zorder=3)

    def _make_rates(self, axes: Any) -> None:
        clean(axes, x_label="ε")
        axes.set_title("How often a guess is right", fontsize=FONT_POINTS + 1, loc="left", pad=44)
        axes.set(xlim=(-0.4, len(EPSILONS) - 0.6), ylim=(0, 1.04))
        axes.set_xticks(range(len(EPSILONS)), [number(epsilon) for epsilon in EPSILONS])
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
        axes.axhline(0.5, color=GREY, linestyle=(0, (1, 2)), linewidth=1.2, zorder=1)
        axes.annotate("a coin", (1, 0.5), (-2, -13), xycoords=("axes fraction", "data"), textcoords="offset points",
                      ha="right", color=GREY, fontsize=FONT_POINTS)  # fmt: skip
        at = range(len(EPSILONS))
        axes.plot(
            at,
            [bound(epsilon) for epsilon in EPSILONS],
            color=BOUND,
            linewidth=2,
            label="no attacker is right more often",
        )
        (self._optimal,) = axes.plot([], [], color=OPTIMAL, linestyle="--", linewidth=2, label="optimal guesser, exact")
        look = dict(linestyle="none", zorder=4)
        (self._played,) = axes.plot([], [], marker="D", color=OPTIMAL, markersize=7, label="optimal, played", **look)
        (self._yours,) = axes.plot([], [], marker="s", color=YOU, markersize=8, label="you", **look | {"zorder": 5})
        (self._bars,) = axes.plot([], [], color=YOU, linewidth=1.6, zorder=4)
        self._guide = axes.axvline(0, color=GREY, linewidth=1, linestyle=(0, (2, 3)), zorder=1)
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 0.98), ncols=2, frameon=False, fontsize=FONT_POINTS - 0.5,
                    handlelength=1.5, columnspacing=1.6, labelspacing=0.3)  # fmt: skip

    def draw(self, answer: GameAnswer) -> None:
        """Move counts, curves and hit rates to `answer`."""
        at = answer.position
        self._counts.set_data(range(1, EVENINGS + 1), answer.counts)
        std = 0.0 if at.noise == "coin" else noise_std(at.epsilon)
        reach = max([1.6, 2.6 * std, *(1.1 * abs(count - OTHERS - 0.5) for count in answer.counts)])
        self._left.set_ylim(OTHERS + 0.5 - reach, OTHERS + 0.5 + reach)
        exact = [optimal_hit_rate(GamePosition(epsilon, at.noise)) for epsilon in EPSILONS]
        self._optimal.set_data(range(len(EPSILONS)), exact)
        self._played.set_data(*_places(answer.played, at.noise))
        yours = {position: score for position, score in answer.yours.items() if position.noise == at.noise}
        self._yours.set_data(*_places(yours, at.noise))
        ends = [(place, *score.interval()) for place, score in _in_order(yours)]
        gap = (math.nan, math.nan)
        bars = [point for place, low, high in ends for point in ((place, low), (place, high), gap)] or [gap]
        self._bars.set_data(*np.array(bars).T)
        self._guide.set_xdata([EPSILONS.index(at.epsilon)] * 2)

    def shown(self) -> dict[str, Any]:
        """Return the counts, the optimal guesser's curve and both kinds of played hit rates."""
        return {
            "counts": [count for _, count in points(self._counts)],
            "optimal": points(self._optimal),
            "played": points(self._played),
            "yours": points(self._yours),
            "bars": points(self._bars),
            "guide": float(self._guide.get_xdata()[0]),
        }


def _in_order(scores: Scores) -> list[tuple[int, Score]]:
    return sorted((EPSILONS.index(position.epsilon), score) for position, score in scores.items() if score.guesses)


def _places(scores: Scores, noise: str) -> tuple[list[int], list[float]]:
    found = _in_order({position: score for position, score in scores.items() if position.noise == noise})
    return [place for place, _ in found], [score.rate for _, score in found]
