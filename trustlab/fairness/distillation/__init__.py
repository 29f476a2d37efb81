"""Counterfactual role reversal: a smaller language model that learns from a teacher whose genders have traded places.

Gupta et al. (2022), "Mitigating Gender Bias in Distilled Language Models via Counterfactual Role Reversal". Read in
this order: :mod:`~trustlab.fairness.distillation.reversal` (how two predictions of the teacher become one),
:mod:`~trustlab.fairness.distillation.exchange` (the words of the swapped world, read back in ours),
:mod:`~trustlab.fairness.distillation.roles` (texts and their counterfactuals, token by token),
:mod:`~trustlab.fairness.distillation.student` (half of the teacher's layers),
:mod:`~trustlab.fairness.distillation.targets` (what the teacher predicts, kept or computed again),
:mod:`~trustlab.fairness.distillation.distill` (the training).
"""

from trustlab.fairness.distillation.distill import distill
from trustlab.fairness.distillation.exchange import Exchange
from trustlab.fairness.distillation.options import DistillOptions
from trustlab.fairness.distillation.reversal import REVERSALS, reverse
from trustlab.fairness.distillation.roles import Role, read_roles
from trustlab.fairness.distillation.student import half_depth, student_of

__all__ = [
    "REVERSALS",
    "DistillOptions",
    "Exchange",
    "Role",
    "distill",
    "half_depth",
    "read_roles",
    "reverse",
    "student_of",
]
