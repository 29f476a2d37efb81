"""What the private step is measured on: six models, each with batches of exactly B × T tokens."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from trustlab.data import load
from trustlab.models import Examples, SubwordVocabulary, Vocabulary, build, next_token_loss, tagging_loss
from trustlab.privacy.clipping import PerExampleLoss

# name: kind and options of trustlab.models.build
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "bilstm": ("bilstm", {}),
    "transformer": ("transformer", {}),
    "encoder": ("encoder", {}),
    "encoder-lora": ("encoder", {"lora": 8}),
    "encoder-probe": ("encoder", {"frozen": True}),
    "gpt2": ("language", {}),
}
BATCHES = (32, 128)
TOKENS = (16, 64)
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
UTTERANCES = 1000  # about 8,000 tokens: enough for the largest batch without repeating one


@dataclass(frozen=True)
class Case:
    """One model with one size of batch, on one device in one precision."""

    model: str
    batch: int
    tokens: int
    device: str = "cpu"
    dtype: str = "fp32"

    def __str__(self) -> str:
        return f"{self.model}, {self.batch} × {self.tokens} tokens, {self.device}, {self.dtype}"

    def build(self) -> tuple[nn.Module, PerExampleLoss, Examples]:
        """Return the model, its per-example loss, and the batch."""
        kind, options = MODELS[self.model]
        corpus = load("assistant")
        make = SubwordVocabulary.from_corpus if kind == "encoder" else Vocabulary.hashed
        vocabulary = make(corpus, max_length=max(64, self.tokens))
        utterances = vocabulary.encode(corpus["train"].select(range(UTTERANCES)))
        model = build(kind, vocabulary, **options).to(self.device, DTYPES[self.dtype])
        loss = next_token_loss if kind == "language" else tagging_loss
        return model, loss, unpadded(utterances, self.batch, self.tokens).to(self.device)


def unpadded(examples: Examples, batch: int, tokens: int) -> Examples:
    """Return `batch` rows of exactly `tokens` tokens, so that no method gains by what it does with padding.

    The real tokens of `examples` with their tags are strung together, repeated as often as needed, and cut; each row
    takes the intent of the example with its number. Such rows are no sentences: they are for timing alone.
    """
    wanted = torch.arange(batch * tokens) % int(examples.attention_mask.sum())

    def rows(values: torch.Tensor) -> torch.Tensor:
        return values[examples.attention_mask][wanted].view(batch, tokens)

    return replace(
        examples,
        input_ids=rows(examples.input_ids),
        attention_mask=torch.ones(batch, tokens, dtype=torch.bool),
        intents=examples.intents[torch.arange(batch) % len(examples)],
        slots=rows(examples.slots),
    )
