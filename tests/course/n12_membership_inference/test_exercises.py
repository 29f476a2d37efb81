import numpy as np
import pytest

from trustlab.course.n12_membership_inference.exercises import (
    _scored,
    allowed,
    hints,
    mean_out,
    members_found,
    out_means,
    tpr_at_fpr,
    which_bugs,
)
from trustlab.course.n12_membership_inference.suspects import BUG_OF, REPORTED, suspect
from trustlab.privacy.auditing import audit
from trustlab.privacy.auditing.planted_bugs import DECLARED, PLANTED
from trustlab.privacy.membership import success


def by_the_package(scores, members, fpr):
    return success(scores, members, fprs=(fpr,), resamples=0)[-1]["value"]


def test_the_right_answers_are_right():
    assert str(tpr_at_fpr(members_found)).startswith("✓")
    assert str(out_means(lambda s, i: np.ma.masked_array(s, i).mean(1).filled())).startswith("✓")
    assert str(allowed(np.exp(2) * 0.001 + 1e-5)).startswith("✓") and str(allowed(0.0074)).startswith("✓")


def test_the_packages_measure_is_the_exercises():
    for scores, members, fpr in list(_scored())[1:]:
        assert members_found(scores, members, fpr) == pytest.approx(by_the_package(scores, members, fpr))


def test_stubs_are_not_written_yet():
    assert str(tpr_at_fpr(lambda scores, members, fpr: ...)).startswith("… Not written yet")
    assert str(out_means(lambda scores, inside: ...)).startswith("… Not written yet")
    assert str(allowed(...)).startswith("… Not answered yet")


def cut(scores, fpr):
    return np.sort(scores)[::-1][int(fpr * len(scores))]


@pytest.mark.parametrize(
    ("mine", "slip"),
    [
        (lambda s, m, f: (s[m] > cut(s, f)).mean(), "a share of everybody"),
        (lambda s, m, f: m[s > cut(s[~m], f)].mean(), "the precision"),
        (lambda s, m, f: (s[m] < np.sort(s[~m])[int(f * (~m).sum())]).mean(), "the lowest scores"),
        (lambda s, m, f: 100 * members_found(s, m, f), "A rate is a share"),
    ],
)
def test_slips_in_the_measure_are_explained(mine, slip):
    assert slip in str(tpr_at_fpr(mine))


@pytest.mark.parametrize(
    ("mine", "slip"),
    [
        (lambda s, i: np.where(i, 0, s).mean(1), "averaged in"),
        (lambda s, i: s.mean(1), "IN and OUT together"),
        (lambda s, i: mean_out(s, ~i) if i.any(1).all() else mean_out(s, i), "that had the example"),
    ],
)
def test_slips_in_the_mean_are_explained(mine, slip):
    assert slip in str(out_means(mine))


@pytest.mark.parametrize(("value", "slip"), [(0.002, "in the exponent"), (0.74, "divide by 100"), (2.0, "A TPR is")])
def test_slips_about_what_is_allowed_are_explained(value, slip):
    assert slip in str(allowed(value))


# --- Which bug?

SHOWN = {  # by letter: the check that names the bug, and a part of what is measured there
    "A": ("noise between parameters", "largest 1.000 (layers.0.weight with layers.1.weight)"),
    "B": ("sensitivity", "1.8"),
    "C": ("examples of the step before", "1.00 C of each"),
    "D": ("noise in each batch", "long example)"),
    "E": ("noise of each parameter", "0.000 (layers.2.weight)"),
}


@pytest.mark.parametrize("letter", BUG_OF)
def test_a_report_shows_the_suspects_bug(letter):
    report = audit(suspect(letter), **DECLARED)
    check, measured = SHOWN[letter]
    assert check in report.failed
    assert measured in {each.name: each.measured for each in report.checks}[check]
    assert BUG_OF[letter] not in repr(suspect(letter)) + str(report)


def test_every_planted_bug_is_a_suspect_and_each_choice_is_told():
    assert sorted(BUG_OF.values()) == sorted(PLANTED) and set(PLANTED) < set(REPORTED)
    with pytest.raises(ValueError, match="suspect='F' to be one of A, B, C, D, E"):
        suspect("F")


def test_bugs_are_checked_letter_by_letter_and_their_code_unfolds():
    assert str(which_bugs(dict.fromkeys(BUG_OF, ...))).startswith("… Not answered yet")
    assert str(which_bugs({"A": "the step before again"})) == (
        "✗ A: “the step before again” would show long examples that move the step after theirs."
    )
    assert "expected one of “clipped after averaging”" in str(which_bugs({"B": "a bug"}))
    assert "a dict with a bug for each letter of A, B, C, D and E" in str(which_bugs(["noise drawn once"]))
    part = which_bugs({"C": BUG_OF["C"], "E": BUG_OF["E"], "A": ...})
    assert str(part) == "… C and E are right. Not answered yet: A, B and D." and part.right is None
    assert part.html.count("<details>") == 2 and "class StepBeforeAgain" in part.html
    whole = which_bugs(BUG_OF)
    assert whole.right and str(whole) == "✓ A, B, C, D and E are right."
    assert whole.html.count("<details>") == 5 and "def noise_missing_on_one_group" in whole.html


def test_there_are_hints():
    assert "threshold" in hints(tpr_at_fpr).reveal().reveal().summary
