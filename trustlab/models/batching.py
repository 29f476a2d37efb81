"""Rows of tokens of different length through a transformers model: nearly equal ones together, padded on the right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch


def batches(lengths: Sequence[int], tokens: int) -> Iterator[np.ndarray]:
    """Yield the places of the rows of each batch: sorted by length, at most `tokens` a batch, padding included.

    A row longer than `tokens` is a batch of its own.

    Examples
    --------
    >>> [batch.tolist() for batch in batches([3, 9, 3, 4], tokens=9)]
    [[0, 2], [3], [1]]
    """
    order = np.argsort(lengths, kind="stable")
    start = 0
    for end in range(1, len(order) + 1):
        # Sorted, so the next row would be the longest, and all others be padded to it.
        if end == len(order) or (end + 1 - start) * lengths[order[end]] > tokens:
            yield order[start:end]
            start = end


def padded(rows: Sequence[Sequence[int]], padding: int | None) -> dict[str, torch.Tensor]:
    """Return ``input_ids`` and ``attention_mask`` [B, T] of `rows`, padded with `padding`, or 0 where it is None.

    Examples
    --------
    >>> padded([[5, 6], [7]], None)["input_ids"].tolist()
    [[5, 6], [7, 0]]
    """
    import torch

    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), padding or 0)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.as_tensor(row)
        mask[i, : len(row)] = 1
    return {"input_ids": ids, "attention_mask": mask}


def longest_input(model: Any, tokenizer: Any) -> int:
    """Return how many tokens a row may have: the model's positions, or fewer where its tokenizer says so."""
    positions = getattr(model.config, "max_position_embeddings", None) or tokenizer.model_max_length
    return min(positions, tokenizer.model_max_length)


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[torch.device]:
    """Run `model` without dropout and without gradients, and leave it as it was; gives the device it is on."""
    import torch

    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield next(model.parameters()).device
    finally:
        model.train(training)
