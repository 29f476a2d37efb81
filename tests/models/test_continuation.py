"""Continuations against transformers' own generation, one text at a time, and the nucleus against its definition."""

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from trustlab.models import continuation
from trustlab.models.continuation import continuations, draw_from_nucleus

PROMPTS = [[1, 5, 9, 2, 7, 7], [1, 8], [1, 3, 3, 4], [1, 2, 6, 9, 11, 12, 13, 4, 5]]
WRITTEN = 12


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    size = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2)
    found = LlamaForCausalLM(LlamaConfig(vocab_size=60, max_position_embeddings=64, **size))
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return found.eval()


def alone(model, prompt, ends):
    """The likeliest continuation of one prompt: no padding, no batch, transformers' own loop."""
    ids = torch.tensor([prompt])
    how = dict(max_new_tokens=WRITTEN, do_sample=False, pad_token_id=0, eos_token_id=ends or None)
    found = model.generate(ids, attention_mask=torch.ones_like(ids), **how)[0, len(prompt) :].tolist()
    return found[: next((i for i, token in enumerate(found) if token in ends), WRITTEN)]


@pytest.mark.parametrize("ends", [[], list(range(20, 32))])
def test_a_batch_of_prompts_is_continued_as_each_alone(model, ends):
    expected = [alone(model, prompt, ends) for prompt in PROMPTS]
    assert continuations(model, PROMPTS, tokens=WRITTEN, ends=ends, top_p=1e-9) == expected
    assert (min(map(len, expected)) < WRITTEN) is bool(ends)


def test_what_is_written_depends_on_seed_and_place_and_not_on_the_batch(model):
    together = continuations(model, PROMPTS * 3, tokens=WRITTEN, seed=4)
    assert continuations(model, PROMPTS * 3, tokens=WRITTEN, seed=4, batch=1) == together
    assert continuations(model, PROMPTS, tokens=WRITTEN, seed=4) == together[: len(PROMPTS)]
    assert together[: len(PROMPTS)] != together[len(PROMPTS) : 2 * len(PROMPTS)]
    assert continuations(model, PROMPTS * 3, tokens=WRITTEN, seed=(4, 1)) != together


def in_order(probabilities, uniform, top_p):
    """The definition, one row at a time: go down from the likeliest until the nucleus is full, then invert it."""
    order = sorted(range(len(probabilities)), key=lambda token: -probabilities[token])
    nucleus, mass = [], 0.0
    for token in order:
        if mass >= top_p:
            break
        nucleus.append(token)
        mass += probabilities[token]
    below = 0.0
    for token in nucleus:
        below += probabilities[token]
        if uniform * mass < below:
            return token
    return nucleus[-1]


@pytest.mark.parametrize("top_p", [0.05, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("sharpness", [0.1, 3.0])
def test_a_token_is_drawn_from_the_nucleus_by_its_definition(monkeypatch, top_p, sharpness):
    monkeypatch.setattr(continuation, "LIKELIEST", 4)  # so that flat rows have to look further
    rng = np.random.default_rng(0)
    logits, uniform = torch.tensor(sharpness * rng.normal(size=(200, 50))), rng.random(200)
    expected = [in_order(row, u, top_p) for row, u in zip(logits.softmax(1).tolist(), uniform, strict=True)]
    assert draw_from_nucleus(logits, uniform, top_p).tolist() == expected


def test_tokens_occur_as_often_as_they_are_probable():
    probabilities = torch.tensor([0.4, 0.3, 0.2, 0.06, 0.04])
    uniform = (np.arange(9000) + 0.5) / 9000
    drawn = draw_from_nucleus(probabilities.log().expand(9000, 5), uniform, top_p=0.9)
    np.testing.assert_allclose(np.bincount(drawn, minlength=5) / 9000, [4 / 9, 3 / 9, 2 / 9, 0, 0], atol=2e-4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [(dict(top_p=0.0), r"Expected top_p=0.0 in \(0, 1\]"), (dict(prompts=[[1], []]), "every prompt")],
)
def test_what_cannot_be_continued_is_refused(model, wrong, message):
    with pytest.raises(ValueError, match=message):
        continuations(model, **{"prompts": PROMPTS, "tokens": 2, **wrong})
