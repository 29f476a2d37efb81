"""What a client leaves behind, half precision, NaN, and losses of other models; each against a plain loop or a sum."""

import copy
import dataclasses
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

from trustlab.federated.aggregation import (
    RULES,
    ServerConfig,
    ServerOptimizer,
    client_weights,
    pseudo_gradient,
    stack,
)
from trustlab.federated.selection import Selector
from trustlab.federated.simulation import FederatedConfig, Task, simulate
from trustlab.federated.simulation.dp_fedavg import clipped
from trustlab.federated.simulation.local_training import Update
from trustlab.models.attributes import attributes_of, differing

ENGINES = ("auto", "sequential")
N, LABELS, DEVICES = 24, 3, 4


def numbers(seed=0):
    x = torch.randn(N, 6, generator=torch.Generator().manual_seed(seed))
    return TensorDataset(x, torch.arange(N) % LABELS)


def plain(model, batch):
    return F.cross_entropy(model(batch[0]), batch[1], reduction="none")


def nothing(model, examples):
    return {}


def clients(devices=DEVICES):
    return np.split(np.arange(N), devices)


def network(*middle):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), *middle, nn.Linear(8, LABELS))


def config(**options):
    return FederatedConfig(**{"rounds": 2, "clients_per_round": DEVICES, "batch_size": 3, **options})


def start(model, loss=plain, **options):
    task = Task(model, numbers(), numbers(), loss, nothing)
    return simulate(task, clients(), config(**options))


# What layers keep


class Averages(nn.Module):
    """A custom batch norm."""

    persistent = True

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(8), persistent=self.persistent)

    def forward(self, x):
        if self.training:
            with torch.no_grad():
                self.mean.lerp_(x.detach().mean(0), 0.1)
            return x - x.mean(0)
        return x - self.mean


class Unlisted(Averages):
    persistent = False


class Rebound(Averages):
    """Puts another tensor in the buffer's place."""

    def forward(self, x):
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.detach().mean(0)
        return x


class Attribute(nn.Module):
    """A running average that is no buffer."""

    mean = 0.0

    def forward(self, x):
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.detach().mean().item()
        return x - self.mean


class Remembers(nn.Module):
    """Adds what it was fed last: the same after any history, and no less passed on."""

    last = None

    def forward(self, x):
        before, self.last = self.last, x.detach().mean(0)
        return x if before is None else x + before


class Counts(nn.Module):
    """A count of batches that no output depends on, but that a state_dict holds."""

    def __init__(self):
        super().__init__()
        self.register_buffer("batches", torch.tensor(0))

    def forward(self, x):
        if self.training:
            self.batches += 1
        return x


class Teacher(nn.Module):
    """A frozen weight that training writes to, as a momentum encoder does."""

    def __init__(self):
        super().__init__()
        self.slow = nn.Parameter(torch.zeros(8), requires_grad=False)

    def forward(self, x):
        if self.training:
            with torch.no_grad():
                self.slow.lerp_(x.mean(0), 0.1)
        return x


class Listed(nn.Module):
    """Keeps what it has seen in containers."""

    def __init__(self):
        super().__init__()
        self.seen = {"means": []}

    def forward(self, x):
        self.seen["means"].append(x.detach().mean().item())
        return x


KEEPERS = {
    "a custom batch norm": (Averages, "mean"),
    "not in state_dict": (Unlisted, "mean"),
    "another tensor": (Rebound, "mean"),
    "an attribute": (Attribute, "mean"),
    "the last input": (Remembers, "last"),
    "a count": (Counts, "batches"),
    "a frozen weight": (Teacher, "slow"),
    "a list in a dict": (Listed, "seen"),
    "spectral norm, old": (lambda: nn.utils.spectral_norm(nn.Linear(8, 8)), "weight_u"),
    "spectral norm": (lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(8, 8)), "_u"),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", KEEPERS)
def test_what_a_layer_keeps_of_its_inputs_is_refused_by_name(name, engine):
    make, kept = KEEPERS[name]
    with pytest.raises(ValueError, match=f"Expected layers that keep nothing of their inputs, got ['\"][^ ]*{kept}"):
        start(network(make()), engine=engine)


class Center(nn.Module):
    """A loss with a running centre, as DINO's."""

    def __init__(self):
        super().__init__()
        self.register_buffer("center", torch.zeros(LABELS))

    def forward(self, model, batch):
        logits = model(batch[0])
        with torch.no_grad():
            self.center.lerp_(logits.mean(0), 0.1)
        return F.cross_entropy(logits - self.center, batch[1], reduction="none")


@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_loss_keeps_is_refused_and_put_back(engine):
    loss = Center()
    with pytest.raises(ValueError, match="got 'center' of a Center"):
        start(network(), loss, engine=engine)
    assert loss.center.tolist() == [0] * LABELS


class Harmless(nn.Module):
    """Constants, some of them no numbers, a cache, and the last activation for whoever wants to look at it."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mask", torch.full((8,), float("nan")))
        self.register_buffer("places", torch.arange(8).expand(2, 8))
        self.register_buffer("graph", torch.eye(8).to_sparse())
        self.cache = None

    def forward(self, x):
        self.cache = torch.arange(x.shape[1])
        self.activation = 2 * x
        return x


@pytest.mark.parametrize("engine", ENGINES)
def test_constants_caches_and_activations_are_no_state(engine):
    expected, found = network(), network(Harmless())
    for model in (expected, found):
        task = Task(model, numbers(), numbers(), plain, nothing)
        list(simulate(task, clients(), config(engine=engine), model=model))
    for a, b in zip(expected.parameters(), found.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


class Late(nn.Module):
    """Writes only for inputs that the trial does not hold."""

    def __init__(self):
        super().__init__()
        self.register_buffer("largest", torch.zeros(()))

    def forward(self, x):
        if self.training and len(x) > 8:
            self.largest.fill_(len(x))
        return x


@pytest.mark.parametrize("engine", ENGINES)
def test_a_buffer_first_written_in_a_round_is_refused_there(engine):
    task = Task(network(Late()), numbers(), numbers(), plain, nothing)
    rows = simulate(task, clients(2), config(clients_per_round=2, batch_size=12, engine=engine))
    with pytest.raises(ValueError, match=r"got '1\.largest' of a Late"):
        next(rows)


def test_measuring_does_not_move_the_training():
    def trains(model, examples):
        with torch.enable_grad():
            plain(model.train(), examples[:]).mean().backward()
        with torch.no_grad():
            for weight in model.parameters():
                weight -= weight.grad
                weight.grad = None
        return {}

    found = []
    for measure in (nothing, trains):
        model = network()
        task = Task(model, numbers(), numbers(), plain, measure)
        list(simulate(task, clients(), config(), model=model, test_clients=clients()))
        found.append(nn.utils.parameters_to_vector(model.parameters()))
    assert torch.equal(*found)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("training", [True, False])
def test_the_callers_model_keeps_its_modes_gradients_and_own_forward(engine, training):
    model = network().train(training)
    own = model[0].forward = lambda x: 2 * F.linear(x, model[0].weight, model[0].bias)
    start_model = network()
    task = Task(start_model, numbers(), numbers(), plain, nothing)
    before = copy.deepcopy(start_model.state_dict())
    list(simulate(task, clients(), config(engine=engine), model=network().train(training)))
    assert not differing(before, start_model.state_dict()) and all(p.grad is None for p in start_model.parameters())
    with pytest.raises(ValueError, match="other tensors"):  # a copy's forward uses them
        simulate(task, clients(), config(engine=engine), model=model)
    assert model[0].forward is own and all(module.training == training for module in model.modules())


# What a loss trains

OTHER = network()


def of_another(model, batch):
    return plain(OTHER, batch)


def partly(model, batch):
    return F.cross_entropy(model[1](OTHER[0](batch[0])), batch[1], reduction="none")


def frozen(model, batch):
    with torch.no_grad():
        return plain(OTHER, batch)


def detached(model, batch):
    return F.cross_entropy(model(batch[0]).detach(), batch[1], reduction="none")


def constant(model, batch):
    return torch.zeros(len(batch[1]), requires_grad=True) + 1


def averaged(model, batch):
    return plain(model, batch).mean()


def twofold(model, batch):
    return plain(model, batch)[:, None].expand(-1, 2)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (of_another, "Expected a loss of the model it is given, got one that needs the gradient of 4 other tensors"),
        (partly, "of 2 other tensors"),
        (frozen, "Expected a loss that depends on the trained parameters"),
        (detached, "Expected a loss that depends on the trained parameters"),
        (constant, "Expected a loss whose gradient reaches some trained parameter"),
        (averaged, r"to return a tensor \[B\] = \[8\], got shape \[\]"),
        (twofold, r"got shape \[8, 2\]"),
    ],
)
def test_a_loss_that_does_not_train_the_model_is_refused_before_any_round(loss, message, engine):
    with pytest.raises(ValueError, match=message):
        start(network(), loss, engine=engine)
    assert all(parameter.grad is None for parameter in OTHER.parameters())


def test_a_loss_of_the_very_model_that_is_trained_is_refused_too():
    model = network()
    task = Task(model, numbers(), numbers(), lambda _, batch: plain(model, batch), nothing)
    with pytest.raises(ValueError, match="got one that needs the gradient of 4 other tensors"):
        simulate(task, clients(), config(), model=model)


def test_a_teacher_without_gradient_and_an_unused_head_are_fine():
    def distilled(model, batch):
        with torch.no_grad():
            wanted = OTHER(batch[0])
        return (model[0](batch[0])[:, :LABELS] - wanted).square().sum(1)

    first, *_, last = start(network(), distilled, rounds=20)
    assert last["train_loss"] < first["train_loss"]


# Which models


def test_models_that_cannot_be_sent_are_refused_by_name():
    def sharing(view):
        model = network()
        model[1].bias = nn.Parameter(view(model[0]))
        return model

    complex_model = nn.Linear(6, LABELS, dtype=torch.complex64)
    broken = network()
    nn.init.constant_(broken[0].bias, float("inf"))
    buffered = network()
    buffered.register_buffer("copy", buffered[0].weight.detach().T)
    expanded = network()
    expanded[1].bias = nn.Parameter(torch.zeros(1).expand(LABELS))
    for model, message in [
        (nn.Sequential(nn.LazyLinear(3)), "got '0.weight' without numbers"),
        (nn.Linear(2, 2, device="meta"), "got 'weight' without numbers"),
        (complex_model, "of real numbers, got 'weight' of torch.complex64"),
        (broken, "Expected finite first weights, got NaN or Inf in '0.bias'"),
        (sharing(lambda first: first.bias.data[:LABELS]), "got '0.bias' and '1.bias' in the same memory"),
        (buffered, "got '0.weight' and 'copy' in the same memory"),
        (expanded, "for each number of '1.bias', got an expanded one"),
    ]:
        with pytest.raises(ValueError, match=message):
            Task(model, numbers(), numbers(), plain, nothing)
        with pytest.raises(ValueError, match=message):  # nor by the other door
            simulate(Task(network(), numbers(), numbers(), plain, nothing), clients(), config(), model=model)


def test_parameters_side_by_side_in_one_piece_of_memory_are_fine():
    flat, model = torch.randn(6 * 8 + 8), network()
    model[0].weight, model[0].bias = nn.Parameter(flat[:48].view(8, 6)), nn.Parameter(flat[48:])
    list(start(model))


# Half precision


class One(nn.Module):
    def __init__(self, dtype, at=0.0):
        super().__init__()
        self.w = nn.Parameter(torch.full((2,), at, dtype=dtype))


def towards(model, batch):
    """A step of rate 1 adds the example."""
    return -(model.w * batch.to(model.w)).sum(1)


@pytest.mark.parametrize("engine", ["stacked", "sequential"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_thousand_equal_updates_average_to_one_of_them(dtype, engine):
    for value in (1.0, 0.75):
        x = torch.full((1000, 2), value)
        model = One(dtype)
        task = Task(model, x, x, towards, nothing)
        known = FederatedConfig(rounds=1, clients_per_round=1000, learning_rate=1.0, engine=engine)
        list(simulate(task, np.arange(1000)[:, None], known, model=model))
        assert model.w.tolist() == [value, value]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_server_optimizers_remember_in_single_precision(rule, dtype):
    """Two hundred steps of 1e-3 from 0, against the same in double: no more apart than 200 roundings of the weight."""
    delta = torch.full((1,), 1e-3, dtype=dtype)
    known = ServerConfig(rule, learning_rate=1.0 if rule == "sgd" else 1e-3)
    half, double = ServerOptimizer(known), ServerOptimizer(known)
    for _ in range(200):
        found = half.step({"w": torch.zeros(1, dtype=dtype)}, {"w": delta})["w"]
        wanted = double.step({"w": torch.zeros(1, dtype=torch.float64)}, {"w": delta.double()})["w"]
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), wanted, rtol=2 * torch.finfo(dtype).eps, atol=0)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.sampled_from([torch.bfloat16, torch.float16]))
@settings(max_examples=25, deadline=None)
def test_the_average_of_half_precision_updates_is_rounded_once(sizes, dtype):
    x = torch.linspace(-1, 1, 2 * sum(sizes)).view(-1, 2).to(dtype)
    model, held = One(dtype, 0.5), np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    ends = []
    for own in held:  # a plain loop: a client's one step, in its own precision
        w = torch.full((2,), 0.5, dtype=dtype, requires_grad=True)
        towards(dataclasses.make_dataclass("M", ["w"])(w), x[own]).mean().backward()
        ends.append((w.detach() - 0.125 * w.grad).double())
    wanted = sum(n * end for n, end in zip(sizes, ends, strict=True)) / sum(sizes)
    known = FederatedConfig(
        rounds=1, clients_per_round=len(sizes), learning_rate=0.125, batch_size=64, engine="sequential"
    )
    list(simulate(Task(model, x, x, towards, nothing), held, known, model=model))
    torch.testing.assert_close(model.w.detach().double(), wanted, rtol=0.6 * torch.finfo(dtype).eps, atol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_clipped_half_precision_update_is_no_longer_than_the_norm(dtype):
    generator = torch.Generator().manual_seed(0)
    update = Update(range(50), {"w": torch.randn(50, 300, generator=generator).to(dtype)}, torch.zeros(50))
    assert (clipped(update, 0.7).deltas["w"].double().norm(dim=1) <= 0.7 * (1 + 1e-6)).all()


# NaN and Inf


def spoiled(value=float("nan"), owner=2, dtype=torch.float32):
    """Everybody's examples [24, 2], ones, of which one client's hold `value`."""
    x = torch.ones(N, 2, dtype=dtype)
    x[clients()[owner]] = value
    return x


@pytest.mark.parametrize("aggregation", ["examples", "equal", "hajek"])
@pytest.mark.parametrize("engine", ["stacked", "sequential"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_one_broken_update_is_left_out_counted_and_named(value, engine, aggregation):
    x, model = spoiled(value), One(torch.float32)
    known = config(learning_rate=1.0, batch_size=64, engine=engine, aggregation=aggregation)
    with pytest.warns(RuntimeWarning, match=r"In round 1 the updates of 1 of 4 clients \(2\) held NaN or Inf") as said:
        rows = list(simulate(Task(model, x, x, towards, nothing), clients(), known, model=model))
    assert len([each for each in said if each.category is RuntimeWarning]) == 1
    assert [(row["arrived"], row["discarded"], row["examples"], row["steps"]) for row in rows] == [(4, 1, 18, 3)] * 2
    torch.testing.assert_close(model.w.detach(), torch.full((2,), 2.0))  # the others' average is 1 a round
    assert all(np.isfinite(row["train_loss"]) for row in rows)


@pytest.mark.parametrize("engine", ["stacked", "sequential"])
def test_an_overflow_of_float16_on_one_client_reaches_nobody(engine):
    x, model = spoiled(60000.0, dtype=torch.float32), One(torch.float16, 1.0)
    known = config(rounds=1, learning_rate=2.0, batch_size=64, engine=engine)
    with pytest.warns(RuntimeWarning, match=r"clients \(2\)"):
        (row,) = simulate(Task(model, x, x, towards, nothing), clients(), known, model=model)
    assert row["discarded"] == 1 and model.w.tolist() == [3.0, 3.0]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_round_of_broken_updates_alone_is_an_error(engine):
    x = torch.full((N, 2), float("nan"))
    rows = simulate(Task(One(torch.float32), x, x, towards, nothing), clients(), config(engine=engine))
    with pytest.raises(ValueError, match=r"Expected some finite update in round 1, .* 4 clients \(0, 1, 2, 3\)"):
        next(rows)


def test_a_broken_update_is_a_zero_in_dp_fedavg_and_nobody_counts_for_more():
    x, found = spoiled(), []
    known = config(rounds=1, learning_rate=1.0, batch_size=64, clip_norm=0.5, aggregation="equal", delta=1e-3)
    for broken in (True, False):
        model = One(torch.float32)
        data = x if broken else torch.ones(N, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            (row,) = simulate(
                Task(model, data, data, towards, nothing),
                clients(),
                known,
                model=model,
                selector=Selector([6] * DEVICES, design="poisson"),
            )
        found.append(model.w.detach())
        assert row["discarded"] == broken
    torch.testing.assert_close(found[0], found[1] * 3 / 4)


def test_a_server_that_would_reach_infinity_stops_and_keeps_its_memory():
    for rule in RULES:
        server = ServerOptimizer(ServerConfig(rule))
        server.step({"w": torch.ones(2)}, {"w": torch.ones(2)})
        before = copy.deepcopy(server.state_dict())
        for bad in (float("nan"), float("inf")):
            with pytest.raises(FloatingPointError, match="Expected a finite step of 'w'"):
                server.step({"w": torch.ones(2)}, {"w": torch.tensor([1.0, bad])})
        assert str(server.state_dict()) == str(before)
    with pytest.raises(FloatingPointError, match=r"torch\.float16"):
        ServerOptimizer().step({"w": torch.tensor([60000.0]).half()}, {"w": torch.tensor([60000.0])})


# Aggregation by hand


W = {"w": torch.zeros(3)}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pseudo_gradient(torch.ones(3), {"w": torch.ones(3)}, W), "a row for each weight, got [3]"),
        (lambda: pseudo_gradient(torch.ones(2), {"w": torch.ones(2, 1)}, W), "got [2, 1]"),
        (lambda: pseudo_gradient(torch.ones(1), {"w": torch.ones(1, 3), "x": torch.ones(1)}, W), "['x'] too many"),
        (lambda: pseudo_gradient(torch.ones(1), {}, W), "['w'] missing"),
        (lambda: pseudo_gradient(torch.tensor([-1.0]), {"w": torch.ones(1, 3)}, W), "weights >= 0"),
        (lambda: pseudo_gradient(torch.tensor([np.nan]), {"w": torch.ones(1, 3)}, W), "Expected finite weights"),
        (lambda: pseudo_gradient(torch.tensor(1.0), {"w": torch.ones(1, 3)}, W), "one for each client"),
        (
            lambda: pseudo_gradient(torch.ones(2), {"w": torch.tensor([[1.0] * 3, [1, 2, np.nan]])}, W),
            "'w' from the clients at [1]",
        ),
        (lambda: stack([W, {"w": torch.zeros(3), "b": torch.zeros(1)}]), "['b'] too many"),
        (lambda: stack([W, {}]), "the state of client 1 to have the first's names, got ['w'] missing"),
        (lambda: stack([W, {"w": torch.zeros(1)}]), "of shape [3] from every client, got [1] from client 1"),
        (lambda: stack([]), "got none"),
        (lambda: ServerOptimizer().step(W, {"w": torch.ones(1)}), "a delta of shape [1]"),
        (lambda: ServerOptimizer().step(W, {"w": torch.ones(3), "x": torch.ones(1)}), "['x'] too many"),
        (lambda: ServerOptimizer().step({"w": torch.tensor(1)}, {"w": torch.tensor(1.0)}), "got torch.int64"),
        (lambda: client_weights("hajek", examples=[1, 2], inclusion=[0.5]), "each of 2 clients in the cohort, got 1"),
        (lambda: client_weights("hajek", examples=[1, 2], inclusion=[0.5, np.nan]), "Expected inclusion > 0"),
        (lambda: client_weights("examples", examples=[1, np.inf]), "finite sum"),
        (lambda: client_weights("examples", examples=[1, np.nan]), "finite sum"),
        (lambda: client_weights("examples", examples=[True, False]), "of bool"),
        (lambda: client_weights("examples", examples=5), "got shape []"),
        (
            lambda: client_weights("horvitz-thompson", examples=[1], inclusion=[1], total_examples=0),
            "total_examples=0 > 0",
        ),
    ],
)
def test_what_would_broadcast_or_be_dropped_is_refused(call, message):
    with pytest.raises(ValueError) as caught:
        call()
    assert message in str(caught.value)


@given(st.lists(st.integers(1, 100), min_size=1, max_size=9), st.randoms(use_true_random=False))
def test_weights_are_the_same_from_every_container(n, random):
    pd = pytest.importorskip("pandas")
    labels = list(range(len(n)))
    random.shuffle(labels)
    wanted = [each / sum(n) for each in n]
    for held in (n, tuple(n), np.array(n), torch.tensor(n), [torch.tensor(i) for i in n], pd.Series(n, index=labels)):
        assert client_weights("examples", examples=held).tolist() == pytest.approx(wanted)


def test_attributes_are_found_in_containers_and_objects():
    class Kept:
        def __init__(self):
            self.value = {"deep": [np.zeros(2), {1, 2}]}

    layer = nn.Linear(1, 1)
    layer.kept = Kept()
    before = attributes_of(layer)
    layer.kept.value["deep"][0][1] = 5
    layer.kept.value["deep"][1].add(3)
    names = differing(before, attributes_of(layer))
    assert [name.removeprefix("kept.value['deep']") for name in names] == ["[0]", "[1] of length", "[1] in words"]
