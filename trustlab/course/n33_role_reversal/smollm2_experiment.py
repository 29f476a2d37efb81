"""The experiment ``role-reversal-smollm2``, for the registry."""

from __future__ import annotations

from trustlab.course.experiment import Experiment
from trustlab.course.n33_role_reversal import smollm2_distillation

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
