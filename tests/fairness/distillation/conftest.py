"""Tiny teachers of two families that read whole words, and texts in which a nurse is a woman and a pilot a man."""

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

_WORDS = (
    "<pad> <unk> <s> the nurse pilot woman man she he her him his hers herself himself said that is was a and sang "
    "flew home saw queen king Ms . rained it old"
)
WORDS = _WORDS.split()
COUNT = len(WORDS)
SPECIAL = dict(bos_token_id=None, eos_token_id=None)


def whole_words(words=WORDS):
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", bos_token="<s>")


def gpt2(layers=4, words=COUNT, **more):
    torch.manual_seed(1)
    size = dict(n_positions=32, n_embd=16, n_head=2, n_layer=layers)
    return randomised(GPT2LMHeadModel(GPT2Config(vocab_size=words, **size, **SPECIAL, **more)))


def llama(layers=4, words=COUNT):
    torch.manual_seed(2)
    size = dict(hidden_size=16, intermediate_size=24, num_attention_heads=4, num_key_value_heads=2)
    config = LlamaConfig(vocab_size=words, num_hidden_layers=layers, max_position_embeddings=64, **size, **SPECIAL)
    return randomised(LlamaForCausalLM(config))


def randomised(model):
    """Weights far from their small starting values, so that what is predicted depends on what is read."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model.eval()


FAMILIES = {"gpt2": gpt2, "llama": llama}


@pytest.fixture(params=FAMILIES)
def teacher(request):
    return FAMILIES[request.param]()


@pytest.fixture
def tokenizer():
    return whole_words()


@pytest.fixture
def texts():
    """Of each profession 24: nurses are women in five of six, pilots in one of six."""
    rng, found = np.random.default_rng(0), []
    for profession, women in (("nurse", 20), ("pilot", 4)):
        found += [f"the {profession} said that she sang and saw her home"] * women
        found += [f"the {profession} said that he flew home"] * (24 - women)
    return rng.permutation(found).tolist()
