import math

import numpy as np
import pytest
from dp_accounting import SelfComposedDpEvent, dp_event
from dp_accounting.pld import PLDAccountant
from hypothesis import given, settings
from hypothesis import strategies as st

from trustlab.privacy import decayed, epsilon, noise_multiplier_for

RUN = dict(sample_rate=0.02, delta=1e-5)


def pld(schedule, sample_rate, delta):
    """The tight ε by dp-accounting, an implementation that shares no code with Opacus'."""
    accountant = PLDAccountant()
    for sigma, steps in schedule:
        step = dp_event.PoissonSampledDpEvent(sample_rate, dp_event.GaussianDpEvent(sigma))
        accountant.compose(SelfComposedDpEvent(step, steps))
    return accountant.get_epsilon(delta)


@pytest.mark.parametrize(
    ("sigma", "sample_rate", "steps"), [(0.6, 0.02, 300), (1.0, 0.02, 500), (2.0, 0.05, 200), (1.0, 1.0, 10)]
)
def test_prv_is_tight_and_rdp_is_an_upper_bound(sigma, sample_rate, steps):
    tight = pld([(sigma, steps)], sample_rate, 1e-5)
    run = dict(noise_multiplier=sigma, sample_rate=sample_rate, steps=steps, delta=1e-5)
    # Opacus' PRV adds its own error bound of 0.01 to stay on the safe side.
    assert tight - 1e-3 <= epsilon(**run) <= tight + 0.02
    assert tight <= epsilon(**run, accountant="rdp") <= 1.3 * tight


def test_newer_accountants_stay_below_the_moments_accountant():
    # Abadi et al. 2016, §3.2: q = 0.01, σ = 4, T = 10 000, δ = 1e-5 gives ε = 1.26 by the moments accountant, whose
    # step from moments to (ε, δ) was looser than the one used since.
    run = dict(noise_multiplier=4.0, sample_rate=0.01, steps=10_000, delta=1e-5)
    tight = pld([(4.0, 10_000)], 0.01, 1e-5)
    assert tight <= epsilon(**run) <= tight + 0.02
    assert epsilon(**run) < epsilon(**run, accountant="rdp") < 1.26


def test_micro_batches_of_sensitivity_two_halve_the_multiplier():
    half = epsilon(noise_multiplier=1.0, steps=500, **RUN)
    assert epsilon(noise_multiplier=2.0, steps=500, sensitivity=2.0, **RUN) == half
    assert epsilon(noise_multiplier=2.0, steps=500, **RUN) < half


def test_decaying_noise_costs_more_than_its_first_value_says():
    schedule = decayed(2.0, decay=0.7, steps=300, steps_per_epoch=100)
    honest = epsilon(noise_multiplier=schedule, **RUN)
    assert honest > 1.2 * epsilon(noise_multiplier=2.0, steps=300, **RUN)
    assert honest == pytest.approx(pld(schedule, 0.02, 1e-5), abs=0.02)


def test_a_schedule_may_be_cut_anywhere():
    whole = epsilon(noise_multiplier=1.0, steps=100, **RUN)
    assert epsilon(noise_multiplier=[(1.0, 40), (1.0, 60)], **RUN) == pytest.approx(whole, abs=0.01)


def test_numbers_of_numpy_are_numbers():
    spent = epsilon(noise_multiplier=np.float32(1.0), steps=np.int64(10), **RUN)
    assert spent == epsilon(noise_multiplier=1.0, steps=10, **RUN)


def test_no_step_spends_nothing_and_no_noise_spends_everything():
    assert epsilon(noise_multiplier=1.0, steps=0, **RUN) == 0
    assert epsilon(noise_multiplier=0.0, steps=1, **RUN) == math.inf
    assert epsilon(noise_multiplier=[(1.0, 10), (0.0, 1)], **RUN) == math.inf
    assert noise_multiplier_for(epsilon=math.inf, steps=10, **RUN) == 0


@settings(max_examples=25, deadline=None)
@given(sigma=st.floats(0.5, 5), factor=st.floats(1.05, 2), steps=st.integers(1, 500), sample_rate=st.floats(0.001, 0.2))
def test_more_noise_fewer_steps_and_a_lower_rate_never_cost_more(sigma, factor, steps, sample_rate):
    def spent(sigma, steps, sample_rate):
        return epsilon(noise_multiplier=sigma, steps=steps, sample_rate=sample_rate, delta=1e-5, accountant="rdp")

    here = spent(sigma, steps, sample_rate)
    assert spent(sigma * factor, steps, sample_rate) <= here + 1e-9
    assert spent(sigma, 2 * steps, sample_rate) >= here - 1e-9
    assert spent(sigma, steps, min(1.0, sample_rate * factor)) >= here - 1e-9


@pytest.mark.parametrize("accountant", ["prv", "rdp"])
@pytest.mark.parametrize("target", [0.5, 1.0, 8.0])
@pytest.mark.parametrize("sensitivity", [1.0, 2.0])
def test_the_noise_found_keeps_the_promise_and_wastes_little(accountant, target, sensitivity):
    run = dict(steps=300, sensitivity=sensitivity, accountant=accountant, **RUN)
    sigma = noise_multiplier_for(epsilon=target, **run)
    assert epsilon(noise_multiplier=sigma, **run) <= target
    assert epsilon(noise_multiplier=0.998 * sigma, **run) > target


@settings(max_examples=15)
@given(target=st.floats(0.01, 50), steps=st.integers(1, 3000), sample_rate=st.floats(0.0005, 1.0))
def test_any_target_is_met_closely(target, steps, sample_rate):
    run = dict(steps=steps, sample_rate=sample_rate, delta=1e-5, accountant="rdp")
    sigma = noise_multiplier_for(epsilon=target, **run)
    assert epsilon(noise_multiplier=sigma, **run) <= target
    assert sigma < 1e-3 or epsilon(noise_multiplier=0.998 * sigma, **run) > target


def test_the_first_sigma_of_a_decaying_schedule_keeps_the_promise():
    shape = dict(decay=0.8, steps=90, steps_per_epoch=30)
    sigma = noise_multiplier_for(epsilon=4.0, accountant="rdp", **RUN, **shape)
    assert 3.9 < epsilon(noise_multiplier=decayed(sigma, **shape), accountant="rdp", **RUN) <= 4.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(sample_rate=1.2), r"Expected sample_rate=1.2 in \(0, 1\]"),
        (dict(sample_rate=0.0), "Expected sample_rate=0.0"),
        (dict(delta=0.0), r"Expected delta=0.0 in \(0, 1\)"),
        (dict(sensitivity=0.0), "Expected sensitivity=0.0 > 0"),
        (dict(accountant="gdp"), "Expected accountant='gdp' to be 'prv' or 'rdp'"),
        (dict(noise_multiplier=-1.0), "Expected noise multiplier >= 0"),
        (dict(noise_multiplier=math.nan), "Expected noise multiplier >= 0"),
        (dict(steps=None), "Expected steps with a single noise multiplier"),
        (dict(noise_multiplier=[(1.0, 3)]), "Expected steps=None with a schedule"),
        (dict(steps=-1), "whole steps >= 0"),
    ],
)
def test_meaningless_input_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        epsilon(**{**dict(noise_multiplier=1.0, steps=3, **RUN), **change})


def test_meaningless_targets_are_refused():
    with pytest.raises(ValueError, match=r"Expected epsilon=-1 > 0\. Smaller ε means stronger privacy"):
        noise_multiplier_for(epsilon=-1, steps=10, **RUN)
    with pytest.raises(ValueError, match=r"Expected decay=1.5 in \(0, 1\]"):
        noise_multiplier_for(epsilon=1, steps=10, decay=1.5, **RUN)
    with pytest.raises(ValueError, match="Expected steps=-5 >= 0"):
        noise_multiplier_for(epsilon=1, steps=-5, **RUN)
    with pytest.raises(ValueError, match=r"Expected epsilon=1e\+09 <= 1000"):
        noise_multiplier_for(epsilon=1e9, steps=10, **RUN)
    with pytest.raises(ValueError, match="Expected steps_per_epoch with decay < 1"):
        noise_multiplier_for(epsilon=1, steps=10, decay=0.5, **RUN)
