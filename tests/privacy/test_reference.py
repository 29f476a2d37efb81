"""Opacus' engines against the loop: three independent computations of the same sum."""

import pytest
import torch

from trustlab.models import SubwordVocabulary, build, next_token_loss, tagging_loss
from trustlab.privacy import private_gradients
from trustlab.privacy.reference import ENGINES, opacus_gradients

# Relative to the gradient. The encoder's hooks and functorch sum 16-token products in another order than autograd.
CLOSE = {"bilstm": 1e-5, "transformer": 1e-5, "language": 1e-5, "encoder": 5e-5}
MODELS = [
    ("bilstm", {}, tagging_loss),
    ("transformer", {}, tagging_loss),
    ("encoder", {}, tagging_loss),
    ("encoder", {"lora": 2}, tagging_loss),
    ("encoder", {"frozen": True}, tagging_loss),
    ("language", {"layers": 2, "width": 32}, next_token_loss),
]


# Opacus' ghost clipping refuses tied weights, see the last test.
CASES = [(*model, engine) for model in MODELS for engine in ENGINES if (model[0], engine) != ("language", "ghost")]


@pytest.fixture(params=CASES, ids=lambda case: "-".join([case[0], *case[1], case[3]]))
def case(request, vocabulary, utterances):
    kind, options, loss, engine = request.param
    if kind == "encoder":
        vocabulary = SubwordVocabulary(vocabulary.intents, vocabulary.slots)
    model = build(kind, vocabulary, seed=1, **options)
    if "lora" in options:  # B starts at zero, where A has no gradient: move it
        for name, parameter in model.named_parameters():
            if name.endswith("up.weight"):
                torch.nn.init.normal_(parameter, std=0.1)
    return kind, model, loss, vocabulary.encode(utterances(10)), engine


def flat(model):
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.requires_grad])


def test_every_engine_releases_what_the_loop_does(case):
    kind, model, loss, batch, engine = case
    loop = dict(method="dp-sgd", engine="loop", expected_batch_size=4)
    clip = private_gradients(model, loss, batch, clip_norm=1.0, **loop).norms.quantile(0.5).item()
    own = private_gradients(model, loss, batch, clip_norm=clip, **loop)
    ours = flat(model)
    weights = torch.cat([p.detach().flatten().clone() for p in model.parameters()])
    theirs = opacus_gradients(model, loss, clip_norm=clip, expected_batch_size=4, engine=engine)(batch)
    torch.testing.assert_close(own.norms, theirs.norms, rtol=1e-4, atol=1e-5)
    assert own.clipped == pytest.approx(theirs.clipped) and 0 < own.clipped < 1
    assert (ours - flat(model)).norm() <= CLOSE[kind] * ours.norm()
    assert torch.equal(weights, torch.cat([p.detach().flatten() for p in model.parameters()]))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", ["bilstm", "transformer"])
def test_several_steps_and_empty_batches(kind, engine, vocabulary, utterances):
    model, batch = build(kind, vocabulary, seed=1), vocabulary.encode(utterances(9))
    step = opacus_gradients(model, tagging_loss, clip_norm=1.0, expected_batch_size=4, engine=engine)
    step(batch)
    first = flat(model)
    empty = step(batch[torch.tensor([], dtype=torch.long)])
    assert not flat(model).any() and len(empty.norms) == 0
    step(batch)
    torch.testing.assert_close(flat(model), first)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_noise_has_the_deviation_that_was_asked_for(engine, vocabulary, utterances):
    model, batch = build("transformer", vocabulary, seed=1), vocabulary.encode(utterances(6))
    step = opacus_gradients(model, tagging_loss, clip_norm=2.0, expected_batch_size=4, engine=engine)
    step(batch)
    quiet = flat(model)
    step(batch, noise_multiplier=3.0, generator=torch.Generator().manual_seed(0))
    noise = flat(model) - quiet
    assert noise.std().item() == pytest.approx(3.0 * 2.0 / 4, rel=0.02)
    assert abs(noise.mean().item()) < 4 * noise.std().item() / len(noise) ** 0.5


def test_what_opacus_cannot_do_it_says(vocabulary, utterances):
    model, batch = build("language", vocabulary, layers=1, width=32), vocabulary.encode(utterances(3))
    ghost = opacus_gradients(model, next_token_loss, clip_norm=1.0, expected_batch_size=4, engine="ghost")
    with pytest.raises(NotImplementedError, match="Parameter tying is not supported"):
        ghost(batch)
    with pytest.raises(ValueError, match="Expected engine='fast' to be one of 'hooks'"):
        opacus_gradients(model, next_token_loss, clip_norm=1.0, expected_batch_size=4, engine="fast")


def test_what_opacus_would_exchange_or_poison_is_refused(vocabulary, utterances):
    model = build("transformer", vocabulary, seed=1)
    with torch.no_grad():
        model.embedding.weight[1:30] = float("inf")
    with pytest.raises(FloatingPointError, match=r"Expected finite gradients with Opacus, got \d+ examples without"):
        opacus_gradients(model, tagging_loss, clip_norm=1.0, expected_batch_size=4)(vocabulary.encode(utterances(10)))
    model.norm = torch.nn.BatchNorm1d(8)
    with pytest.raises(ValueError, match="Expected no BatchNorm1d in training mode, got 'norm'"):
        opacus_gradients(model, tagging_loss, clip_norm=1.0, expected_batch_size=4)
