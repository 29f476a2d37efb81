"""A privacy statement whose line "audit" says what was measured."""

from __future__ import annotations

import dataclasses
import math

from trustlab.privacy.auditing.report import AuditReport
from trustlab.privacy.methods import SENSITIVITY
from trustlab.privacy.statement import PrivacyStatement


def attached(card: PrivacyStatement, report: AuditReport) -> PrivacyStatement:
    """Return `card` with what `report` has shown.

    The bound of an audited training is one on its ε. An audited step is bounded as if it saw every example, so its
    bound is reported next to the ε of that step, and only failed checks contradict the statement.

    Raises
    ------
    ValueError
        When something else was audited: another C, σ or Δ of a step, another ε of a training, or a smaller δ.

    Examples
    --------
    >>> from trustlab.privacy.auditing import audit_training
    >>> card = PrivacyStatement.of_steps(method="dp-sgd", clip_norm=1.0, noise_multiplier=1.0, delta=1e-5, steps=1)
    >>> report = audit_training(lambda included: 0 * included, canaries=100, epsilon=card.epsilon, delta=1e-5)
    >>> attached(card, report).rows()[7]["here"][:50]
    'one training: ε ≥ 0 at δ = 1e-05 with 0.95 confide'
    """
    return _training(card, report) if report.scope == "training" else _step(card, report)


def _training(card: PrivacyStatement, report: AuditReport) -> PrivacyStatement:
    told = report.declared
    if not math.isclose(told["epsilon"], card.epsilon, rel_tol=0.01) or told["delta"] < card.delta:
        raise ValueError(
            f"Expected the audit of a training that declares ε = {card.epsilon:.3g} at δ = {card.delta:g} or more, got "
            f"one of ε = {told['epsilon']:.3g} at δ = {told['delta']:g}. Audit this training."
        )
    words = f"one training: {report.bound}"
    return dataclasses.replace(card, audit=report.bound.epsilon, audit_words=words, audit_failed=report.failed)


def _step(card: PrivacyStatement, report: AuditReport) -> PrivacyStatement:
    told = report.declared
    taken = card.method != "sgd" and told["sensitivity"] == SENSITIVITY[card.method]
    taken = taken and math.isclose(told["clip_norm"], card.clip_norm)
    if not (taken and any(math.isclose(told["noise_multiplier"], sigma) for sigma, _ in card.schedule)):
        raise ValueError(
            f"Expected the audit of a step of {card.method!r} with C = {card.clip_norm:g} and a σ of its schedule, got "
            f"one with sensitivity = {told['sensitivity']:g}, C = {told['clip_norm']:g} and "
            f"σ = {told['noise_multiplier']:g}. Audit the step that was taken."
        )
    found = f"{', '.join(report.failed)} FAILED" if report.failed else "no check failed"
    words = f"one step as if it saw every example, ε = {told['epsilon']:.3g}: {found}; {report.bound}"
    return dataclasses.replace(card, audit_words=words, audit_failed=report.failed)
