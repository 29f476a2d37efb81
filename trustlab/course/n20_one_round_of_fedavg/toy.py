"""The toy of notebook 20: one round of federated averaging in four moments, on a map."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.config import option
from trustlab.course.n20_one_round_of_fedavg.drawing import TownAnswer, TownDrawing
from trustlab.course.n20_one_round_of_fedavg.town import (
    CLIENTS,
    Average,
    rounds_of,
    town,
    weighted_average,
    weights_of,
)
from trustlab.lab.display import number
from trustlab.lab.job import Job, Row
from trustlab.lab.panel import Answer, Panel
from trustlab.lab.turns import in_turn

MOMENTS = ("1 send out", "2 train", "3 send back", "4 average")
ROUNDS = (1, 2, 3, 4, 5)
WAYS = {"examples": "by examples", "equal": "equally"}
NOBODY = "nobody"
FRAMES, PAUSE = 45, 0.1  # of a round that is played: a picture each tenth of a second
WATCHED = "Irma"  # the client whose distance every verdict reports


@dataclass(frozen=True)
class TownPosition:
    """The position of the toy."""

    moment: str = option(MOMENTS[0], label="Moment", help="The four parts of a round, in order.", values=MOMENTS)
    round: int = option(1, label="Round", help="Each round begins where the one before ended.", values=ROUNDS)
    aggregation: str = option(
        "examples",
        label="Average",
        help="How the server weights the models: by the clients' examples, or all equally.",
        values=tuple(WAYS),
    )
    without: str = option(
        NOBODY, label="Take away", help="The client whose data are missing.", values=(NOBODY, *CLIENTS)
    )


class TownPanel(Panel):
    """The toy; once a round was played, its controls are at the moment that is shown."""

    @in_turn
    def _follow(self, job: Job, live: Callable[[], Answer]) -> None:
        super()._follow(job, live)
        if job is self.job and job.status == "complete":
            self._move({"moment": MOMENTS[-1]})


def town_toy(average: Average | None = None) -> Panel:
    """Return the toy.

    Parameters
    ----------
    average
        What the server does with the models [K, 2] and their weights [K], such as a reader's own function; None and
        ``...`` take the weighted mean.

    Examples
    --------
    >>> toy = town_toy().set(moment="4 average", without="Irma")
    >>> print(toy.answer.verdict)  # doctest: +ELLIPSIS
    Round 1: the average of 11 models, weighted by examples, moves ... With Irma it would be 0.078 km from there.
    """
    mine = weighted_average if average is None or average is ... else average
    return TownPanel(
        TownPosition(),
        title="Where should the night ambulance wait?",
        drawing=TownDrawing(),
        answer=lambda position: answer(position, mine),
        controls={
            "moment": None,
            "round": None,
            "aggregation": [(words, way) for way, words in WAYS.items()],
            "without": None,
        },
        train=_frames,
        live=lambda position, rows: answer(position, mine, moment=3.0 * rows[-1]["progress"] if rows else 0.0),
        train_label="Play this round",
        code="town_toy()",
    )


def _frames(position: TownPosition) -> Iterator[Row]:
    for frame in range(1, FRAMES + 1):
        yield {"progress": frame / FRAMES}
        time.sleep(PAUSE)


def answer(position: TownPosition, average: Average = weighted_average, moment: float | None = None) -> TownAnswer:
    """Return what is on the map; `moment` is a number from 0 to 3 while a round is played."""
    without = "" if position.without == NOBODY else position.without
    names = [name for name in CLIENTS if name != without]
    models, server = rounds_of(position.round, position.aggregation, without, average)
    weights = weights_of(names, position.aggregation)
    rows: list[dict[str, Any]] = [
        {"client": name, "examples": len(town()[name]), "weight": weight, "east": east, "north": north}
        for name, weight, (east, north) in zip(names, weights / weights.sum(), models, strict=True)
    ]
    at = float(MOMENTS.index(position.moment)) if moment is None else moment
    with_all = rounds_of(position.round, position.aggregation, "", average)[1][-1] if without else server[-1]
    return TownAnswer(
        rows,
        _verdict(position, server, with_all, at),
        "computed here, exact: 4 local steps of gradient descent",
        focus={"client": WATCHED},
        moment=at,
        server=tuple(map(tuple, server)),
        with_all=tuple(with_all),
        without=without,
    )


def _verdict(position: TownPosition, server: list[np.ndarray], with_all: np.ndarray, at: float) -> str:
    """Say what happens at this moment, and at the end how far the average is from one client."""
    clients = len(CLIENTS) - (position.without != NOBODY)
    start = f"Round {position.round}: "
    if at < 1:
        return f"{start}the server sends its model, one place on the map, to {clients} phones. It has no data."
    if at < 2:
        return f"{start}each of {clients} phones moves the place towards the dots that only it knows."
    if at < 3:
        return f"{start}this is all that the server sees: {clients} places. The dots never leave the phones."
    here, heart = server[-1], town()[WATCHED].mean(0)
    way = WAYS[position.aggregation]
    told = (
        f"{start}the average of {clients} models, weighted {way}, moves the place by "
        f"{number(_apart(here, server[-2]), 2)} km. It is now {_apart(here, heart):.1f} km from {WATCHED}'s dots."
    )
    if position.without == NOBODY:
        return told
    return f"{told} With {position.without} it would be {number(_apart(here, with_all), 2)} km from there."


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(np.asarray(one) - np.asarray(other)))
