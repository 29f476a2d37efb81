import numpy as np
import pytest

from trustlab.course.found import exercises_of
from trustlab.course.n32_prediction_sensitivity.exercises import (
    hints,
    saturated_gradient,
    sensitivity_of_one,
    uniform_of_two,
)


def by_hand(gradients, w, v):
    return sum(
        w[k] * v[i] * sum(x**2 for x in gradients[k, i]) ** 0.5
        for k in range(gradients.shape[0])
        for i in range(gradients.shape[1])
    )


def test_an_unanswered_exercise_says_so():
    assert all(str(each(...)).startswith("… Not answered yet") for each in (saturated_gradient, uniform_of_two))
    for stub in (..., lambda gradients, w, v: ...):
        assert str(sensitivity_of_one(stub)).startswith("… Not written yet")


def test_right_answers_are_right():
    assert sensitivity_of_one(by_hand).right
    assert saturated_gradient(0.0392).right and uniform_of_two(0.3).right


@pytest.mark.parametrize(
    ("mine", "slip"),
    [
        (lambda g, w, v: np.linalg.norm(np.einsum("k,t,ktd->d", w, v, g)), "the norm of a sum"),
        (lambda g, w, v: w @ (g**2).sum(-1) @ v, "squared norms"),
        (lambda g, w, v: np.linalg.norm(g, axis=-1).sum(), "Where are the weights"),
        (lambda g, w, v: w @ np.linalg.norm(g, axis=-1).mean(-1), "Use v"),
        (lambda g, w, v: np.linalg.norm(g, axis=-1).mean(0) @ v, "Use w"),
        (lambda g, w, v: w @ abs(g.sum(-1)) @ v, "lets them cancel"),
        (lambda g, w, v: np.linalg.norm(g, axis=-1), "one number"),
        (lambda g, w, v: -by_hand(g, w, v), "never negative"),
        (lambda g, w, v: 9.0 * by_hand(g, w, v), "cannot be above the largest"),
    ],
)
def test_each_slip_with_the_function_is_named(mine, slip):
    shown = sensitivity_of_one(mine)
    assert shown.right is False and slip in str(shown)


@pytest.mark.parametrize(
    ("check", "answer", "slip"),
    [
        (saturated_gradient, 2, "the log odds' gradient"),
        (saturated_gradient, 1.96, "multiplied by p"),
        (saturated_gradient, 0.04, "1 − p alone"),
        (saturated_gradient, 0.0196, "slope of the sigmoid. Multiply"),
        (saturated_gradient, 0.5, "steepest"),
        (uniform_of_two, 0.15, "moves as well"),
        (uniform_of_two, 0.6, "mean over the classes"),
        (uniform_of_two, 0, "do not cancel"),
    ],
)
def test_each_slip_with_a_number_is_named(check, answer, slip):
    shown = check(answer)
    assert shown.right is False and slip in str(shown)


def test_the_exercises_are_those_of_the_notebook():
    assert exercises_of("32") == ("P of one example", "A sure model", "Two classes")
    assert all(hints(each) is not None for each in (sensitivity_of_one, saturated_gradient, uniform_of_two))
