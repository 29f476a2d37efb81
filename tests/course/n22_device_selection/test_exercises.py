import numpy as np
import pytest

from trustlab.course.n22_device_selection.exercises import heavy_devices_weight, hints, horvitz_thompson, largest_beta
from trustlab.data import assistant
from trustlab.federated.aggregation import client_weights
from trustlab.federated.partition import partition
from trustlab.federated.selection import Selector


@pytest.fixture(scope="module")
def sizes():
    return partition(assistant()["train"]["device"], scheme="natural").sizes


def test_an_unanswered_exercise_says_so(sizes):
    for shown in (horvitz_thompson(...), heavy_devices_weight(...), largest_beta(..., sizes)):
        assert str(shown).startswith("… Not answered yet")


def test_right_answers_are_the_packages(sizes):
    fleet = np.array([80, 10, 10])
    pi = Selector(fleet, strategy="power", design="systematic").inclusion(2)
    assert pi.tolist() == [1.0, 0.5, 0.5]  # as the exercise says
    weights = client_weights("horvitz-thompson", examples=[80, 10], inclusion=pi[[0, 2]], total_examples=100)
    assert str(horvitz_thompson(weights.tolist())).startswith("✓")
    assert str(heavy_devices_weight(0.18)).startswith("✓")
    assert str(largest_beta(0.45, sizes)).startswith("✓")


@pytest.mark.parametrize(
    ("answer", "slip"),
    [
        ([0.8, 0.1], "shares of all examples"),
        ([80 / 90, 10 / 90], "FedAvg's weights"),
        ([1, 2], "Those are 1/π"),
        ([80, 20], "Those are n/π"),
        ([0.8, 0.05], "multiplied by π"),
        ([0.8, 0.1, 0.1], "Expected the shape (2,)"),
    ],
)
def test_slips_in_the_weights_are_explained(answer, slip):
    assert slip in str(horvitz_thompson(answer))


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
