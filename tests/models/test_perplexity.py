"""Perplexity against torch, one text at a time; what it does not depend on; and what has none."""

import math

import pytest
import torch
from torch.nn import functional as F
from transformers import LlamaConfig, LlamaForCausalLM

from trustlab.models.perplexity import perplexity

ROWS = [[1, 5, 9, 2], [3], [1, 8], [4, 4, 4, 4, 4, 4, 7]]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    size = dict(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2)
    return LlamaForCausalLM(LlamaConfig(vocab_size=12, max_position_embeddings=16, **size)).train()


def test_it_is_the_exponential_of_the_mean_over_all_tokens(model):
    losses = []
    for row in ROWS:
        ids = torch.tensor([row])
        with torch.no_grad():
            losses += F.cross_entropy(model(ids).logits[0, :-1], ids[0, 1:], reduction="none").tolist()
    assert len(losses) == 10
    assert perplexity(model, ROWS) == pytest.approx(math.exp(sum(losses) / 10), rel=1e-5)
    assert model.training


@pytest.mark.parametrize("batch_tokens", [1, 5, 1000])
def test_batches_and_order_change_nothing(model, batch_tokens):
    assert perplexity(model, ROWS[::-1], batch_tokens=batch_tokens) == pytest.approx(perplexity(model, ROWS), rel=1e-5)


def test_a_text_of_one_token_has_none(model):
    with pytest.raises(ValueError, match="a text of at least two tokens, got none among 1"):
        perplexity(model, [[3]])
