"""What was proved of a loss holds for the same loss made again, and for no other."""

import functools
import gc

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from trustlab.privacy import private_gradients
from trustlab.privacy.fast import apart
from trustlab.privacy.names import named

OPTIONS = dict(method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0)
BATCH = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))


def losses(model, batch, mixed=False):
    own = model(batch).square().sum(1)
    return own + own.mean() if mixed else own


class Loss:
    def __init__(self, mixed):
        self.mixed = mixed

    def __call__(self, model, batch):
        return losses(model, batch, self.mixed)


def by_number(weight):
    return lambda model, batch: losses(model, batch) + weight * losses(model, batch).mean()


SWITCHES = {
    "closure": lambda mixed: lambda model, batch: losses(model, batch, mixed),
    "default": lambda mixed: lambda model, batch, mixed=mixed: losses(model, batch, mixed),
    "keyword": lambda mixed: functools.partial(losses, mixed=mixed),
    "object": Loss,
    "method": lambda mixed: Loss(mixed).__call__,
    "number": lambda mixed: by_number(0.5 if mixed else 0.0),
    "dict": lambda mixed: (lambda told: lambda model, batch: losses(model, batch, **told))({"mixed": mixed}),
}


@pytest.mark.parametrize("make", SWITCHES.values(), ids=SWITCHES)
def test_a_switch_that_a_loss_is_given_makes_it_another_loss(make):
    model = nn.Linear(4, 3)
    private_gradients(model, make(False), BATCH, **OPTIONS)
    gc.collect()  # another object may lie where the first one lay
    with pytest.raises(ValueError, match="stay apart"):
        private_gradients(model, make(True), BATCH, **OPTIONS)


def test_a_function_that_a_loss_calls_by_name_is_a_part_of_it():
    space = {"helper": losses}
    exec("def loss(model, batch):\n    return helper(model, batch)", space)
    model = nn.Linear(4, 3)
    private_gradients(model, space["loss"], BATCH, **OPTIONS)
    before = named(space["loss"])
    space["helper"] = lambda model, batch: losses(model, batch, True)
    assert named(space["loss"]) != before
    with pytest.raises(ValueError, match="stay apart"):
        private_gradients(model, space["loss"], BATCH, **OPTIONS)


def test_a_switch_under_many_wrappers_is_not_lost():
    def deep(mixed):
        loss = functools.partial(losses, mixed=mixed)
        for _ in range(9):
            loss = (lambda inner: lambda model, batch: inner(model, batch))(loss)
        return loss

    model, plain, together = nn.Linear(4, 3), deep(False), deep(True)
    private_gradients(model, plain, BATCH, **OPTIONS)
    with pytest.raises(ValueError, match="stay apart"):
        private_gradients(model, together, BATCH, **OPTIONS)


def recursive(_):
    def loss(model, batch, ready=False):
        return losses(model, batch) if ready else loss(model, batch, True)

    return loss


def without_a_value(_):
    def loss(model, batch):
        return losses(model, batch) if len(batch) else never

    if False:
        never = 0.0
    return loss


MADE_AGAIN = {
    "recursive": recursive,
    "without a value": without_a_value,
    "object": lambda step: Loss(False),
    "method": lambda step: Loss(False).__call__,
    "module": lambda step: (lambda loss: lambda m, b: loss(m(b), b[:, :3]).sum(1))(nn.MSELoss(reduction="none")),
    "size": lambda step: (lambda weight: lambda m, b: weight * losses(m, b))(1.0 + step),
    "tensor": lambda step: (lambda weight: lambda m, b: weight * losses(m, b))(torch.tensor(1.0 + step)),
}


@pytest.mark.parametrize("make", MADE_AGAIN.values(), ids=MADE_AGAIN)
def test_a_loss_made_again_is_proved_once(make, monkeypatch):
    looks, look = [], apart.Proof._check_alone
    monkeypatch.setattr(apart.Proof, "_check_alone", lambda *args: looks.append(1) or look(*args))
    model = nn.Linear(4, 3)
    for step in range(4):
        private_gradients(model, make(step), BATCH, **OPTIONS)
    assert looks == [1]


def test_what_is_remembered_of_a_model_is_bounded(monkeypatch):
    monkeypatch.setattr(apart, "KEPT", 3)
    model = nn.Linear(4, 3)
    for step in range(6):
        private_gradients(model, functools.partial(lambda m, b, name: losses(m, b), name=str(step)), BATCH, **OPTIONS)
    assert len(apart._plans[model]) <= 3


def test_another_model_in_a_loss_makes_it_another_loss():
    teachers = [nn.Linear(2, 2), nn.Linear(2, 2)]
    make = lambda teacher: lambda model, batch: F.mse_loss(model(batch), teacher(batch))  # noqa: E731
    assert named(make(teachers[0])) == named(make(teachers[0])) != named(make(teachers[1]))


def test_a_writer_is_found_behind_another_loss():
    class Average(nn.Linear):
        def __init__(self):
            super().__init__(4, 3)
            self.register_buffer("mean", torch.zeros(4))

        def forward(self, batch, keep=False):
            if keep:
                self.mean.copy_(batch.mean(0))
            return super().forward(batch)

    model = Average()
    private_gradients(model, lambda m, b: m(b).square().sum(1), BATCH, **OPTIONS)
    with pytest.raises(ValueError, match="writes into 'mean'"):
        private_gradients(model, lambda m, b: m(b, keep=True).square().sum(1), BATCH, **OPTIONS)
