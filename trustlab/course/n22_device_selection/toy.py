"""The first figure of notebook 22: which clients the average represents, as β and the fleet change."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.config import option
from trustlab.federated.expectation import HEAVY, compare
from trustlab.lab.curves import Curves
from trustlab.lab.display import per_cent
from trustlab.lab.figures import FONT_POINTS, GREY, PALETTE, Drawing, clean
from trustlab.lab.panel import Answer, Panel

BETAS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
EXPONENTS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2)
COHORTS = (1, 3, 10, 30, 100)
DEVICES = 200
WAYS = {"examples": "by examples", "equal": "equally", "horvitz-thompson": "Horvitz–Thompson"}


@dataclass(frozen=True)
class ToyPosition:
    """The position of the figure."""

    beta: float = option(1.0, label="β", help="Selection ∝ n^β; 0 is uniform, 1 proportional.", values=BETAS)
    exponent: float = option(
        0.8, label="Fleet skew", help="Activity of rank r is ∝ r^−skew; 0 makes all clients equal.", values=EXPONENTS
    )
    cohort: int = option(10, label="Cohort", help="Clients drawn per round, with replacement.", values=COHORTS)
    aggregation: str = option(
        "examples",
        label="Weights",
        help="How the server weights the updates: by the clients' examples, all equally, or by examples over the "
        "probability to be drawn (Horvitz–Thompson).",
        values=tuple(WAYS),
    )


def selection_toy() -> Panel:
    """Return the figure.

    Examples
    --------
    >>> toy = selection_toy().set(beta=1.0, aggregation="equal")
    >>> print(toy.answer.verdict)  # doctest: +ELLIPSIS
    The heaviest tenth of the devices has 47...% of the data and 47...% of the expected weight, 1.00 times ... data.
    """
    return Panel(
        ToyPosition(),
        title="Which clients does the average represent?",
        drawing=ToyDrawing(),
        answer=_answer,
        controls={
            "beta": None,
            "exponent": None,
            "cohort": None,
            "aggregation": [(words, way) for way, words in WAYS.items()],
        },
        code="selection_toy()",
    )


@functools.lru_cache
def weights_over_beta(exponent: float, cohort: int) -> list[dict[str, Any]]:
    """Return the weight of the heaviest tenth, a row per β and aggregation, all exact.

    Examples
    --------
    >>> [round(row["ratio"], 2) for row in weights_over_beta(0.8, 10) if row["β"] == 1.0]
    [1.86, 1.0, 1.0]
    """
    n = np.arange(1, DEVICES + 1) ** -exponent
    selections = [dict(strategy="power", design="with-replacement", beta=beta) for beta in BETAS]
    return [
        {"β": row["beta"], "weights": WAYS[row["aggregation"]]}
        | {name: row[name] for name in ("share", "weight", "ratio")}
        for row in compare(n, cohort, selections, heavy=HEAVY)
        if row["aggregation"] in WAYS
    ]


def _answer(at: ToyPosition) -> Answer:
    """Read the expected weights at the panel's position."""
    rows = weights_over_beta(at.exponent, at.cohort)
    focus = {"weights": WAYS[at.aggregation], "β": at.beta}
    (here,) = (row for row in rows if row.items() >= focus.items())
    verdict = (
        f"The heaviest tenth of the devices has {per_cent(here['share'])} of the data and {per_cent(here['weight'])} "
        f"of the expected weight, {here['ratio']:.2f} times its share: {_read(here['ratio'])}."
    )
    return Answer(rows, verdict, f"computed here, exact, {DEVICES} devices", focus=focus)


def _read(ratio: float) -> str:
    if abs(ratio - 1) < 0.005:
        return "fair to the data"
    return "over-represented" if ratio > 1 else "under-represented"


class ToyDrawing(Drawing):
    """Weight over share for every β on the left; the shares of clients, data and weight on the right."""

    def __init__(self) -> None:
        super().__init__(width=900, height=370)
        self.figure.subplots_adjust(left=0.075, right=0.985, bottom=0.15, top=0.80, wspace=0.5)
        left, self.bars = self.figure.subplots(1, 2, width_ratios=(1.45, 1))
        self.curves = Curves(
            "β",
            "ratio",
            "weights",
            x_label="β",
            y_label="expected weight over share of data",
            references={"fair to the data": 1.0},
            legend_at=1.08,
            axes=left,
        )
        left.set_title("The heaviest tenth of the devices", fontsize=FONT_POINTS + 1, loc="left")
        names = ["of the devices", "of the data", *(f"weight,\n{words}" for words in WAYS.values())]
        clean(self.bars, x_label="share of the heaviest tenth")
        self.bars.grid(axis="y", visible=False)
        self.bars.set(xlim=(0, 1.12), yticks=range(len(names)), yticklabels=names)
        self.bars.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
        self.bars.invert_yaxis()
        self._bars = self.bars.barh(range(len(names)), [0.0] * len(names), color=[GREY, GREY, *PALETTE[: len(WAYS)]])
        self._told = [self.bars.text(0, y, "", va="center", fontsize=FONT_POINTS) for y in range(len(names))]

    def draw(self, answer: Answer) -> None:
        """Move the curves, and the bars to the β in focus."""
        focus = dict(answer.focus or {})
        self.curves.draw(answer)
        here = {row["weights"]: row for row in answer.numbers if row["β"] == focus["β"]}
        shares = [HEAVY, here[focus["weights"]]["share"], *(here[words]["weight"] for words in WAYS.values())]
        for bar, told, share, words in zip(self._bars, self._told, shares, ["", "", *WAYS.values()], strict=True):
            bar.set_width(share)
            bar.set_alpha(1.0 if words in ("", focus["weights"]) else 0.45)
            told.set(x=share + 0.02, text=per_cent(share))
        self.bars.set_title(f"At β = {focus['β']:g}", fontsize=FONT_POINTS + 1, loc="left")

    def shown(self) -> dict[str, Any]:
        """Return what the curves show, and how long each bar is."""
        names = ["of the devices", "of the data", *WAYS.values()]
        lengths = (float(bar.get_width()) for bar in self._bars)
        return {"curves": self.curves.shown(), "bars": dict(zip(names, lengths, strict=True))}
