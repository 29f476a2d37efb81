import numpy as np
import pytest

from trustlab.course.n23_continual_learning.exercises import (
    as_many_examples,
    hints,
    kept_from_the_first,
    mean_forgetting,
)
from trustlab.federated.selection import Selector

SIZES = np.array([900, 500, 200, *[20] * 60])


def test_an_unanswered_exercise_says_so():
    shown = [mean_forgetting(...), kept_from_the_first(...), as_many_examples(..., SIZES)]
    assert all(str(each).startswith("… Not answered yet") for each in shown)


def test_right_answers_are_right():
    assert str(mean_forgetting((0.82 - 0.61 + 0.76 - 0.70) / 2)).startswith("✓")
    assert str(kept_from_the_first(2)).startswith("✓")
    rng, selector = np.random.default_rng(7), Selector(SIZES, strategy="power", beta=1.0)
    together = np.mean([SIZES[selector.draw(10, rng)].sum() for _ in range(4000)])
    assert str(as_many_examples(round(together / SIZES.mean()), SIZES)).startswith("✓")


@pytest.mark.parametrize(
    ("answer", "slip"),
    [(0.075, "own end for its best"), (0.09, "no time to be forgotten"), (0.27, "the sum"), (-0.135, "best minus")],
)
def test_each_slip_with_forgetting_is_named(answer, slip):
    assert slip in str(mean_forgetting(answer))


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
