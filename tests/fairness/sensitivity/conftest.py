"""A tiny model of ``transformers`` that reads with the offline encoder's tokenizer."""

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from trustlab.fairness.sensitivity import TextClassifier
from trustlab.models.pretrained import encoder_and_tokenizer


@pytest.fixture(scope="session")
def bert():
    _, tokenizer = encoder_and_tokenizer()
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64, num_labels=3, initializer_range=0.4,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TextClassifier(BertForSequenceClassification(config).double().eval(), tokenizer)
