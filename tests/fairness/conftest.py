"""Tiny language models with a vocabulary of whole words: everything they do can be checked one word at a time."""

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertForMaskedLM, GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

WORDS = [
    "he",
    "she",
    "they",
    "is",
    "was",
    "a",
    "an",
    "the",
    "nurse",
    "doctor",
    "engineer",
    "pilot",
    "old",
    "young",
    "rich",
    "poor",
    "not",
    "very",
    "man",
    "woman",
    "and",
    "likes",
    "hates",
    "flowers",
    ".",
    ",",
    "in",
    "of",
    "house",
    "cat",
    "dog",
    "sat",
    "down",
]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[BOS]"]


def whole_words(**special):
    tokens = {token: i for i, token in enumerate([*SPECIAL, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(tokens, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if "cls_token" in special:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", tokens["[CLS]"]), ("[SEP]", tokens["[SEP]"])]
        )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", **special)


@pytest.fixture(scope="session")
def masked_tokenizer():
    return whole_words(cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]")


@pytest.fixture(scope="session")
def causal_tokenizer():
    return whole_words(bos_token="[BOS]")


@pytest.fixture(scope="session")
def masked_model(masked_tokenizer):
    return bert(len(masked_tokenizer) + 1)


@pytest.fixture(scope="session")
def causal_model():
    torch.manual_seed(0)
    special = dict(bos_token_id=5, eos_token_id=5)
    config = GPT2Config(vocab_size=len(WORDS) + 6, n_positions=32, n_embd=16, n_layer=2, n_head=2, **special)
    return randomised(GPT2LMHeadModel(config))


def bert(words, seed=0):
    torch.manual_seed(seed)
    size = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
    return randomised(BertForMaskedLM(BertConfig(vocab_size=words, max_position_embeddings=64, **size)))


def randomised(model):
    """Weights far from their small starting values, so that what is said depends on what is read."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    return model
