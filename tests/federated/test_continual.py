import copy
import dataclasses
import itertools
import re

import numpy as np
import pytest
import torch
from torch import nn

from trustlab.federated.aggregation import ServerConfig
from trustlab.federated.continual import (
    accuracy_matrix,
    catch_up_round,
    client_sums,
    continual,
    forgetting,
    only,
    reservoir,
)
from trustlab.federated.partition import Partition
from trustlab.federated.partition.natural import by_period
from trustlab.federated.selection import Selector
from trustlab.federated.simulation import FederatedConfig, Task, simulate

N, CLIENTS, PERIODS = 240, 8, 3
CONFIG = FederatedConfig(rounds=4, clients_per_round=3, batch_size=4, learning_rate=0.2, seed=5)


@pytest.fixture(scope="module")
def said():
    """Examples with their number in front, so that a loss can say whom it saw; their clients and periods."""
    rng = np.random.default_rng(0)
    x = torch.from_numpy(np.column_stack([np.arange(N), rng.normal(size=(N, 3))]).astype(np.float32))
    owners = rng.choice(CLIENTS, size=N, p=np.arange(CLIENTS, 0, -1) / 36)
    return x, Partition.from_owners(owners, CLIENTS), rng.integers(PERIODS, size=N)


@pytest.fixture
def task(said):
    return task_of(said[0], [])


def task_of(x, seen):
    torch.manual_seed(0)

    def loss(model, batch):
        seen.extend(batch[:, 0].long().tolist())
        return (model(batch[:, 1:])[:, 0] - (batch[:, 1] > 0).float()).square()

    def evaluate(model, batch):
        right = (model(batch[:, 1:])[:, 0] > 0.5) == (batch[:, 1] > 0)
        return {"accuracy": right.float().mean().item()}

    return Task(nn.Linear(3, 1), x, x[::2], loss, evaluate)


def trained(task, said, config=CONFIG, **options):
    model = copy.deepcopy(task.model)
    rows = list(continual(task, said[1], said[2], config, model=model, **options))
    return rows, torch.cat([weight.flatten() for weight in model.state_dict().values()])


# The loop


def test_it_is_one_simulation_after_another_on_each_periods_data(task, said):
    rows, weights = trained(task, said, selection={"strategy": "power", "beta": 1.0})
    model, expected = copy.deepcopy(task.model), []
    for place, devices in enumerate(by_period(said[1], said[2]).values()):
        seed = int(np.random.SeedSequence([CONFIG.seed, place]).generate_state(1)[0])
        selector = Selector(devices.sizes, strategy="power", beta=1.0)
        options = dataclasses.replace(CONFIG, seed=seed)
        expected += list(simulate(task, devices, options, selector=selector, model=model))
    assert torch.equal(weights, torch.cat([weight.flatten() for weight in model.state_dict().values()]))
    assert [row["accuracy"] for row in rows] == [row["accuracy"] for row in expected]
    assert [row["round"] for row in rows] == list(range(1, PERIODS * CONFIG.rounds + 1))
    assert [row["period"] for row in rows] == [1] * 4 + [2] * 4 + [3] * 4
    assert all("epsilon" not in row for row in rows)  # nothing is promised over periods
    assert rows[-1]["progress"] == 1 and all(a["seconds"] <= b["seconds"] for a, b in itertools.pairwise(rows))


def test_only_a_periods_data_are_ever_looked_at_in_it(said):
    seen = []
    task, config = task_of(said[0], seen), dataclasses.replace(CONFIG, engine="sequential")
    for row in continual(task, said[1], said[2], config):
        assert set(said[2][seen]) == {row["period"] - 1}
        assert row["stored"] == 0 and row["available"] == (said[2] == row["period"] - 1).sum()
        seen.clear()


def test_with_a_budget_old_data_are_looked_at_again_and_no_more_than_was_kept(said):
    seen, old = [], set()
    task, config = task_of(said[0], seen), dataclasses.replace(CONFIG, engine="sequential", rounds=20)
    for row in continual(task, said[1], said[2], config, replay=2):
        period = row["period"] - 1
        assert said[2][seen].max() <= period
        old |= {(period, i) for i in seen if said[2][i] < period}
        assert row["available"] == row["stored"] + (said[2] == period).sum()
        seen.clear()
    for period in (1, 2):
        owners = [next(k for k in range(CLIENTS) if i in said[1][k]) for at, i in old if at == period]
        assert owners and np.bincount(owners).max() <= 2


def test_without_periods_it_is_the_static_reference(task, said):
    _, clients, periods = said
    config = dataclasses.replace(CONFIG, rounds=12)
    one = list(continual(task, clients, np.zeros(N, int), config, test_periods=periods[::2]))
    seed = int(np.random.SeedSequence([CONFIG.seed, 0]).generate_state(1)[0])
    expected = list(simulate(task, clients, dataclasses.replace(config, seed=seed)))
    assert [row["accuracy"] for row in one] == [row["accuracy"] for row in expected]
    assert {row["available"] for row in one} == {N}
    assert accuracy_matrix(one).shape == (1, PERIODS)


def test_the_seed_decides_everything_and_nothing_else_does(task, said):
    before = torch.random.get_rng_state()
    (first, one), (_, again) = (trained(task, said, replay=2) for _ in range(2))
    _, other = trained(task, said, dataclasses.replace(CONFIG, seed=6), replay=2)
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(task.model.weight, task_of(said[0], []).model.weight)  # the task's own model is left alone
    assert len({row["train_loss"] for row in first}) == len(first)


def test_selection_follows_the_activity_of_the_period(task, said):
    """A client that is silent in a period is not in its cohorts, however much it said before."""
    owners = np.repeat([0, 1, 2], 80)
    periods = np.repeat([0, 1, 1], 80)  # the first client speaks in the first period alone
    clients = Partition.from_owners(owners, 3)
    config = dataclasses.replace(CONFIG, clients_per_round=1, engine="sequential")
    seen = []
    for row in continual(task_of(said[0], seen), clients, periods, config, selection={"strategy": "power"}):
        assert (set(owners[seen]) == {0}) == (row["period"] == 1)
        seen.clear()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(replay=-1), "Expected replay=-1 >= 0"),
        (dict(test_periods=[0, 1]), "Expected a period for each of 240 training and 120 test examples, got 240 and 2"),
    ],
)
def test_what_does_not_fit_together_is_refused_at_once(options, message, task, said):
    with pytest.raises(ValueError, match=re.escape(message)):
        continual(task, said[1], said[2], CONFIG, **options)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (dict(clip_norm=1.0, aggregation="equal"), "Expected clip_norm=None, got 1. A client takes part in several"),
        (dict(learning_rate=0.0), "Expected learning_rate=0.0 > 0"),
        (dict(server=ServerConfig(learning_rate=-1.0)), "Expected learning_rate=-1.0 > 0"),
    ],
)
def test_options_that_promise_too_much_or_mean_nothing_are_refused_at_once(config, message, task, said):
    with pytest.raises(ValueError, match=re.escape(message)):
        continual(task, said[1], said[2], dataclasses.replace(CONFIG, **config))


def test_periods_of_another_split_are_refused(task, said):
    with pytest.raises(ValueError, match="Expected one value for each of the partition's 240 examples, got 3"):
        continual(task, said[1], [0, 1, 2], CONFIG)


# The reservoir


def test_a_client_keeps_its_budget_and_nobody_elses(said):
    _, clients, periods = said
    ticket = np.random.default_rng(1).random(N)
    for budget in (0, 1, 7, 1000):
        kept = reservoir(clients, periods < 2, ticket, budget)
        assert not (kept & (periods == 2)).any()
        there = only(clients, periods < 2).sizes
        np.testing.assert_array_equal(only(clients, kept).sizes, np.minimum(there, budget))


def test_period_by_period_it_is_a_sample_of_all_that_was_seen(said):
    """Kept of the kept and the new are the same as kept of everything: no old example comes back."""
    _, clients, periods = said
    ticket = np.random.default_rng(2).random(N)
    stored = np.zeros(N, bool)
    for period in range(PERIODS):
        stored = reservoir(clients, stored | (periods == period), ticket, 4)
        np.testing.assert_array_equal(stored, reservoir(clients, periods <= period, ticket, 4))


def test_every_example_is_kept_with_the_same_probability_whenever_it_came():
    owners = np.repeat([0, 1], [12, 30])
    clients, runs, budget = Partition.from_owners(owners, 2), 4000, 3
    times = np.random.default_rng(3).integers(3, size=42)
    counts = np.zeros(42)
    rng = np.random.default_rng(4)
    for _ in range(runs):
        stored, ticket = np.zeros(42, bool), rng.random(42)
        for period in range(3):
            stored = reservoir(clients, stored | (times == period), ticket, budget)
        counts += stored
    expected = budget / np.bincount(owners)[owners]
    z = (counts / runs - expected) / np.sqrt(expected * (1 - expected) / runs)
    assert abs(z).max() < 4.5 and (z**2).mean() < 1.6


# What is measured


def test_every_period_is_measured_by_itself_and_they_add_up(task, said):
    tests = said[2][::2]
    rows, _ = trained(task, said, test_periods=tests)
    shares = np.bincount(tests) / len(tests)
    for row in rows:
        assert shares @ [row[f"accuracy_{s}"] for s in (1, 2, 3)] == pytest.approx(row["accuracy"])
    matrix = accuracy_matrix(rows)
    last = [row for row in rows if row["round"] in (4, 8, 12)]
    np.testing.assert_array_equal(matrix, [[row[f"accuracy_{s}"] for s in (1, 2, 3)] for row in last])


def test_sums_of_clients_are_the_pooled_number_and_hold_no_example(task, said):
    owners = np.arange(len(task.test)) % 5
    owners[owners == 3] = 4  # a client without test data
    tests = Partition.from_owners(owners, 5)
    task.model.train()
    sums = client_sums(task.model, task, tests)
    assert sums.shape == (5, 2) and sums[3].tolist() == [0, 0] and task.model.training
    pooled = task.evaluate(task.model, task.test)["accuracy"]
    assert sums[:, 0].sum() / sums[:, 1].sum() == pytest.approx(pooled)
    np.testing.assert_allclose(sums[:, 0], np.round(sums[:, 0]), atol=1e-5)  # numbers of right answers


def test_clients_report_with_dropout_off_and_every_layer_is_as_it_was(task):
    tests, model = Partition.from_owners(np.arange(len(task.test)) % 5, 5), nn.Sequential(nn.Dropout(0.5), task.model)
    alike = dataclasses.replace(task, evaluate=lambda _, batch: task.evaluate(lambda x: model(x), batch))
    model.train()
    model[1].eval()  # as a frozen layer is
    found = client_sums(model, alike, tests)
    assert [module.training for module in model.modules()] == [True, True, False]
    np.testing.assert_array_equal(found, client_sums(task.model, task, tests))


def test_forgetting_is_the_best_before_the_end_minus_the_end():
    matrix = np.array([[0.8, 0.3, 0.1], [0.9, 0.7, 0.2], [0.5, 0.75, 0.6]])
    np.testing.assert_allclose(forgetting(matrix), [0.4, -0.05])
    matrix[0, 1] = 0.85  # the first period's model was the best on the second's data: it counts too
    np.testing.assert_allclose(forgetting(matrix), [0.4, 0.1])


def test_catching_up_is_the_first_round_at_the_bar_or_never():
    rounds, curve = [2, 4, 6, 8], [0.2, 0.6, 0.5, 0.7]
    assert catch_up_round(rounds, curve, 0.6) == 4
    assert catch_up_round(rounds, curve, 0.65) == 8
    assert catch_up_round(rounds, curve, 0.71) is None


# Labels that come later


def test_a_labeller_is_asked_when_a_period_begins_and_what_it_leaves_out_is_not_trained_on(said):
    asked, seen = [], []
    config = dataclasses.replace(CONFIG, engine="sequential")

    def label(model, task, fresh):
        asked.append(set(said[2][fresh]))
        return task, fresh[fresh % 2 == 0]

    for row in continual(task_of(said[0], seen), said[1], said[2], config, label=label):
        assert len(asked) == row["period"] - 1
        if row["period"] > 1:
            assert all(i % 2 == 0 for i in seen)
            assert row["available"] == ((said[2] == row["period"] - 1) & (np.arange(N) % 2 == 0)).sum()
        seen.clear()
    assert asked == [{1}, {2}]


def test_what_is_kept_is_what_drew_the_smallest_tickets_of_all_that_was_ever_seen(said):
    """Tickets drawn anew in every period would favour what came last."""
    x, clients, _ = said
    periods, seen = np.arange(N) * 6 // N, []
    options = dataclasses.replace(CONFIG, rounds=4, clients_per_round=CLIENTS)
    for row in continual(task_of(x, seen), clients, periods, options, replay=4):
        if row["round"] == 20:  # the last one before the last period
            seen.clear()
    best = reservoir(clients, periods < 5, np.random.default_rng([CONFIG.seed, 3]).random(N), 4)
    assert {int(number) for number in seen if periods[int(number)] < 5} == set(np.flatnonzero(best).tolist())


def test_a_period_with_fewer_clients_than_a_cohort_is_refused_before_any_round(task):
    clients = Partition.from_owners(np.array([0, 1, 2, 0, 1, 2] + [0] * (N - 6)), 3)
    periods = np.repeat([0, 1, 2], [6, 10, N - 16])
    config = dataclasses.replace(CONFIG, clients_per_round=2)
    with pytest.raises(ValueError, match=r"In period 2: Expected k=2 in \[1, 1\]"):
        continual(task, clients, periods, config)
    continual(task, clients, periods, config, replay=1)  # those of before are there still
