"""Batches that are no Poisson samples are found, those of this package and of Opacus are not."""

import math

import numpy as np
import pytest
from opacus.utils.uniform_sampler import UniformWithReplacementSampler

from trustlab.privacy import TrainConfig
from trustlab.privacy.auditing import audit
from trustlab.privacy.auditing.report import decided
from trustlab.privacy.auditing.sampler_checks import SEEN, made_up, sampler_checks
from trustlab.privacy.auditing.training_sampler import Watched, training_sampler, utterances

NAMES = ["number of steps", "batch sizes: mean", "batch sizes: spread", "counts of each example"]
NAMES += ["batches between steps", "batches and data"]


def failed(checks, alpha=1e-4):
    return [check.name for check in decided(checks, alpha) if check.verdict == "FAILS"]


def test_a_bad_sampler_is_found_by_its_check(bad_sampler):
    make, check = bad_sampler
    found = sampler_checks(make(np.random.default_rng(0)), sample_rate=0.1)
    assert check in failed(found), found


@pytest.mark.parametrize("seed", range(4))
def test_poisson_samples_are_not_accused(seed, poisson_sampler):
    assert failed(sampler_checks(**poisson_sampler(seed))) == []


def test_p_of_poisson_samples_is_that_of_chance(poisson_sampler):
    found = np.array([[check.p for check in sampler_checks(**poisson_sampler(seed))] for seed in range(50)])
    assert found.min() > 1e-5 and (np.mean(found < 0.05, axis=0) < 0.17).all()
    assert (np.mean(found[:, 2:5] < 0.5, axis=0) > 0.3).all()  # and they are not careful to the point of blindness


@pytest.mark.parametrize("method", ["sgd", "edp-sgd"])
def test_the_batches_of_our_training_are_poisson_samples(method):
    epsilon = math.inf if method == "sgd" else 8.0
    config = TrainConfig(method=method, epsilon=epsilon, delta=1e-3, epochs=20, batch_size=100)
    watched = training_sampler(config)
    checks = sampler_checks(**watched)
    assert failed(checks) == [] and [check.name for check in checks] == NAMES
    assert checks[0].measured == "40 in each case"


def test_opacus_sampler_is_a_poisson_sampler():
    def sampler(data):
        return UniformWithReplacementSampler(num_samples=len(data), sample_rate=0.1)

    assert failed(sampler_checks(sampler, sample_rate=0.1)) == []


def test_the_wrong_rate_is_found(poisson_sampler):
    sampler = poisson_sampler(0)["sampler"]
    assert "batch sizes: mean" in failed(sampler_checks(sampler, sample_rate=0.11, examples=200))


def test_the_sampler_is_a_part_of_the_audit(declared, honest_step, poisson_sampler):
    report = audit(honest_step, **declared, **poisson_sampler(0))
    assert [check.name for check in report.checks][-6:] == NAMES and report.holds
    assert [check.verdict for check in audit(honest_step, **declared).checks][-1] == "not checked"
    shuffled = audit(
        honest_step,
        **declared,
        sampler=lambda data: np.array_split(np.random.permutation(len(data)), 10),
        sample_rate=0.1,
    )
    assert not shuffled.holds and "Chua et al. 2024" in str(shuffled)


def test_examples_are_short_and_long_in_turn_and_drawn_often_enough(poisson_sampler):
    data = made_up(6)
    assert data[:, 0].tolist() == [1, 100] * 3
    assert utterances(data).attention_mask.sum(1).tolist() == [1, 9] * 3
    calls = []
    sampler_checks(lambda data: calls.append(len(data)) or poisson_sampler(0)["sampler"](data), sample_rate=0.1)
    assert calls[:5] == [200, 201, 199, 200, 200] and len(calls) - 5 == SEEN
    watched = Watched(utterances(data))
    assert len(watched) == 6 and len(watched[np.array([1, 3])]) == 2 and watched.drawn == [[1, 3]]
