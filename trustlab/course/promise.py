"""What ε promises, as a picture: how often a bet that you took part can be right, and a hundred such bets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.config import option
from trustlab.course.budgets import DELTA
from trustlab.guessing import best_hit_rate, written_rate
from trustlab.lab.answer import Answer
from trustlab.lab.figures import FONT_POINTS, GREY, PALETTE, Drawing, clean, points
from trustlab.lab.panel import Panel

MOST = 10.0  # ε on the axis
CURVE = np.linspace(0.0, MOST, 101)
BETS, PER_ROW = 100, 10


@dataclass(frozen=True)
class Promise:
    """The position of the panel."""

    epsilon: float = option(
        1.0, label="ε", help="The privacy budget: a smaller ε is a stronger promise.", low=0.0, high=MOST
    )


def promise_panel() -> Panel:
    """Return the panel.

    Examples
    --------
    >>> print(promise_panel().set(epsilon=3.0).answer.verdict)  # doctest: +ELLIPSIS
    **At ε = 3**, an attacker who bets that your sentence was in the training data is right at most 95.3...
    """
    return Panel(Promise(), title="What does ε promise?", drawing=PromiseDrawing(), answer=answer,
                 controls={"epsilon": None}, code="promise_panel()")  # fmt: skip


def answer(at: Promise) -> Answer:
    """Say how often a bet can be right at the panel's position; exact."""
    rate = best_hit_rate(at.epsilon, DELTA)
    verdict = (
        f"**At ε = {at.epsilon:g}**, an attacker who bets that your sentence was in the training data is right at "
        f"most {written_rate(rate)} of the time, whatever else they know (a coin: 50 %)."
    )
    rows: list[dict[str, Any]] = [
        {"ε": epsilon, "right bets": best_hit_rate(epsilon, DELTA)} for epsilon in CURVE.tolist()
    ]
    focus = {"ε": at.epsilon, "right bets": rate}
    words = verdict.replace(" %", "\N{NO-BREAK SPACE}%")
    return Answer(rows, words, "computed here, exact: (e^ε + δ) / (1 + e^ε) with δ = 1e-5", focus=focus)


class PromiseDrawing(Drawing):
    """On the left the bound over ε; on the right a hundred bets, the right ones filled."""

    def __init__(self) -> None:
        super().__init__(width=820, height=370)
        self.figure.subplots_adjust(left=0.09, right=0.985, bottom=0.16, top=0.88, wspace=0.12)
        left, self.bets = self.figure.subplots(1, 2, width_ratios=(1.7, 1))
        clean(left, x_label="ε", y_label="share of right bets")
        left.set(xlim=(-0.03 * MOST, 1.03 * MOST), ylim=(0.45, 1.02))
        left.axhline(0.5, color=GREY, linewidth=1.2, linestyle="--", zorder=1)
        left.text(1.03 * MOST, 0.508, "a coin", color=GREY, ha="right", fontsize=FONT_POINTS)
        self._guide = left.axvline(1, color=GREY, linewidth=1, linestyle=(0, (2, 3)), zorder=1)
        (self._curve,) = left.plot([], [], color=PALETTE[0], linewidth=2.4)
        left.set_title("How often a bet can be right", fontsize=FONT_POINTS + 1, loc="left")
        (self._ring,) = left.plot([], [], "o", markersize=15, fillstyle="none", color="black", mew=1.8, zorder=6)
        self.bets.set(xlim=(-0.7, PER_ROW - 0.3), ylim=(BETS // PER_ROW - 0.3, -0.7), aspect="equal")
        self.bets.axis("off")
        self.bets.set_title("A hundred bets: right ones filled", fontsize=FONT_POINTS + 1, loc="left")
        self._places = np.array([(i % PER_ROW, i // PER_ROW) for i in range(BETS)], float)
        look = dict(marker="o", linestyle="none", markersize=13)
        (self._wrong,) = self.bets.plot([], [], color=GREY, fillstyle="none", mew=1.2, **look)
        (self._right,) = self.bets.plot([], [], color=PALETTE[1], **look)

    def draw(self, answer: Answer) -> None:
        """Move ring and guide, and fill as many of the bets as can be right."""
        focus = dict(answer.focus or {})
        self._curve.set_data(*zip(*((row["ε"], row["right bets"]) for row in answer.numbers), strict=True))
        self._guide.set_xdata([focus["ε"]] * 2)
        self._ring.set_data([focus["ε"]], [focus["right bets"]])
        right = round(BETS * focus["right bets"])
        self._right.set_data(*self._places[:right].T)
        self._wrong.set_data(*self._places[right:].T)

    def shown(self) -> dict[str, Any]:
        """Return the curve, the ring, and how many bets are filled."""
        right = len(points(self._right))
        return {"curve": points(self._curve), "ring": points(self._ring), "right": right}
