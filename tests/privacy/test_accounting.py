import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trustlab.privacy import decayed, epsilon, noise_multiplier_for
from trustlab.privacy.accountants import ACCOUNTANTS

RUN = dict(sample_rate=0.02, delta=1e-5)


# --- Published values ------------------------------------------------------------------------------------------------


def test_opacus_own_test_values():
    # pytorch/opacus, tests/accountants_test.py: test_rdp_accountant, test_get_noise_multiplier_rdp_{epochs,steps}; its
    # search stops when ε is within 0.01.
    run = dict(sample_rate=0.04, delta=1e-5, accountant="rdp")
    assert epsilon(noise_multiplier=1.5, steps=2250, **run) == pytest.approx(7.32911117143, abs=1e-7)
    assert noise_multiplier_for(epsilon=8.0, steps=2250, **run) == pytest.approx(1.416, rel=2e-3)
    assert noise_multiplier_for(epsilon=8.0, steps=2000, **run) == pytest.approx(1.3562, rel=2e-3)


@pytest.mark.parametrize(
    ("accountant", "sensitivity", "sampling", "known"),
    [
        ("rdp", 1.0, "shuffle", 10.8602036),
        ("rdp", 2.0, "shuffle", 26.2880374),
        ("rdp", 1.0, "poisson", 3.2391922),
        ("rdp", 2.0, "poisson", 22.5970358),
        ("pld", 1.0, "shuffle", 10.1224946),
        ("pld", 2.0, "shuffle", 24.7160779),
        ("pld", 1.0, "poisson", 2.4612381),
        ("pld", 2.0, "poisson", 18.6977407),
    ],
)
def test_tf_privacys_values_with_and_without_micro_batches(accountant, sensitivity, sampling, known):
    # tensorflow/privacy, compute_dp_sgd_privacy_test.py, test_compute_dp_sgd_example_privacy: 1.2 epochs at q = 0.01,
    # σ = 0.7, δ = 1e-5; micro-batching halves the multiplier, and without Poisson sampling 1.2 epochs count as two.
    run = dict(noise_multiplier=0.7, sample_rate=0.01, steps=120, delta=1e-5, sampling=sampling, accountant=accountant)
    # Rényi orders differ a little between both packages.
    assert epsilon(**run, sensitivity=sensitivity) == pytest.approx(known, rel=1e-3 if accountant == "pld" else 5e-3)


def test_newer_accountants_stay_below_the_moments_accountant():
    # Abadi et al. 2016, §3.2: q = 0.01, σ = 4, T = 10 000, δ = 1e-5 gives ε = 1.26 by the moments accountant, whose
    # step from moments to (ε, δ) was looser than the one used since.
    run = dict(noise_multiplier=4.0, sample_rate=0.01, steps=10_000, delta=1e-5)
    assert epsilon(**run) < epsilon(**run, accountant="rdp") < 1.26
    # That older step: the least (T·ε_RDP(α) + log(1/δ)) / (α - 1) over whole α.
    from opacus.accountants.analysis.rdp import compute_rdp

    orders = list(range(2, 64))
    spent = compute_rdp(q=0.01, noise_multiplier=4.0, steps=10_000, orders=orders)
    assert min(r + math.log(1e5) / (a - 1) for r, a in zip(spent, orders, strict=True)) == pytest.approx(1.26, abs=0.01)


# --- Sampling and adjacency ------------------------------------------------------------------------------------------


def test_micro_batches_of_sensitivity_two_halve_the_multiplier():
    half = epsilon(noise_multiplier=1.0, steps=500, **RUN)
    assert epsilon(noise_multiplier=2.0, steps=500, sensitivity=2.0, **RUN) == half
    assert epsilon(noise_multiplier=2.0, steps=500, **RUN) < half


def test_replacing_without_sampling_doubles_the_distance():
    run = dict(steps=10, delta=1e-5, sampling="none")
    for accountant in ACCOUNTANTS:
        doubled = epsilon(noise_multiplier=3.0, sensitivity=2.0, accountant=accountant, **run)
        assert epsilon(noise_multiplier=3.0, adjacency="replace", accountant=accountant, **run) == doubled


@pytest.mark.parametrize(("steps", "epochs"), [(1, 1), (50, 1), (51, 2), (100, 2), (101, 3), (500, 10)])
def test_shuffled_epochs_count_as_one_release_each_and_begun_ones_as_whole(steps, epochs):
    run = dict(noise_multiplier=2.0, delta=1e-5)
    shuffled = epsilon(**run, steps=steps, sample_rate=0.02, sampling="shuffle")
    assert shuffled == epsilon(**run, steps=epochs, sampling="none")


def test_shuffled_epochs_of_uneven_length_count_the_costlier_reading():
    run = dict(noise_multiplier=2.0, sample_rate=0.3, delta=1e-5, sampling="shuffle")  # three batches or four
    assert epsilon(steps=9, **run) == epsilon(noise_multiplier=2.0, steps=3, delta=1e-5, sampling="none")
    assert epsilon(steps=12, **run) == epsilon(noise_multiplier=2.0, steps=4, delta=1e-5, sampling="none")
    rate = 1 / 49  # 49 · (1/49) rounds in floating point; the epoch has 49 steps all the same
    one = epsilon(noise_multiplier=2.0, steps=1, delta=1e-5, sampling="none")
    assert epsilon(noise_multiplier=2.0, steps=49, sample_rate=rate, delta=1e-5, sampling="shuffle") == one


@settings(max_examples=30)
@given(
    schedule=st.lists(st.tuples(st.floats(0.8, 5), st.integers(1, 9)), min_size=1, max_size=5),
    length=st.integers(1, 7),
)
def test_a_shuffled_example_meets_the_least_noise_of_each_epoch(schedule, length):
    sigmas = [sigma for sigma, count in schedule for _ in range(count)]
    met = [(min(sigmas[start : start + length]), 1) for start in range(0, len(sigmas), length)]
    run = dict(delta=1e-5, accountant="gaussian")
    shuffled = epsilon(noise_multiplier=schedule, sample_rate=1 / length, sampling="shuffle", **run)
    assert shuffled == pytest.approx(epsilon(noise_multiplier=met, sampling="none", **run), rel=1e-9)


def test_shuffling_buys_nothing_and_poisson_sampling_does():
    run = dict(noise_multiplier=1.0, sample_rate=0.02, steps=500, delta=1e-5)
    poisson, shuffled, none = (epsilon(**run, sampling=sampling) for sampling in ("poisson", "shuffle", "none"))
    assert poisson < shuffled < none


# --- Laws ------------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    sigma=st.floats(0.5, 5),
    factor=st.floats(1.05, 2),
    steps=st.integers(1, 500),
    sample_rate=st.floats(0.001, 0.2),
    accountant=st.sampled_from(["rdp", "pld"]),
    adjacency=st.sampled_from(["add-remove", "replace"]),
)
def test_more_noise_fewer_steps_and_a_lower_rate_never_cost_more(
    sigma, factor, steps, sample_rate, accountant, adjacency
):
    accountant = "pld" if adjacency == "replace" else accountant

    def spent(sigma, steps, sample_rate):
        run = dict(noise_multiplier=sigma, steps=steps, sample_rate=sample_rate, delta=1e-5)
        return epsilon(**run, accountant=accountant, adjacency=adjacency)

    here = spent(sigma, steps, sample_rate)
    slack = 1e-3 * here + 1e-5 if accountant == "pld" else 1e-9  # the grid's own error moves with its width
    assert spent(sigma * factor, steps, sample_rate) <= here + slack
    assert spent(sigma, 2 * steps, sample_rate) >= here - slack
    assert spent(sigma, steps, min(1.0, sample_rate * factor)) >= here - slack


@settings(max_examples=25, deadline=None)
@given(sigma=st.floats(0.5, 8), steps=st.integers(1, 2000), log_rate=st.floats(-3.5, 0), log_delta=st.floats(-8, -3))
def test_the_tight_accountant_never_exceeds_the_loose_one(sigma, steps, log_rate, log_delta):
    run = dict(noise_multiplier=sigma, sample_rate=10**log_rate, steps=steps, delta=10**log_delta)
    assert epsilon(**run) <= 1.001 * epsilon(**run, accountant="rdp") + 1e-6


def test_a_schedule_may_be_cut_and_turned_anywhere():
    whole = epsilon(noise_multiplier=1.0, steps=100, **RUN)
    assert epsilon(noise_multiplier=[(1.0, 40), (1.0, 60)], **RUN) == whole
    assert epsilon(noise_multiplier=[(1.0, 40), (2.0, 60)], **RUN) == epsilon(
        noise_multiplier=[(2.0, 60), (1.0, 40)], **RUN
    )


def test_numbers_of_numpy_are_numbers():
    spent = epsilon(noise_multiplier=np.float32(1.0), steps=np.int64(10), **RUN)
    assert spent == epsilon(noise_multiplier=1.0, steps=10, **RUN)


def test_no_step_spends_nothing_and_no_noise_spends_everything():
    assert epsilon(noise_multiplier=1.0, steps=0, **RUN) == 0
    assert epsilon(noise_multiplier=0.0, steps=1, **RUN) == math.inf
    assert epsilon(noise_multiplier=[(1.0, 10), (0.0, 1)], **RUN) == math.inf
    assert noise_multiplier_for(epsilon=math.inf, steps=10, **RUN) == 0


# --- From ε to noise -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accountant", ["pld", "prv", "rdp"])
@pytest.mark.parametrize("target", [0.5, 1.0, 8.0])
@pytest.mark.parametrize("sensitivity", [1.0, 2.0])
def test_the_noise_found_keeps_the_promise_and_wastes_little(accountant, target, sensitivity):
    run = dict(steps=300, sensitivity=sensitivity, accountant=accountant, **RUN)
    sigma = noise_multiplier_for(epsilon=target, **run)
    assert epsilon(noise_multiplier=sigma, **run) <= target
    assert epsilon(noise_multiplier=0.998 * sigma, **run) > target


@settings(max_examples=30, deadline=None)
@given(
    target=st.floats(0.01, 50),
    steps=st.integers(1, 3000),
    sample_rate=st.floats(0.0005, 1.0),
    sampling=st.sampled_from(["poisson", "shuffle", "none"]),
    adjacency=st.sampled_from(["add-remove", "replace"]),
)
def test_any_target_is_met_closely(target, steps, sample_rate, sampling, adjacency):
    run = dict(steps=steps, sample_rate=sample_rate, delta=1e-5, sampling=sampling, adjacency=adjacency)
    sigma = noise_multiplier_for(epsilon=target, **run)
    assert epsilon(noise_multiplier=sigma, **run) <= target
    assert sigma < 1e-3 or epsilon(noise_multiplier=0.998 * sigma, **run) > target


@pytest.mark.parametrize("accountant", ["rdp", "gaussian"])
def test_noise_is_searched_by_the_accountant_asked_for(accountant, monkeypatch):
    """A δ that "pld" cannot resolve must not decide where "rdp" or "gaussian" look."""
    broken = ACCOUNTANTS["pld"]._replace(epsilon=lambda *args, **kwargs: math.inf)
    monkeypatch.setitem(ACCOUNTANTS, "pld", broken)
    run = dict(steps=777, delta=1e-14, sampling="none", accountant=accountant)
    sigma = noise_multiplier_for(epsilon=3.0, **run)
    assert 2.99 < epsilon(noise_multiplier=sigma, **run) <= 3.0


def test_an_example_that_is_hardly_ever_seen_needs_hardly_any_noise():
    run = dict(steps=10, sample_rate=1e-7, delta=1e-5)  # seen at all with probability 1e-6, a tenth of δ
    sigma = noise_multiplier_for(epsilon=0.1, **run)
    assert 0 < sigma <= 2e-3
    assert epsilon(noise_multiplier=sigma, **run) == 0


@settings(max_examples=40, deadline=None)
@given(
    target=st.floats(0.001, 100), steps=st.integers(1, 20_000), log_rate=st.floats(-8, 0), log_delta=st.floats(-14, -3)
)
def test_every_target_has_its_noise_at_every_delta(target, steps, log_rate, log_delta):
    run = dict(steps=steps, sample_rate=10**log_rate, delta=10**log_delta)
    assert epsilon(noise_multiplier=noise_multiplier_for(epsilon=target, **run), **run) <= target


def test_the_most_noise_that_a_target_can_ask_for_is_within_reach():
    """Above 2^19, after which the search ended, though the next guess, 2^20, has the target."""
    run = dict(steps=20_000, sample_rate=1.0, delta=1e-14)
    sigma = noise_multiplier_for(epsilon=1e-3, **run)
    assert sigma > 2**19
    assert 0.99e-3 < epsilon(noise_multiplier=sigma, **run, accountant="gaussian") <= 1e-3


def test_strong_noise_is_not_asked_of_a_bound_that_has_a_floor():
    """There Opacus took 12 seconds for a larger ε, and ended in an error of its own from σ = 1e8 on."""
    for sigma, rate in ((1e5, 0.5), (1e8, 0.01)):
        run = dict(noise_multiplier=sigma, steps=20_000, delta=1e-14)
        assert epsilon(**run, sample_rate=rate) == epsilon(**run, sampling="none", accountant="gaussian")


def test_prv_refuses_at_once_what_it_computes_wrongly_or_for_minutes():
    run = dict(sample_rate=0.02, steps=500, accountant="prv")
    with pytest.raises(ValueError, match=r"Expected a noise multiplier that accountant='prv' can handle, got 0.1"):
        epsilon(noise_multiplier=0.1, delta=1e-5, **run)
    with pytest.raises(ValueError, match=r"Expected delta=1e-13 >= 1e-10 with accountant='prv'"):
        epsilon(noise_multiplier=1.0, delta=1e-13, **run)


def test_the_first_sigma_of_a_decaying_schedule_keeps_the_promise():
    shape = dict(decay=0.8, steps=90, steps_per_epoch=30)
    for accountant in ("pld", "rdp"):
        sigma = noise_multiplier_for(epsilon=4.0, accountant=accountant, **RUN, **shape)
        assert 3.98 < epsilon(noise_multiplier=decayed(sigma, **shape), accountant=accountant, **RUN) <= 4.0


# --- Refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(sample_rate=1.2), r"Expected sample_rate=1.2 in \(0, 1\]"),
        (dict(sample_rate=0.0), "Expected sample_rate=0.0"),
        (dict(delta=0.0), r"Expected delta=0.0 in \(0, 1\)"),
        (dict(sensitivity=0.0), "Expected sensitivity=0.0 > 0"),
        (dict(accountant="gdp"), "Expected accountant='gdp' to be one of 'pld', 'prv', 'rdp', 'gaussian'"),
        (dict(sampling="fixed"), "Expected sampling='fixed' to be one of 'poisson', 'shuffle', 'none'"),
        (dict(adjacency="user"), "Expected adjacency='user' to be one of 'add-remove', 'replace'"),
        (dict(accountant="gaussian"), "Expected accountant='gaussian' to be one of 'pld', 'prv', 'rdp' with sampling="),
        (dict(accountant="rdp", adjacency="replace"), "Expected accountant='rdp' to be one of 'pld' with sampling="),
        (dict(noise_multiplier=-1.0), "Expected noise multiplier >= 0"),
        (dict(noise_multiplier=math.nan), "Expected noise multiplier >= 0"),
        (dict(noise_multiplier=math.inf), "Expected noise multiplier >= 0"),
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
    with pytest.raises(ValueError, match="Expected accountant='prv' to be one of 'pld'"):
        noise_multiplier_for(epsilon=1, steps=10, accountant="prv", adjacency="replace", **RUN)
