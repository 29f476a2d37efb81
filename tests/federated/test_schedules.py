"""Options over rounds, rounds after rounds: what changes is planned before, and what is drawn is never drawn twice."""

import numpy as np
import pytest
import torch
from torch import nn

from trustlab.federated.aggregation import ServerConfig
from trustlab.federated.selection import Selector
from trustlab.federated.simulation import FederatedConfig, Task, simulate
from trustlab.federated.simulation.schedules import SCHEDULED

X = torch.linspace(-1, 1, 40)[:, None]
CLIENTS = [range(4 * k, 4 * k + 4) for k in range(10)]
FEW = dict(rounds=4, clients_per_round=3, batch_size=2, learning_rate=0.1)


def loss(model, batch):
    return (model(batch) - 3 * batch).square().sum(1)


def measure(model, batch):
    return {"loss": loss(model, batch).mean()}


@pytest.fixture
def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Linear(1, 1)


@pytest.fixture
def task(model):
    return Task(model, X, X, loss, measure)


def weights(model):
    return torch.cat([part.detach().flatten() for part in model.parameters()]).clone()


def run(task, model, **options):
    schedules, repeat = options.pop("schedules", None), options.pop("repeat", False)
    checkpoint = options.pop("checkpoint", None)
    config = FederatedConfig(**{**FEW, **options})
    return list(simulate(task, CLIENTS, config, model=model, schedules=schedules, repeat=repeat, checkpoint=checkpoint))


@pytest.mark.parametrize("engine", ["stacked", "sequential"])
@pytest.mark.parametrize("name", SCHEDULED)
def test_a_round_has_the_options_of_its_schedule(name, engine, task, model):
    """A schedule of one value is that option; where it changes, so does what is learned from there on."""
    value = {"local_epochs": 2, "batch_size": 4}.get(name, 0.3)
    options = {"server": ServerConfig(learning_rate=value)} if name == SCHEDULED[-1] else {name: value}
    plain, same, later = (nn.Linear(1, 1) for _ in range(3))
    for each in (plain, same, later):
        each.load_state_dict(model.state_dict())
    wanted = run(task, plain, engine=engine, **options)
    found = run(task, same, engine=engine, schedules={name: [value] * 4})
    assert torch.equal(weights(plain), weights(same))
    assert [row[name] for row in found] == [value] * 4
    assert [row["train_loss"] for row in found] == [row["train_loss"] for row in wanted]
    first = FEW.get(name, {"local_epochs": 1, "server_learning_rate": 1.0}.get(name, 0.0))
    rows = run(task, later, engine=engine, schedules={name: lambda round: value if round > 2 else first})
    usual = run(task, nn.Linear(1, 1), engine=engine)
    assert [row["steps"] for row in rows[:2]] == [row["steps"] for row in usual[:2]]
    assert not torch.equal(weights(later), weights(same))


@pytest.mark.parametrize(
    ("schedules", "said"),
    [
        ({"learning_rate": [0.1, 0.1]}, "4 values of 'learning_rate', one for each round, got 2"),
        ({"noise_multiplier": lambda round: 1.0}, "got 'noise_multiplier'"),
        ({"learning_rate": lambda round: 0.2 - 0.1 * round}, "In round 2 of the schedules: Expected learning_rate"),
        ({"local_epochs": lambda round: round / 2}, "In round 1 .* to be a whole number"),
        ({"server_learning_rate": [1.0, 1.0, 1.0, 0.0]}, "In round 4"),
    ],
)
def test_a_schedule_is_refused_before_any_round(schedules, said, task, model):
    before = weights(model)
    with pytest.raises(ValueError, match=said):
        simulate(task, CLIENTS, FederatedConfig(**FEW), model=model, schedules=schedules)
    assert torch.equal(weights(model), before)


def test_numpys_numbers_count_and_half_a_round_does_not(task, model):
    FederatedConfig(rounds=np.int64(2))
    rows = run(task, model, rounds=np.int64(2), clients_per_round=np.int32(3), learning_rate=np.float32(0.1))
    assert len(rows) == 2
    for name, value in [("rounds", 2.5), ("rounds", 2.0), ("batch_size", 1.5), ("seed", 0.5), ("rounds", True)]:
        with pytest.raises(ValueError, match=f"{name}={value}"):
            run(task, model, **{name: value})


@pytest.mark.parametrize("how", [{}, {"schedules": {"learning_rate": lambda round: 0.3 / round}}])
def test_a_finished_checkpoint_goes_on_with_more_rounds_as_if_it_had_never_ended(how, task, model, tmp_path):
    whole, parts = nn.Linear(1, 1), nn.Linear(1, 1)
    for each in (whole, parts):
        each.load_state_dict(model.state_dict())
    adam = dict(server=ServerConfig("adam", learning_rate=0.1), **how)
    wanted = run(task, whole, rounds=6, **adam)
    run(task, parts, rounds=2, checkpoint=tmp_path / "c", **adam)
    found = run(task, parts, rounds=6, checkpoint=tmp_path / "c", **adam)
    assert torch.equal(weights(whole), weights(parts))
    assert [row["round"] for row in found] == [1, 2, 3, 4, 5, 6]
    assert [row["train_loss"] for row in found] == [row["train_loss"] for row in wanted]
    with pytest.raises(ValueError, match="rounds=3 >= 6"):
        run(task, parts, rounds=3, checkpoint=tmp_path / "c", **adam)


def test_a_checkpoint_of_other_schedules_or_of_a_promise_does_not_go_on(task, model, tmp_path):
    run(task, model, checkpoint=tmp_path / "c", schedules={"learning_rate": [0.1] * 4})
    with pytest.raises(ValueError, match="in round 1 they say"):
        run(task, model, rounds=5, checkpoint=tmp_path / "c", schedules={"learning_rate": [0.2] * 5})
    poisson = Selector(np.full(10, 4), design="poisson")
    private = dict(clip_norm=1.0, noise_multiplier=1.0, aggregation="equal", delta=1e-3)

    def promised(rounds):
        config = FederatedConfig(**{**FEW, "rounds": rounds}, **private)
        return list(simulate(task, CLIENTS, config, model=model, selector=poisson, checkpoint=tmp_path / "p"))

    promised(2)
    with pytest.raises(ValueError, match="rounds is 2 there and 3 here"):
        promised(3)


def test_calls_on_one_model_draw_new_cohorts_unless_asked(task, model):
    """Two calls of three rounds are one of six: with the old draws, the second would have repeated the first."""
    whole, parts, again = nn.Linear(1, 1), nn.Linear(1, 1), nn.Linear(1, 1)
    for each in (whole, parts, again):
        each.load_state_dict(model.state_dict())
    run(task, whole, rounds=6)
    run(task, parts, rounds=3)
    run(task, parts, rounds=3)
    assert torch.equal(weights(whole), weights(parts))
    run(task, again, rounds=3)
    run(task, again, rounds=3, repeat=True)
    assert not torch.equal(weights(again), weights(parts))
    stopped = nn.Linear(1, 1)
    stopped.load_state_dict(model.state_dict())
    rounds = simulate(task, CLIENTS, FederatedConfig(**{**FEW, "rounds": 6}), model=stopped)
    next(rounds)
    rounds.close()
    run(task, stopped, rounds=5)
    assert torch.equal(weights(whole), weights(stopped))
