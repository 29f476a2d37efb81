"""Means over clients against a loop over them, and what the median decides."""

import numpy as np
import pytest

from trustlab.federated.partition import Partition
from trustlab.federated.simulation.measurement import means, shares_right


@pytest.mark.parametrize("weighed", [False, True])
def test_shares_are_those_of_a_loop_and_clients_without_a_test_are_left_out(weighed):
    rng = np.random.default_rng(0)
    owners = rng.choice([0, 2, 3, 5], size=60)  # clients 1 and 4 have nothing to be tested on
    asked = rng.integers(1, 9, size=60).astype(float)
    right = np.floor(asked * rng.random(60)) if weighed else rng.random(60) < 0.4
    tests = Partition.from_owners(owners, 6)
    devices, shares = shares_right(right, tests, asked if weighed else None)
    assert devices.tolist() == [0, 2, 3, 5]
    for device, share in zip(devices, shares, strict=True):
        own = owners == device
        assert share == pytest.approx(right[own].sum() / (asked[own].sum() if weighed else own.sum()))


def test_light_clients_are_those_up_to_the_median_of_the_measured_ones():
    # The unmeasured light clients do not move the median, and the mean of the others, 18, is not it.
    sizes = np.array([1, 1, 1, 10, 20, 24])
    every, light = means(np.array([0.1, 0.2, 0.9]), np.array([3, 4, 5]), sizes)
    assert (every, light) == (pytest.approx(0.4), pytest.approx(0.15))
    assert means(np.array([0.5, 0.7]), np.array([0, 1]), sizes) == (0.6, 0.6)  # equal sizes: all are light


def test_a_mean_over_examples_and_one_over_clients_differ_by_who_has_more():
    right = np.array([1.0] * 90 + [0.0] * 10)
    tests = [np.arange(90), np.arange(90, 100)]
    devices, shares = shares_right(right, tests)
    assert right.mean() == 0.9 and means(shares, devices, np.array([90, 10])) == (0.5, 0.0)
