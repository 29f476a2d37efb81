"""How well a causal language model predicts texts: the exponential of its mean surprise at a token."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from trustlab.models.batching import batches, evaluating, padded


def perplexity(model: Any, rows: Sequence[Sequence[int]], *, batch_tokens: int = 2048) -> float:
    """Return exp of the mean cross entropy of all tokens of `rows` but the first of each.

    Parameters
    ----------
    model
        A causal language model of ``transformers``.
    rows
        Token ids of texts, the token that starts a text included. Perplexities compare models with the same tokens.
    batch_tokens
        Tokens, padding included, that are read at once.

    Raises
    ------
    ValueError
        If no row has two tokens.

    Examples
    --------
    >>> import torch
    >>> from transformers import GPT2Config, GPT2LMHeadModel
    >>> model = GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=8, n_head=2, n_layer=1))
    >>> with torch.no_grad():
    ...     _ = model.lm_head.weight.zero_()
    >>> round(perplexity(model, [[1, 2, 3], [4, 5]]), 3)
    50.0
    """
    from torch.nn import functional as F

    read = [list(row) for row in rows if len(row) > 1]
    if not read:
        raise ValueError(f"Expected a text of at least two tokens, got none among {len(rows)}. Nothing is predicted.")
    total, count = 0.0, 0
    with evaluating(model) as device:
        for places in batches([len(row) for row in read], batch_tokens):
            inputs = {name: each.to(device) for name, each in padded([read[i] for i in places], None).items()}
            there = inputs["attention_mask"][:, 1:].bool()
            logits = model(**inputs, use_cache=False).logits[:, :-1][there].float()
            total += F.cross_entropy(logits, inputs["input_ids"][:, 1:][there], reduction="sum").item()
            count += int(there.sum())
    return math.exp(total / count)
