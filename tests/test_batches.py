"""Batches and datasets as other libraries have them: read once, given to a loss as they came, or refused by name."""

import datasets
import numpy as np
import pandas
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset, default_collate
from transformers import BatchEncoding

from trustlab.batch_tensors import as_tensors, hashed
from trustlab.batches import Columns, Rows, as_examples, of_content, reads_content
from trustlab.federated.continual import continual
from trustlab.federated.partition import Partition
from trustlab.federated.simulation import FederatedConfig, Task, simulate
from trustlab.measures import as_measures
from trustlab.privacy import TrainConfig, private_gradients, train
from trustlab.privacy.reference import opacus_gradients

N, T, WORDS, LABELS = 12, 5, 30, 3
DP = dict(method="dp-sgd", clip_norm=0.5, expected_batch_size=4)


class Reader(nn.Module):
    """A classifier with the forward of transformers' models."""

    def __init__(self):
        super().__init__()
        self.words, self.out = nn.Embedding(WORDS, 8), nn.Linear(8, LABELS)

    def forward(self, input_ids, attention_mask):
        held = self.words(input_ids) * attention_mask[..., None]
        return self.out(held.sum(1) / attention_mask.sum(1, keepdim=True))


@pytest.fixture
def reader():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Reader()


@pytest.fixture
def batch():
    rng = torch.Generator().manual_seed(1)
    lengths = torch.randint(1, T + 1, (N, 1), generator=rng)
    return {
        "input_ids": torch.randint(WORDS, (N, T), generator=rng),
        "attention_mask": (torch.arange(T) < lengths).float(),
        "y": torch.randint(LABELS, (N,), generator=rng),
    }


def loss(model, batch):
    return F.cross_entropy(model(batch["input_ids"], batch["attention_mask"]), batch["y"], reduction="none")


def loss_of_tuple(model, batch):
    return F.cross_entropy(model(batch[0], batch[1]), batch[2], reduction="none")


def measure(model, batch):
    return {"right": (model(batch["input_ids"], batch["attention_mask"]).argmax(-1) == batch["y"]).float().mean()}


class Pairs(Dataset):
    """A map-style dataset of a user's own."""

    def __init__(self, batch):
        self.batch = batch

    def __len__(self):
        return len(self.batch["y"])

    def __getitem__(self, index):
        return {name: part[index] for name, part in self.batch.items()}


def rows_of(batch):
    return datasets.Dataset.from_dict({name: part.tolist() for name, part in batch.items()})


NAMED = {
    "dict": lambda batch: batch,
    "BatchEncoding": BatchEncoding,
    "arrays": lambda batch: {name: part.numpy() for name, part in batch.items()},
    "map-style": Pairs,
    "Subset": lambda batch: Subset(Pairs(batch), range(N)),
    "datasets": rows_of,
    "datasets, torch": lambda batch: rows_of(batch).with_format("torch"),
    "rows": lambda batch: list(Pairs(batch)),
}
PLACED = {
    "tuple": lambda batch: tuple(batch.values()),
    "list": lambda batch: list(batch.values()),
    "TensorDataset": lambda batch: TensorDataset(*batch.values()),
}


@pytest.mark.parametrize("engine", ["fast", "loop"])
@pytest.mark.parametrize("kind", [*NAMED, *PLACED])
def test_the_gradients_are_those_of_examples_one_by_one(kind, engine, reader, batch):
    given = {**NAMED, **PLACED}[kind](batch)
    norms = private_gradients(reader, loss if kind in NAMED else loss_of_tuple, given, engine=engine, **DP)
    found = [parameter.grad.clone() for parameter in reader.parameters()]
    wanted = [torch.zeros_like(parameter) for parameter in reader.parameters()]
    for i in range(N):
        one = torch.autograd.grad(loss(reader, {k: v[i : i + 1] for k, v in batch.items()})[0], reader.parameters())
        norm = torch.cat([part.flatten() for part in one]).norm()
        assert norms.norms[i] == pytest.approx(norm.item(), rel=1e-4)
        for total, part in zip(wanted, one, strict=True):
            total += part * min(1, 0.5 / norm.item()) / 4
    for own, exact in zip(found, wanted, strict=True):
        torch.testing.assert_close(own, exact, atol=1e-6, rtol=1e-4)


def test_opacus_gets_the_same_batches(reader, batch):
    reader.words.requires_grad_(False)
    step = opacus_gradients(reader, loss, clip_norm=0.5, expected_batch_size=4)
    step(BatchEncoding(batch))
    wanted = [p.grad.clone() for p in reader.parameters() if p.requires_grad]
    private_gradients(reader, loss, batch, **DP)
    for own, other in zip((p.grad for p in reader.parameters() if p.requires_grad), wanted, strict=True):
        torch.testing.assert_close(own, other, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("kind", NAMED)
def test_a_training_is_the_same_whatever_holds_the_examples(kind, batch):
    config = TrainConfig(method="dp-sgd", epsilon=4.0, delta=1e-2, batch_size=4, epochs=2)

    def trained(data):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = Reader()
        data = {"train": data, "validation": data}
        rows = list(train(model, data, config, per_example_loss=loss, evaluate=measure))
        return rows[-1], [part.clone() for part in model.state_dict().values()]

    wanted, weights = trained(batch)
    found, own = trained(NAMED[kind](batch))
    assert found["right"] == wanted["right"] == pytest.approx(found["right"]) and found["epsilon"] <= 4
    for mine, exact in zip(own, weights, strict=True):
        torch.testing.assert_close(mine, exact)


def test_ragged_rows_are_padded_by_the_collate_fn_that_is_given(reader, batch):
    ragged = [
        {"input_ids": ids[: int(mask.sum())].tolist(), "y": int(y)}
        for ids, mask, y in zip(*batch.values(), strict=True)
    ]

    def collate(rows):
        longest = max(len(row["input_ids"]) for row in rows)
        ids = torch.tensor([row["input_ids"] + [0] * (longest - len(row["input_ids"])) for row in rows])
        mask = torch.tensor([[1.0] * len(row["input_ids"]) + [0.0] * (longest - len(row["input_ids"])) for row in rows])
        return {"input_ids": ids, "attention_mask": mask, "y": torch.tensor([row["y"] for row in rows])}

    private_gradients(reader, loss, ragged, collate_fn=collate, **DP)
    found = [parameter.grad.clone() for parameter in reader.parameters()]
    private_gradients(reader, loss, batch, **DP)
    for own, parameter in zip(found, reader.parameters(), strict=True):
        torch.testing.assert_close(own, parameter.grad, atol=1e-6, rtol=1e-4)
    assert len(as_examples(ragged, collate)[torch.zeros(0, dtype=torch.long)]) == 0  # a Poisson batch may be empty
    with pytest.raises(ValueError, match="rows of one shape, got"):
        private_gradients(reader, loss, ragged, **DP)
    with pytest.raises(ValueError, match="a row for each of 12 examples, got 11"):
        private_gradients(reader, loss, ragged, collate_fn=lambda rows: collate(rows[1:]), **DP)


@pytest.mark.parametrize("engine", ["stacked", "sequential"])
@pytest.mark.parametrize("kind", NAMED)
def test_a_fleet_learns_the_same_whatever_holds_its_examples(kind, engine, reader, batch):
    config = FederatedConfig(rounds=3, clients_per_round=2, batch_size=3, learning_rate=0.5, engine=engine)
    clients = [np.arange(0, 4), np.arange(4, 9), np.arange(9, 12)]
    given = NAMED[kind](batch)
    *_, found = simulate(Task(reader, given, given, loss, measure), clients, config, test_clients=clients)

    def by_hand(model, examples):
        return {name: part.item() for name, part in measure(model, examples).items()}

    class Own:  # what a task took before
        def __init__(self, held):
            self.held = held

        def __len__(self):
            return len(self.held["y"])

        def __getitem__(self, index):
            return Own({name: part[index] for name, part in self.held.items()})

    task = Task(reader, Own(batch), Own(batch), lambda m, b: loss(m, b.held), lambda m, b: by_hand(m, b.held))
    config = FederatedConfig(rounds=3, clients_per_round=2, batch_size=3, learning_rate=0.5, engine="sequential")
    *_, wanted = simulate(task, clients, config, test_clients=clients)
    for name in ("train_loss", "right", "device_right"):
        assert found[name] == pytest.approx(wanted[name], rel=1e-5), name


def test_a_measure_gets_the_same_kind_on_the_whole_test_set_and_on_a_clients_part(reader, batch):
    seen = []

    def watching(model, examples):
        seen.append((type(examples), sorted(examples)))
        return measure(model, examples)

    task = Task(reader, BatchEncoding(batch), Pairs(batch), loss, watching)
    clients = [np.arange(6), np.arange(6, 12)]
    list(simulate(task, clients, FederatedConfig(rounds=1, clients_per_round=2), test_clients=clients))
    assert {kind for kind, _ in seen} == {dict} and len(seen) == 1 + 1 + 2  # tried, all of them, each client's


def test_a_measure_is_tried_before_the_first_round_and_the_first_step(reader, batch):
    task = Task(reader, batch, batch, loss, lambda model, examples: 0.5)
    with pytest.raises(ValueError, match="a dict of numbers, got float"):
        simulate(task, [np.arange(N)], FederatedConfig(rounds=1, clients_per_round=1))
    task = Task(reader, batch, batch, loss, lambda model, examples: {"right": examples.intents})
    with pytest.raises(AttributeError, match="intents"):
        simulate(task, [np.arange(N)], FederatedConfig(rounds=1, clients_per_round=1))
    config, data = TrainConfig(method="sgd", batch_size=4, epochs=1), {"train": batch, "validation": batch}
    with pytest.raises(ValueError, match="one number for 'right', got Tensor"):
        train(reader, data, config, per_example_loss=loss, evaluate=lambda model, examples: {"right": torch.ones(3)})
    with pytest.raises(ValueError, match="other names than 'epsilon'"):
        train(reader, data, config, per_example_loss=loss, evaluate=lambda model, examples: {"epsilon": 1.0})
    with pytest.raises(ValueError, match="evaluate with a per_example_loss"):
        train(reader, data, config, per_example_loss=loss)


def test_a_measure_that_knows_the_whole_test_set_is_tried_on_that(reader, batch):
    """Notebook 22 looks up who each test example is of."""

    def by_group(model, examples):
        right = model(examples["input_ids"], examples["attention_mask"]).argmax(-1) == examples["y"]
        return {"first": right[group == 0].float().mean()}

    batch = {name: torch.cat([part] * 4) for name, part in batch.items()}
    group = torch.arange(4 * N) % 2  # more than are tried
    *_, last = simulate(Task(reader, batch, batch, loss, by_group), [np.arange(N)], FederatedConfig(1, 1))
    assert 0 <= last["first"] <= 1


def test_periods_are_measured_on_parts_of_what_holds_the_examples(reader, batch):
    task = Task(reader, batch, batch, loss, measure)
    periods = np.repeat([0, 1], N // 2)
    clients = Partition.from_owners(np.arange(N) % 2, 2)
    config = FederatedConfig(rounds=1, clients_per_round=2)
    rows = list(continual(task, clients, periods, config, test_periods=periods))
    assert len(rows) == 2
    for row in rows:  # each period has half of the test examples
        assert row["right"] == pytest.approx((row["right_1"] + row["right_2"]) / 2)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (DataLoader(torch.ones(3)), "DataLoader. Batches are drawn here"),
        ({"x": torch.ones(3), "y": torch.ones(2)}, r"3 in \['x'\], 2 in \['y'\]"),
        ({"x": torch.ones(3), "text": ["a", "b", "c"]}, r"of tensors, got str at \['text'\]"),
        ({"x": torch.tensor(1.0)}, r"a single number at \['x'\]"),
        ({}, "of tensors, got dict without any"),
        ({"x": np.array(["a", "b"])}, r"of tensors, got ndarray at \['x'\]"),
        ([{"text": "a"}, {"text": "b"}], "rows of numbers, got str"),
        ("a text", "counted and taken one by one, got str"),
        (3, "counted and taken one by one, got int"),
    ],
)
def test_what_has_no_row_for_each_example_is_refused_by_name(given, said):
    with pytest.raises(ValueError, match=said):
        as_examples(given)[torch.arange(1)]


def test_a_dataset_that_takes_a_tensor_of_indices_is_asked_once(batch):
    class Counting(Pairs):
        asked = 0

        def __getitem__(self, index):
            Counting.asked += 1
            return super().__getitem__(index)

    class Reversed(Pairs):
        def __getitem__(self, index):  # another order for several rows than for one
            return super().__getitem__(index.flip(0) if isinstance(index, torch.Tensor) else index)

    data = as_examples(Counting(batch))
    before = Counting.asked
    assert data[torch.tensor([3, 1, 7])].content["y"].tolist() == batch["y"][[3, 1, 7]].tolist()
    assert Counting.asked == before + 1
    assert as_examples(Reversed(batch))[torch.tensor([3, 1])].content["y"].tolist() == batch["y"][[3, 1]].tolist()


class Sum(nn.Module):
    """A bag of words: padding adds nothing as long as its row, or the head, is zero."""

    def __init__(self, padding_idx, head):
        super().__init__()
        self.words, self.out = nn.Embedding(WORDS, 8, padding_idx=padding_idx), nn.Linear(8, LABELS)
        nn.init.constant_(self.out.weight, head)
        nn.init.constant_(self.words.weight[0].data, 0.0 if padding_idx == 0 else 1.0)

    def forward(self, ids, masked):
        found = self.words(ids)
        return self.out((found * (ids != 0)[..., None] if masked else found).sum(1))


@pytest.mark.parametrize(("padding_idx", "head"), [(0, 0.3), (None, 0.0)], ids=["padding_idx", "a head of zeros"])
def test_padding_that_counts_only_after_the_first_step_is_refused(padding_idx, head):
    """Noise moves the padding's row and the head: from then on a long text changed the losses of all others."""
    rows = [(torch.arange(1, 2 + i % 5), i % LABELS) for i in range(N)]

    def padded(rows):
        texts, labels = zip(*rows, strict=True)
        return nn.utils.rnn.pad_sequence(list(texts), batch_first=True), torch.tensor(labels)

    def training(method, masked):
        model, epsilon = Sum(padding_idx, head), float("inf") if method == "sgd" else 8.0
        before = {name: value.clone() for name, value in model.state_dict().items()}
        config = TrainConfig(method=method, epsilon=epsilon, delta=1e-3, batch_size=4, epochs=1)
        loss = lambda model, batch: F.cross_entropy(model(batch[0], masked), batch[1], reduction="none")  # noqa: E731
        rest = dict(per_example_loss=loss, evaluate=lambda model, batch: {"a": 0.0}, collate_fn=padded)
        made = train(model, {"train": rows, "validation": rows}, config, **rest)
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
        return list(made)

    with pytest.raises(ValueError, match=r"alone at weights that noise has moved\. What collate_fn adds"):
        training("dp-sgd", masked=False)
    assert training("dp-sgd", masked=True) and training("sgd", masked=False)


def test_a_stream_is_refused():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(range(3))

    with pytest.raises(ValueError, match="got Stream"):
        as_examples(Stream())
    of_datasets = datasets.Dataset.from_dict({"x": [1.0, 2.0]}).to_iterable_dataset()
    for collate_fn in (None, default_collate):
        with pytest.raises(ValueError, match=r"got IterableDataset.*from_list\(list\(stream"):
            as_examples(of_datasets, collate_fn)
    config = TrainConfig(method="dp-sgd", epsilon=8.0, delta=1e-3, batch_size=1, epochs=1)
    with pytest.raises(ValueError, match="got IterableDataset"):
        train(
            torch.nn.Linear(1, 1), {"train": of_datasets, "validation": of_datasets}, config,
            per_example_loss=len, evaluate=dict,
        )  # fmt: skip


@pytest.mark.parametrize("collate_fn", [None, default_collate])
def test_a_table_is_refused_also_with_a_collate_fn(collate_fn):
    """Its first row was looked up among the names of its columns: KeyError: 0."""
    with pytest.raises(ValueError, match="taken one by one, got DataFrame"):
        as_examples(pandas.DataFrame({"x": [1.0, 2.0]}), collate_fn)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda model, batch: loss(model, batch).mean(), r"got \(\)"),
        (lambda model, batch: loss(model, batch).sum(), r"got \(\)"),
        (lambda model, batch: loss(model, batch) * torch.ones(len(batch["y"]), 1), r"got \(\d+, \d+\)"),
    ],
    ids=["mean", "sum", "broadcast"],
)
def test_a_loss_that_is_not_one_per_example_is_refused_with_the_shape_that_came(wrong, said, reader, batch):
    before = {name: part.clone() for name, part in reader.state_dict().items()}
    with pytest.raises(ValueError, match=said):
        private_gradients(reader, wrong, batch, **DP)
    data, config = {"train": batch, "validation": batch}, TrainConfig(method="sgd", batch_size=6, epochs=1)
    with pytest.raises(ValueError, match=said):
        train(reader, data, config, per_example_loss=wrong, evaluate=measure)  # no step was asked for
    with pytest.raises(ValueError, match="per_example_loss to return a tensor"):
        simulate(
            Task(reader, batch, batch, wrong, measure), [np.arange(N)], FederatedConfig(rounds=1, clients_per_round=1)
        )
    assert all(torch.equal(part, before[name]) for name, part in reader.state_dict().items())


def test_what_a_loss_is_given_is_what_was_given(batch):
    part = as_examples(BatchEncoding(batch))[torch.tensor([2, 0])]
    assert isinstance(of_content(part), BatchEncoding) and of_content(part)["y"].tolist() == batch["y"][[2, 0]].tolist()
    once = reads_content(loss)
    assert reads_content(once) is once and once.__name__ == "loss"
    tensors, rebuild = as_tensors(part)
    assert isinstance(of_content(rebuild(tensors)), BatchEncoding)
    assert isinstance(as_examples(Pairs(batch)), Rows) and isinstance(as_examples(batch), Columns)


def test_examples_are_known_by_all_that_they_hold(batch):
    other = {**batch, "y": (batch["y"] + 1) % LABELS}
    assert hashed(as_examples(batch)) == hashed(as_examples(Pairs(batch))) != hashed(as_examples(other))


def test_examples_of_a_class_of_its_own_are_known_by_its_attributes_and_those_of_no_tensor_are_refused():
    class Own:
        def __init__(self, x):
            self.x, self.name = x, "own"

        def __len__(self):
            return len(self.x)

        def __getitem__(self, index):
            return Own(self.x[index])

    assert hashed(Own(torch.zeros(3))) == hashed(Own(torch.zeros(3))) != hashed(Own(torch.ones(3)))
    with pytest.raises(TypeError, match="batch of tensors, got Own without any"):
        hashed(Own(np.zeros(3)))


def test_a_measure_returns_plain_numbers():
    found = as_measures({"a": torch.tensor(0.5), "b": np.float64(0.25), "c": True, "d": np.array(2)})
    assert found == {"a": 0.5, "b": 0.25, "c": 1.0, "d": 2.0} and all(type(value) is float for value in found.values())
    assert as_measures({}) == {}  # nothing is measured
    with pytest.raises(ValueError, match="got list"):
        as_measures([0.5])
