import numpy as np
import pytest

from trustlab.course.found import exercises_of
from trustlab.course.n23_continual_learning.exercises import (
    as_many_examples,
    hints,
    kept_from_the_first,
    what_is_forgotten,
)
from trustlab.federated.continual import forgetting
from trustlab.federated.selection import Selector

SIZES = np.array([900, 500, 200, *[20] * 60])


def test_an_unanswered_exercise_says_so():
    shown = [kept_from_the_first(...), as_many_examples(..., SIZES)]
    assert all(str(each).startswith("… Not answered yet") for each in shown)
    for stub in (..., lambda R: ...):
        assert str(what_is_forgotten(stub)).startswith("… Not written yet")


def test_right_answers_are_right():
    assert what_is_forgotten(by_hand).right and what_is_forgotten(forgetting).right
    assert str(kept_from_the_first(2)).startswith("✓")
    rng, selector = np.random.default_rng(7), Selector(SIZES, strategy="power", beta=1.0)
    together = np.mean([SIZES[selector.draw(10, rng)].sum() for _ in range(4000)])
    assert str(as_many_examples(round(together / SIZES.mean()), SIZES)).startswith("✓")


def by_hand(R):
    """Written as one would say it, period by period."""
    last = len(R) - 1
    return [max(R[t][s] for t in range(last)) - R[last][s] for s in range(last)]


@pytest.mark.parametrize(
    ("mine", "slip"),
    [
        (lambda R: R.diagonal()[:-1] - R[-1, :-1], "own end for its best"),
        (lambda R: R.max(axis=0)[:-1] - R[-1, :-1], "The last model is among those"),
        (lambda R: R[-1, :-1] - R[:-1, :-1].max(axis=0), "the sign is not"),
        (lambda R: R[:-1].max(axis=1) - R[:-1, -1], "read down the columns"),
        (lambda R: R[:-1].max(axis=0) - R[-1], "The last period is in it"),
        (lambda R: (R[:-1, :-1].max(axis=0) - R[-1, :-1]).mean(), "That is the mean"),
        (lambda R: [max(R[s:-1, s]) - R[-1, s] for s in range(len(R) - 1)], "the models from before a period"),
        (lambda R: R[0, :-1] - R[-1, :-1], "less than what was lost since the period's own end"),
        (lambda R: R[0], "Expected one number for each period but the last"),
    ],
)
def test_each_slip_with_forgetting_is_named(mine, slip):
    shown = what_is_forgotten(mine)
    assert shown.right is False and slip in str(shown)


def test_the_exercises_are_those_of_the_notebook():
    assert exercises_of("23") == ("What is forgotten", "What is in the reservoir", "As many examples")


@pytest.mark.parametrize(
    ("answer", "slip"),
    [
        (0, "newest"),
        (10, "never changes once it is full"),
        (10 / 3, "every period"),
        (1 / 6, "one utterance"),
        (120 / 42, "after two"),
    ],
)
def test_each_slip_with_the_reservoir_is_named(answer, slip):
    assert slip in str(kept_from_the_first(answer))


@pytest.mark.parametrize(("answer", "slip"), [(10, "take more"), (63, "take fewer"), ("a", "invalid literal")])
def test_a_wrong_number_of_devices_is_told_which_way(answer, slip):
    assert slip in str(as_many_examples(answer, SIZES))


@pytest.mark.parametrize("exercise", hints)
def test_hints_come_one_by_one(exercise):
    shown = hints(exercise)
    assert str(shown).endswith("hints, none shown yet.")
    for text in hints[exercise]:
        assert text.replace("`", "")[:30] in str(shown.reveal())
