"""The toy of notebook 23: one number follows a target that moves, and what is left of where the target was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.config import option
from trustlab.course.n23_continual_learning.drawing import ContinualAnswer, Matrix
from trustlab.lab.display import per_cent
from trustlab.lab.figures import FONT_POINTS, PALETTE, Drawing, clean, points
from trustlab.lab.panel import Panel

PERIODS, EXAMPLES, PULL = 6, 20, 0.2
DRIFTS, BUDGETS, LENGTHS = (0.0, 1.0, 2.0, 4.0), (0, 5, 20, 100), (2, 5, 20)


@dataclass(frozen=True)
class ToyPosition:
    """The position of the toy."""

    drift: float = option(
        2.0, label="Drift", help="How far the target moves from the first period to the last.", values=DRIFTS
    )
    replay: int = option(
        0, label="Replay", help=f"Old examples that are kept, next to {EXAMPLES} new ones per period.", values=BUDGETS
    )
    rounds: int = option(
        5,
        label="Rounds per period",
        help=f"In each round the number moves {per_cent(PULL)} of the way to the mean of the data.",
        values=LENGTHS,
    )


def continual_toy() -> Panel:
    """Return the toy.

    Examples
    --------
    >>> toy = continual_toy().set(drift=4.0, rounds=20)
    >>> forgets, keeps = (toy.set(replay=replay).answer.matrix[-1][0] for replay in (0, 100))
    >>> forgets < keeps
    True
    """
    return Panel(
        ToyPosition(),
        title="What is left of the past?",
        drawing=ToyDrawing(),
        answer=_answer,
        code="continual_toy()",
    )


def follow(at: ToyPosition) -> tuple[np.ndarray, np.ndarray]:
    """Return the targets [T] and the number's value after each round, [T, rounds].

    In each round it moves :data:`PULL` of the way to the mean of the present data: the period's examples at its
    target, and the kept ones, which are a sample of all earlier periods'.
    """
    targets = at.drift * np.arange(PERIODS) / (PERIODS - 1)
    stands, path = 0.0, np.empty((PERIODS, at.rounds))
    for period, target in enumerate(targets):
        kept = min(at.replay, period * EXAMPLES)
        past = targets[:period].mean() if period else 0.0
        mean = (EXAMPLES * target + kept * past) / (EXAMPLES + kept)
        for round in range(at.rounds):
            stands += PULL * (mean - stands)
            path[period, round] = stands
    return targets, path


def _answer(at: ToyPosition) -> ContinualAnswer:
    targets, path = follow(at)
    fit = np.exp(-((path[:, -1:] - targets) ** 2) / 2)  # [trained, tested], 1 where it is on the target
    present, past, past_then = (per_cent(share) for share in (fit[-1, -1], fit[-1, 0], fit[0, 0]))
    verdict = (
        f"After period {PERIODS} the number fits the present by {present} and the first period by {past}; at the end "
        f"of the first period it fitted that by {past_then}. Over all periods it fits by {per_cent(fit[-1].mean())}; "
        f"what each period measured at its own end gives {per_cent(fit.diagonal().mean())}."
    )
    if at.drift == 0:
        verdict += " The target does not move, so old examples are like new ones, and replay changes nothing."
    rows = [
        {"period": period + 1, "round": round + 1, "target": float(target), "number": float(path[period, round])}
        for period, target in enumerate(targets)
        for round in range(at.rounds)
    ]
    return ContinualAnswer(rows, verdict, "computed here, exact", matrix=fit.tolist())


class ToyDrawing(Drawing):
    """Target and number over time on the left, how well it fits each period's target on the right."""

    def __init__(self) -> None:
        super().__init__(width=860, height=330)
        self.path = self.figure.add_axes((0.07, 0.15, 0.48, 0.72))
        clean(self.path, x_label="period", y_label="target, and the number")
        self.path.set(xlim=(0.5, PERIODS + 0.5), ylim=(-0.3, max(DRIFTS) + 0.3))
        self.path.set_xticks(range(1, PERIODS + 1))
        edges = np.arange(PERIODS + 1) + 0.5
        self._target = self.path.stairs(np.zeros(PERIODS), edges, baseline=None, color=PALETTE[1], linewidth=2.4)
        (self._number,) = self.path.plot([], [], "o-", color=PALETTE[0], markersize=3.5, linewidth=1.4)
        self.path.legend(
            [self._target, self._number],
            ["the period's target", "the number that follows"],
            loc="upper left",
            frameon=False,
            fontsize=FONT_POINTS,
        )
        self.matrix = Matrix(self.figure.add_axes((0.65, 0.15, 0.34, 0.72)), PERIODS)
        self.matrix.axes.set_title("How well it fits, %", fontsize=FONT_POINTS + 1, loc="left")

    def draw(self, answer: ContinualAnswer) -> None:
        """Move target, path and matrix."""
        rounds = max(row["round"] for row in answer.numbers)
        self._target.set_data([row["target"] for row in answer.numbers if row["round"] == 1])
        places = [row["period"] - 0.5 + row["round"] / rounds for row in answer.numbers]
        self._number.set_data([0.5, *places], [0.0, *(row["number"] for row in answer.numbers)])
        self.matrix.show(answer.matrix)

    def shown(self) -> dict[str, Any]:
        """Return the targets, the number's path, and the matrix."""
        targets = self._target.get_data().values.tolist()
        return {"target": targets, "number": points(self._number), "matrix": self.matrix.shown()}
