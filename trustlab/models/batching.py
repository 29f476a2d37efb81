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


def rectangle(rows: Sequence[Sequence[int]], filler: int, *, longest: int | None = None) -> torch.Tensor:
    """Return rows of numbers as one tensor [N, T], filled up on the right with `filler` and cut after `longest`.

    Examples
    --------
    >>> rectangle([[5, 6, 7], [8]], 0, longest=2).tolist()
    [[5, 6], [8, 0]]
    """
    import torch

    width = max(map(len, rows), default=1)
    width = width if longest is None else min(width, longest)
    filled = np.full((len(rows), width), filler)
    for i, row in enumerate(rows):
        filled[i, : len(row)] = row[:width]
    return torch.from_numpy(filled)


def lengths_mask(rows: Sequence[Sequence[int]], width: int) -> torch.Tensor:
    """Return where :func:`rectangle` holds `rows` and not its filler, bool [N, `width`].

    Examples
    --------
    >>> lengths_mask([[5, 6], [7]], 2).tolist()
    [[True, True], [True, False]]
    """
    import torch

    return torch.arange(width) < torch.tensor([len(row) for row in rows])[:, None]


def padded(rows: Sequence[Sequence[int]], padding: int | None) -> dict[str, torch.Tensor]:
    """Return ``input_ids`` and ``attention_mask`` [B, T] of `rows`, padded with `padding`, or 0 where it is None.

    Examples
    --------
    >>> padded([[5, 6], [7]], None)["input_ids"].tolist()
    [[5, 6], [7, 0]]
    """
    ids = rectangle(rows, padding or 0)
    return {"input_ids": ids, "attention_mask": lengths_mask(rows, ids.shape[1]).long()}


def mean_state(states: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    """Return the mean [N, D] of `states` [N, T, D] over the tokens that `attention_mask` [N, T] lets through.

    Examples
    --------
    >>> import torch
    >>> mean_state(torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([[1, 1, 0]]))
    tensor([[2.]])
    """
    mask = attention_mask[..., None]
    return (states * mask).sum(1) / mask.sum(1)


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
            yield next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    finally:
        model.train(training)
