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
)
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


def test_there_are_hints():
    assert "threshold" in hints(tpr_at_fpr).reveal().reveal().summary
