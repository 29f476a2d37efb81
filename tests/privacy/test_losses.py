"""Every method asks the same of a loss and of a forward, and leaves nothing behind when it refuses."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from trustlab.models import Vocabulary, build
from trustlab.privacy import TrainConfig, private_gradients, train
from trustlab.privacy.noise import LARGEST
from trustlab.privacy.plain_step import plain_gradients
from trustlab.privacy.reference import ENGINES, OpacusCopy

METHODS = {
    "loop": dict(method="dp-sgd", engine="loop", expected_batch_size=1.0),
    "fast": dict(method="dp-sgd", expected_batch_size=1.0),
    "micro-batch": dict(method="edp-sgd", micro_batches=2),
}
IDS = torch.tensor([[1, 2, 2], [3, 4, 0], [5, 1, 2], [0, 0, 6]])
STATES = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=METHODS)
def method(request):
    return dict(METHODS[request.param], clip_norm=1.0)


def squares(model, batch):
    return model(batch).flatten(1).square().sum(1)


def flat(model):
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.requires_grad])


# ---- the shape of a loss -------------------------------------------------------------------------------------------

LOSSES = {
    "mean": (lambda model, batch: model(batch).square().mean(), r"\(\)"),
    "sum": (lambda model, batch: model(batch).square().sum(), r"\(\)"),
    "one per output": (lambda model, batch: model(batch).square(), r"\(., 3\)"),
    "one per output, flat": (lambda model, batch: model(batch).square().flatten(), r"\(\d+,\)"),
    "a column": (lambda model, batch: model(batch).square().sum(1, keepdim=True), r"\(., 1\)"),
    "broadcast": (lambda model, batch: model(batch).sum(1) - batch[:, :1], r"\(., .\)"),
    "a list": (lambda model, batch: list(squares(model, batch)), "got list"),
    "a number": (lambda model, batch: squares(model, batch).sum().item(), "got float"),
    "integers": (lambda model, batch: squares(model, batch).long(), "got torch.int64"),
    "detached": (lambda model, batch: squares(model, batch).detach(), "losses without a gradient"),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("examples", [1, 4])
def test_a_loss_of_another_shape_is_refused_by_every_method(method, name, examples):
    loss, came = LOSSES[name]
    model = nn.Linear(6, 3)
    with pytest.raises(ValueError, match=f"Expected per_example_loss .*{came}"):
        private_gradients(model, loss, STATES[:examples], **method)
    assert model.weight.grad is None and model.bias.grad is None


@pytest.mark.parametrize("name", [name for name in LOSSES if name not in ("a list", "a number", "broadcast")])
def test_plain_sgd_asks_the_same_of_a_loss(name):
    with pytest.raises(ValueError, match="Expected per_example_loss"):
        plain_gradients(nn.Linear(6, 3), STATES, per_example_loss=LOSSES[name][0])


def test_a_loss_of_another_model_is_refused(method):
    model, other = nn.Linear(6, 3), nn.Linear(6, 3)
    with pytest.raises(ValueError, match="depend on a trainable parameter of the model"):
        private_gradients(model, lambda _, batch: squares(other, batch), STATES, **method)


def test_a_step_without_gradients_is_refused(method):
    with torch.no_grad(), pytest.raises(ValueError, match="outside no_grad"):
        private_gradients(nn.Linear(6, 3), squares, STATES, **method)


@pytest.mark.parametrize(
    "batch",
    [
        torch.utils.data.DataLoader(STATES),
        {"input_ids": STATES, "text": ["a"] * len(STATES)},
        (STATES, STATES[1:]),
        pd.Series([1.0, 2.0], index=[1, 0]),
        pd.DataFrame({0: [1.0, 2.0], 1: [3.0, 4.0]}),
    ],
    ids=lambda batch: type(batch).__name__,
)
def test_a_batch_without_examples_to_pick_is_refused(method, batch):
    with pytest.raises(ValueError, match=r"Expected a batch (whose examples|that can be|of tensors|with a row)"):
        private_gradients(nn.Linear(6, 3), squares, batch, **method)


# ---- forwards that write into parameters ---------------------------------------------------------------------------


class Table(nn.Module):
    """Words of the layer's own table, whose rows are shortened on the way."""

    def __init__(self, trained=True):
        super().__init__()
        self.rows, self.out = nn.Parameter(torch.ones(9, 4), requires_grad=trained), nn.Linear(4, 2)

    def forward(self, batch):
        return self.out(F.embedding(batch, self.rows, max_norm=0.5))


class Clamped(nn.Module):
    def __init__(self, through_data=False):
        super().__init__()
        self.words, self.through_data = nn.Embedding(9, 4), through_data

    def forward(self, batch):
        with torch.no_grad():
            if self.through_data:
                self.words.weight.data[batch.flatten()] *= 0.5
            else:
                self.words.weight[batch.flatten()] *= 0.5
        return self.words(batch)


WRITERS = {
    "embedding": (lambda: nn.Embedding(9, 4, max_norm=0.5), "max_norm, got 0.5 in 'Embedding'"),
    "frozen embedding": (
        lambda: nn.Sequential(nn.Embedding(9, 4, max_norm=0.5).requires_grad_(False), nn.Linear(4, 2)),
        "max_norm, got 0.5 in '0'",
    ),
    "bag": (lambda: nn.EmbeddingBag(9, 4, max_norm=0.5), "max_norm, got 0.5 in 'EmbeddingBag'"),
    "function": (Table, "it writes into 'rows'"),
    "function, frozen": (lambda: Table(trained=False), "it writes into 'rows'"),
    "by hand": (Clamped, "it writes into 'words.weight'"),
    "through .data": (lambda: Clamped(through_data=True), "it writes into 'words.weight'"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_forward_that_writes_into_a_parameter_is_stopped_before_it_does(method, name):
    make, message = WRITERS[name]
    model = make()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        private_gradients(model, squares, IDS, **method)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_a_forward_that_starts_to_write_later_is_found_out(method):
    model = nn.Linear(6, 3)
    private_gradients(model, squares, STATES, **method)

    def late(model, batch):
        with torch.no_grad():
            model.weight.mul_(1.5)
        return squares(model, batch)

    with pytest.raises(ValueError, match=r"it writes into 'weight'.* reload its old values"):
        private_gradients(model, late, STATES, **method)


@pytest.mark.parametrize("engine", ENGINES)
def test_opacus_is_asked_the_same(engine):
    for make in (WRITERS["embedding"][0], lambda: nn.Embedding(9, 4, scale_grad_by_freq=True)):
        with pytest.raises(ValueError, match=r"Expected no (max_norm|scale_grad_by_freq)"):
            OpacusCopy(make(), squares, clip_norm=1.0, expected_batch_size=1, engine=engine)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Embedding(9, 4, scale_grad_by_freq=True), "no scale_grad_by_freq, got it in 'Embedding'"),
        (lambda: nn.LazyLinear(3), "'weight' of a lazy module"),
        (lambda: nn.Linear(6, 3, dtype=torch.cfloat), "Expected real trainable parameters, got 'weight'"),
    ],
)
def test_what_cannot_be_private_is_refused_by_name(method, make, message):
    with pytest.raises(ValueError, match=message):
        private_gradients(make(), squares, IDS, **method)


def test_sparse_embeddings_give_the_dense_gradient(method):
    torch.manual_seed(0)
    dense = nn.Embedding(9, 4, padding_idx=0)
    sparse = nn.Embedding(9, 4, padding_idx=0, sparse=True, _weight=dense.weight.detach().clone())
    for model in (dense, sparse):
        private_gradients(model, squares, IDS, generator=torch.Generator().manual_seed(3), **method)
    torch.testing.assert_close(sparse.weight.grad, dense.weight.grad)


# ---- what a step leaves behind -------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [3, LARGEST // 6 + 9])
def test_gradients_that_were_kept_stay_what_they_were(method, width):
    """Large sums lie in memory that is used again: never in what anybody still holds, or holds a view of."""
    model = nn.Linear(6, width, bias=False)
    kept, copies = [], []
    takes = (
        lambda g: g,
        lambda g: g.view(-1)[:5],
        torch.Tensor.detach,
        torch.Tensor.numpy,
        lambda g: g.untyped_storage(),
    )
    for step, take in enumerate(takes):
        private_gradients(model, lambda m, b, s=step: (s + 1) * m(b).sum(1), STATES, **method)
        kept.append(take(model.weight.grad))
        copies.append(list(kept[-1][:40]) if step == 4 else torch.as_tensor(kept[-1]).clone())
    private_gradients(model, lambda m, b: -m(b).sum(1), STATES, **method)
    for now, then in zip(kept[:4], copies[:4], strict=True):
        assert torch.equal(torch.as_tensor(now), then)
    assert list(kept[4][:40]) == copies[4]


def test_memory_that_nobody_holds_is_used_again():
    model = nn.Linear(6, LARGEST // 6 + 9, bias=False)
    places = set()
    for _ in range(4):
        private_gradients(model, squares, STATES, clip_norm=1.0, **METHODS["fast"])
        places.add(model.weight.grad.data_ptr())
    assert len(places) == 1 and places.pop() % 64 == 0


def test_gradients_added_up_by_hand_are_the_sum(method):
    model = nn.Linear(6, LARGEST // 6 + 9, bias=False)
    first, second = STATES[:2], STATES[2:]
    expected, found = torch.zeros(()), None
    for batch in (first, second):
        private_gradients(model, squares, batch, generator=torch.Generator().manual_seed(0), **method)
        expected = expected + model.weight.grad.clone()
    for batch in (first, second):
        private_gradients(model, squares, batch, generator=torch.Generator().manual_seed(0), **method)
        found = model.weight.grad if found is None else found + model.weight.grad
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("width", [3, LARGEST // 6 + 9])
@pytest.mark.parametrize("fails_at", [1, 2])
def test_after_an_error_no_part_of_a_sum_is_left(method, width, fails_at):
    model = nn.Linear(6, width)
    calls = []

    def loss(model, batch):
        calls.append(1)
        if len(calls) > fails_at:
            raise RuntimeError("boom")
        return squares(model, batch)

    private_gradients(model, squares, STATES, **method)
    with pytest.raises((RuntimeError, ValueError), match="boom"):  # in the look for evidence it is named as such
        private_gradients(model, loss, STATES, physical_batch=1, **method)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert "forward" not in vars(model) and model.training and all(p.requires_grad for p in model.parameters())


def test_plain_sgd_leaves_no_part_of_a_sum_either():
    model, batch = nn.Linear(6, 3), STATES.clone()
    batch[3, 0] = math.nan
    with pytest.raises(FloatingPointError, match="Expected finite losses"):
        plain_gradients(model, batch, per_example_loss=squares, physical_batch=2)
    assert model.weight.grad is None


def test_weights_that_autocast_rounded_without_a_graph_are_not_used(method):
    """autocast keeps rounded weights for as long as it lasts, and those of an evaluation have no gradient."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 3), nn.Tanh(), nn.Linear(3, 2))
    with torch.autocast("cpu", torch.bfloat16):
        private_gradients(model, squares, STATES, generator=torch.Generator().manual_seed(0), **method)
        expected = flat(model).clone()
        with torch.no_grad():
            model(STATES)
        private_gradients(model, squares, STATES, generator=torch.Generator().manual_seed(0), **method)
    assert expected.norm() > 0.1
    torch.testing.assert_close(flat(model), expected, rtol=0.02, atol=1e-3)


# ---- numbers -------------------------------------------------------------------------------------------------------


def test_numpys_numbers_are_numbers(method):
    torch.manual_seed(0)
    model = nn.Linear(6, 3)
    numbers = {**method, "clip_norm": 0.5, "noise_multiplier": 1.0, "physical_batch": 3}
    private_gradients(model, squares, STATES, generator=torch.Generator().manual_seed(1), **numbers)
    expected = flat(model).clone()
    theirs = {name: value if isinstance(value, str) else np.asarray(value)[()] for name, value in numbers.items()}
    assert isinstance(theirs["physical_batch"], np.int64)
    private_gradients(model, squares, STATES, generator=torch.Generator().manual_seed(1), **theirs)
    assert torch.equal(flat(model), expected)


@pytest.mark.parametrize("name", ["physical_batch", "micro_batches"])
def test_a_count_is_a_whole_number(name):
    options = {**METHODS["micro-batch"], "clip_norm": 1.0, name: 2.5}
    with pytest.raises(ValueError, match=f"Expected {name}=2.5 to be a whole number"):
        private_gradients(nn.Linear(6, 3), squares, STATES, **options)


@pytest.fixture
def small(utterances):
    vocabulary = Vocabulary(intents=("off", "on", "other"), slots=("O", "B-thing"), buckets=40)
    data = {name: vocabulary.encode(utterances(count)) for name, count in (("train", 30), ("validation", 6))}
    return build("transformer", vocabulary, seed=1), data


def test_a_training_takes_numpys_numbers_for_the_same_training(small):
    model, data = small
    ours = TrainConfig(method="dp-sgd", epochs=1, batch_size=10, clip_norm=0.5)
    theirs = TrainConfig(method="dp-sgd", epochs=np.int64(1), batch_size=np.int32(10), clip_norm=np.float32(0.5))
    assert repr(ours) == repr(theirs)
    assert [row["step"] for row in train(model, data, theirs)] == [3]
    with pytest.raises(ValueError, match=r"Expected batch_size=10.5 to be a whole number"):
        train(model, data, TrainConfig(batch_size=10.5))


@pytest.mark.parametrize(
    "way", [dict(method="sgd"), *METHODS.values()], ids=lambda way: "-".join(map(str, way.values()))
)
def test_a_training_whose_weights_are_not_finite_stops(small, way):
    model, data = small
    with torch.no_grad():
        next(model.parameters())[:] = math.nan
    with pytest.raises(FloatingPointError, match=r"Expected finite (losses|weights)"):
        list(
            train(
                model,
                data,
                TrainConfig(method=way["method"], engine=way.get("engine", "fast"), epochs=1, batch_size=10),
            )
        )
