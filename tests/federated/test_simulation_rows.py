"""Plain SGD moves only the rows of an embedding that a step read: they move as they would in a whole table."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from trustlab.federated.simulation import FederatedConfig, Task, simulate, stacked
from trustlab.federated.simulation.embedding_tables import Table

WORDS, WIDTH, TOKENS, LABELS = 64, 6, 5, 4
SIZES, RATE = (23, 11, 6, 3, 1), 0.7


class Bag(nn.Module):
    """A mean of embeddings, and a linear layer."""

    def __init__(self):
        super().__init__()
        self.embedding, self.out = nn.Embedding(WORDS, WIDTH, padding_idx=0), nn.Linear(WIDTH, LABELS)

    def forward(self, ids):
        return self.out(self.embedding(ids).mean(1))


class ChangedInPlace(Bag):
    def forward(self, ids):
        states = self.embedding(ids)
        states += 1
        return self.out(states.tanh_().mean(1))


class ReadTwice(Bag):
    def forward(self, ids):
        return self.out((self.embedding(ids) * self.embedding(ids)).mean(1))


class AlsoReadWithoutGradient(Bag):
    def forward(self, ids):
        with torch.no_grad():
            shift = self.embedding(ids)
        return self.out((self.embedding(ids) - 0.5 * shift).mean(1))


class OnlyATable(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, LABELS)

    def forward(self, ids):
        return self.embedding(ids).mean(1)


def task_of(make, dtype=torch.float64):
    rng = np.random.default_rng(0)
    ids = torch.from_numpy(rng.integers(0, 9, (sum(SIZES), TOKENS)))  # few words: many are said twice, and padding too
    data = {"ids": ids, "y": torch.from_numpy(rng.integers(0, LABELS, sum(SIZES)))}
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        model = make().to(dtype)

    def loss(model, batch):
        return F.cross_entropy(model(batch["ids"]), batch["y"], reduction="none")

    return Task(model, data, data, loss, lambda model, batch: {"loss": float(loss(model, batch).mean())})


def trained(make, engine, dtype=torch.float64, **options):
    task = task_of(make, dtype)
    parts = np.split(np.arange(sum(SIZES)), np.cumsum(SIZES)[:-1])
    config = FederatedConfig(
        rounds=3,
        clients_per_round=len(SIZES),
        local_epochs=2,
        batch_size=4,
        learning_rate=RATE,
        engine=engine,
        **options,
    )
    rows = list(simulate(task, parts, config, model=task.model))
    assert rows[-1]["engine"] == engine
    return rows, dict(task.model.named_parameters())


@pytest.fixture
def moved(monkeypatch):
    """The shapes of the tables of which rows were moved, but for the trial's, whose steps are of another length."""
    found, move = [], stacked._move_rows

    def seen(tables, rows, gradient, rate):
        if rate == RATE:
            found.append(tables.shape)
        move(tables, rows, gradient, rate)

    monkeypatch.setattr(stacked, "_move_rows", seen)
    return found


@pytest.mark.parametrize("make", [Bag, ChangedInPlace, ReadTwice, AlsoReadWithoutGradient, OnlyATable])
def test_rows_move_as_in_a_whole_table(make, moved):
    rows, found = trained(make, "stacked")
    assert moved and all(shape[1] <= 10 for shape in moved)  # the words that are there, and padding
    wanted_rows, wanted = trained(make, "sequential")
    start = dict(task_of(make).model.named_parameters())
    for name, weight in wanted.items():
        torch.testing.assert_close(found[name], weight, rtol=0, atol=1e-12)
        assert (found[name] - start[name]).abs().max() > 0.01
    assert [row["train_loss"] for row in rows] == pytest.approx([row["train_loss"] for row in wanted_rows], rel=1e-6)
    if make is not OnlyATable:
        assert torch.equal(found["embedding.weight"][0], torch.zeros(WIDTH, dtype=torch.float64))


@pytest.mark.parametrize("options", [dict(momentum=0.5), dict(proximal=0.3), dict(optimizer="adam")])
def test_what_moves_rows_that_were_not_read_has_whole_gradients(options, moved):
    _, found = trained(Bag, "stacked", **options)
    _, wanted = trained(Bag, "sequential", **options)
    assert not moved
    for name, weight in wanted.items():
        torch.testing.assert_close(found[name], weight, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("dtype", "by_row"), [(torch.float32, True), (torch.bfloat16, False)])
def test_half_precision_has_whole_gradients(dtype, by_row):
    model = task_of(Bag, dtype).model
    table = Table(model.embedding, 0)
    plan = stacked.Plan({model.embedding: True, model.out: True}, {"embedding.weight": table})
    found = stacked._moved_by_row(plan, FederatedConfig(), dict(model.named_parameters()))
    assert found == ({model.embedding: "embedding.weight"} if by_row else {})
