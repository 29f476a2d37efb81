"""The audit of a step on the user's own model finds errors that a probe of linear layers cannot have."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from trustlab.privacy.auditing import audit
from trustlab.privacy.auditing.engines import engine_step
from trustlab.privacy.auditing.false_alarms import made_up_model
from trustlab.privacy.auditing.planted_bugs import DECLARED, SIGMA, C, clip, honest, leave

OWN = {f"{name}, your model" for name in ("sensitivity", "noise of each parameter", "noise of each coordinate")}
OWN |= {"noise between parameters, your model"}
PERCEPTRON, SQUARED, BATCH = made_up_model(seed=0).values()  # with dropout


class Twice(nn.Module):
    """One weight that two layers share."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(6))

    def uses(self, batch):
        return batch @ self.weight, batch.tanh() @ self.weight

    def forward(self, batch):
        return sum(self.uses(batch))


class Mixing(nn.Module):
    """A layer in which the batch's mean decides each example's signs."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 1)

    def forward(self, batch):
        return self.layer(batch * (9 * batch.mean(0)).tanh()).squeeze(-1)


def shared_weights_counted_apart(model, loss, batch):
    """The gradient of each use of a shared weight is clipped by itself (Opacus, issue 413)."""
    if not isinstance(model, Twice):
        return honest(model, loss, batch)
    slope = [torch.autograd.grad(loss(model, batch[i : i + 1]).sum(), model.weight)[0] for i in range(len(batch))]
    long = torch.stack([g.norm() / (each.norm() + each.tanh().norm()) for g, each in zip(slope, batch, strict=True)])
    parts = [clip([long[:, None] * each])[0].sum(0) for each in (batch, batch.tanh())]
    leave(model, [parts[0] + parts[1]])


def noise_but_for_biases(model, loss, batch):
    honest(model, loss, batch)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            parameter.grad.zero_()


def noise_of_one_tensor_in_another(model, loss, batch):
    honest(model, loss, batch)
    seed = int(torch.randint(2**31, ()))
    if any(name.endswith("bias") for name, _ in model.named_parameters()):
        for parameter in model.parameters():
            parameter.grad.copy_(SIGMA * C / 8 * torch.randn(parameter.shape, generator=torch.manual_seed(seed)))


def examples_mixed(model, loss, batch):
    """Each example's gradient is taken out of the whole batch's forward."""
    losses = loss(model, batch)
    rows = [torch.autograd.grad(each, list(model.parameters()), retain_graph=True) for each in losses]
    each = [torch.stack(column) for column in zip(*rows, strict=True)] if rows else []
    sums = [g.sum(0) for g in clip(each)] if rows else [torch.zeros_like(p) for p in model.parameters()]
    leave(model, sums)


class OwnGenerator:
    """A step whose noise does not come from torch's own generator."""

    def __init__(self, step):
        self.step, self.generator = step, torch.Generator().manual_seed(3)

    def __call__(self, model, loss, batch):
        state = torch.get_rng_state()
        torch.set_rng_state(self.generator.get_state())
        self.step(model, loss, batch)
        self.generator.set_state(torch.get_rng_state())
        torch.set_rng_state(state)


@pytest.mark.parametrize(
    ("model", "step", "check"),
    [
        (Twice(), shared_weights_counted_apart, "sensitivity"),
        (Twice(), OwnGenerator(shared_weights_counted_apart), "sensitivity"),
        (Mixing(), examples_mixed, "sensitivity"),
        (PERCEPTRON, noise_but_for_biases, "noise of each parameter"),
        (PERCEPTRON, noise_of_one_tensor_in_another, "noise between parameters"),
    ],
    ids=["shared weights", "shared weights, own generator", "examples mixed", "no noise on biases", "noise again"],
)
def test_an_error_of_one_model_is_found_on_that_model_only(model, step, check):
    assert audit(step, **DECLARED).holds
    report = audit(step, **DECLARED, model=model, per_example_loss=SQUARED, batch=BATCH)
    assert set(report.failed) <= OWN and f"{check}, your model" in report.failed, str(report)


@pytest.mark.parametrize("engine", ["fast", "loop", "eDP, fast", "Opacus hooks", "Opacus ghost"])
def test_honest_engines_are_not_accused_on_a_model_with_dropout(engine):
    model = PERCEPTRON
    before = [parameter.clone() for parameter in model.parameters()]
    step, declared = engine_step(engine, clip_norm=0.3, noise_multiplier=1.0, expected_batch_size=8)
    report = audit(step, **declared, model=model, per_example_loss=SQUARED, batch=BATCH)
    assert report.failed + report.wasteful == (), str(report)
    assert {check.name for check in report.checks if check.verdict == "ok"} >= OWN
    assert all(torch.equal(one, other) for one, other in zip(before, model.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_step_of_its_own_generator_and_a_frozen_layer_are_audited():
    model = copy.deepcopy(PERCEPTRON)
    model[0].weight.requires_grad_(False)
    step, declared = engine_step("fast", clip_norm=0.3, noise_multiplier=1.0, expected_batch_size=8)
    report = audit(OwnGenerator(step), **declared, model=model, per_example_loss=SQUARED, batch=BATCH)
    assert report.failed == (), str(report)
    measured = {check.name: check.measured for check in report.checks}["sensitivity, your model"]
    moved, error = (float(text) for text in measured.split(" C ")[0].split(" ± "))
    assert abs(moved - 1) < 4 * error


def test_model_losses_and_batch_belong_together():
    with pytest.raises(ValueError, match="together, or none"):
        audit(lambda *batch: pytest.fail("a step was taken"), **DECLARED, model=Twice())
    with pytest.raises(ValueError, match="2 examples or more, got 1"):
        audit(
            lambda *batch: pytest.fail("a step was taken"),
            **DECLARED,
            model=Twice(),
            per_example_loss=SQUARED,
            batch=np.ones((1, 6)),
        )
