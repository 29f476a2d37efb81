"""Stacked reference models equal models trained one after another, and their gradients those of `private_gradients`."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from trustlab.privacy import TrainConfig, private_gradients
from trustlab.privacy.membership import halves
from trustlab.privacy.membership.reference_models import Draws, Stack, classification_loss, packed, train_together
from trustlab.privacy.membership.stacked_gradients import example_gradients, mean_gradients, product_gradients
from trustlab.privacy.training_options import noise_schedule

N, K, WIDE, CLASSES = 60, 4, 6, 3


class Bag(nn.Module):
    """A model that is more than linear layers."""

    def __init__(self):
        super().__init__()
        self.embedding, self.out = nn.Embedding(20, 5), nn.Linear(5, CLASSES)

    def forward(self, words):
        return self.out(self.embedding(words).mean(1))


def perceptron():
    return nn.Sequential(nn.Linear(WIDE, 5), nn.Tanh(), nn.Linear(5, CLASSES, bias=False))


def shared():
    layer = nn.Linear(WIDE, WIDE)
    return nn.Sequential(layer, nn.Tanh(), layer, nn.Linear(WIDE, CLASSES))


def data(kind):
    rng = torch.Generator().manual_seed(1)
    labels = torch.randint(CLASSES, (N,), generator=rng)
    x = torch.randint(20, (N, 3), generator=rng) if kind is Bag else torch.randn(N, WIDE, generator=rng)
    return x, labels


class Noted(Draws):
    """Draws that can be asked later what they were."""

    def __init__(self, seed):
        super().__init__(torch.Generator().manual_seed(seed))
        self.steps = []

    def batches(self, inside, rate):
        self.steps.append({"chosen": super().batches(inside, rate), "noise": []})
        return self.steps[-1]["chosen"]

    def micro_batches(self, shape, count):
        self.steps[-1]["units"] = super().micro_batches(shape, count)
        return self.steps[-1]["units"]

    def noise(self, like):
        self.steps[-1]["noise"].append(super().noise(like))
        return self.steps[-1]["noise"][-1]


class Pairs:
    """Inputs and labels as the batch of `private_gradients`."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __len__(self):
        return len(self.y)

    def __getitem__(self, which):
        return Pairs(self.x[which], self.y[which])


def loss(model, batch):
    return F.cross_entropy(model(batch.x), batch.y, reduction="none")


def one_after_another(make, config, examples, noted, make_optimizer, sigma):
    """Train each model by itself, with the batches, the micro-batches and the noise that were noted."""
    first, trained = Stack(make, K), []
    for k in range(K):
        model = make()
        model.load_state_dict(first.model(k).state_dict())
        optimizer = make_optimizer(list(model.parameters()))
        for step in noted.steps:
            chosen = step["chosen"][k].nonzero()[:, 0]
            batch = Pairs(examples[0][chosen], examples[1][chosen])
            gradient(model, batch, config, step, k)
            for i, parameter in enumerate(model.parameters()):
                if config.method != "sgd" and sigma:
                    by = config.micro_batches if config.method == "edp-sgd" else config.batch_size
                    parameter.grad += sigma * config.clip_norm * step["noise"][i][k] / by
            optimizer.step()
        trained.append({name: part.detach() for name, part in model.named_parameters()})
    return trained


def gradient(model, batch, config, step, k):
    options = dict(clip_norm=config.clip_norm, layerwise=config.layerwise, automatic=config.automatic, engine="loop")
    if config.method == "sgd":
        model.zero_grad()
        loss(model, batch).mean().backward()
    elif config.method == "dp-sgd":
        private_gradients(model, loss, batch, method="dp-sgd", expected_batch_size=config.batch_size, **options)
    else:  # each micro-batch by itself: `private_gradients` would draw others
        total, units = None, step["units"][k, : len(batch)]
        for unit in units.unique():
            part = batch[units == unit]
            private_gradients(model, loss, part, method="edp-sgd", micro_batches=1, **options)
            found = [parameter.grad for parameter in model.parameters()]
            total = found if total is None else [a + b for a, b in zip(total, found, strict=True)]
        for parameter, summed in zip(model.parameters(), total, strict=True):
            parameter.grad = summed / config.micro_batches


METHODS = [
    dict(method="sgd"),
    dict(method="dp-sgd", clip_norm=0.7),
    dict(method="dp-sgd", epsilon=3.0, delta=1e-3, clip_norm=0.5),
    dict(method="dp-sgd", epsilon=3.0, delta=1e-3, automatic=True, layerwise="equal"),
    dict(method="edp-sgd", epsilon=3.0, delta=1e-3, clip_norm=0.3, micro_batches=4),
    dict(method="edp-sgd", clip_norm=0.2, micro_batches=3, layerwise="dimension"),
]
OPTIMIZERS = {"adam": lambda own: torch.optim.Adam(own, lr=0.01), "sgd": lambda own: torch.optim.SGD(own, lr=0.5)}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("options", METHODS, ids=str)
@pytest.mark.parametrize("make", [perceptron, Bag, shared])
def test_stacked_models_equal_models_trained_one_after_another(make, options, optimizer):
    config = TrainConfig(**options, batch_size=15, epochs=4, learning_rate=0.01)
    examples, inside, noted = data(make), halves(N, K, seed=2), Noted(5)
    stack = Stack(make, K)
    rows = list(
        train_together(
            stack, classification_loss, examples, inside, config, optimizer=OPTIMIZERS[optimizer], draws=noted
        )
    )
    ((sigma, steps),) = noise_schedule(config, N // 2)
    assert rows[-1]["step"] == steps == 8 and all(step["chosen"].any(1).all() for step in noted.steps)
    expected = one_after_another(make, config, examples, noted, OPTIMIZERS[optimizer], sigma)
    for k in range(K):
        for name, part in expected[k].items():
            torch.testing.assert_close(stack.weights[name][k], part, atol=1e-5, rtol=1e-5)


def test_only_linear_layers_are_taken_by_products_and_a_shared_one_is_not():
    for make, by_products in ((perceptron, True), (Bag, False), (shared, False)):
        stack, (x, y) = Stack(make, K), data(make)
        batch = (x[None, :8].expand(K, *x[:8].shape), y[None, :8].expand(K, 8))
        found = product_gradients(stack.base, stack.weights, classification_loss, batch)
        assert (found is not None) is by_products
        if by_products:
            every = example_gradients(stack.base, stack.weights, classification_loss, batch)
            torch.testing.assert_close(found.squares(), every.squares())
            units = torch.tensor([0, 0, 1, 2, 2, 2, -1, 1]).expand(K, 8)
            torch.testing.assert_close(found.squares(units)[:, :6], every.squares(units)[:, :6])


def test_batches_are_poisson_samples_of_a_models_own_examples():
    inside = halves(2000, K, seed=0)
    drawn = Draws(torch.Generator().manual_seed(0)).batches(torch.from_numpy(inside.T), 0.3)
    assert not (drawn.numpy() & ~inside.T).any()
    counts = drawn.sum(1).numpy() / inside.sum(0)
    assert np.abs(counts - 0.3).max() < 0.05
    places, valid = packed(drawn)
    for k in range(K):
        assert places[k][valid[k]].tolist() == drawn[k].nonzero()[:, 0].tolist()
    assert drawn.gather(1, places).all()  # what fills a batch up is an example of the model's own batch


def test_the_noise_is_that_of_train_for_half_of_the_examples():
    examples, inside = data(perceptron), halves(N, K, seed=0)
    config = TrainConfig(method="edp-sgd", epsilon=2.0, delta=1e-3, batch_size=10, epochs=2, micro_batches=5)
    *_, last = train_together(Stack(perceptron, K), classification_loss, examples, inside, config)
    ((sigma, _),) = noise_schedule(config, N // 2)
    assert last["noise_multiplier"] == sigma > 1 and 1.9 < last["epsilon"] <= 2.0


def test_models_begin_differently_and_alike_for_a_seed():
    one, again, other = (Stack(perceptron, 3, seed=seed).weights["0.weight"] for seed in (0, 0, 1))
    assert torch.equal(one, again) and not torch.equal(one, other) and not torch.equal(one[0], one[1])


class Empty(Draws):
    """Draws no example."""

    def batches(self, inside, rate):
        return torch.zeros_like(inside)


def test_without_privacy_no_example_drawn_changes_nothing():
    for make in (perceptron, Bag):
        stack = Stack(make, K)
        before = {name: part.clone() for name, part in stack.weights.items()}
        config, draws = TrainConfig(method="sgd", batch_size=15, epochs=1), Empty(torch.Generator())
        list(train_together(stack, classification_loss, data(make), halves(N, K, seed=0), config, draws=draws))
        assert all(torch.equal(before[name], part) for name, part in stack.weights.items())


def test_a_mean_gradient_counts_its_own_examples_only_and_a_weight_without_effect_has_none():
    class Unused(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.other = nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x):
            return self.used(x)

    stack = Stack(Unused, 2)
    x, y = torch.tensor([[1.0, 2.0], [-9.0, 0.0], [0.5, 0.5]]), torch.tensor([0, 1, 1])
    valid = torch.tensor([[True, False, True], [False, False, False]])
    batch = (x.expand(2, 3, 2), y.expand(2, 3))
    with torch.no_grad():
        found = mean_gradients(stack.base, stack.weights, classification_loss, batch, valid)
    model = stack.model(0)
    F.cross_entropy(model(x[[0, 2]]), y[[0, 2]]).backward()
    torch.testing.assert_close(found["used.bias"][0], model.used.bias.grad)
    torch.testing.assert_close(found["used.weight"][0], model.used.weight.grad)
    assert found["used.weight"].is_contiguous()
    assert all(not part[1].any() for part in found.values()) and not found["other.weight"].any()


def test_no_example_drawn_is_a_step_of_noise_alone():
    draws = Empty(torch.Generator().manual_seed(0))
    config = TrainConfig(method="dp-sgd", epsilon=3.0, delta=1e-3, batch_size=15, epochs=1)
    stack = Stack(perceptron, K)
    before = stack.weights["0.weight"].clone()
    list(train_together(stack, classification_loss, data(perceptron), halves(N, K, seed=0), config, draws=draws))
    assert not torch.equal(before, stack.weights["0.weight"])


def test_closing_the_rows_stops_the_training():
    config = TrainConfig(method="sgd", batch_size=15, epochs=50)
    stack = Stack(perceptron, K)
    rows = train_together(stack, classification_loss, data(perceptron), halves(N, K, seed=0), config)
    assert next(rows)["progress"] == 1 / 50
    rows.close()
    left = stack.weights["0.weight"].clone()
    assert torch.equal(left, stack.weights["0.weight"]) and not list(rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(inside=np.ones((N, K))), "True and False of shape"),
        (dict(inside=halves(N, K + 1, seed=0)), "True and False of shape"),
        (dict(inside=np.ones((N, K), bool)), "to have some examples and to lack some"),
        (dict(config=TrainConfig(batch_size=31)), "batch_size=31 <= the 30"),
        (dict(config=TrainConfig(method="edp-sgd", noise_by="worker", batch_size=10)), "noise_by='sum'"),
    ],
)
def test_what_does_not_fit_is_refused_before_training(change, message):
    given = dict(inside=halves(N, K, seed=0), config=TrainConfig(batch_size=10, method="sgd")) | change
    with pytest.raises(ValueError, match=message):
        train_together(Stack(perceptron, K), classification_loss, data(perceptron), given["inside"], given["config"])


@pytest.mark.parametrize(
    "make", [lambda: nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1)), lambda: nn.Sequential(nn.BatchNorm1d(2))]
)
def test_a_model_that_cannot_be_stacked_is_refused(make):
    with pytest.raises(ValueError, match=r"Expected a model without|BatchNorm"):
        Stack(make, 2)


def test_a_training_that_diverges_says_so():
    config = TrainConfig(method="sgd", batch_size=15, epochs=2)
    rows = train_together(
        Stack(perceptron, K), classification_loss, data(perceptron), halves(N, K, seed=0), config,
        optimizer=lambda own: torch.optim.SGD(own, lr=math.inf),
    )  # fmt: skip
    with pytest.raises(FloatingPointError, match="finite weights"):
        list(rows)
