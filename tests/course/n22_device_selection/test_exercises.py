import numpy as np
import pytest

from trustlab.course.found import exercises_of
from trustlab.course.n22_device_selection.exercises import (
    fair_weights,
    heavy_devices_weight,
    hints,
    horvitz_thompson,
    largest_beta,
)
from trustlab.data import assistant
from trustlab.federated.partition import partition


@pytest.fixture(scope="module")
def sizes():
    return partition(assistant()["train"]["device"], scheme="natural").sizes


def test_an_unanswered_exercise_says_so(sizes):
    for shown in (heavy_devices_weight(...), largest_beta(..., sizes)):
        assert str(shown).startswith("… Not answered yet")
    for stub in (..., lambda examples, inclusion, total: ...):
        assert str(fair_weights(stub)).startswith("… Not written yet")


def test_right_answers_are_right(sizes):
    assert fair_weights(lambda n, pi, total: n / total / pi).right
    assert fair_weights(lambda n, pi, total: [a / (b * total) for a, b in zip(n, pi, strict=True)]).right
    assert fair_weights(horvitz_thompson).right
    assert heavy_devices_weight(0.18).right and largest_beta(0.45, sizes).right


def test_the_right_weights_are_unbiased_over_every_cohort_that_can_be_drawn():
    fleet = np.array([5, 3, 2])
    cohorts = {(0, 1): 0.5, (0, 2): 0.3, (1, 2): 0.2}  # any design: with these probabilities
    inclusion = np.array([sum(p for cohort, p in cohorts.items() if i in cohort) for i in range(3)])
    expected = np.zeros(3)
    for cohort, probability in cohorts.items():
        drawn = list(cohort)
        expected[drawn] += probability * horvitz_thompson(fleet[drawn], inclusion[drawn], fleet.sum())
    np.testing.assert_allclose(expected, fleet / fleet.sum())


@pytest.mark.parametrize(
    ("mine", "slip"),
    [
        (lambda n, pi, total: n / total, "shares of all examples"),
        (lambda n, pi, total: n / n.sum(), "FedAvg's weights"),
        (lambda n, pi, total: 1 / pi, "Those are 1/π"),
        (lambda n, pi, total: n / pi, "Those are n/π"),
        (lambda n, pi, total: n * pi / total, "multiplied by π"),
        (lambda n, pi, total: n / pi / n.sum(), "by the examples of the cohort"),
        (lambda n, pi, total: n / pi / (n / pi).sum(), "Hájek's weights"),
        (lambda n, pi, total: np.full(len(n), 1 / len(n)), "Those are equal weights"),
        (lambda n, pi, total: n.sum() / total, "Expected one weight for each client drawn"),
        (lambda n, pi, total: -n / pi / total, "A weight is negative"),
        (lambda n, pi, total: n / pi**2 / total, "one with 10 gets 0.20 of the weight on average, and has 0.10"),
        (lambda n, pi, total: n / pi / total * 1.01, "one with 80 gets 0.81 of the weight on average, and has 0.80"),
        (lambda n, pi: n, "raised TypeError"),
    ],
)
def test_slips_in_the_weights_are_explained(mine, slip):
    shown = fair_weights(mine)
    assert shown.right is False and slip in str(shown)


def test_the_exercises_are_those_of_the_notebook():
    assert exercises_of("22") == (
        "Weights that are fair in every design",
        "How much weight, in numbers",
        "As much activity as privacy allows",
    )


@pytest.mark.parametrize(
    ("answer", "slip"),
    [
        (0.5, "its share of the examples"),
        (0.2, "its probability to be drawn"),
        (0.9, "its weight when it is drawn"),
        (0.09, "two different clients"),
        (0.1, "with equal weights"),
    ],
)
def test_slips_in_the_expectation_are_explained(answer, slip):
    assert slip in str(heavy_devices_weight(answer))


@pytest.mark.parametrize(
    ("answer", "slip"), [(0.3, "a larger β"), (0.5, "a smaller β"), (-9.0, "Expected beta=-9"), ("x", "float")]
)
def test_a_beta_that_is_not_it_is_told_which_way(answer, slip, sizes):
    assert slip in str(largest_beta(answer, sizes))


@pytest.mark.parametrize("exercise", hints)
def test_hints_come_one_by_one(exercise):
    shown = hints(exercise)
    assert str(shown).endswith("hints, none shown yet.")
    for text in hints[exercise]:
        assert text.replace("`", "")[:20] in str(shown.reveal())
