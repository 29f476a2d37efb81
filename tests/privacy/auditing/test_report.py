"""What an audit found as a table, Holm's verdicts, and its line in a privacy statement."""

import math

import pytest

from trustlab.privacy.auditing import AuditReport, Check, audit_training, lower_bound
from trustlab.privacy.auditing.report import decided
from trustlab.privacy.statement import PrivacyStatement

CARD = dict(method="dp-sgd", clip_norm=0.5, noise_multiplier=1.0, delta=1e-5, steps=1, sampling_used="none")


def check(name, p, harms="privacy"):
    return Check(name, "1 C", "<2> C", p, f"{name} means.", f"Do {name}.", harms)


def report(checks, scope="step", **declared):
    bound = lower_bound([3.0, 2.0, 0.0, -1.0] * 10, [True, True, False, False] * 10, delta=1e-5)
    told = dict(clip_norm=0.5, noise_multiplier=1.0, sensitivity=1.0, delta=1e-5, epsilon=4.377)
    return AuditReport(scope, {**told, **declared}, decided(checks, 0.05), (bound,), 0.05, ("A note.",))


def test_holms_method_rejects_in_order_and_stops():
    verdicts = lambda *p: [each.verdict for each in decided([check(str(i), one) for i, one in enumerate(p)], 0.05)]  # noqa: E731
    assert verdicts(0.04, 0.001, 0.02) == ["FAILS", "FAILS", "FAILS"]
    assert verdicts(0.04, 0.001, 0.03) == ["ok", "FAILS", "ok"]  # 0.03 > 0.05 / 2 ends it
    assert verdicts(0.02, 0.02, 0.02) == ["ok", "ok", "ok"]
    assert verdicts(math.nan, 0.03) == ["not checked", "FAILS"]  # what was not checked costs nothing


def test_the_report_is_a_table_with_what_it_means_and_what_to_do():
    shown = report([check("a", 0.0), check("b", 0.0, "learning"), check("c", 1.0), check("d", math.nan)])
    assert shown.failed == ("a",) and shown.wasteful == ("b",) and not shown.holds
    assert [row["verdict"] for row in shown] == ["FAILS", "wasteful", "ok", "not checked"]
    assert [bool(row["means"]) for row in shown] == [True, True, False, False]
    text = str(shown)
    assert text.splitlines()[0].split() == ["check", "expected", "measured", "verdict"]
    assert "a: a means. Do a." in text and "c means." not in text and "A note." in text
    assert text.endswith("1 of 3 checks fail: a. An honest step is accused with probability 0.05 at most.")
    assert "which proves nothing" in str(report([check("c", 1.0)]))
    page = shown._repr_mimebundle_()["text/html"]
    assert page.count("<tr>") == 5 and page.count('scope="row"') == 4 and "&lt;2&gt; C" in page and "A note." in page


def lines(card):
    return {row["what"]: row["here"] for row in card}


def test_an_audited_step_is_reported_next_to_its_own_epsilon():
    card = PrivacyStatement.of_steps(**CARD)
    audited = card.audited(report([check("a", 1.0)]))
    assert lines(card)["audit"] == "none: no attack was run to bound ε from below"
    assert lines(audited)["audit"].startswith("one step as if it saw every example, ε = 4.38: no check failed; ε ≥ ")
    assert "0.95 confidence" in lines(audited)["audit"] and audited.holds and audited.audit is None


def test_a_failed_check_of_a_step_contradicts_the_statement():
    card = PrivacyStatement.of_steps(**CARD).audited(report([check("sensitivity", 0.0)]))
    assert card.warning == "ε does NOT hold: the audit's checks failed: sensitivity. Look for the error there."
    assert "sensitivity FAILED" in lines(card)["audit"] and "does NOT hold" in lines(card)["ε"]


def test_the_bound_of_an_audited_training_is_one_on_its_epsilon():
    card = PrivacyStatement.of_steps(**CARD)
    how = dict(canaries=2000, delta=1e-5)
    honest = card.audited(audit_training(lambda included: 0 * included, epsilon=card.epsilon, **how))
    assert honest.audit < card.epsilon and honest.holds
    assert lines(honest)["audit"].startswith("one training: ε ≥ ")
    broken = card.audited(audit_training(lambda included: included, epsilon=card.epsilon, **how))
    assert broken.audit > card.epsilon and not broken.holds and "an attack has shown" in broken.warning


@pytest.mark.parametrize(
    ("scope", "declared", "error"),
    [
        ("step", dict(clip_norm=1.0), "got one with sensitivity = 1, C = 1 and σ = 1"),
        ("step", dict(noise_multiplier=2.0), "σ = 2. Audit the step that was taken"),
        ("step", dict(sensitivity=2.0), "got one with sensitivity = 2"),
        ("training", dict(epsilon=2.0), "got one of ε = 2 at δ = 1e-05"),
        ("training", dict(delta=1e-7), "at δ = 1e-07. Audit this training"),
    ],
)
def test_the_audit_of_something_else_is_refused(scope, declared, error):
    with pytest.raises(ValueError, match=error):
        PrivacyStatement.of_steps(**CARD).audited(report([check("a", 1.0)], scope, **declared))


def test_a_step_of_a_schedule_is_one_of_its_steps():
    card = PrivacyStatement.of_steps(**{**CARD, "noise_multiplier": [(2.0, 3), (1.0, 3)], "steps": None})
    assert card.audited(report([check("a", 1.0)])).holds
    with pytest.raises(ValueError, match="of 'sgd'"):
        PrivacyStatement.of_steps(**{**CARD, "method": "sgd"}).audited(report([check("a", 1.0)]))
