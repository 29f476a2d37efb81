"""DP-FedAvg: what noise is measured against, whose ε it is, and what has none. And the checkpoints it relies on."""

import copy
import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from dp_accounting import PoissonSampledDpEvent, SelfComposedDpEvent, dp_event
from dp_accounting.pld import PLDAccountant
from torch import nn
from torch.utils.data import TensorDataset

from trustlab.checkpoint import Checkpoint
from trustlab.federated.aggregation import ServerConfig
from trustlab.federated.selection import Selector
from trustlab.federated.simulation import FederatedConfig, Task, simulate
from trustlab.federated.simulation.dp_fedavg import clipped
from trustlab.federated.simulation.local_training import Update
from trustlab.federated.simulation.server import Server
from trustlab.privacy.accounting import epsilon

SIZES = np.array([1, 2, 4, 8, 16, 32])
PRIVATE = FederatedConfig(
    rounds=20, clients_per_round=3, aggregation="equal", clip_norm=0.5, noise_multiplier=1.5, delta=1e-3
)


def made_up(width=3, n=63):
    """Inputs [n, width] and targets [n]."""
    generator = torch.Generator().manual_seed(0)
    return TensorDataset(torch.randn(n, width, generator=generator), torch.randn(n, generator=generator))


def squared(model, batch):
    x, y = batch
    return (model(x).squeeze(1) - y).square()


def make_task(loss=squared, width=3):
    torch.manual_seed(1)
    return Task(
        nn.Linear(width, 1), made_up(width), made_up(width), loss, lambda model, batch: {"bias": model.bias.item()}
    )


def clients():
    return np.split(np.arange(63), np.cumsum(SIZES)[:-1])


def poisson(beta=1.0):
    return Selector(SIZES, beta=beta, design="poisson")


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def train(config, task=None, **options):
    task = task or make_task()
    model = copy.deepcopy(task.model)
    held = options.pop("clients", clients())
    return list(simulate(task, held, config, model=model, **{"selector": poisson(), **options})), model


# Privacy


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_epsilon_is_that_of_the_most_often_selected_client(beta):
    rows, _ = train(PRIVATE, selector=poisson(beta))
    q = poisson(beta).inclusion(3).max()
    assert q == pytest.approx(0.5) if beta == 0 else q > 0.5
    for row in (rows[0], rows[-1]):
        accountant = PLDAccountant()
        event = PoissonSampledDpEvent(q, dp_event.GaussianDpEvent(1.5)) if q < 1 else dp_event.GaussianDpEvent(1.5)
        accountant.compose(SelfComposedDpEvent(event, row["round"]))
        assert row["epsilon"] == pytest.approx(accountant.get_epsilon(1e-3), rel=0.01)
    assert all(a["epsilon"] < b["epsilon"] for a, b in itertools.pairwise(rows))


def test_a_client_asked_less_later_keeps_the_epsilon_of_when_it_was_asked_often(tmp_path):
    selector, task = poisson(), make_task()
    rows = simulate(task, clients(), PRIVATE, selector=selector, checkpoint=tmp_path / "kept")
    next(rows)
    often = selector.inclusion(3).max()
    selector.update(np.arange(6), np.full(6, 4))  # from now on everybody alike
    second = next(rows)
    rows.close()
    assert often > selector.inclusion(3).max() == pytest.approx(0.5)
    known = dict(noise_multiplier=1.5, delta=1e-3, steps=2)
    assert second["epsilon"] == pytest.approx(epsilon(sample_rate=often, **known), rel=1e-6)
    assert second["epsilon"] > 1.05 * epsilon(sample_rate=0.5, **known)
    # The checkpoint remembers it too.
    server = Server(copy.deepcopy(task.model), PRIVATE)
    again = Server(copy.deepcopy(task.model), PRIVATE)
    server.largest_rate = often
    again.restore(server.to_dict())
    assert again.largest_rate == often


@pytest.mark.parametrize("engine", ["stacked", "sequential"])
def test_no_client_moves_the_sum_by_more_than_the_norm(engine):
    everybody = dataclasses.replace(
        PRIVATE, rounds=1, clients_per_round=6, clip_norm=1e-3, noise_multiplier=0.0, learning_rate=0.3, engine=engine
    )
    task = make_task()
    rows, model = train(everybody, task, selector=poisson(0.0))
    # Every update is longer than C, so each adds a vector of length C, and 6 is what is expected.
    apart = []
    for device in range(6):
        alone = [own if k == device else [] for k, own in enumerate(clients())]
        own = copy.deepcopy(task.model)
        list(
            simulate(
                task,
                alone,
                dataclasses.replace(everybody, clients_per_round=1),
                model=own,
                selector=Selector([len(held) for held in alone], design="poisson"),
            )
        )
        apart.append(weights(own) - weights(task.model))
        assert apart[-1].norm() == pytest.approx(1e-3, rel=1e-3)
    torch.testing.assert_close(weights(model) - weights(task.model), sum(apart) / 6, rtol=1e-3, atol=1e-8)
    assert rows[0]["epsilon"] == math.inf


def test_an_update_whose_square_has_no_number_is_cut_like_any_other():
    update = Update([0], {"w": torch.tensor([[3e30, 4e30]])}, torch.zeros(1))
    torch.testing.assert_close(clipped(update, 0.5).deltas["w"], torch.tensor([[0.3, 0.4]]))


def test_a_round_that_nobody_is_heard_in_is_noised_and_paid_for():
    """Else the silence would tell that nobody was there."""
    silent = dataclasses.replace(PRIVATE, rounds=1, drop_out=1.0)
    task = make_task()
    (row,), model = train(silent, task)
    assert row["arrived"] == 0 and (weights(model) != weights(task.model)).all()
    assert row["epsilon"] == train(dataclasses.replace(silent, drop_out=0.0), task)[0][0]["epsilon"] > 0


def test_an_update_that_is_no_number_is_sent_as_nothing():
    def broken(model, batch):
        return squared(model, batch) * torch.where(batch[1] == made_up().tensors[1][40], math.inf, 1.0)

    config = dataclasses.replace(PRIVATE, rounds=2, clients_per_round=6, engine="sequential")
    _, model = train(config, make_task(broken), selector=poisson(0.0))
    assert weights(model).isfinite().all()


def test_noise_has_the_variance_that_the_account_assumes():
    def nothing(model, batch):
        return 0 * squared(model, batch)

    width = 20_000
    task = make_task(nothing, width)
    _, model = train(dataclasses.replace(PRIVATE, rounds=2), task)
    noise = weights(model) - weights(task.model)
    std = 1.5 * 0.5 / 3 * math.sqrt(2)  # σ·C over the expected number of clients, two rounds
    assert noise.std().item() == pytest.approx(std, rel=4 / math.sqrt(2 * width))
    assert abs(noise.mean().item()) < 4 * std / math.sqrt(width)


@pytest.mark.parametrize(
    ("changes", "selector", "message"),
    [
        (dict(), Selector(SIZES), "Expected a selector with design='poisson' with clip_norm=0.5, got 'without-rep"),
        (dict(), Selector(SIZES, design="systematic"), "got 'systematic'"),
        (dict(), Selector(SIZES, design="with-replacement"), "got 'with-replacement'"),
        (dict(), Selector(SIZES, strategy="top-k"), "got 'top-k'"),
        (dict(), Selector(SIZES, strategy="power-of-choice"), "got 'power-of-choice'"),
        (dict(aggregation="examples"), poisson(), "Expected aggregation='equal' with clip_norm=0.5"),
        (dict(aggregation="horvitz-thompson"), poisson(), "Expected aggregation='equal'"),
        (dict(clip_norm=None), poisson(), "Expected clip_norm with noise_multiplier=1.5, got None"),
        (dict(delta=1 / 6), poisson(), "Expected delta=0.166667 < 1/clients"),
        (
            dict(),
            Selector(SIZES, strategy="optimal", design="poisson", norms=np.ones(6)),
            "Expected a strategy other than 'optimal' with clip_norm=0.5",
        ),
    ],
)
def test_combinations_whose_epsilon_is_not_known_are_refused(changes, selector, message):
    with pytest.raises(ValueError, match=message):
        simulate(make_task(), clients(), dataclasses.replace(PRIVATE, **changes), selector=selector)


# Checkpoints

RULED = dataclasses.replace(PRIVATE, rounds=8, server=ServerConfig("adam", learning_rate=0.1), evaluate_every=3)


def told(rows):
    """What rows say, seconds left out; NaN made comparable."""
    return [{name: repr(value) for name, value in row.items() if name != "seconds"} for row in rows]


@pytest.mark.parametrize("config", [RULED, dataclasses.replace(RULED, clip_norm=None, noise_multiplier=0.0)])
def test_a_resumed_training_ends_bit_for_bit_as_an_uninterrupted_one(config, tmp_path):
    rows, model = train(config)
    path, task = tmp_path / "run.checkpoint", make_task()
    rounds = simulate(task, clients(), config, selector=poisson(), checkpoint=path)
    first = [next(rounds) for _ in range(3)]
    rounds.close()
    again, resumed = train(config, checkpoint=path)
    assert told(again) == told(rows) and repr(again[:3]) == repr(first)  # seconds too: the rows that were shown
    assert torch.equal(weights(resumed), weights(model))
    assert again[-1]["seconds"] > first[-1]["seconds"]
    last, finished = train(config, checkpoint=path)
    assert repr(last) == repr(again) and torch.equal(weights(finished), weights(model))


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_training_killed_around_a_write_goes_on(when, tmp_path, monkeypatch):
    rows, model = train(RULED)
    write, count = Checkpoint.write, [0]

    def killed(self, content):
        count[0] += 1
        if count[0] == 5:
            if when == "after":
                write(self, content)
            raise KeyboardInterrupt
        write(self, content)

    monkeypatch.setattr(Checkpoint, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        train(RULED, checkpoint=tmp_path / "run")
    monkeypatch.undo()
    again, resumed = train(RULED, checkpoint=tmp_path / "run")
    assert told(again) == told(rows)
    assert torch.equal(weights(resumed), weights(model))


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        (dict(learning_rate=0.2), {}, "learning_rate is 0.1 there and 0.2 here"),
        (dict(rounds=9), {}, "rounds is 8 there and 9 here"),
        (dict(), dict(selector=poisson(0.5)), "selector is"),
        (dict(), dict(task=make_task(width=4)), "model is .* train data is"),
        (dict(server=ServerConfig("adam", learning_rate=0.2)), {}, "server is"),
        (dict(), dict(selector=Selector(SIZES[::-1], beta=1.0, design="poisson")), "selector is"),
        (dict(), dict(task=dataclasses.replace(make_task(), test=made_up(n=5))), "test data is"),
        (dict(), dict(task=make_task(lambda model, batch: squared(model, batch))), "loss is"),
        (dict(), dict(clients=clients()[::-1]), "clients is"),
        (dict(), dict(clients=np.split(np.arange(63), [2, 3, 7, 15, 31])), "clients is"),  # cut elsewhere
        (dict(), dict(test_clients=[[0]] * 6), "test clients is none there"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(changes, options, message, tmp_path):
    train(RULED, checkpoint=tmp_path / "run")
    with pytest.raises(ValueError, match=message):
        train(dataclasses.replace(RULED, **changes), checkpoint=tmp_path / "run", **options)
