"""The code of notebook 22: who is selected, and which clients the average represents."""

from __future__ import annotations

from typing import Any

from trustlab.course.corpora import EMBEDDED
from trustlab.course.experiment import FLEETS_LEAVE_OUT, Experiment, without_rates
from trustlab.course.n22_device_selection import experiment, harm, over_rounds, selection_search
from trustlab.course.n22_device_selection.claims import claims_of, claims_of_harm

OTHER_CORPORA = {
    EMBEDDED: ("trustlab.course.n22_device_selection.posts", "trustlab.course.characters"),
    "shakespeare_roles": ("trustlab.course.n22_device_selection.posts",),
    "20newsgroups": ("trustlab.course.characters",),
}


def _recipes(corpus: str) -> dict[str, Any]:
    made = {f"cohort {cohort}": experiment.Setting(corpus, cohort=cohort) for cohort in experiment.COHORTS[corpus]}
    return {name: without_rates(experiment.recipe(setting)) for name, setting in made.items()}


def _left_out(corpus: str) -> dict[str, str]:
    """Return what a training on `corpus` does not run: the other corpora's tasks."""
    return {**FLEETS_LEAVE_OUT, **dict.fromkeys(OTHER_CORPORA[corpus], "What is learned on another corpus.")}


EXPERIMENT = Experiment(
    "device-selection",
    experiment,
    varied="corpus",
    slowest_first=experiment.CORPORA,
    tolerance={"accuracy": 0.06, "accuracy_light": 0.08, "examples": 0.5},
    named=lambda fleet, selection, aggregation, cohort: f"fleet {fleet}, {selection}, {aggregation}, {cohort}",
    recipes=_recipes,
    parts={"fleets": tuple(experiment.FLEETS)},
    claims=claims_of,
    left_out=_left_out,
)
HARM = Experiment(
    "device-selection-harm",
    harm,
    varied="aggregation",
    slowest_first=("examples", "equal"),
    tolerance={"accuracy": 0.06, "accuracy_few": 0.12, "examples": 0.5},
    named=lambda selection, aggregation: f"{selection}, weighted {aggregation}",
    recipes=lambda corpus: {"all": without_rates(harm.recipe(harm.Setting(corpus)))},
    parts={"aggregations": ("examples", "equal")},
    claims=claims_of_harm,
    left_out=lambda kind: FLEETS_LEAVE_OUT,
)
ROUNDS = Experiment(
    "device-selection-rounds",
    over_rounds,
    varied="aggregation",
    slowest_first=("examples", "equal"),
    tolerance={"accuracy": 0.06, "accuracy_few": 0.12},
    named=lambda selection, aggregation: f"{selection}, weighted {aggregation}",
    recipes=lambda corpus: {"all": without_rates(over_rounds.recipe(over_rounds.Setting(corpus)))},
    parts={"aggregations": ("examples", "equal")},
    left_out=lambda kind: FLEETS_LEAVE_OUT,
)
TUNING = Experiment(
    "device-selection-tuning",
    selection_search,
    varied="corpus",
    slowest_first=selection_search.CORPORA,
    tolerance={"score": 0.06},
    named=lambda fleet, selection, aggregation, cohort, rate, server: (
        f"fleet {fleet}, {selection}, {aggregation}, {cohort}, rates {rate:g} and {server:g}"
    ),
    recipes=_recipes,
    parts={"fleets": (*experiment.FLEETS, harm.NAME)},
    left_out=_left_out,
)
