"""The code of notebook 33: students that learn from a teacher with reversed roles, and what becomes fairer."""

from __future__ import annotations

from trustlab.course.experiment import Experiment
from trustlab.course.n33_role_reversal import experiment, generation, whole_word_models
from trustlab.course.n33_role_reversal.claims import claims_of
from trustlab.course.n33_role_reversal.smollm2_experiment import ELSEWHERE, SMOLLM2

__all__ = ["ELSEWHERE", "EXPERIMENT", "SMOLLM2"]

_TEACHER = ("TRAIN", "HELD_OUT", "LAYERS", "WIDTH", "HEADS", "STEPS", "BATCH", "RATE")
_MEASURES = ("TOP_P", "TOKENS", "EACH", "KEPT")
EXPERIMENT = Experiment(
    "role-reversal",
    experiment,
    varied="reversal",
    slowest_first=("expectation", "max", "mean", "swap", "none", "teacher"),
    tolerance={"perplexity": 0.02, "exact_mean": 0.06, "equity_mean": 0.06, "weat": 0.1, "tpr_gap": 0.05},
    named=lambda reversal, words, augmentation, temperature: (
        f"{reversal}, words {words}, {augmentation:g} added, T = {temperature:g}"
    ),
    recipes=lambda corpus: {
        "student": experiment.recipe(experiment.Setting(corpus)),
        "teacher": {name.lower(): getattr(whole_word_models, name) for name in _TEACHER},
        "measures": {name.lower(): getattr(generation, name) for name in _MEASURES},
    },
    left_out=lambda kind: {"trustlab.checkpoint": "A student is distilled in one go."},
    parts={"reversals": ("teacher", *experiment.REVERSALS)},
    claims=claims_of,
)
