"""The code of notebook 22: who is selected, and which clients the average represents."""

from __future__ import annotations

from typing import Any

from trustlab.course.experiment import FLEETS_LEAVE_OUT, Experiment
from trustlab.course.n22_device_selection import experiment, harm, over_rounds
from trustlab.course.n22_device_selection.claims import claims_of, claims_of_harm


def _recipes(corpus: str) -> dict[str, Any]:
    cohorts = experiment.COHORTS[corpus]
    return {f"cohort {cohort}": experiment.recipe(experiment.Setting(corpus, cohort=cohort)) for cohort in cohorts}


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
    left_out=lambda kind: FLEETS_LEAVE_OUT,
)
HARM = Experiment(
    "device-selection-harm",
    harm,
    varied="aggregation",
    slowest_first=("examples", "equal"),
    tolerance={"accuracy": 0.06, "accuracy_few": 0.12, "examples": 0.5},
    named=lambda selection, aggregation: f"{selection}, weighted {aggregation}",
    recipes=lambda corpus: {"all": harm.recipe(harm.Setting(corpus))},
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
    recipes=lambda corpus: {"all": over_rounds.recipe(over_rounds.Setting(corpus))},
    parts={"aggregations": ("examples", "equal")},
    left_out=lambda kind: FLEETS_LEAVE_OUT,
)
