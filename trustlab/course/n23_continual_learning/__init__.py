"""The code of notebook 23: training over time, forgetting and catching up."""

from __future__ import annotations

from typing import Any

from trustlab.course.experiment import FLEETS_LEAVE_OUT, Experiment, without_rates
from trustlab.course.n23_continual_learning import continual_search, experiment, plays
from trustlab.course.n23_continual_learning.claims import claims_of
from trustlab.course.n23_continual_learning.experiment import SETTINGS


def _named(setting: str, drift: float, replay: int, beta: float, weighting: str, labels: str) -> str:
    """Name a training over time: what is as usual is left out."""
    words = [f"{setting}, drift {drift:g}, β = {beta:g}, weights {weighting}"]
    words += [f"replay {replay}"] if replay else []
    words += [f"labels from {labels}"] if labels != "true" else []
    return ", ".join(words)


def _recipes(corpus: str) -> dict[str, Any]:
    return {setting: without_rates(experiment.recipe(experiment.Setting(corpus, setting))) for setting in SETTINGS}


EXPERIMENT = Experiment(
    "continual-learning",
    experiment,
    varied="setting",
    slowest_first=(*SETTINGS, *experiment.BASELINES),
    tolerance={"accuracy": 0.05, "accuracy_light": 0.06, "forgetting": 0.05},
    named=_named,
    recipes=_recipes,
    parts={"settings": (*SETTINGS, *experiment.BASELINES)},
    claims=claims_of,
    left_out=lambda kind: FLEETS_LEAVE_OUT,
)
PLAYS = Experiment(
    "continual-learning-plays",
    plays,
    varied="setting",
    slowest_first=SETTINGS,
    tolerance={"accuracy": 0.03, "forgetting": 0.03},
    named=lambda setting, beta: f"{setting}, β = {beta:g}",
    recipes=lambda corpus: {setting: plays.recipe(plays.Setting(corpus, setting)) for setting in SETTINGS},
    parts={},
    left_out=lambda kind: FLEETS_LEAVE_OUT,
)
TUNING = Experiment(
    "continual-learning-tuning",
    continual_search,
    varied="setting",
    slowest_first=SETTINGS,
    tolerance={"score": 0.05},
    named=lambda setting, drift, beta, weighting, rate, server: (
        f"{setting}, drift {drift:g}, β = {beta:g}, weights {weighting}, rates {rate:g} and {server:g}"
    ),
    recipes=_recipes,
    parts={"settings": SETTINGS},
    left_out=lambda kind: FLEETS_LEAVE_OUT,
)
