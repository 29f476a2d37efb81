"""The trial before the first round: models that look stackable and are not, each as somebody might write it."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

from trustlab.federated.simulation import FederatedConfig, Task, simulate

SIZES, WORDS, LABELS = (1, 12, 3, 7, 30), 40, 4
CONFIG = FederatedConfig(rounds=2, clients_per_round=5, local_epochs=2, batch_size=4, learning_rate=0.2)


def labelled(x):
    return TensorDataset(x, torch.arange(len(x)) % LABELS)


def texts():
    """Words, of which only the first client's fill a text."""
    ids = torch.randint(1, WORDS, (sum(SIZES), 6), generator=torch.Generator().manual_seed(0))
    ids[1:, 4:] = 0
    return labelled(ids)


def numbers():
    return labelled(torch.randn(sum(SIZES), 6, generator=torch.Generator().manual_seed(0)))


def plain(model, batch):
    return F.cross_entropy(model(batch[0]), batch[1], reduction="none")


def decayed(model, batch):
    return plain(model, batch) + 0.01 * sum(weight.square().sum() for weight in model.parameters())


class Zero(nn.Module):
    """A tied output behind a projection that is zero at first: no gradient reaches the words then."""

    def __init__(self):
        super().__init__()
        self.word, self.project = nn.Embedding(WORDS, 8), nn.Linear(8, 8)
        nn.init.zeros_(self.project.weight)

    def forward(self, ids):
        return (self.project(self.word(ids).mean(1)) @ self.word.weight.T)[:, :LABELS]


class Table(nn.Module):
    """A table that is no layer, with a padding row."""

    def __init__(self):
        super().__init__()
        self.rows = nn.Parameter(torch.randn(WORDS, LABELS, generator=torch.Generator().manual_seed(0)))

    def forward(self, ids):
        return F.embedding(ids, self.rows, padding_idx=0).mean(1)


class Scaled(nn.Linear):
    """Divides by what its weight is worth now."""

    def forward(self, x):
        return F.linear(x, self.weight / self.weight.detach().norm(), self.bias)


class Standard(nn.Module):
    """A batch norm by hand, in training alone."""

    def forward(self, x):
        return (x - x.mean(0)) / (x.std(0) + 1) if self.training and len(x) > 1 else x


class Sometimes(nn.Module):
    """A second head that only some minibatches ask for."""

    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Linear(6, LABELS), nn.Linear(6, LABELS)

    def forward(self, x):
        mask = x[:, 0] > 1.5
        y = self.one(x)
        return y + self.other(x) * mask[:, None] if mask.any() else y


CASES = {
    "decay in the loss, from zero": (lambda: nn.utils.skip_init(nn.Linear, 6, LABELS), numbers, decayed),
    "decay in the loss": (lambda: nn.Linear(6, LABELS), numbers, decayed),
    "a tied output behind zeros": (Zero, texts, plain),
    "a table that is no layer": (Table, texts, plain),
    "a weight read beside its gradient": (lambda: Scaled(6, LABELS), numbers, plain),
    "a batch norm by hand": (lambda: nn.Sequential(nn.Linear(6, 8), Standard(), nn.Linear(8, LABELS)), numbers, plain),
    "torch's own block": (
        lambda: nn.Sequential(nn.Embedding(WORDS, 8), nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True),
                              nn.Flatten(), nn.Linear(48, LABELS)),
        texts,
        plain,
    ),
}  # fmt: skip


def build(name):
    torch.manual_seed(1)
    make, data, loss = CASES[name]
    model = make()
    if "from zero" in name:
        nn.init.zeros_(model.weight)
        nn.init.zeros_(model.bias)
    return Task(model, data(), data(), loss, lambda model, batch: {})


def clients():
    return np.split(np.arange(sum(SIZES)), np.cumsum(SIZES)[:-1])


def train(task, config):
    model = copy.deepcopy(task.model)
    rows = list(simulate(task, clients(), config, model=model))
    return rows, torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def assert_automatic_is_sequential(task, config=CONFIG):
    start = torch.cat([parameter.detach().flatten() for parameter in task.model.parameters()])
    rows, found = train(task, config)
    _, expected = train(task, dataclasses.replace(config, engine="sequential"))
    assert (found - expected).norm() <= 1e-5 * (expected - start).norm()
    return rows[0]


@pytest.mark.parametrize("name", CASES)
def test_whatever_the_engine_chosen_it_is_the_definition(name):
    row = assert_automatic_is_sequential(build(name))
    if name == "torch's own block":
        assert row["engine"] == "stacked"


@pytest.mark.parametrize("options", [dict(momentum=0.9), dict(optimizer="adam", learning_rate=0.01)])
def test_momentum_carries_a_weight_on_that_a_step_did_not_use(options):
    torch.manual_seed(1)
    task = Task(Sometimes(), numbers(), numbers(), plain, lambda model, batch: {})
    assert_automatic_is_sequential(task, dataclasses.replace(CONFIG, **options))


def test_the_trial_leaves_weights_buffers_modes_and_dropout_as_they_were():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.3), nn.GroupNorm(2, 8), nn.Linear(8, LABELS))
    model.register_buffer("kept", torch.ones(3))
    model[1].eval()
    before, state = [module.training for module in model.modules()], copy.deepcopy(model.state_dict())
    task = Task(model, numbers(), numbers(), plain, lambda model, batch: {})
    simulate(task, clients(), CONFIG, model=model)  # nothing is trained before the first row is asked for
    assert [module.training for module in model.modules()] == before and model[1].p == 0.3
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_a_layer_that_keeps_averages_of_its_inputs_is_refused_by_name():
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, LABELS))
    with pytest.raises(ValueError, match="Expected layers that keep nothing of their inputs, got BatchNorm1d '1'"):
        Task(model, numbers(), numbers(), plain, lambda model, batch: {})
