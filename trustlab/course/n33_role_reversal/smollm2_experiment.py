"""The experiments ``role-reversal-smollm2`` and ``role-reversal-smollm2-elsewhere``, for the registry."""

from __future__ import annotations

from trustlab.course.experiment import Experiment
from trustlab.course.n33_role_reversal import smollm2_distillation, smollm2_elsewhere

SMOLLM2 = Experiment(
    "role-reversal-smollm2",
    smollm2_distillation,
    varied="model",
    slowest_first=(*reversed(smollm2_distillation.STUDENTS), smollm2_distillation.TEACHER),
    tolerance={"perplexity": 20.0, "leaning": 0.2, "gendered": 3.0},
    named=lambda model: model,
    recipes=lambda corpus: {"all": smollm2_distillation.recipe(smollm2_distillation.Setting())},
    left_out=lambda kind: {"trustlab.checkpoint": "A setting is computed in one go."},
    parts={"models": (smollm2_distillation.TEACHER, *smollm2_distillation.STUDENTS)},
)
ELSEWHERE = Experiment(
    "role-reversal-smollm2-elsewhere",
    smollm2_elsewhere,
    varied="model",
    slowest_first=tuple(reversed(smollm2_elsewhere.MODELS)),
    tolerance={"perplexity": 20.0, "leaning": 0.2, "weat science": 0.1, "accuracy": 0.05, "flips": 0.05},
    named=lambda model: model,
    recipes=lambda corpus: {"all": smollm2_elsewhere.recipe(smollm2_elsewhere.Setting())},
    left_out=lambda kind: {"trustlab.checkpoint": "A setting is computed in one go."},
    parts={},
)
