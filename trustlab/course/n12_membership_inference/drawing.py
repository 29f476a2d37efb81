"""The picture of notebook 12's panel: ROCs on logarithmic axes with what is permitted, and what is found over ε."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trustlab.course.n12_membership_inference.attacked import FPRS
from trustlab.course.n12_membership_inference.stacked_training import EPSILONS, METHODS
from trustlab.lab.answer import Answer
from trustlab.lab.curves import Curves
from trustlab.lab.figures import FONT_POINTS, GREY, MARKERS, PALETTE, Drawing, clean, points

LEAST = 0.0004  # where the axis of TPRs ends: less than one member in two thousand
PERMITTED = "permitted"


@dataclass(frozen=True)
class AttackAnswer(Answer):
    """An answer that also has ROCs.

    Attributes
    ----------
    rocs
        By method, and ``"permitted"``: the TPR at each of :data:`FPRS`.
    own
        The same of the reader's own training; empty without one.
    """

    rocs: Mapping[str, list[float]] = field(default_factory=dict)
    own: tuple[float, ...] = ()


class AttackDrawing(Drawing):
    """Left the ROCs at one ε, both axes logarithmic; right the members found at an FPR of 1 % over all ε."""

    def __init__(self) -> None:
        super().__init__(width=900, height=400)
        self.rocs = self.figure.add_axes((0.105, 0.14, 0.385, 0.70))
        right = self.figure.add_axes((0.595, 0.14, 0.39, 0.70))
        clean(self.rocs, x_label="FPR: non-members accused", y_label="TPR: members found")
        self.rocs.set(xscale="log", yscale="log", xlim=(FPRS[0] * 0.9, 0.55), ylim=(LEAST, 1.25))
        self.rocs.set_xticks([0.001, 0.01, 0.1, 0.5], ["0.1 %", "1 %", "10 %", "50 %"])
        self.rocs.set_yticks([0.001, 0.01, 0.1, 1], ["0.1 %", "1 %", "10 %", "100 %"])
        self.rocs.minorticks_off()
        ends = [FPRS[0], FPRS[-1]]
        (guess,) = self.rocs.plot(ends, ends, color=GREY, linewidth=1.2, linestyle=(0, (2, 3)), label="guessing")
        (self._permitted,) = self.rocs.plot([], [], color="black", linewidth=2, linestyle="--", label="ε permits")
        look: dict[str, Any] = dict(linewidth=2, markersize=5)
        self._lines = {
            name: self.rocs.plot([], [], color=colour, marker=marker, label=name, **look)[0]
            for name, colour, marker in zip(METHODS.values(), PALETTE, MARKERS, strict=False)
        }
        (self._own,) = self.rocs.plot([], [], "D-", color="black", markersize=6, linewidth=1.2, label="yours", zorder=6)
        self._above = self.rocs.fill_between(FPRS, [2.0] * len(FPRS), [2.0] * len(FPRS), color=GREY, alpha=0.1, lw=0)
        handles = [*self._lines.values(), self._permitted, guess, self._own]
        self.rocs.legend(
            handles=handles, loc="lower left", bbox_to_anchor=(-0.2, 1.0), ncols=6, frameon=False,
            fontsize=FONT_POINTS, handlelength=1.8, columnspacing=1.2, labelspacing=0.25,
        )  # fmt: skip
        self.curves = Curves(
            "ε", "found", "method", grid=EPSILONS, x_label="ε", y_label="members found at an FPR of 1 %",
            y_limits=(0.0, 1.0), references={"guessing": 0.01}, axes=right, legend_at=None,  # the left one names them
        )  # fmt: skip

    def draw(self, answer: AttackAnswer) -> None:
        """Move the curves; what is above the permitted one is shaded."""
        for name, line in self._lines.items():
            own = answer.rocs.get(name, [])  # not every method was trained on every size
            line.set_data(FPRS if own else [], [max(value, LEAST) for value in own])
        allowed = answer.rocs[PERMITTED]
        self._permitted.set_data(FPRS, allowed)
        outline = [*zip(FPRS, allowed, strict=True), (FPRS[-1], 2.0), (FPRS[0], 2.0)]
        self._above.set_verts([outline])
        own = answer.own
        self._own.set_data(FPRS if own else [], [max(value, LEAST) for value in own])
        self.curves.draw(answer)

    def shown(self) -> dict[str, Any]:
        """Return the ROCs, what is permitted, the reader's own, and what the curves over ε show."""
        lines = {name: points(line) for name, line in self._lines.items()}
        return {
            "rocs": lines,
            "permitted": points(self._permitted),
            "own": points(self._own),
            "curves": self.curves.shown(),
        }
