"""What a deployment needs, against the papers' numbers, closed forms, counting and what is really sent."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from trustlab.federated.deployment_costs import (
    MEGABIT,
    PLAIN,
    SECAGG,
    SECAGG_PLUS,
    Deployment,
    exchanged,
    expansion,
    needs,
    neighbours,
    server_masks,
    sum_bits,
)
from trustlab.federated.payload import payload
from trustlab.federated.simulation import FederatedConfig, Task, simulate


def test_the_expansion_is_the_papers():
    """Bonawitz et al. (2017), abstract: 16-bit values, 2^10 users and 2^20 numbers, 2^14 users and 2^24 numbers."""
    assert round(expansion(2**10, 2**20), 2) == 1.73
    assert round(expansion(2**14, 2**24), 2) == 1.98


def test_a_billion_devices_of_secagg_plus_cost_each_less_than_a_thousand_of_secagg():
    """Bell et al. (2020), abstract, for devices and server that follow the protocol."""
    for share in (0.05, 0.2, 1 / 3):
        assert exchanged(neighbours(10**9, share, share)) < exchanged(999)


@given(st.integers(3, 10**6), st.integers(1, 32))
def test_a_sum_of_largest_values_just_fits(clients, bits):
    largest = clients * (2**bits - 1)
    assert largest < 2 ** sum_bits(clients, bits) <= 2 * (largest + 1)


@pytest.mark.parametrize(("clients", "drop_out", "corrupt"), [(200, 0.2, 0.1), (1000, 0.05, 0.05), (5000, 0.3, 0.2)])
def test_the_neighbours_are_the_fewest_that_keep_both_promises(clients, drop_out, corrupt):
    """By adding up binomial terms exactly, with whole numbers' logarithms."""

    def tail(k, rate, counts):
        terms = [
            math.lgamma(k + 1) - math.lgamma(i + 1) - math.lgamma(k - i + 1)
            + i * math.log(rate) + (k - i) * math.log1p(-rate)
            for i in counts
        ]  # fmt: skip
        return math.fsum(map(math.exp, terms))

    def enough(k):
        connected = clients * (drop_out + corrupt) ** k <= 2.0**-40
        return connected and any(
            clients * tail(k, corrupt, range(t, k + 1)) <= 2.0**-40
            and clients * tail(k, 1 - drop_out, range(t)) <= 2.0**-30
            for t in range(1, k + 1)
        )

    k = neighbours(clients, drop_out, corrupt)
    assert enough(k) and not any(enough(fewer) for fewer in range(1, k))


def test_too_small_a_cohort_shares_with_all_others_and_a_pair_has_no_secret_sum():
    assert neighbours(10, 0.3, 0.3) == 9
    with pytest.raises(ValueError, match="Expected at least 3 devices for a secure sum, got 2"):
        needs(Deployment(cohort=2, aggregation=SECAGG_PLUS))


def test_the_masks_that_remain_in_the_sum_are_counted_as_a_server_would():
    rng = np.random.default_rng(0)
    clients, lost = 40, 8
    dead = np.isin(np.arange(clients), rng.choice(clients, lost, replace=False))
    pairs = sum(dead[i] != dead[j] for i in range(clients) for j in range(i))  # one of the two is in the sum
    assert server_masks(clients, lost / clients, clients - 1) == pytest.approx((~dead).sum() + pairs, rel=0.03)
    assert (~dead).sum() + pairs == (clients - lost) * (lost + 1)


def test_a_round_without_secrets_is_what_a_hand_would_add_up():
    here = Deployment(devices=10**6, cohort=500, payload=2_000_000, drop_out=0.2, up=8.0, down=16.0, server=1e6)
    found = needs(here)
    assert (found.messages, found.bytes_down, found.bytes_up) == (900, 1e9, 8e8)
    assert found.seconds == pytest.approx(1 + 30 + 2)
    assert (found.server_memory, found.neighbours, found.server_masks) == (4e6 + 16e6, 0, 0)
    slow = needs(replace(here, server=100.0))  # now the server's line is the narrow one
    assert slow.seconds == pytest.approx(30 + 1.8e9 / (100 * MEGABIT))


def test_bytes_are_those_that_the_simulator_counts():
    model = nn.Linear(7, 3)
    x = torch.randn(40, 7)

    def loss(model, batch):
        return model(batch).square().mean(1)

    task = Task(model, x, x, loss, lambda model, batch: {"loss": loss(model, batch).mean().item()})
    config = FederatedConfig(rounds=1, clients_per_round=4)
    (row,) = simulate(task, [range(i, i + 4) for i in range(0, 40, 4)], config)
    size = payload(model.state_dict())
    found = needs(Deployment(devices=10, cohort=4, parameters=24, payload=size, drop_out=0.0))
    assert (row["bytes_down"], row["bytes_up"]) == (found.bytes_down, found.bytes_up)


@settings(max_examples=30)
@given(
    st.integers(3, 3000),
    st.integers(1, 10**8),
    st.sampled_from([0.0, 0.05, 0.3]),
    st.sampled_from([PLAIN, SECAGG, SECAGG_PLUS]),
)
def test_more_devices_numbers_or_losses_never_need_less(cohort, parameters, drop_out, aggregation):
    here = Deployment(
        cohort=cohort, parameters=parameters, payload=4 * parameters, drop_out=drop_out, aggregation=aggregation
    )
    base, more = needs(here), needs(replace(here, cohort=cohort + 1))
    assert more.bytes_down > base.bytes_down and more.server_memory >= base.server_memory
    larger = needs(replace(here, parameters=2 * parameters, payload=8 * parameters))
    assert larger.device_up > base.device_up and larger.seconds >= base.seconds
    if aggregation == PLAIN:
        assert needs(replace(here, drop_out=0.5)).bytes_up <= base.bytes_up
    if aggregation == SECAGG_PLUS:
        full = needs(replace(here, aggregation=SECAGG))
        assert base.neighbours <= full.neighbours and base.server_masks <= full.server_masks


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (dict(drop_out=1.0), "Expected drop_out=1.0 <= 0.9"),
        (dict(devices=10, cohort=11), "Expected cohort=11 <= devices=10"),
        (dict(up=0.0), "Expected up=0.0 > 0"),
        (dict(aggregation="none"), "Expected aggregation='none' to be one of"),
    ],
)
def test_what_cannot_be_is_refused_by_name(wrong, said):
    with pytest.raises(ValueError, match=said):
        needs(Deployment(**wrong))


def test_a_payload_is_what_is_written_and_sent(tmp_path):
    from safetensors.torch import save_file

    state = nn.Linear(300, 100).state_dict()
    save_file(state, tmp_path / "model.safetensors")
    assert payload(state) == 4 * 30_100
    assert payload(state, "safetensors") == (tmp_path / "model.safetensors").stat().st_size
    assert payload(state) < payload(state, "Flower") < payload(state) + 400 * len(state)
    with pytest.raises(ValueError, match="Expected form to be one of numbers"):
        payload(state, "pickle")
