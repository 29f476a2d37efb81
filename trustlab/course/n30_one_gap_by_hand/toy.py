"""The toy of notebook 30: a threshold over visible people, four counts for each group, and one gap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trustlab.config import option
from trustlab.course.n30_one_gap_by_hand.drawing import LoanAnswer, LoanDrawing
from trustlab.course.n30_one_gap_by_hand.people import (
    GROUPS,
    HILL,
    RATES,
    VALLEY,
    counts,
    gap,
    moved,
    people,
    shares,
    whole,
)
from trustlab.lab.panel import Panel

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(4, 18))
NOBODY = "nobody"
WHOM = {NOBODY: "nobody", HILL: "one of the hill", VALLEY: "one of the valley"}


@dataclass(frozen=True)
class LoanPosition:
    """The position of the toy."""

    threshold: float = option(0.5, label="Threshold", help="Who has this score or more gets a loan.", values=THRESHOLDS)
    rate: str = option(
        "true_positive_rate",
        label="Loans",
        help="Who is counted: those who would pay back, those who would not, or everybody.",
        values=tuple(RATES),
    )
    move: str = option(
        NOBODY,
        label="Move",
        help="Move one person to the other side of the threshold: the nearest one below who is counted.",
        values=tuple(WHOM),
    )


def loan_toy() -> Panel:
    """Return the toy.

    Examples
    --------
    >>> print(loan_toy().answer.verdict)
    Of those who would pay back, 12 of 16 hill people get a loan (75 %) and 3 of 6 valley people (50 %): **a gap of 25 \
points**. Moving one of the hill makes it 31, one of the valley 8.
    """
    return Panel(
        LoanPosition(),
        title="Who gets a loan?",
        drawing=LoanDrawing(),
        answer=answer,
        controls={
            "threshold": None,
            "rate": [(words, rate) for rate, words in RATES.items()],
            "move": [(words, whom) for whom, words in WHOM.items()],
        },
        code="loan_toy()",
    )


def answer(at: LoanPosition) -> LoanAnswer:
    """Count at the position."""
    before = people()
    after, who = (before, None) if at.move == NOBODY else moved(before, at.move, at.threshold, at.rate)
    found = shares(after, at.threshold, at.rate)
    rows: list[dict[str, Any]] = [
        {"group": group, **each, "rate": found[group][0] / found[group][1]}
        for group, each in counts(after, at.threshold).items()
    ]
    return LoanAnswer(
        rows,
        _verdict(at, found),
        "counted here, 36 made-up people",
        threshold=at.threshold,
        rate=at.rate,
        scores=tuple(after.score),
        moved=who,
        moved_from=None if who is None else float(before.score[who]),
    )


def _verdict(at: LoanPosition, found: dict[str, tuple[int, int]]) -> str:
    """Say the gap, and what moving one person would make of it."""
    whom = RATES[at.rate]
    (hill, hills), (valley, valleys) = found[HILL], found[VALLEY]
    told = (
        f"{whom[0].upper()}{whom[1:]}, {hill} of {hills} hill people get a loan ({whole(hill / hills)} %) and "
        f"{valley} of {valleys} valley people ({whole(valley / valleys)} %): **a gap of {_points(gap(found))}**."
    )
    if at.move != NOBODY:
        before = gap(shares(people(), at.threshold, at.rate))
        return f"{told} Before one person of the {at.move} moved it was {_points(before)}."
    others = {group: moved(people(), group, at.threshold, at.rate)[0] for group in GROUPS}
    after = {group: whole(gap(shares(each, at.threshold, at.rate))) for group, each in others.items()}
    return f"{told} Moving one of the hill makes it {after[HILL]}, one of the valley {after[VALLEY]}."


def _points(share: float) -> str:
    return f"{whole(share)} points"
