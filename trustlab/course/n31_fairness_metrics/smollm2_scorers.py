"""SmolLM2 as a scorer of sentences, and next to it a model that knows how often tokens occur and nothing else.

Both use the same tokens and rules, so every number of the language model has next to it what frequencies alone give.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from trustlab.data import load
from trustlab.fairness.likelihood import LikelihoodScorer
from trustlab.models.smollm2 import TEXT_START, load_smollm2

SMOLLM2, FREQUENCIES = "smollm2", "token frequencies"
BATCH_TOKENS = 256  # with 49,152 words the output is most of the memory: smaller batches are a third faster


class Remembering(LikelihoodScorer):
    """A scorer of a causal model that reads no text twice, however many tests and rules ask for it."""

    def __init__(self, model: Any, tokenizer: Any, **options: Any) -> None:
        super().__init__(model, tokenizer, kind="causal", **options)
        self._known: dict[tuple[int, ...], np.ndarray] = {}

    def _causal(self, rows: Sequence[Sequence[int]]) -> list[np.ndarray]:
        keys = [tuple(row) for row in rows]
        new = [key for key in dict.fromkeys(keys) if key not in self._known]
        self._known |= dict(zip(new, super()._causal(new), strict=True))
        return [self._known[key] for key in keys]


class TokenFrequencies(LikelihoodScorer):
    """What sentences score where each token is as likely as it is frequent, whatever was said before it.

    Parameters
    ----------
    model, tokenizer
        The causal model whose tokens are counted; it computes nothing.
    texts
        Where they are counted. Each token of the vocabulary counts once more, so that none is impossible.
    """

    def __init__(self, model: Any, tokenizer: Any, texts: Sequence[str], **options: Any) -> None:
        super().__init__(model, tokenizer, kind="causal", **options)
        counts = np.ones(model.get_input_embeddings().num_embeddings)
        np.add.at(counts, [token for text in texts for token in tokenizer(text, verbose=False)["input_ids"]], 1)
        self._log_frequency = np.log(counts / counts.sum())
        self.noise = 1e-9  # nothing is summed in batches

    def _causal(self, rows: Sequence[Sequence[int]]) -> list[np.ndarray]:
        return [self._log_frequency[list(row[1:])] for row in rows]


@functools.lru_cache(maxsize=1)
def language_model() -> tuple[Any, Any]:
    """Return SmolLM2 and its tokenizer, read once a process."""
    return load_smollm2()


@functools.lru_cache(maxsize=2)
def scorer_called(name: str) -> LikelihoodScorer:
    """Return the scorer called :data:`SMOLLM2` or :data:`FREQUENCIES`; the tokens are counted in BOLD's texts."""
    options = {"start": TEXT_START, "batch_tokens": BATCH_TOKENS}
    if name == SMOLLM2:
        return Remembering(*language_model(), **options)
    return TokenFrequencies(*language_model(), load("bold")["test"]["text"][:], **options)
