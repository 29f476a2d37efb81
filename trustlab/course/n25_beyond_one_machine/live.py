"""The second panel of notebook 25: rounds of Flower between processes of this machine, saved, and live on a button."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from trustlab.config import option
from trustlab.lab.curves import Curves
from trustlab.lab.display import duration, number
from trustlab.lab.job import Row
from trustlab.lab.panel import Answer, Panel
from trustlab.lab.saved import read, remembered

NAME = "flower_loopback"
ROUNDS = (1, 2, 3)
NODES = 2
INSTALL = "pip install -c requirements.lock -e '.[flower]'"


@dataclass(frozen=True)
class LivePosition:
    """The position of the panel."""

    rounds: int = option(3, label="Rounds", help="Of one SuperLink and two SuperNodes.", unit="rounds", values=ROUNDS)
    secure: bool = option(
        False, label="Connection", help="TLS with certificates and node keys that are made for this run.",
        values=(False, True),
    )  # fmt: skip


def flower_panel() -> Panel:
    """Return the panel; nothing is started before its button is pressed.

    Examples
    --------
    >>> print(flower_panel().set(rounds=1).answer.verdict.split(".")[0])
    Saved: after 1 round between processes the model is right on 23 % of the test requests
    """
    return Panel(
        LivePosition(),
        title="Rounds between processes",
        drawing=Curves(
            "round",
            "right",
            "engine",
            grid=ROUNDS,
            x_label="round",
            y_label="right on the test requests",
            y_limits=(0, 1),
            live_line=True,
            height=300,
        ),
        answer=saved,
        controls={"rounds": None, "secure": [("plain", False), ("TLS and node keys", True)]},
        train=rows,
        live=shown,
        train_label=lambda at: f"Start a server and {NODES} nodes, about {duration(_seconds(at))}",
        code="flower_panel()",
    )


@remembered
def saved(at: LivePosition) -> Answer:
    """Return the saved rounds."""
    table, about = read(NAME)
    known = [{"engine": "Flower, saved", "right": row["score"], **row} for row in table.to_dict("records")]
    last = known[at.rounds - 1]
    verdict = (
        f"Saved: after {at.rounds} round{'s' * (at.rounds > 1)} between processes the model is right on "
        f"{number(100 * last['right'], 3)} % of the test requests. A round took {duration(_round(known))} on two "
        f"cores and moved {number((last['bytes_down'] + last['bytes_up']) / 1e6, 2)} MB."
    )
    made = about["config"]
    told = f"saved, one run of Flower {made['peers'].removeprefix('flwr ')}, {made['nodes']} nodes"
    return Answer(known, verdict, told, focus={"round": at.rounds})


def rows(at: LivePosition) -> Iterator[Row]:
    """Start a server and two nodes, and yield what happens; closing this ends every process."""
    from trustlab.federated.deployment import loopback

    for row in loopback(nodes=NODES, rounds=at.rounds, secure=at.secure):
        yield {"step": int(row.get("round", 0)), **row}


def shown(at: LivePosition, got: list[Row]) -> Answer:
    """Return the saved answer with the reader's own rounds, and what the server says now."""
    base = saved(at)
    own = [{"engine": "yours", "right": row["score"], **row} for row in got if row["stage"] == "round"]
    told = str(got[-1]["note"]) if got else "Processes are starting."
    verdict = f"{told} {_compared(own, base)}".strip()
    return Answer(base.numbers, verdict, base.provenance, live=own)


def _compared(own: list[dict[str, Any]], base: Answer) -> str:
    if not own:
        return "Stop ends every process within two seconds."
    last = own[-1]
    mine, theirs = (number(100 * row["right"], 3) for row in (last, base.numbers[int(last["round"]) - 1]))
    return f"Right: {mine} % after round {last['round']}; saved {theirs} %."


def _round(known: list[dict[str, Any]]) -> float:
    """Return how many seconds a saved round took, the first left out: processes start in it."""
    return sum(row["round_seconds"] for row in known[1:]) / len(known[1:])


def _seconds(at: LivePosition) -> float:
    return float(read(NAME)[0]["seconds"].iloc[at.rounds - 1])
