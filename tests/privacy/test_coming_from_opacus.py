"""The page for Opacus' users: its example runs, and gives Opacus' gradients and Opacus' ε."""

import re

import pytest
import torch
from opacus import PrivacyEngine
from opacus.accountants import PRVAccountant
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from trustlab.privacy import private_gradients
from trustlab.versions import ROOT

PAGE = (ROOT / "docs" / "opacus.md").read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def run():
    said = []
    names = {"said": said.append}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        exec(compile(EXAMPLE.replace("print(", "said("), "opacus.md", "exec"), names)
    return names, said


def test_the_example_spends_what_opacus_says(run):
    names, (epsilon,) = run
    accountant = PRVAccountant()
    accountant.history = [(1.0, names["q"], names["steps"])]
    assert epsilon == pytest.approx(accountant.get_epsilon(delta=1e-4), rel=1e-6)


def test_a_step_has_the_gradients_of_opacus_engine(run):
    names, _ = run
    model, x, y = names["model"], names["x"][:30], names["y"][:30]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    wrapped, optimizer, loader = PrivacyEngine().make_private(
        module=model, optimizer=optimizer, data_loader=DataLoader(TensorDataset(x, y), batch_size=30),
        noise_multiplier=0.0, max_grad_norm=1.0, poisson_sampling=False,
    )  # fmt: skip
    ((inputs, labels),) = loader
    F.cross_entropy(wrapped(inputs), labels).backward()
    optimizer.pre_step()
    theirs = [parameter.grad.clone() for parameter in model.parameters()]
    wrapped.remove_hooks()
    private_gradients(
        model, names["per_example_loss"], {"x": inputs, "y": labels}, method="dp-sgd", clip_norm=1.0,
        expected_batch_size=30,
    )  # fmt: skip
    for ours, opacus in zip((parameter.grad for parameter in model.parameters()), theirs, strict=True):
        torch.testing.assert_close(ours, opacus, atol=1e-6, rtol=1e-4)
