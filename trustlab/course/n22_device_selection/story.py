"""The panel in which notebook 22 tells itself: who is drawn, round after round, and who is understood in the end."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trustlab.config import option
from trustlab.course.n22_device_selection import ROUNDS, over_rounds
from trustlab.course.n22_device_selection import experiment as activity
from trustlab.course.n22_device_selection.experiment import AGGREGATIONS
from trustlab.course.n22_device_selection.harm import BETAS, FEW, without_heavy_travellers
from trustlab.course.n22_device_selection.harm import ROUNDS as LAST
from trustlab.course.n22_device_selection.story_drawing import FADES, StoryAnswer, StoryDrawing
from trustlab.federated.partition import Partition, partition
from trustlab.lab.display import per_cent
from trustlab.lab.player import PlayedPanel
from trustlab.lab.saved import numbers, select

if TYPE_CHECKING:
    import datasets

UNIFORM = "β = 0"
DRAWN = {UNIFORM: "uniform", "β = 0.5": "β = 0.5", "β = 1": "by activity (β = 1)"}
SEED = 0


@dataclass(frozen=True)
class StoryPosition:
    """The position of the panel."""

    selection: str = option(
        "β = 1", label="Drawn", help="How clients are drawn: in proportion to n^β.", values=tuple(DRAWN)
    )
    aggregation: str = option(
        "examples", label="Weights", help="Weight of an update in the average.", values=("examples", "equal")
    )
    round: int = option(LAST, label="Round", help="How far the training has come.", values=range(1, LAST + 1))

    @property
    def setting(self) -> over_rounds.Setting:
        """The training that is played."""
        beta = next(beta for beta in BETAS if f"β = {beta:g}" == self.selection)
        return over_rounds.Setting(beta=beta, aggregation=self.aggregation, seed=SEED)


class Fleet(NamedTuple):
    """The clients without heavy travellers: who holds what, and what kind of requests each of them has."""

    clients: Partition
    personas: np.ndarray  # [N], names

    @classmethod
    def of(cls, corpus: datasets.DatasetDict) -> Fleet:
        """Return the fleet that the saved trainings had, from the embedded corpus."""
        said = without_heavy_travellers(corpus)["train"]
        clients = partition(said["device"], scheme="natural")
        first = [int(clients[i][0]) for i in range(len(clients))]
        return cls(clients, np.array(said["persona"][:])[first])


def story_panel(corpus: datasets.DatasetDict) -> PlayedPanel:
    """Return the panel: play one training of the fleet without heavy travellers, round by round.

    Parameters
    ----------
    corpus
        The embedded corpus, ``load("assistant")``.
    """
    fleet = Fleet.of(corpus)
    weights = functools.cache(functools.partial(weights_over_rounds, fleet))
    return PlayedPanel(
        StoryPosition(),
        title="Who is heard? One training, round by round",
        drawing=StoryDrawing(fleet.clients.sizes, fleet.personas, few=FEW, rounds=LAST),
        answer=functools.partial(_answer, fleet=fleet, weights=weights),
        controls={
            "selection": [(words, way) for way, words in DRAWN.items()],
            "aggregation": [(AGGREGATIONS[way], way) for way in ("examples", "equal")],
            "round": None,
        },
        plays="round",
        code='story_panel(load("assistant"))',
    )


def weights_over_rounds(fleet: Fleet, setting: over_rounds.Setting) -> np.ndarray:
    """Return the weight of each client in the average of each round, [rounds, N]; 0 where it was not drawn.

    Parameters
    ----------
    fleet
        Of the training.
    setting
        Its seed and its selection decide who was drawn, its aggregation how much each of them weighs.
    """
    sizes = fleet.clients.sizes
    chosen = activity.selector(setting, fleet.clients)
    weights = np.zeros((LAST, len(sizes)))
    for place in range(LAST):
        drawn = over_rounds.cohort(setting, chosen, place + 1)
        share = sizes[drawn] / sizes[drawn].sum() if setting.aggregation == "examples" else 1 / len(drawn)
        np.add.at(weights[place], drawn, share)
    return weights


def _curves(selection: str, aggregation: str) -> np.ndarray:
    """Return the saved accuracies after each round, [2, rounds]: of all, and of travellers."""
    (row,) = select(ROUNDS.table(), selection=selection, aggregation=aggregation, seed=SEED).to_dict("records")
    return numbers([row["curve"], row["curve_few"]])


def _answer(at: StoryPosition, *, fleet: Fleet, weights: Any) -> StoryAnswer:
    """Read the saved training at the panel's round, and draw its cohorts again."""
    given = weights(at.setting)[: at.round]
    few = fleet.personas == FEW
    so_far = given.sum(axis=0) / given.sum()
    rows = _rows(at, given[:, few].sum(axis=1))
    share = fleet.clients.sizes[few].sum() / fleet.clients.sizes.sum()
    here = rows[at.round - 1]
    verdict = (
        f"After round {at.round}, travellers have {per_cent(share)} of the data and {per_cent(so_far[few].sum())} of "
        f"the weight so far. {per_cent(here['travellers'])} of their requests are understood, and "
        f"{per_cent(here['all'])} of all requests"
    )
    if at.selection != UNIFORM:
        even = rows[-1]
        verdict += f"; with uniform selection it would be {per_cent(even['travellers'])} and {per_cent(even['all'])}"
    return StoryAnswer(
        rows,
        f"{verdict}.",
        f"saved, seed {SEED}; cohorts drawn again from the seed",
        focus={"drawn": DRAWN[at.selection], "round": at.round},
        glow=_glow(given),
        drawn=np.flatnonzero(given[-1]),
        shares={str(persona): float(so_far[fleet.personas == persona].sum()) for persona in np.unique(fleet.personas)},
    )


def _rows(at: StoryPosition, given: np.ndarray) -> list[dict[str, Any]]:
    """Return a row for each round so far, of the training that is played and then of uniform selection."""
    rows = []
    for selection in dict.fromkeys((at.selection, UNIFORM)):
        for place, (everybody, few) in enumerate(_curves(selection, at.aggregation).T[: at.round]):
            row = {"drawn": DRAWN[selection], "round": place + 1, "all": float(everybody), "travellers": float(few)}
            if selection == at.selection:
                row["weight of travellers"] = float(given[place])
            rows.append(row)
    return rows


def _glow(given: np.ndarray) -> np.ndarray:
    """Return how bright each client is, its weight now and the fading ones of rounds before, [N]."""
    recent = given[-len(FADES) :][::-1]
    return (recent * np.array(FADES)[: len(recent), None]).max(axis=0)
