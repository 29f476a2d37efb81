"""Audits: is the ε true? Lower bounds from attacks, with what each takes for granted."""

from trustlab.privacy.auditing.canaries import audit_step
from trustlab.privacy.auditing.clopper_pearson import clopper_pearson_epsilon, paired_epsilon
from trustlab.privacy.auditing.counts import Counts, counted
from trustlab.privacy.auditing.coverage import coverage
from trustlab.privacy.auditing.exact_tail import exact_tail_epsilon
from trustlab.privacy.auditing.lower_bounds import METHODS, LowerBound, lower_bound
from trustlab.privacy.auditing.one_run import one_run_epsilon
from trustlab.privacy.auditing.one_run_fdp import one_run_fdp_epsilon
from trustlab.privacy.auditing.report import AuditReport, Check
from trustlab.privacy.auditing.step_audit import audit
from trustlab.privacy.auditing.training_audit import audit_training, gradient_fit, utterance_fit

__all__ = [
    "METHODS",
    "AuditReport",
    "Check",
    "Counts",
    "LowerBound",
    "audit",
    "audit_step",
    "audit_training",
    "clopper_pearson_epsilon",
    "counted",
    "coverage",
    "exact_tail_epsilon",
    "gradient_fit",
    "lower_bound",
    "one_run_epsilon",
    "one_run_fdp_epsilon",
    "paired_epsilon",
    "utterance_fit",
]
