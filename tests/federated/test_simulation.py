"""Stacked training against its definition: whatever the sizes, the model and the local optimizer, the same weights."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

from trustlab.batches import Columns
from trustlab.federated.simulation import FederatedConfig, Task, simulate
from trustlab.models import Vocabulary, build, tagging_loss
from trustlab.models import evaluate as evaluate_tagger
from trustlab.models.taggers import masked_mean

WORDS, LABELS, LENGTH, EXAMPLES = 300, 4, 6, 90


class Bag(nn.Module):
    """Embedding-bag classifier: the mean of a text's word embeddings, and one linear layer."""

    def __init__(self, words=WORDS):
        super().__init__()
        self.embedding = nn.Embedding(words, 8, padding_idx=0)
        self.out = nn.Linear(8, LABELS)

    def forward(self, ids):
        return self.out(masked_mean(self.embedding(ids), ids != 0))


class Tied(nn.Module):
    """A weight that is read by its rows and multiplied by as a whole."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 8)
        self.out = nn.Linear(8, WORDS)
        self.out.weight = self.embedding.weight

    def forward(self, ids):
        return self.out(self.embedding(ids).mean(1))[:, :LABELS]


class Direct(Tied):
    """The same without a second layer that would own the weight."""

    def __init__(self):
        nn.Module.__init__(self)
        self.embedding = nn.Embedding(WORDS, 8)

    def forward(self, ids):
        return (self.embedding(ids).mean(1) @ self.embedding.weight.T)[:, :LABELS]


class Reversed(Bag):
    """Ids are computed before they are looked up: which rows are read is not known beforehand."""

    def forward(self, ids):
        return self.out(self.embedding((ids * 7) % WORDS).mean(1))


def mlp():
    return nn.Sequential(nn.Linear(LENGTH, 16), nn.Tanh(), nn.Linear(16, LABELS))


MODELS = {"bag": Bag, "mlp": mlp, "tied": Tied, "direct": Direct, "reversed": Reversed}


def loss(model, batch):
    x, y = batch
    return F.cross_entropy(model(x), y, reduction="none")


def accuracy(model, examples):
    x, y = examples[:]
    return {"accuracy": (model(x).argmax(1) == y).float().mean().item()}


def make_task(name="bag", seed=0):
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    if name in ("transformer", "bilstm"):
        vocabulary = Vocabulary(intents=("off", "on", "other"), slots=("O", "B-thing"), buckets=200)
        words = [f"w{i}" for i in range(150)]
        rows = []
        for i in range(EXAMPLES):
            said = [words[(i * 7 + j * 31) % 150] for j in range(1 + i % 9)]
            rows.append({"tokens": said, "slots": ["O"] * len(said), "intent": ("on", "off", "other")[i % 3]})
        examples = vocabulary.encode(rows)
        return Task(build(name, vocabulary, seed=1), examples, examples[:20], tagging_loss, evaluate_tagger)
    x = torch.randint(1, WORDS, (EXAMPLES, LENGTH), generator=generator)
    x[::3, -2:] = 0
    y = torch.randint(LABELS, (EXAMPLES,), generator=generator)
    if name == "mlp":
        x = torch.randn(EXAMPLES, LENGTH, generator=generator)
    return Task(MODELS[name](), TensorDataset(x, y), TensorDataset(x[:20], y[:20]), loss, accuracy)


def split(sizes):
    """Give each client so many examples, from one end; some clients may share examples."""
    ends = np.cumsum(sizes)
    return [np.arange(end - size, end) % EXAMPLES for size, end in zip(sizes, ends, strict=True)]


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def train(task, clients, config, **options):
    model = copy.deepcopy(task.model)
    rows = list(simulate(task, clients, config, model=model, **options))
    return rows, weights(model)


def assert_engines_agree(task, clients, config, tolerance=1e-5, **options):
    start = weights(task.model)
    expected_rows, expected = train(task, clients, dataclasses.replace(config, engine="sequential"), **options)
    rows, found = train(task, clients, dataclasses.replace(config, engine="stacked"), **options)
    moved = (expected - start).norm()
    assert (found - expected).norm() <= tolerance * max(moved, 1e-3)
    for row, wanted in zip(rows, expected_rows, strict=True):
        assert row["engine"] == "stacked" and wanted["engine"] == "sequential"
        assert row["train_loss"] == pytest.approx(wanted["train_loss"], rel=1e-4, nan_ok=True)
        for name in ("round", "clients", "arrived", "examples", "steps", "bytes_down", "bytes_up", "epsilon"):
            assert row[name] == wanted[name]


def in_double_precision(task):
    task.model.double()
    if not isinstance(task.train, Columns):
        return task

    def wide(data):
        return TensorDataset(*(each.double() if each.is_floating_point() else each for each in data.tensors))

    return dataclasses.replace(task, train=wide(task.train), test=wide(task.test))


OPTIMIZERS = {
    "sgd": dict(),
    "momentum": dict(momentum=0.9),
    "adam": dict(optimizer="adam", learning_rate=0.01),
    "fedprox": dict(proximal=0.5),
    "adam and fedprox": dict(optimizer="adam", learning_rate=0.01, proximal=0.5),
}


@pytest.mark.parametrize("options", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("name", [*MODELS, "transformer", "bilstm"])
def test_stacked_is_sequential(name, options):
    config = FederatedConfig(rounds=2, clients_per_round=5, local_epochs=2, batch_size=4, **options)
    task = make_task(name)
    tolerance = 1e-5
    if config.optimizer == "adam":  # makes whole steps of gradients that are nothing but rounding: let there be none
        task, tolerance = in_double_precision(task), 1e-8
        for parameter_name, parameter in task.model.named_parameters():  # the bias of the keys has gradient zero
            parameter.requires_grad_(not parameter_name.endswith("qkv.bias"))
    assert_engines_agree(task, split([12, 3, 1, 0, 7, 30]), config, tolerance)


@settings(max_examples=25)
@given(
    sizes=st.lists(st.integers(0, 25), min_size=1, max_size=7),
    batch_size=st.integers(1, 30),
    epochs=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_stacked_is_sequential_whatever_the_sizes(sizes, batch_size, epochs, seed):
    config = FederatedConfig(
        rounds=2,
        clients_per_round=max(1, sum(size > 0 for size in sizes) - 1),
        local_epochs=epochs,
        batch_size=batch_size,
        straggler_rate=0.3,
        drop_out=0.2,
        seed=seed,
    )
    if not sum(sizes):
        with pytest.raises(ValueError, match="Expected at least one client that holds examples"):
            assert_engines_agree(make_task(), split(sizes), config)
    else:
        assert_engines_agree(make_task(), split(sizes), config)


def test_what_cannot_be_stacked_is_trained_one_by_one_and_the_row_says_why():
    task = make_task("bilstm")
    task.model.lstm = nn.LSTM(48, 50, proj_size=48, batch_first=True, bidirectional=True)  # not written out
    rows, _ = train(task, split([4, 6]), FederatedConfig(rounds=1, clients_per_round=2))
    assert rows[0]["engine"] == "sequential" and "Error" in rows[0]["engine_note"]
    with pytest.raises(ValueError, match="Expected a model that can be stacked with engine='stacked'"):
        simulate(task, split([4, 6]), FederatedConfig(rounds=1, clients_per_round=2, engine="stacked"))
