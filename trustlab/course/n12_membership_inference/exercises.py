"""The exercises of notebook 12: what is right, and what each usual slip means."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from trustlab.course.found import exercise
from trustlab.course.n12_membership_inference.suspects import BUG_OF, REPORTED, folded_code
from trustlab.lab.checks import OPEN, RIGHT, WRONG, Checked, check
from trustlab.lab.display import listed
from trustlab.lab.functions import check_function
from trustlab.lab.teaching import Hints

EPSILON, DELTA, FPR = 2.0, 1e-5, 0.001


def members_found(scores: np.ndarray, members: np.ndarray, fpr: float) -> float:
    """Return the TPR of the lowest threshold that accuses no more than `fpr` of the non-members.

    Examples
    --------
    >>> members_found(np.array([3.0, 2.0, 1.0, 0.0]), np.array([True, False, True, False]), 0.5)
    1.0
    """
    others = np.sort(scores[~members])[::-1]
    allowed = math.floor(fpr * len(others) + 1e-9)  # non-members that may be accused
    threshold = others[allowed] if allowed < len(others) else -math.inf
    return float((scores[members] > threshold).mean())


def _scored() -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
    """Yield scores, who is a member, and the FPR that is allowed."""
    bits = np.array([True, False, True, True, False, True, False, False])
    yield np.array([9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0]), bits, 0.25
    rng = np.random.default_rng(12)
    for people, fpr in ((40, 0.1), (100, 0.02), (400, 0.01), (400, 0.005), (1000, 0.05)):
        members = np.arange(people) < people // 2
        members = rng.permutation(members)
        yield rng.normal(size=people) + 1.5 * members, members, fpr


def _share_of_all(scores: np.ndarray, members: np.ndarray, fpr: float) -> float:
    threshold = np.sort(scores)[::-1][math.floor(fpr * len(scores) + 1e-9)]
    return float((scores[members] > threshold).mean())


def _who_is_right(scores: np.ndarray, members: np.ndarray, fpr: float) -> float:
    others = np.sort(scores[~members])[::-1]
    called = scores > others[math.floor(fpr * len(others) + 1e-9)]
    return float(members[called].mean()) if called.any() else 0.0


@exercise("12", "Members found")
def tpr_at_fpr(mine: Any) -> Checked:
    """Check a function ``(scores [N], members bool [N], fpr) -> TPR``.

    Examples
    --------
    >>> tpr_at_fpr(lambda scores, members, fpr: 1.0)  # doctest: +ELLIPSIS
    ✗ ...
    """
    return check_function(
        mine,
        _scored(),
        right=members_found,
        properties=[(lambda given, rate: 0 <= rate <= 1, "A rate is a share: between 0 and 1.")],
        because=[
            (_share_of_all, "Your threshold accuses a share of everybody. FPR is the share of *non-members* accused."),
            (_who_is_right, "That is the share of the accused who are members, the precision. TPR is of all members."),
            (
                lambda scores, members, fpr: members_found(-scores, members, fpr),
                "You took the lowest scores. A larger score means a more likely member.",
            ),
        ],
    )


@exercise("12", "A mean without zeros")
def out_means(mine: Any) -> Checked:
    """Check a function ``(scores [N, K], inside bool [N, K]) -> mean OUT score [N]``.

    Examples
    --------
    >>> out_means(lambda scores, inside: np.where(inside, 0, scores).mean(1))  # doctest: +ELLIPSIS
    ✗ You divided by all models: the IN scores became zeros and were averaged in. ...
    """
    with np.errstate(all="ignore"):
        return check_function(
            mine,
            _references(),
            right=mean_out,
            because=[
                (
                    lambda scores, inside: np.where(inside, 0, scores).mean(1),
                    "You divided by all models: the IN scores became zeros and were averaged in. Divide by how many "
                    "are OUT.",
                ),
                (lambda scores, inside: scores.mean(1), "That is the mean of all models, IN and OUT together."),
                (
                    lambda scores, inside: mean_out(scores, ~inside),
                    "That is the mean of the models that had the example.",
                ),
                (lambda scores, inside: mean_out(scores.T, inside.T), "One mean for each example, not for each model."),
            ],
        )


def mean_out(scores: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the mean score of the models that did not have an example, [N].

    Examples
    --------
    >>> mean_out(np.array([[1.0, 4.0, 8.0]]), np.array([[False, False, True]])).tolist()
    [2.5]
    """
    return np.where(inside, 0, scores).sum(1) / (~inside).sum(1)


def _references() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield scores of examples by models and which had which; every example lacks in one model at least."""
    yield np.array([[-2.0, 3.0, 5.0], [1.0, 2.0, 7.0]]), np.array([[False, True, True], [False, False, True]])
    rng = np.random.default_rng(21)
    for examples, models in ((4, 4), (10, 6), (30, 16)):
        inside = rng.random((examples, models)) < 0.5
        inside[:, 0] = False
        yield rng.normal(size=(examples, models)) + 2 * inside, inside


@exercise("12", "What ε allows")
def allowed(answer: Any) -> Checked:
    """Check the largest TPR that ε = 2 and δ = 1e-5 allow at an FPR of 0.1 %.

    Examples
    --------
    >>> allowed(2.0)
    ✗ 2 is not right. A TPR is a share: between 0 and 1.
    """
    right = math.exp(EPSILON) * FPR + DELTA
    return check(
        answer,
        right,
        rtol=0.02,
        because=[
            (lambda given: given > 1, "A TPR is a share: between 0 and 1."),
            (
                lambda given: math.isclose(given, EPSILON * FPR, rel_tol=0.02),
                "ε is in the exponent: e^ε times the FPR.",
            ),
            (
                lambda given: math.isclose(given, 100 * right, rel_tol=0.02),
                "Give a share, not per cent: divide by 100.",
            ),
        ],
    )


@exercise("12", "Which bug?")
def which_bugs(answers: Any) -> Checked:
    """Check the bugs found by letter; those that are right get the step's code, folded.

    Examples
    --------
    >>> which_bugs({"A": "noise drawn once", "B": ...})
    ✗ A: “noise drawn once” would show the same noise in every step: a correlation of 1 between steps.
    """
    if not isinstance(answers, Mapping) or not set(answers) <= set(BUG_OF):
        return Checked(WRONG, f"Expected a dict with a bug for each letter of {listed(list(BUG_OF))}.")
    given = {letter: bug for letter, bug in answers.items() if bug is not ... and bug is not None}
    for letter, bug in given.items():
        if bug not in REPORTED:
            return Checked(WRONG, f"{letter}: expected one of {listed([f'“{name}”' for name in REPORTED])}.")
        if bug != BUG_OF[letter]:
            return Checked(WRONG, f"{letter}: “{bug}” would show {REPORTED[bug]}.")
    if not given:
        return Checked(OPEN, "Not answered yet: replace `...` by the name of a bug.")
    left = [letter for letter in BUG_OF if letter not in given]
    found = "is" if len(given) == 1 else "are"
    text = f"{listed(sorted(given))} {found} right." + (f" Not answered yet: {listed(left)}." if left else "")
    result = Checked(OPEN if left else RIGHT, text)
    result.html += "".join(map(folded_code, sorted(given)))
    return result


hints = Hints({
    tpr_at_fpr: (
        "How many of the non-members may be accused? `np.floor(fpr * len(others))` of them.",
        "Sort the non-members' scores from the highest: the first that may *not* be accused is your threshold.",
        "`(scores[members] > threshold).mean()`",
    ),
    out_means: (
        "Put zeros where a model had the example, and *sum* over the models.",
        "Then divide by how many models did not have it: `(~inside).sum(1)`.",
    ),
    allowed: (
        "Every attack on an (ε, δ) training obeys TPR ≤ e^ε · FPR + δ.",
        "`np.exp(2) * 0.001 + 1e-5`",
    ),
    which_bugs: (
        "Look at the checks that fail, and at what was measured there; sensitivities differ by their numbers.",
        "One bug may fail several checks: noise that is missing in one place is missing in every batch too.",
        "Audit a step that you broke yourself in the way you suspect, and compare the two reports.",
    ),
})  # fmt: skip
