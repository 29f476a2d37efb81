"""One vocabulary for private training; the words of before work one version more and say what to write instead."""

import dataclasses
import math

import pytest
import torch
from torch import nn

from trustlab.privacy import SENSITIVITY, PrivacyStatement, TrainConfig, private_gradients, statement

OLD = {
    "loop": ("dp-sgd", dict(method="dp-sgd", engine="loop")),
    "fast": ("dp-sgd", dict(method="dp-sgd", engine="fast")),
    "micro-batch": ("edp-sgd", dict(method="edp-sgd", engine="fast", micro_batches=3)),
}


def step(**options):
    """Return the gradient of a private step on made-up examples, with noise."""
    torch.manual_seed(0)
    model, batch = nn.Linear(4, 1), torch.randn(12, 4)
    noise = dict(clip_norm=0.5, noise_multiplier=1.0, generator=torch.Generator().manual_seed(1))
    if "micro_batches" not in options:
        options["expected_batch_size"] = 12.0
    private_gradients(model, lambda model, x: model(x)[:, 0], batch, **noise, **options)
    return model.weight.grad


@pytest.mark.parametrize("old", OLD)
def test_a_step_by_an_old_name_is_the_same_step_and_says_the_new_one(old):
    method, new = OLD[old]
    own = dict(micro_batches=3) if method == "edp-sgd" else {}
    with pytest.warns(DeprecationWarning, match=f"method='{old}' is now method='{method}' with engine=") as caught:
        found = step(method=old, **own)
    assert [warning.filename for warning in caught] == [__file__]  # it points at whoever is to change something
    torch.testing.assert_close(found, step(**new), rtol=0, atol=0)


@pytest.mark.parametrize(("old", "engine"), [("fast", "fast"), ("opacus", "opacus")])
def test_a_training_by_an_old_name_is_the_same_training(old, engine):
    with pytest.warns(DeprecationWarning, match=f"method='{old}' is now method='dp-sgd' with engine='{engine}'"):
        config = TrainConfig(method=old, epsilon=8.0)
    assert config == TrainConfig(method="dp-sgd", engine=engine, epsilon=8.0)


@pytest.mark.parametrize("old", OLD)
def test_a_statement_and_a_sensitivity_know_the_old_names(old):
    method, _ = OLD[old]
    told = dict(clip_norm=1.0, noise_multiplier=2.0, steps=10, delta=1e-5)
    with pytest.warns(DeprecationWarning, match=rf"SENSITIVITY\['{old}'\] is now SENSITIVITY\['{method}'\]"):
        assert SENSITIVITY[old] == SENSITIVITY[method]
    with pytest.warns(DeprecationWarning, match=f"method='{old}' is now") as caught:
        card = PrivacyStatement.of_steps(method=old, **told)
    assert card == PrivacyStatement.of_steps(method=method, **told)
    assert caught[0].filename == __file__
    assert list(SENSITIVITY) == ["dp-sgd", "edp-sgd"]
    with pytest.raises(KeyError):
        SENSITIVITY["ghost"]


def test_the_engine_does_not_move_epsilon():
    cards = [
        statement(TrainConfig(engine=engine, epsilon=8.0, epochs=1, batch_size=50, accountant="rdp"), 1000)
        for engine in ("fast", "loop", "opacus")
    ]
    assert cards[0] == cards[1] == cards[2]
    assert dataclasses.replace(TrainConfig(), engine="loop").epsilon == math.inf


def test_both_engines_clip_the_same_micro_batches():
    options = dict(method="edp-sgd", micro_batches=3)
    torch.testing.assert_close(step(**options, engine="fast"), step(**options, engine="loop"))
