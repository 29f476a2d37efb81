"""Weights, averages and server steps: to Flower's published values, to the papers' lines, and to each other."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from trustlab.federated.aggregation import (
    RULES,
    ServerConfig,
    ServerOptimizer,
    client_weights,
    proximal_term,
    pseudo_gradient,
    stack,
)

# Flower's unit tests, github.com/adap/flower, framework/py/flwr/server/strategy/: aggregate_test.py at aa9582d7,
# fedavgm_test.py at 29b71124, fedadagrad_test.py at 21b5379f. There are none for FedAdam and FedYogi.
FLOWERS = {"0": [[1.0, 2, 3], [4, 5, 6]], "1": [7.0, 8, 9, 10]}


def tensors(values, dtype=torch.float64):
    return {name: torch.tensor(value, dtype=dtype) for name, value in values.items()}


def zeros(values):
    return {name: torch.zeros_like(value) for name, value in values.items()}


def aggregate(server, start, states, examples):
    delta = pseudo_gradient(client_weights("examples", examples=examples), stack(states), start)
    return server.step(start, delta)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_fedavg_is_flowers_aggregate(dtype):
    """test_aggregate: two clients of 1 and 2 examples that agree, from any start."""
    local = tensors(FLOWERS, dtype)
    for start in (zeros(local), {name: -3 * value for name, value in local.items()}, local):
        found = aggregate(ServerOptimizer(), start, [local, local], [1, 2])
        for name in local:
            # Exact in single precision. In double, weights of 1/3 are rounded where Flower divides once at the end.
            tolerance = 0 if dtype == torch.float32 else 4 * torch.finfo(dtype).eps
            torch.testing.assert_close(found[name], local[name], rtol=tolerance, atol=0)


def test_weighted_average_is_flowers_weighted_loss_average():
    """test_weighted_loss_avg_multiple_values: losses 2, 1, 2 of 1, 2, 1 examples are 1.5."""
    weights = client_weights("examples", examples=[1, 2, 1])
    found = pseudo_gradient(weights, {"loss": torch.tensor([2.0, 1.0, 2.0])}, {"loss": torch.tensor(0.0)})
    assert found["loss"].item() == 1.5


def test_adagrad_is_flowers():
    """test_aggregate_fit of fedadagrad_test.py: exactly 0.15 in single precision."""
    server = ServerOptimizer(ServerConfig("adagrad", learning_rate=0.1, tau=0.5, initial=0.0))
    start = {"w": torch.full((4,), 0.1)}
    found = aggregate(server, start, [{"w": torch.full((4,), 0.2)}, {"w": torch.full((4,), 1.0)}], [5, 5])
    assert found["w"].tolist() == torch.full((4,), 0.15).tolist()


@pytest.mark.parametrize(("rule", "momentum", "rounds"), [("sgd", None, 1), ("momentum", 1e-9, 2)])
def test_momentum_is_flowers(rule, momentum, rounds):
    """fedavgm_test.py: a rate near 1 and no or hardly any momentum, from zeros."""
    server = ServerOptimizer(ServerConfig(rule, learning_rate=1 + 1e-9, beta_1=momentum))
    local = tensors(FLOWERS, torch.float32)
    weights = zeros(local)
    for _ in range(rounds):
        weights = aggregate(server, weights, [local, local], [1, 2])
    for name in local:
        np.testing.assert_almost_equal(weights[name].numpy(), local[name].numpy())


def flowers(strategy, start, rounds):
    """Run Flower's strategy over `rounds`, lists of (weights of a client, its examples)."""
    from flwr.common import Code, FitRes, Status, ndarrays_to_parameters, parameters_to_ndarrays

    weights = [start]
    for number, devices in enumerate(rounds, start=1):
        ok = Status(code=Code.OK, message="")
        results = [(None, FitRes(ok, ndarrays_to_parameters([own]), n, {})) for own, n in devices]
        parameters, _ = strategy.aggregate_fit(number, results, [])
        weights.append(parameters_to_ndarrays(parameters)[0])
    return weights


@pytest.mark.parametrize("rule", ["momentum", "adagrad", "adam", "yogi"])
def test_several_rounds_are_flowers(rule):
    """Fedopt's recursions over ten rounds of three clients. Flower's FedAdam multiplies the rate by Adam's correction
    for the zero start, which Algorithm 2 does not have: undone here, so that all else is compared."""
    strategies = pytest.importorskip("flwr.server.strategy", reason="Flower is a peer, not a dependency")
    from flwr.common import ndarrays_to_parameters

    rng = np.random.default_rng(0)
    start = rng.standard_normal(20)
    rounds = [[(rng.standard_normal(20), int(n)) for n in rng.integers(1, 50, 3)] for _ in range(10)]
    name = {"momentum": "FedAvgM", "adagrad": "FedAdagrad", "adam": "FedAdam", "yogi": "FedYogi"}[rule]
    initial = ndarrays_to_parameters([start])
    if rule == "momentum":
        theirs = strategies.FedAvgM(initial_parameters=initial, server_learning_rate=0.3, server_momentum=0.9)
    else:
        betas = {} if rule == "adagrad" else dict(beta_1=0.9, beta_2=0.99)
        theirs = getattr(strategies, name)(initial_parameters=initial, eta=0.3, tau=0.01, **betas)
    expected = flowers(theirs, start, rounds)
    server = ServerOptimizer(ServerConfig(rule, learning_rate=0.3, tau=0.01, initial=0.0))
    for number, devices in enumerate(rounds, start=1):
        weights = torch.tensor(expected[number - 1])
        local = stack([{"w": torch.tensor(own)} for own, _ in devices])
        delta = pseudo_gradient(client_weights("examples", examples=[n for _, n in devices]), local, {"w": weights})
        step = server.step({"w": weights}, delta)["w"] - weights
        if rule == "adam":
            step *= np.sqrt(1 - 0.99 ** (number + 1)) / (1 - 0.9 ** (number + 1))
        np.testing.assert_allclose((weights + step).numpy(), expected[number], rtol=1e-10, atol=1e-12)


def test_two_rounds_of_algorithm_2_by_hand():
    """Δ = 0.2, then −0.1, with β₁ = 0.5, β₂ = 0.9, τ = 0.1, η = 1 and v₋₁ = τ² = 0.01."""
    m1, m2 = 0.1, 0.5 * 0.1 - 0.05
    second_moments = {
        "adagrad": (0.01 + 0.04, 0.01 + 0.04 + 0.01),
        "adam": (0.9 * 0.01 + 0.1 * 0.04, 0.9 * 0.013 + 0.1 * 0.01),
        "yogi": (0.01 + 0.1 * 0.04, 0.014 - 0.1 * 0.01),
    }
    for rule, (v1, v2) in second_moments.items():
        server = ServerOptimizer(ServerConfig(rule, beta_1=0.5, beta_2=0.9, tau=0.1))
        one = server.step(tensors({"w": 0.0}), tensors({"w": 0.2}))
        two = server.step(one, tensors({"w": -0.1}))
        assert one["w"].item() == pytest.approx(m1 / (v1**0.5 + 0.1))
        assert two["w"].item() == pytest.approx(one["w"].item() + m2 / (v2**0.5 + 0.1))


def test_three_rounds_of_momentum_are_its_geometric_sums():
    """Δ_s has been stepped along 1 + β + … + β^(t − s) times by round t; without a β it is 0.9."""
    for beta in (0.5, None):
        server, weights = ServerOptimizer(ServerConfig("momentum", learning_rate=0.3, beta_1=beta)), tensors({"w": 1.0})
        for delta in (0.2, -0.1, 0.4):
            weights = server.step(weights, tensors({"w": delta}))
        b = beta or 0.9
        expected = 1 + 0.3 * (0.2 * (1 + b + b**2) - 0.1 * (1 + b) + 0.4)
        assert weights["w"].item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("rule", RULES)
def test_a_checkpointed_optimizer_goes_on_as_if_nothing_had_been(rule):
    torch.manual_seed(0)
    deltas = [{"w": torch.randn(5)} for _ in range(6)]

    def run(server, weights, deltas):
        for delta in deltas:
            weights = server.step(weights, delta)
        return weights

    through = run(ServerOptimizer(ServerConfig(rule)), {"w": torch.ones(5)}, deltas)
    first = ServerOptimizer(ServerConfig(rule))
    half = run(first, {"w": torch.ones(5)}, deltas[:3])
    saved = first.state_dict()
    run(first, half, deltas[:2])  # the first goes another way: what was saved must not notice
    for _ in range(2):  # nor that somebody went on from it
        again = ServerOptimizer(ServerConfig(rule))
        again.load_state_dict(saved)
        assert torch.equal(run(again, half, deltas[3:])["w"], through["w"])


def test_the_step_leaves_its_inputs_alone():
    weights, delta = {"w": torch.ones(3)}, {"w": torch.full((3,), 2.0)}
    for rule in RULES:
        ServerOptimizer(ServerConfig(rule)).step(weights, delta)
    assert weights["w"].tolist() == [1, 1, 1] and delta["w"].tolist() == [2, 2, 2]


counts = st.lists(st.integers(1, 10**9), min_size=1, max_size=50)


@given(examples=counts)
def test_normalised_weights_sum_to_one(examples):
    inclusion = np.linspace(0.1, 1, len(examples))
    for how in ("examples", "equal", "hajek"):
        extra = dict(inclusion=inclusion) if how == "hajek" else {}
        weights = client_weights(how, examples=examples, **extra)
        assert weights.sum().item() == pytest.approx(1) and (weights > 0).all() and weights.dtype == torch.float64


def test_weights_by_hand():
    n, pi = [30, 10, 10], [0.5, 0.25, 0.25]
    assert client_weights("examples", examples=n).tolist() == [0.6, 0.2, 0.2]
    assert client_weights("equal", examples=n).tolist() == [1 / 3] * 3
    assert client_weights("horvitz-thompson", examples=n, inclusion=pi, total_examples=200).tolist() == [0.3, 0.2, 0.2]
    assert client_weights("hajek", examples=n, inclusion=pi).tolist() == pytest.approx([3 / 7, 2 / 7, 2 / 7])
    assert client_weights("examples", examples=np.array([], np.int64)).shape == (0,)


def test_an_empty_cohort_moves_nothing():
    delta = pseudo_gradient(torch.empty(0), {"w": torch.empty(0, 3)}, {"w": torch.ones(3)})
    assert delta["w"].tolist() == [0, 0, 0]


def test_unnormalised_weights_scale_the_update_and_not_the_model():
    """Half the fleet's weight arrived: half a step from w = 100 towards 102, not a model of half the size."""
    delta = pseudo_gradient(torch.tensor([0.5]), {"w": torch.tensor([[102.0]])}, {"w": torch.tensor([100.0])})
    assert delta["w"].tolist() == [1.0]


def test_half_precision_is_added_up_in_double():
    """4096 clients that each move by 1/4096: added one by one in half precision, the sum would stop at 1/8."""
    local, start = {"w": torch.full((4096, 1), 1 / 4096).half()}, {"w": torch.zeros(1).half()}
    delta = pseudo_gradient(torch.ones(4096, dtype=torch.float64), local, start)
    assert delta["w"].dtype == torch.float16 and delta["w"].item() == 1.0


def test_the_proximal_term_pulls_a_local_step_back():
    """A step of SGD on loss + term is w − η(g + μ(w − w_t)), over all parameters and under vmap."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    own = dict(model.named_parameters())
    start = {name: torch.randn_like(value, requires_grad=True) for name, value in own.items()}
    batch, mu = torch.randn(5, 3), 0.7
    plain = torch.autograd.grad(model(batch).square().mean(), list(own.values()))
    total = model(batch).square().mean() + proximal_term(own, start, mu)
    pulled = torch.autograd.grad(total, list(own.values()), retain_graph=True)
    assert torch.autograd.grad(total, list(start.values()), allow_unused=True) == (None,) * 4  # it stays where it is
    for name, before, after in zip(own, plain, pulled, strict=True):
        torch.testing.assert_close(after, before + mu * (own[name] - start[name]))
    distance = sum((own[name] - start[name]).square().sum() for name in own)
    torch.testing.assert_close(proximal_term(own, start, mu), mu / 2 * distance)
    stacked = stack([own, start])
    fixed = {name: value.detach() for name, value in start.items()}
    terms = torch.vmap(lambda parameters: proximal_term(parameters, fixed, mu))(stacked)
    torch.testing.assert_close(terms, torch.stack([mu / 2 * distance, torch.tensor(0.0)]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: client_weights("mean", examples=[1]), "Expected aggregation='mean' to be one of 'examples'"),
        (lambda: client_weights("examples", examples=[0, 0]), "with a positive, finite sum"),
        (lambda: client_weights("equal", examples=[3, -1]), "Expected examples >= 0"),
        (lambda: client_weights("examples", examples=[1], inclusion=[0.5]), "'hajek' alone, got [0.5]"),
        (lambda: client_weights("hajek", examples=[1]), "got None with 'hajek'"),
        (lambda: client_weights("hajek", examples=[1, 1], inclusion=[0.5, 0.0]), "Expected inclusion > 0"),
        (lambda: client_weights("horvitz-thompson", examples=[1], inclusion=[1.0]), "It counts the whole fleet's"),
        (
            lambda: client_weights("equal", examples=[1], total_examples=3),
            "total_examples with 'horvitz-thompson' alone",
        ),
        (lambda: pseudo_gradient(torch.ones(1), {"n": torch.ones(1)}, {"n": torch.tensor(1)}), "Leave counters out"),
        (lambda: ServerOptimizer(ServerConfig("lion")), "Expected rule='lion' to be one of 'sgd'"),
        (lambda: ServerOptimizer(ServerConfig(learning_rate=0.0)), "Expected learning_rate=0.0 > 0"),
        (lambda: ServerOptimizer(ServerConfig("adam", beta_2=1.5)), "Expected beta_2=1.5 <= 1"),
    ],
)
def test_what_means_something_else_is_refused(call, message):
    with pytest.raises(ValueError) as caught:
        call()
    assert message in str(caught.value)
