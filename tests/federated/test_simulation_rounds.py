"""What a round does beside local training: who takes part, what counts how much, what is kept and what is measured."""

import copy
import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from trustlab.federated.aggregation import RULES, ServerConfig, ServerOptimizer
from trustlab.federated.selection import Selector, UnknownInclusionError
from trustlab.federated.simulation import FederatedConfig, Task, engine_choice, grouped, simulate
from trustlab.federated.simulation.local_training import FATE, NOISE, SELECTION, TORCH, minibatches, rng_of, works
from trustlab.federated.simulation.local_training import MINIBATCHES as ORDER
from trustlab.federated.simulation.server import arrival_chance

SIZES = (1, 2, 4, 8, 16, 0, 32)  # every sum of some of them says of which
TOTAL = sum(SIZES)


def made_up(n=TOTAL, seed=0):
    """Inputs [n, 3] and targets [n]."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 3, generator=generator)
    return TensorDataset(x, x @ torch.tensor([1.0, -2.0, 0.5]) + torch.randn(n, generator=generator))


def squared(model, batch):
    x, y = batch
    return (model(x).squeeze(1) - y).square()


def mean_squared(model, batch):
    return {"mse": squared(model, batch[:]).mean().item()}


def make_task(model=None, **options):
    torch.manual_seed(1)
    return Task(model or nn.Linear(3, 1), made_up(), made_up(40, seed=1), squared, mean_squared, **options)


def clients(sizes=SIZES):
    return np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def train(config, task=None, **options):
    task = task or make_task()
    model = options.pop("model", None) or copy.deepcopy(task.model)
    rows = list(simulate(task, options.pop("clients", clients()), config, model=model, **options))
    return rows, model


def alone(model, config, round, device):
    """Return w_k − w_t of one client by torch's own optimizer, as one vector."""
    own, data = copy.deepcopy(model), made_up()
    optimizer = torch.optim.SGD(own.parameters(), lr=config.learning_rate)
    for batch in minibatches(clients()[device], config, rng_of(config, round, ORDER, device)):
        optimizer.zero_grad()
        squared(own, data[torch.from_numpy(batch)]).mean().backward()
        optimizer.step()
    return weights(own) - weights(model)


def moved(config, **options):
    """Return what one round adds to the weights."""
    task = make_task()
    return weights(train(dataclasses.replace(config, rounds=1), task, **options)[1]) - weights(task.model)


# Averaging


@pytest.mark.parametrize("aggregation", ["examples", "equal"])
@pytest.mark.parametrize("rule", RULES)
def test_rounds_are_fedopt_by_hand(rule, aggregation):
    server = ServerConfig(rule, learning_rate=0.5)
    config = FederatedConfig(
        rounds=3, clients_per_round=6, batch_size=4, learning_rate=0.05, aggregation=aggregation, server=server
    )
    held = [k for k, size in enumerate(SIZES) if size]
    p = {k: SIZES[k] / TOTAL if aggregation == "examples" else 1 / len(held) for k in held}
    expected, optimizer = copy.deepcopy(make_task().model), ServerOptimizer(server)
    for round in range(3):
        delta = sum(p[k] * alone(expected, config, round, k) for k in held)
        new = optimizer.step({"w": weights(expected)}, {"w": delta})["w"]
        nn.utils.vector_to_parameters(new, expected.parameters())
    _, found = train(config)
    torch.testing.assert_close(weights(found), weights(expected), rtol=1e-5, atol=1e-6)


def test_weights_of_ones_own_take_the_place_of_the_configurations():
    config = FederatedConfig(rounds=3, clients_per_round=4, batch_size=4, learning_rate=0.05)
    _, expected = train(config)
    _, equal = train(dataclasses.replace(config, aggregation="equal"))
    for known, weigh in ((expected, lambda n: n / n.sum()), (equal, lambda n: np.full(len(n), 1 / len(n)))):
        _, found = train(config, weigh=weigh)
        torch.testing.assert_close(weights(found), weights(known))


@pytest.mark.parametrize("wrong", [lambda n: n[:-1], lambda n: -n, lambda n: n * np.nan])
def test_weights_that_are_none_are_refused(wrong):
    with pytest.raises(ValueError, match="Expected weigh to return a finite weight >= 0 for each of 3 clients"):
        train(FederatedConfig(rounds=1, clients_per_round=3), weigh=wrong)


def test_weights_of_ones_own_have_no_epsilon():
    private = FederatedConfig(clients_per_round=3, clip_norm=1.0, aggregation="equal", delta=1e-3)
    selector = Selector(SIZES, strategy="uniform", design="poisson")
    with pytest.raises(ValueError, match="no ε is known"):
        train(private, selector=selector, weigh=lambda n: n)


@pytest.mark.parametrize(("drop_out", "seed"), [(0.0, 3), (0.5, 5)])
def test_a_client_drawn_twice_counts_twice(drop_out, seed):
    selector = Selector(np.array(SIZES), design="with-replacement", strategy="uniform")
    config = FederatedConfig(
        clients_per_round=5, learning_rate=0.05, aggregation="equal", drop_out=drop_out, seed=seed, engine="sequential"
    )
    devices, times = np.unique(selector.draw(5, rng_of(config, 0, SELECTION)), return_counts=True)
    heard = np.array([work.arrives for work in works(config, 0, devices, clients())])
    assert len(set(times[heard])) > 1 and heard.all() == (not drop_out)  # or this seed tests nothing
    assert times[heard].tolist() != times[: heard.sum()].tolist() or not drop_out
    model, drawn = make_task().model, np.repeat(devices[heard], times[heard])
    expected = sum(alone(model, config, 0, k) for k in drawn.tolist()) / len(drawn)
    torch.testing.assert_close(moved(config, selector=selector), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("drops", [dict(), dict(drop_out=0.3), dict(straggler_rate=0.4, stragglers="drop")])
def test_horvitz_thompson_is_unbiased_whoever_is_selected_and_lost(drops):
    config = FederatedConfig(
        clients_per_round=3,
        local_epochs=2,
        batch_size=32,  # one step an epoch: the order, which moves with the seed, makes no difference
        learning_rate=0.05,
        aggregation="horvitz-thompson",
        engine="sequential",
    )
    target = moved(dataclasses.replace(config, clients_per_round=6, aggregation="examples"))
    selector = Selector(np.array(SIZES), beta=0.5, design="poisson")
    found = torch.stack(
        [moved(dataclasses.replace(config, seed=seed, **drops), selector=selector) for seed in range(300)]
    )
    error = found.std(0) / math.sqrt(len(found))
    assert ((found.mean(0) - target).abs() < 4 * error).all()


@pytest.mark.parametrize(
    ("drops", "chance"),
    [
        (dict(), 1.0),
        (dict(straggler_rate=0.4), 1.0),  # slow, and heard all the same
        (dict(straggler_rate=0.4, stragglers="drop"), 0.6),
        (dict(straggler_rate=0.4, stragglers="drop", drop_out=0.3), 0.6 * 0.7),
    ],
)
def test_the_chance_to_be_heard_is_how_often_works_arrive(drops, chance):
    config = FederatedConfig(**drops)
    assert arrival_chance(config) == pytest.approx(chance)
    arrived = [work.arrives for work in works(config, 0, np.arange(4000), [np.arange(1)] * 4000)]
    assert abs(np.mean(arrived) - chance) <= 4 * math.sqrt(chance * (1 - chance) / 4000)


# Who takes part


def test_every_round_has_a_cohort_and_a_fate_of_its_own():
    config = FederatedConfig(rounds=12, clients_per_round=1, engine="sequential")
    uniform = Selector(np.array(SIZES), strategy="uniform")  # what is taken where nothing is said
    drawn = [uniform.draw(1, rng_of(config, round, SELECTION))[0] for round in range(12)]
    rows, _ = train(config)
    assert [row["examples"] for row in rows] == [SIZES[k] for k in drawn] and len(set(drawn)) > 1
    assert rows[-1]["progress"] == 1
    everybody = [
        [work.arrives for work in works(FederatedConfig(drop_out=0.5), round, np.arange(6), clients())]
        for round in range(4)
    ]
    assert everybody[0] != everybody[1]


def test_power_of_choice_takes_those_with_the_highest_loss():
    task = make_task(nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 1)))
    selector = Selector(np.array(SIZES), strategy="power-of-choice", candidates=5)
    config = FederatedConfig(rounds=1, clients_per_round=2, seed=4)
    data, model = made_up(), copy.deepcopy(task.model).eval()

    def losses(devices):
        return np.array([squared(model, data[torch.from_numpy(clients()[k])]).mean().item() for k in devices])

    expected = selector.draw(2, rng_of(config, 0, SELECTION), losses=losses)
    rows, _ = train(config, task, selector=selector)
    assert rows[0]["examples"] == sum(SIZES[k] for k in expected)
    with pytest.raises(UnknownInclusionError):
        simulate(task, clients(), dataclasses.replace(config, aggregation="hajek"), selector=selector)


def test_optimal_sampling_goes_by_the_norms_it_is_given():
    norms = np.array([0, 0, 0, 5.0, 5.0, 0, 5.0])
    selector = Selector(np.array(SIZES), strategy="optimal", design="poisson", norms=norms)
    rows, _ = train(FederatedConfig(rounds=4, clients_per_round=3, aggregation="horvitz-thompson"), selector=selector)
    assert {row["examples"] for row in rows} == {8 + 16 + 32}  # three of three


def test_slow_clients_send_a_part_of_their_steps_or_nothing():
    config = FederatedConfig(rounds=8, clients_per_round=6, batch_size=2, straggler_rate=1.0)
    rows, _ = train(config)
    whole = sum(math.ceil(size / 2) for size in SIZES)
    assert all(6 <= row["steps"] < whole and row["arrived"] == 6 for row in rows)
    assert len({row["steps"] for row in rows}) > 1
    for lost in (dict(stragglers="drop"), dict(straggler_rate=0.0, drop_out=1.0)):
        rows, model = train(dataclasses.replace(config, **lost))
        assert torch.equal(weights(model), weights(make_task().model))
        assert all(row[name] == 0 for row in rows for name in ("arrived", "examples", "bytes_up"))
        assert all(math.isnan(row["train_loss"]) for row in rows)
        assert all(row["clients"] == 6 and row["bytes_down"] == 6 * 16 for row in rows)


def test_every_epoch_is_all_examples_in_an_order_of_its_own():
    config = FederatedConfig(local_epochs=3, batch_size=4)
    batches = minibatches(np.arange(20), config, np.random.default_rng(0))
    orders = np.concatenate(batches).reshape(3, 20)
    assert all(np.array_equal(np.sort(order), np.arange(20)) for order in orders)
    assert len({tuple(order) for order in [np.arange(20), *orders]}) == 4


def test_slow_clients_get_through_shares_of_their_own():
    """Whoever is slow and whoever is lost: a share that leaned on either would be smaller or larger on average."""
    config = FederatedConfig(batch_size=1, straggler_rate=0.4, drop_out=0.5)
    planned = works(config, 0, np.arange(2000), [np.arange(100)] * 2000)
    slow = [work for work in planned if work.steps < 100]
    for some in (slow, [work for work in slow if work.arrives]):
        shares = np.array([work.steps for work in some]) / 100
        assert abs(shares.mean() - 0.495) < 4 * (1 / 12 / len(some)) ** 0.5  # uniform in [0, 1), rounded down
        assert abs(shares.std() - 12**-0.5) < 0.03
    assert abs(np.mean([work.arrives for work in slow]) - 0.5) < 4 * 0.5 / len(slow) ** 0.5


def test_no_purpose_leans_on_the_numbers_of_another_or_of_the_partition():
    config = FederatedConfig(seed=3)
    purposes = (SELECTION, FATE, ORDER, NOISE, TORCH)
    streams = [rng_of(config, round, purpose) for round in range(4) for purpose in purposes]
    others = [np.random.default_rng(seed) for seed in (3, [3, 1], [3, 2], [3, 3])]  # partition, tests, feedback, replay
    first = [stream.random() for stream in streams + others]
    assert len(set(first)) == len(first)


def test_one_dial_leaves_the_other_coins_as_they_fell():
    config = FederatedConfig(rounds=10, clients_per_round=6, drop_out=0.4)
    plain, slow = (train(dataclasses.replace(config, straggler_rate=rate))[0] for rate in (0.0, 0.5))
    assert [row["arrived"] for row in plain] == [row["arrived"] for row in slow]
    assert 0 < sum(row["arrived"] for row in plain) < 60


def test_a_clients_fate_does_not_depend_on_who_else_is_selected():
    config = FederatedConfig(drop_out=0.5, straggler_rate=0.5, local_epochs=8, batch_size=2)
    together = works(config, 3, np.arange(7), clients())
    for work in together:
        (alone,) = works(config, 3, np.array([work.client]), clients())
        assert (alone.arrives, alone.steps) == (work.arrives, work.steps)
    assert len({work.arrives for work in together}) == 2


class Registered:
    """Clients by the million, of which only their sizes are stored."""

    def __init__(self, count):
        self.sizes, self.asked = np.full(count, 4), set()

    def __len__(self):
        return len(self.sizes)

    def __getitem__(self, device):
        self.asked.add(device)
        return (device * 4 + np.arange(4)) % TOTAL


def test_only_selected_clients_are_looked_at():
    million = Registered(1_000_000)
    rows, _ = train(FederatedConfig(rounds=2, clients_per_round=10), clients=million)
    assert len(million.asked) <= 2 * 10 + 8 and [row["examples"] for row in rows] == [40, 40]


@pytest.mark.parametrize("engine", ["stacked", "sequential"])
def test_the_training_loss_is_the_mean_over_all_that_was_stepped_on(engine):
    config = FederatedConfig(
        rounds=1, clients_per_round=6, batch_size=3, straggler_rate=0.5, drop_out=0.3, learning_rate=1e-9, engine=engine
    )
    held = [k for k, size in enumerate(SIZES) if size]
    batches = [b for work in works(config, 0, np.array(held), clients()) if work.arrives for b in work.batches]
    seen = made_up()[torch.from_numpy(np.concatenate(batches))]  # the model hardly moves
    (row,), model = train(config)
    assert row["train_loss"] == pytest.approx(squared(model, seen).mean().item(), rel=1e-5)


# Models


def test_layers_are_themselves_again_after_every_round_and_every_error():
    task = make_task(nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 1)))
    model = copy.deepcopy(task.model)
    rounds = simulate(task, clients(), FederatedConfig(rounds=3, clients_per_round=6), model=model)
    assert next(rounds)["engine"] == "stacked"
    reached = weights(model)
    rounds.close()
    assert torch.equal(weights(model), reached) and not any("forward" in vars(layer) for layer in model.modules())

    def failing(model, batch):
        if len(batch[1]) > 16:  # more than the trial's
            raise RuntimeError("out of memory")
        return squared(model, batch)

    rounds = simulate(
        dataclasses.replace(task, per_example_loss=failing),
        clients(),
        FederatedConfig(clients_per_round=6, batch_size=32),
        model=model,
    )
    with pytest.raises(RuntimeError, match="out of memory"):
        next(rounds)
    assert not any("forward" in vars(layer) for layer in model.modules())


def test_frozen_weights_stay_and_are_not_sent():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 1))
    network[0].requires_grad_(False)
    network[1].bias.requires_grad_(False)
    task = make_task(network)
    found = {}
    for engine in ("stacked", "sequential"):
        rows, model = train(FederatedConfig(rounds=2, clients_per_round=6, engine=engine), task)
        assert torch.equal(model[0].weight, network[0].weight) and torch.equal(model[1].bias, network[1].bias)
        assert rows[0]["bytes_down"] == 6 * 4 * (4 + 4 + 1)
        found[engine] = weights(model)
    torch.testing.assert_close(found["stacked"], found["sequential"], rtol=1e-5, atol=1e-6)


def test_dropout_throws_dice_of_its_own_and_leaves_everybody_elses():
    task = make_task(nn.Sequential(nn.Linear(3, 64), nn.Dropout(0.5), nn.Linear(64, 1)).eval())
    config = FederatedConfig(rounds=2, clients_per_round=6, learning_rate=0.01)
    before = torch.random.get_rng_state()
    found = [train(dataclasses.replace(config, seed=seed), task) for seed in (0, 0, 1)]
    assert torch.equal(before, torch.random.get_rng_state())
    assert found[0][0][0]["engine"] == "stacked" and not found[0][1].training  # as it was given
    first, again, other = (weights(model) for _, model in found)
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_dropout_throws_other_dice_in_every_round():
    seen = []

    def watched(model, batch):
        seen.append(model[0](torch.ones(1, 64)) != 0)
        return squared(model[1], batch)

    task = Task(nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 1)), made_up(), made_up(), watched, lambda *_: {})
    config = FederatedConfig(rounds=2, clients_per_round=1, batch_size=64, engine="sequential")
    list(simulate(task, clients(), config))
    assert not torch.equal(*seen[-2:])  # one step in each round; before them the model was tried


class Placed(nn.Module):
    """Words and their places: the second embedding is fed the same for all examples."""

    def __init__(self):
        super().__init__()
        self.word, self.place = nn.Embedding(20, 4, padding_idx=0), nn.Embedding(6, 4)
        self.out = nn.Linear(4, 1)

    def forward(self, ids):
        states = self.word(ids) + self.place(torch.arange(ids.shape[1]))
        return self.out(states.tanh().mean(1))


@pytest.mark.parametrize("vectorised", [False, True])
def test_layers_and_vmap_take_the_same_steps(vectorised, monkeypatch):
    ids = torch.randint(20, (TOTAL, 6), generator=torch.Generator().manual_seed(0))
    data = TensorDataset(ids, made_up().tensors[1])
    torch.manual_seed(0)
    task = Task(Placed(), data, data, squared, mean_squared)
    assert list(grouped.find_layers(task.model, task, np.arange(9)).values()) == [True, False, True]
    if vectorised:
        monkeypatch.setattr(engine_choice, "find_layers", lambda *_: None)
    config = FederatedConfig(rounds=2, clients_per_round=6, batch_size=3, local_epochs=2, momentum=0.5)
    _, expected = train(dataclasses.replace(config, engine="sequential"), task)
    _, found = train(dataclasses.replace(config, engine="stacked"), task)
    torch.testing.assert_close(weights(found), weights(expected), rtol=1e-5, atol=1e-6)
    assert torch.equal(found.word.weight[0], task.model.word.weight[0])


# Measuring


def scores(model, batch):
    errors = squared(model, batch)
    return {"mse": (errors, torch.ones_like(errors))}


TESTS = [np.array(own) for own in ([], [], [1, 2], [3, 4, 5], [6, 39], [7], [0, 8])]


@pytest.mark.parametrize("each", [None, scores], ids=["one by one", "in one pass"])
def test_clients_are_measured_each_by_itself(each):
    config = FederatedConfig(rounds=3, clients_per_round=2, evaluate_every=2)
    rows, model = train(config, make_task(per_example_scores=each), test_clients=TESTS)
    assert ["device_mse" in row for row in rows] == [False, True, True]
    test = made_up(40, seed=1)
    own = {k: mean_squared(model, test[torch.as_tensor(part)])["mse"] for k, part in enumerate(TESTS) if len(part)}
    light = [own[k] for k in (2, 3, 5)]  # 4, 8 and 0 examples: 8 is the median of those tested, 4 that of all
    assert rows[-1]["mse"] == pytest.approx(mean_squared(model, test)["mse"])
    assert rows[-1]["device_mse"] == pytest.approx(np.mean(list(own.values())))
    assert rows[-1]["light_mse"] == pytest.approx(np.mean(light))


def test_clients_of_equal_size_are_all_light():
    rows, _ = train(FederatedConfig(rounds=1, clients_per_round=1), clients=clients([9] * 7), test_clients=TESTS)
    assert rows[-1]["light_mse"] == rows[-1]["device_mse"]


def test_scores_of_one_pass_are_weighed_within_a_client():
    """Right words of a text over its words: a client's longer texts count more."""

    def words(model, batch):
        x, _ = batch[:]
        return {"mse": (squared(model, batch[:]) * x[:, 0].abs(), x[:, 0].abs())}

    def both(model, batch):
        score, weight = words(model, batch)["mse"]
        return {"mse": (score.sum() / weight.sum()).item()}

    task = dataclasses.replace(make_task(), evaluate=both)
    found = [
        train(FederatedConfig(rounds=1, clients_per_round=1), each, test_clients=TESTS)[0][-1]["device_mse"]
        for each in (task, dataclasses.replace(task, per_example_scores=words))
    ]
    assert found[0] == pytest.approx(found[1])


def test_scores_that_are_another_measure_are_refused_before_any_round():
    task = make_task(
        per_example_scores=lambda model, batch: {
            "mse": (squared(model, batch), torch.tensor(2.0).expand(len(batch[1])))
        }
    )
    with pytest.raises(ValueError, match="Expected per_example_scores of 'mse' to add up to what evaluate returns"):
        simulate(task, clients(), FederatedConfig(clients_per_round=1), test_clients=TESTS)
    unknown = make_task(per_example_scores=lambda model, batch: {"f1": scores(model, batch)["mse"]})
    with pytest.raises(ValueError, match="'f1'"):
        simulate(unknown, clients(), FederatedConfig(clients_per_round=1), test_clients=TESTS)


def test_nobody_with_test_examples_is_measured_nowhere():
    rows, _ = train(
        FederatedConfig(rounds=1, clients_per_round=1),
        make_task(per_example_scores=scores),
        test_clients=[[]] * len(SIZES),
    )
    assert "mse" in rows[0] and "device_mse" not in rows[0]


# Refusals


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(clients=[[], []]), "Expected at least one client that holds examples, got 2 without any"),
        (dict(test_clients=[[0]]), "Expected test_clients for 7 clients, got 1"),
        (dict(selector=Selector(np.ones(3))), "Expected a selector of 7 clients, got one of 3"),
        (dict(config=FederatedConfig(clients_per_round=7)), r"Expected k=7 in \[1, 6\]"),
        (dict(config=FederatedConfig(optimizer="adam", momentum=0.5)), "Expected momentum=0 with optimizer='adam'"),
        (dict(config=FederatedConfig(server=ServerConfig(tau=0.0))), "Expected tau=0.0 > 0"),
    ],
)
def test_what_means_nothing_is_refused_before_any_round(options, message):
    held, config = options.pop("clients", clients()), options.pop("config", FederatedConfig(clients_per_round=1))
    with pytest.raises(ValueError, match=message):
        simulate(make_task(), held, config, **options)
