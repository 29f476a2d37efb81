import math

import numpy as np
import pytest

from trustlab.course.found import exercises_of
from trustlab.course.n14_private_text.exercises import (
    exponential_probabilities,
    hints,
    laplace_scale,
    sentence_loss,
)
from trustlab.privacy.text import WordTable, audit_words


def by_hand(distances, epsilon):
    """Written word by word."""
    weights = [math.exp(-epsilon * d / 2) for d in distances]
    return [weight / sum(weights) for weight in weights]


def test_an_unanswered_exercise_says_so():
    assert all(str(each(...)).startswith("… Not answered yet") for each in (laplace_scale, sentence_loss))
    for stub in (..., lambda distances, epsilon: ...):
        assert str(exponential_probabilities(stub)).startswith("… Not written yet")


def test_right_answers_are_right():
    assert exponential_probabilities(by_hand).right
    assert laplace_scale(8).right and sentence_loss(80).right


def test_the_right_probabilities_keep_the_promise_and_the_slip_breaks_it():
    rng = np.random.default_rng(0)
    table = WordTable([f"w{i}" for i in range(20)], rng.normal(size=(20, 2)))

    class Chosen:
        epsilon = 3.0

        def __init__(self, write):
            self.table, self.write = table, write

        def distance(self, points, others):
            return np.linalg.norm(points - others, axis=-1)

        def log_probabilities(self, ids):
            return np.log([self.write(row, self.epsilon) for row in table.distances(table.points(ids))])

    def slip(distances, epsilon):
        return by_hand(distances, 2 * epsilon)

    assert audit_words(Chosen(by_hand)).kept
    assert not audit_words(Chosen(slip)).kept


@pytest.mark.parametrize(
    ("mine", "slip"),
    [
        (lambda d, e: by_hand(d, 2 * e), "loses twice the promise"),
        (lambda d, e: np.exp(-e * d / 2), "Divide by their sum"),
        (lambda d, e: by_hand(d, -e), "far words would be the likely ones"),
        (lambda d, e: by_hand(d, 1 / e), "You divided by ε"),
        (lambda d, e: np.full(len(d), 0.7), "sum to 1"),
        (lambda d, e: 0.5, "one probability for each word"),
    ],
)
def test_each_slip_with_the_probabilities_is_named(mine, slip):
    shown = exponential_probabilities(mine)
    assert shown.right is False and slip in str(shown)


@pytest.mark.parametrize(
    ("check", "answer", "slip"),
    [
        (laplace_scale, 1, "the published scale"),
        (laplace_scale, 4, "up to twice"),
        (laplace_scale, 64, "Not all coordinates"),
        (laplace_scale, 16, "the sensitivity"),
        (laplace_scale, 32, "multiplied by ε"),
        (sentence_loss, 40, "per unit of distance"),
        (sentence_loss, 32, "differs most"),
        (sentence_loss, 200, "times the number of words"),
        (sentence_loss, 16, "mean word"),
        (sentence_loss, 40 * math.sqrt(1.18), "word by word"),
    ],
)
def test_each_slip_with_a_number_is_named(check, answer, slip):
    shown = check(answer)
    assert shown.right is False and slip in str(shown)


def test_the_exercises_are_those_of_the_notebook():
    titles = ("A word by its distance", "The noise that ADePT needs", "A whole sentence")
    assert exercises_of("14") == titles
    assert all(hints(each) is not None for each in (exponential_probabilities, laplace_scale, sentence_loss))
