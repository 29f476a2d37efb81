"""Audits: is the ε true? Lower bounds from attacks, and checks of a training step."""

from trustlab.privacy.auditing.clopper_pearson import clopper_pearson_epsilon, paired_epsilon
from trustlab.privacy.auditing.counts import Counts, counted
from trustlab.privacy.auditing.exact_tail import exact_tail_epsilon
from trustlab.privacy.auditing.one_run import one_run_epsilon
from trustlab.privacy.auditing.one_run_fdp import one_run_fdp_epsilon

__all__ = [
    "Counts",
    "clopper_pearson_epsilon",
    "counted",
    "exact_tail_epsilon",
    "one_run_epsilon",
    "one_run_fdp_epsilon",
    "paired_epsilon",
]
