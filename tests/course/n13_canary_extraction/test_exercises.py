import math

import numpy as np
import pytest

from trustlab.course.found import exercises_of
from trustlab.course.n13_canary_extraction.exercises import (
    bits_of_exposure,
    guesses_needed,
    hints,
    promised_for_copies,
)


def rank(losses, place):
    return sorted(range(len(losses)), key=losses.__getitem__).index(place) + 1


def test_an_unanswered_exercise_says_so():
    assert all(str(each(...)).startswith("… Not answered yet") for each in (guesses_needed, promised_for_copies))
    for stub in (..., lambda losses, place: ...):
        assert str(bits_of_exposure(stub)).startswith("… Not written yet")


def test_right_answers_are_right():
    assert bits_of_exposure(lambda losses, place: math.log2(len(losses) / rank(losses, place))).right
    assert guesses_needed(78).right and guesses_needed(10_000 / 2**7).right
    assert promised_for_copies(5).right


@pytest.mark.parametrize(
    ("mine", "slip"),
    [
        (lambda losses, place: math.log(len(losses) / rank(losses, place)), "nats"),
        (lambda losses, place: math.log2(len(losses) / rank(-losses, place)), "from the largest loss"),
        (lambda losses, place: math.log2(rank(losses, place)), "still missing"),
        (lambda losses, place: rank(losses, place), "That is the rank"),
        (lambda losses, place: math.log2(len(losses) / (rank(losses, place) + 1)), "one too large"),
        (lambda losses, place: np.log2(losses + 1), "Expected one number"),
        (lambda losses, place: 99.0, "It is not possible"),
    ],
)
def test_each_slip_with_exposure_is_named(mine, slip):
    shown = bits_of_exposure(mine)
    assert shown.right is False and slip in str(shown)


@pytest.mark.parametrize(("answer", "slip"), [(128, "by which factor"), (9872, "divide the number")])
def test_each_slip_with_guesses_is_named(answer, slip):
    assert slip in str(guesses_needed(answer))


@pytest.mark.parametrize(
    ("answer", "slip"), [(0.5, "one sentence"), (0.05, "weaken"), (0.5 * math.sqrt(10), "Composing many steps")]
)
def test_each_slip_with_copies_is_named(answer, slip):
    assert slip in str(promised_for_copies(answer))


def test_the_exercises_are_those_of_the_notebook():
    assert exercises_of("13") == ("Bits of exposure", "Bits and guesses", "Ten copies")


@pytest.mark.parametrize("exercise", hints)
def test_hints_come_one_by_one(exercise):
    shown = hints(exercise)
    assert str(shown).endswith("hints, none shown yet.")
    for text in hints[exercise]:
        assert text.replace("`", "")[:30] in str(shown.reveal())
