"""The toy of notebook 12: a few exposed people among many who are not, an attack's ROC, and what its averages say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from trustlab.config import option
from trustlab.lab.answer import Answer
from trustlab.lab.figures import FONT_POINTS, GREY, PALETTE, Drawing, clean, points
from trustlab.lab.panel import Panel

SHARES = (0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
SHIFTS = (0.0, 0.1, 0.2, 0.5, 1.0)
EXPOSED = 6.0  # by how many standard deviations the score of an exposed member is higher
LEAST = 0.001
THRESHOLDS = np.linspace(10, -6, 801)


@dataclass(frozen=True)
class ToyPosition:
    """The position of the toy."""

    share: float = option(0.02, label="Exposed", help="Share of members whose score gives them away.", values=SHARES)
    shift: float = option(
        0.1,
        label="All others",
        help="By how many standard deviations the scores of all other members are higher.",
        values=SHIFTS,
    )


@dataclass(frozen=True)
class ToyAnswer(Answer):
    """An answer with the whole ROC."""

    fpr: tuple[float, ...] = ()
    tpr: tuple[float, ...] = ()


def exposed_toy() -> Panel:
    """Return the toy.

    Examples
    --------
    >>> print(exposed_toy().answer.verdict)
    The AUC is 0.54, hardly more than a coin's 0.50. Yet who accuses only 1 non-member in 1,000 finds 2.1 % of all \
members, 21 times as many as by guessing.
    """
    return Panel(
        ToyPosition(),
        title="Is an AUC of one half harmless?",
        drawing=ToyDrawing(),
        answer=answer,
        controls={"share": [(_share(value), value) for value in SHARES], "shift": None},
        code="exposed_toy()",
    )


def rates(share: float, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Return FPR and TPR at every threshold: scores are normal, of members a part is shifted far.

    Examples
    --------
    >>> fpr, tpr = rates(0.0, 0.0)
    >>> bool(np.allclose(fpr, tpr))
    True
    """
    fpr = ndtr(-THRESHOLDS)
    tpr = (1 - share) * ndtr(shift - THRESHOLDS) + share * ndtr(EXPOSED - THRESHOLDS)
    return fpr, tpr


def averages(share: float, shift: float) -> tuple[float, float, float]:
    """Return AUC, advantage and the TPR at an FPR of :data:`LEAST`; the first two exact up to the grid's steps."""
    fpr, tpr = rates(share, shift)
    auc = (1 - share) * ndtr(shift / np.sqrt(2)) + share * ndtr(EXPOSED / np.sqrt(2))
    return float(auc), float((tpr - fpr).max()), float(np.interp(LEAST, fpr, tpr))


def answer(at: ToyPosition) -> ToyAnswer:
    """Compute the ROC and three numbers of it."""
    fpr, tpr = rates(at.share, at.shift)
    auc, advantage, found = averages(at.share, at.shift)
    rows: list[dict[str, Any]] = [
        {"measure": "AUC", "value": auc, "a coin's": 0.5},
        {"measure": "advantage", "value": advantage, "a coin's": 0.0},
        {"measure": "members found at an FPR of 0.1 %", "value": found, "a coin's": LEAST},
    ]
    said = "hardly more than a coin's 0.50" if auc < 0.56 else "of a coin's 0.50 and a perfect attack's 1.00"
    times = found / LEAST
    verdict = (
        f"The AUC is {auc:.2f}, {said}. Yet who accuses only 1 non-member in 1,000 finds {100 * found:.1f} % of all "
        f"members, {times:.0f} times as many as by guessing."
    )
    if times < 1.5:
        verdict = f"The AUC is {auc:.2f}, {said}, and no member is found more often than by guessing."
    return ToyAnswer(rows, verdict, "computed here, exact", fpr=tuple(fpr), tpr=tuple(tpr))


def _share(value: float) -> str:
    return f"{100 * value:g} % of members" if value else "no member"


class ToyDrawing(Drawing):
    """The same ROC twice: on plain axes, and on logarithmic ones."""

    def __init__(self) -> None:
        super().__init__(width=820, height=370)
        self.figure.subplots_adjust(left=0.115, right=0.965, bottom=0.15, top=0.88, wspace=0.36)
        self._panes = list(self.figure.subplots(1, 2))
        self._lines, self._marks = [], []
        for axes, title in zip(self._panes, ("As usual", "Both axes logarithmic"), strict=True):
            clean(axes, x_label="FPR: non-members accused", y_label="TPR: members found")
            axes.set_title(title, fontsize=FONT_POINTS + 1, loc="left")
            axes.plot([1e-4, 1], [1e-4, 1], color=GREY, linewidth=1.2, linestyle=(0, (2, 3)))
            axes.axvline(LEAST, color=GREY, linewidth=1)
            self._lines += axes.plot([], [], color=PALETTE[0], linewidth=2.4)
            self._marks += axes.plot([], [], "o", color=PALETTE[1], markersize=9, zorder=5)
        plain, log = self._panes
        plain.set(xlim=(-0.02, 1), ylim=(0, 1.02))
        for axis in (plain.xaxis, plain.yaxis):
            axis.set_ticks([0, 0.5, 1], ["0", "50 %", "100 %"])
        log.set(xscale="log", yscale="log", xlim=(1e-4, 1), ylim=(1e-4, 1.2))
        for axis in (log.xaxis, log.yaxis):
            axis.set_ticks([0.001, 0.01, 0.1, 1], ["0.1 %", "1 %", "10 %", "100 %"])
        log.minorticks_off()

    def draw(self, answer: ToyAnswer) -> None:
        """Move both curves and their marks at an FPR of 0.1 %."""
        for line in self._lines:
            line.set_data(answer.fpr, answer.tpr)
        for mark in self._marks:
            mark.set_data([LEAST], [answer.numbers[-1]["value"]])

    def shown(self) -> dict[str, Any]:
        """Return the curve and the mark."""
        return {"curve": points(self._lines[0]), "mark": points(self._marks[0])}


__all__ = ["ToyPosition", "averages", "exposed_toy", "rates"]
