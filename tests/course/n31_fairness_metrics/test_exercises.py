import math

import numpy as np
import pytest

from trustlab.course.n31_fairness_metrics.exercises import by_chance, effect_size, hints, largest_correlation


def test_an_unanswered_exercise_says_so():
    assert all(str(each(...)).startswith("… Not answered yet") for each in hints)


def test_right_answers_are_right():
    assert str(effect_size(0.4 / np.std([0.3, 0.5, 0.1, -0.1], ddof=1))).startswith("✓")
    assert str(by_chance(2.4)).startswith("✓")
    assert str(largest_correlation(0.6)).startswith("✓")


@pytest.mark.parametrize(
    ("exercise", "answer", "slip"),
    [
        (effect_size, 0.4, "not yet divided"),
        (effect_size, 0.4 / np.std([0.3, 0.5, 0.1, -0.1]), "n − 1"),
        (effect_size, 0.4 / math.sqrt(0.02), "Cohen's d"),
        (effect_size, 0.8, "test statistic"),
        (by_chance, 0, "one of twenty"),
        (by_chance, 1 - 0.95**48, "at least one"),
        (largest_correlation, 0.36, "take its root"),
        (largest_correlation, 1.0, "without error"),
    ],
)
def test_each_slip_is_named(exercise, answer, slip):
    assert slip in str(exercise(answer))


@pytest.mark.parametrize("exercise", hints)
def test_hints_come_one_by_one(exercise):
    shown = hints(exercise)
    for text in hints[exercise]:
        assert text.replace("`", "")[:30] in str(shown.reveal())
