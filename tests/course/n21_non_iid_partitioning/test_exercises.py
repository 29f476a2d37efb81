import math

import pytest

from trustlab.course.n21_non_iid_partitioning.exercises import (
    alpha_in_fednlp,
    as_skewed_as_devices,
    effective_number,
    hints,
)
from trustlab.data import assistant


@pytest.fixture(scope="module")
def said():
    return assistant(20_000)["train"]


def test_an_unanswered_exercise_says_so(said):
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
