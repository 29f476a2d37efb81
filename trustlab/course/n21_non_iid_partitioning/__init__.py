"""The code of notebook 21: label skew, and what a library means by α."""

from __future__ import annotations

from typing import Any

from trustlab.course.experiment import FLEETS_LEAVE_OUT, Experiment
from trustlab.course.n21_non_iid_partitioning import experiment
from trustlab.course.n21_non_iid_partitioning.claims import claims_of


def _recipes(corpus: str) -> dict[str, Any]:
    return {scheme: experiment.recipe(experiment.Setting(corpus, scheme)) for scheme in ("fednlp", "centralised")}


EXPERIMENT = Experiment(
    "non-iid-partitioning",
    experiment,
    varied="scheme",
    slowest_first=("centralised", "flower", "fednlp", "pfl", "iid"),
    tolerance={"accuracy": 0.05, "accuracy_rare": 0.08, "effective_labels": 0.2},
    named=lambda scheme, alpha: f"{scheme} at α = {alpha:g}",
    recipes=_recipes,
    parts={"schemes": (*experiment.DEFINITIONS, *experiment.REFERENCES)},
    claims=claims_of,
    left_out=lambda kind: FLEETS_LEAVE_OUT,
)
