"""The code of notebook 21: label skew, and what a library means by α."""

from __future__ import annotations

import dataclasses
from typing import Any

from trustlab.course.experiment import FLEETS_LEAVE_OUT, Experiment
from trustlab.course.n21_non_iid_partitioning import experiment, rate_search
from trustlab.course.n21_non_iid_partitioning.claims import claims_of

KINDS = ("fednlp", "centralised")
TRAINED = ("centralised", "flower", "fednlp", "pfl", "iid")  # the slowest first


def _recipes(corpus: str) -> dict[str, Any]:
    """Return what all trainings of a kind share; the learning rate is each fleet's own, and a column of the table."""
    found = {kind: dataclasses.asdict(experiment.recipe(experiment.Setting(corpus, kind))) for kind in KINDS}
    return {kind: {name: own[name] for name in own if name != "learning_rate"} for kind, own in found.items()}


EXPERIMENT = Experiment(
    "non-iid-partitioning",
    experiment,
    varied="scheme",
    slowest_first=(*TRAINED, *experiment.BASELINES),
    tolerance={"accuracy": 0.05, "accuracy_rare": 0.08},
    named=lambda scheme, alpha: f"{scheme} at α = {alpha:g}",
    recipes=_recipes,
    parts={"schemes": (*TRAINED, *experiment.BASELINES)},
    claims=claims_of,
    left_out=lambda kind: FLEETS_LEAVE_OUT,
)

TUNING = Experiment(
    "non-iid-partitioning-tuning",
    rate_search,
    varied="scheme",
    slowest_first=TRAINED,
    tolerance={"score": 0.1},
    named=lambda scheme, alpha, rate: f"{scheme} at α = {alpha:g}, learning rate {rate:g}",
    recipes=lambda corpus: {"iid": rate_search.recipe(rate_search.Setting(corpus, "iid"))},
    parts={"schemes": (*TRAINED, *experiment.BASELINES)},
    left_out=lambda kind: FLEETS_LEAVE_OUT,
)
