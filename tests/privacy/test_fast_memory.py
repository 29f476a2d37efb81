"""What a step of the fast method holds, and until when."""

import gc
import weakref

import pytest
import torch
from torch import nn

from trustlab.privacy import private_gradients
from trustlab.privacy.fast import engine

TOKENS, WIDTH = 40, 8  # a gradient of WIDTH² numbers is formed from TOKENS·2·WIDTH, which it then needs no longer


class Tagger(nn.Module):
    """Three layers, of which the last two read activations; `alive` are those still in memory."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.read = []

    def forward(self, x):
        for layer in self.layers:
            if layer is not self.layers[0]:
                x = x.tanh()
                self.read.append(weakref.ref(x))
            x = layer(x)
        return x

    def alive(self):
        return sum(each() is not None for each in self.read)


def loss(model, batch):
    return model(batch).square().mean((1, 2))


@pytest.fixture
def model():
    """A model that the engine has checked, whose memory no collector frees."""
    made = Tagger()
    step(made)
    made.read.clear()
    gc.collect()
    gc.disable()
    yield made
    gc.enable()


def step(model):
    options = dict(method="dp-sgd", clip_norm=1.0, noise_multiplier=1.0, expected_batch_size=6.0)
    private_gradients(model, loss, torch.randn(6, TOKENS, WIDTH), **options)


def test_nothing_that_a_layer_read_is_left_when_the_step_is_over(model):
    """A recording in a cycle keeps a batch's activations into the next step: 1.5 times the memory on an encoder."""
    for _ in range(2):
        step(model)
        assert len(model.read) in (2, 4) and model.alive() == 0


def test_what_a_layer_read_is_free_once_its_gradients_are_made(model, monkeypatch):
    measured, seen = engine._square_norms, []

    def looked(factors, sizes, losses):
        seen.append(model.alive())
        return measured(factors, sizes, losses)

    monkeypatch.setattr(engine, "_square_norms", looked)
    step(model)
    assert seen == [0] and len(model.read) == 2
