import math

import numpy as np
import pytest

from trustlab.course.n21_non_iid_partitioning.exercises import (
    alpha_in_fednlp,
    as_skewed_as_devices,
    divide_each_label,
    divided,
    effective_number,
    hints,
)
from trustlab.data import assistant


@pytest.fixture(scope="module")
def said():
    return assistant(20_000)["train"]


def test_an_unanswered_exercise_says_so(said):
    assert str(divide_each_label(...)).startswith("… Not written yet")
    shown = [effective_number(...), alpha_in_fednlp(...), as_skewed_as_devices(..., said["intent"], said["device"])]
    assert all(str(each).startswith("… Not answered yet") for each in shown)


def test_right_answers_are_right(said):
    assert str(effective_number(2**1.5)).startswith("✓")
    assert str(alpha_in_fednlp(15)).startswith("✓")
    assert str(as_skewed_as_devices(16, said["intent"], said["device"])).startswith("✓")


@pytest.mark.parametrize(
    ("answer", "slip"),
    [
        (3, "the number of labels it has"),
        (1.5 * math.log(2), "entropy in nats"),
        (1.5, "entropy in bits"),
        (math.exp(1.5), "Bits go with powers of 2"),
        (1 / (0.25 + 2 * 0.0625), "Simpson"),
    ],
)
def test_each_slip_with_the_effective_number_is_named(answer, slip):
    assert slip in str(effective_number(answer))


@pytest.mark.parametrize(
    ("answer", "slip"), [(0.1, "each has 0.1"), (0.1 / 150, "other direction"), (150, "number of")]
)
def test_each_slip_with_the_translation_is_named(answer, slip):
    assert slip in str(alpha_in_fednlp(answer))


@pytest.mark.parametrize(
    ("answer", "slip"),
    [(5, "a larger α gives more"), (60, "a smaller α gives fewer"), (-1.0, "Expected alpha=-1.0 > 0"), ("a", "float")],
)
def test_a_fleet_that_is_not_like_the_devices_is_told_which_way(answer, slip, said):
    assert slip in str(as_skewed_as_devices(answer, said["intent"], said["device"]))


@pytest.mark.parametrize("exercise", hints)
def test_hints_come_one_by_one(exercise):
    shown = hints(exercise)
    assert str(shown).endswith("hints, none shown yet.")
    for text in hints[exercise]:
        assert text.replace("`", "").replace("**", "")[:30] in str(shown.reveal()).replace("**", "")


# Divide each label


def one_by_one(codes, shares):
    """An example goes to the first client whose cumulative share of the label is not used up yet."""
    supply, seen = np.bincount(codes, minlength=len(shares)), np.zeros(len(shares), dtype=int)
    owners = []
    for label in codes:
        ends = np.floor(np.cumsum(shares[label]) * supply[label] + 1e-12)
        ends[-1] = supply[label]
        owners.append(int(np.argmax(ends > seen[label])))
        seen[label] += 1
    return owners


def from_counts(codes, counts):
    owners = np.zeros(len(codes), dtype=int)
    for label, row in enumerate(counts):
        owners[codes == label] = np.repeat(np.arange(len(row)), row.astype(int))
    return owners


def supply_of(codes, shares):
    return np.bincount(codes, minlength=len(shares))[:, None]


def backwards(codes, shares):
    owners = divided(codes, shares)
    for label in range(len(shares)):
        owners[codes == label] = owners[codes == label][::-1]
    return owners


@pytest.mark.parametrize("mine", [one_by_one, divided])
def test_a_function_that_cuts_each_label_is_right_however_it_is_written(mine):
    shown = divide_each_label(mine)
    assert shown.right, str(shown)


@pytest.mark.parametrize(
    ("mine", "slip"),
    [
        (lambda codes, shares: codes, "A label is not divided as its shares say"),
        (lambda codes, shares: divided(codes, shares) + 1, "numbered from 0"),
        (lambda codes, shares: divided(codes, shares)[:-1], "one client for each example"),
        (lambda codes, shares: [[0, 1], [2]], "one client for each example"),
        (backwards, "The sizes are right, but not the order"),
        (lambda codes, shares: divided(0 * codes, shares.mean(axis=0, keepdims=True)), "You divided all examples"),
        (lambda codes, shares: from_counts(codes, np.round(shares * supply_of(codes, shares))), "You rounded each"),
        (
            lambda codes, shares: from_counts(
                codes, np.diff(np.round(shares.cumsum(axis=1) * supply_of(codes, shares)), axis=1, prepend=0)
            ),
            "should be rounded down",
        ),
        (lambda codes, shares: divided(codes, shares)[np.argsort(codes, kind="stable")], "label by label"),
        (lambda codes, shares: shares[99], "your function raised IndexError"),
    ],
)
def test_each_slip_in_dividing_is_named(mine, slip):
    shown = divide_each_label(mine)
    assert shown.right is False and slip in str(shown)
