"""The code of notebook 32: how much a prediction moves with the words that tell a protected status."""

from __future__ import annotations

from trustlab.course.experiment import Experiment
from trustlab.course.n32_prediction_sensitivity import (
    dialect_experiment,
    experiment,
    groups_experiment,
    posts_experiment,
)
from trustlab.course.n32_prediction_sensitivity.claims import claims_of

EXPERIMENT = Experiment(
    "prediction-sensitivity",
    experiment,
    varied="recorder",
    slowest_first=experiment.RECORDERS,
    tolerance={"accuracy": 0.03, "P, predicted, hard, 2, probabilities": 0.02, "counterfactual, probabilities": 0.06},
    named=lambda recorder, dose: f"{recorder} recorder, dose {dose:g}",
    recipes=lambda corpus: {"all": experiment.RECIPE},
    parts={"recorders": experiment.RECORDERS},
    claims=claims_of,
)
REAL = Experiment(
    "prediction-sensitivity-real",
    posts_experiment,
    varied="model",
    slowest_first=(posts_experiment.NETWORK,),
    tolerance={"accuracy": 0.03, "leaning, P, predicted, hard, 2, probabilities": 0.06},
    named=lambda model: model,
    recipes=lambda corpus: {"all": posts_experiment.RECIPE},
    parts={},
)
DIALECT = Experiment(
    "prediction-sensitivity-dialect",
    dialect_experiment,
    varied="model",
    slowest_first=(dialect_experiment.NETWORK,),
    tolerance={"accuracy": 0.03, "flagged": 0.05, "ratio, 1 − p": 0.3},
    named=lambda model: model,
    recipes=lambda corpus: {"all": dialect_experiment.RECIPE},
    parts={},
)
GROUPS = Experiment(
    "prediction-sensitivity-groups",
    groups_experiment,
    varied="model",
    slowest_first=(groups_experiment.NETWORK,),
    tolerance={"accuracy": 0.03, "gap": 0.05},
    named=lambda model: model,
    recipes=lambda corpus: {"all": {**groups_experiment.RECIPE, "rows": groups_experiment.ROWS}},
    parts={},
    claims=groups_experiment.claims_of_groups,
    brought=groups_experiment.BROUGHT,
)
