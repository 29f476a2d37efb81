"""Norms of the gradients of predictions with respect to token embeddings: the J of prediction sensitivity.

One backward pass gives a class's gradients for a whole batch, because no example's value depends on another's tokens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from trustlab.fairness.sensitivity.embedded import OF, TextClassifier, at_embeddings, embedding_layer, value_of
from trustlab.fairness.sensitivity.token_batch import NO_WORD, TokenBatch
from trustlab.fairness.sensitivity.token_weights import as_weights, unit_rows

ALLOWED = {
    "of": OF,
    "subwords": ("token", "word"),
    "special_tokens": ("left out", "kept"),
    "scale": ("none", "token", "table"),
}


@dataclass(frozen=True)
class Choices:
    """What the paper leaves open, see :func:`~trustlab.fairness.sensitivity.accumulated_prediction_sensitivity`."""

    norm: float = 2
    of: str = "probabilities"
    subwords: str = "token"
    special_tokens: str = "left out"
    scale: str = "none"

    def __post_init__(self) -> None:
        for name, values in ALLOWED.items():
            if getattr(self, name) not in values:
                raise ValueError(
                    f"Expected {name}={getattr(self, name)!r} to be one of {', '.join(map(repr, values))}."
                )
        if not (isinstance(self.norm, int | float) and self.norm >= 1):
            raise ValueError(f"Expected norm={self.norm!r} >= 1, such as 1, 2 or math.inf. Below 1 it is no norm.")
        if self.subwords == "word" and self.special_tokens == "kept":
            raise ValueError(
                "Expected special tokens left out with subwords='word', got 'kept'. They are part of no word."
            )


def columns(tokens: TokenBatch, subwords: str) -> np.ndarray:
    """Return where there is a token, or a word that has one, bool [N, T]."""
    if subwords == "token":
        return tokens.mask.numpy()
    if tokens.words is None:
        raise ValueError(
            "Expected words with subwords='word', got ids only. Give texts, and a reader to the classifier."
        )
    found = np.zeros((len(tokens), max(map(len, tokens.words))), dtype=bool)
    rows, places = np.nonzero(tokens.word.numpy() != NO_WORD)
    found[rows, tokens.word.numpy()[rows, places]] = True
    return found


def gradient_norms(
    classifier: TextClassifier, tokens: TokenBatch, class_weights: str | np.ndarray, choices: Choices
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Σ_k w_k J_ki [N, T], w [N, K] and probabilities [N, K].

    Parameters
    ----------
    classifier, tokens
        A model, and what it reads.
    class_weights
        "predicted" (one backward pass), "uniform" (one for each class) or an array (one for each class with a weight).
    choices
        Of the norm and what it is of; T are tokens or words.
    """
    movement = np.zeros(columns(tokens, choices.subwords).shape)
    table = _table_size(classifier) if choices.scale == "table" else 1.0
    known = []
    for rows, chunk in classifier.chunks(tokens):
        with at_embeddings(classifier, chunk) as (logits, embedded):
            w = weights_of_classes(class_weights, logits.detach(), rows, len(tokens))
            each = _predicted(class_weights, logits) or [
                (torch.full((len(w),), k, device=w.device), w[:, k, None]) for k in range(w.shape[1]) if w[:, k].any()
            ]
            moved = table * _moved(logits, embedded, each, chunk, choices, movement.shape[1])
        movement[rows, : moved.shape[1]] = moved.double().cpu().numpy()
        known.append((rows, w, logits.detach().softmax(-1)))
    w, probabilities = np.zeros((2, len(tokens), known[0][1].shape[1]))
    for rows, *found in known:
        w[rows], probabilities[rows] = (value.double().cpu().numpy() for value in found)
    return movement, w, probabilities


def _predicted(class_weights: str | np.ndarray, logits: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return each row's predicted class with weight 1, where w is "predicted": one pass for all rows."""
    asked = isinstance(class_weights, str) and class_weights == "predicted"
    return [(logits.argmax(-1), logits.new_ones(len(logits), 1))] if asked else []


def _moved(
    logits: Tensor,
    embedded: Tensor,
    classes: list[tuple[Tensor, Tensor]],
    chunk: TokenBatch,
    choices: Choices,
    width: int,
) -> Tensor:
    """Return Σ_k w_k J_ki [B, T] over `classes`, pairs of k [B] and w_k [B, 1]."""
    found = logits.new_zeros(())
    for place, (k, w) in enumerate(classes):
        value, last = value_of(logits, k, choices.of).sum(), place == len(classes) - 1
        (gradient,) = torch.autograd.grad(value, embedded, retain_graph=not last)  # [B, T, D]
        size = torch.linalg.vector_norm(gradient, ord=choices.norm, dim=-1)
        size = size * chunk.mask.to(size)  # padding has none, whatever the model does with it
        if choices.scale == "token":
            size = size * torch.linalg.vector_norm(embedded.detach(), dim=-1)
        if choices.subwords == "word":
            size = _of_words(size, chunk.word.to(size.device), width, choices.norm)
        found = found + w * size
    return found


def _of_words(size: Tensor, word: Tensor, width: int, norm: float) -> Tensor:
    """Return the norm [B, W] of the gradients of each word's tokens together, from those of its tokens [B, T]."""
    place = torch.where(word == NO_WORD, width, word)  # into a column that is cut off
    found = size.new_zeros(len(size), width + 1)
    if math.isinf(norm):
        return found.scatter_reduce(1, place, size, "amax")[:, :width]
    return found.scatter_add(1, place, size**norm)[:, :width] ** (1 / norm)


def weights_of_classes(given: str | np.ndarray, logits: Tensor, rows: np.ndarray, examples: int) -> Tensor:
    """Return w [B, K], rows of sum 1, for the `rows` [B] of so many examples that `logits` [B, K] are of.

    Examples
    --------
    >>> logits = torch.tensor([[0.0, 2.0]])
    >>> [weights_of_classes(given, logits, np.array([0]), 1).tolist() for given in ("predicted", [1.0, 3.0])]
    [[[0.0, 1.0]], [[0.25, 0.75]]]
    """
    classes = logits.shape[1]
    if isinstance(given, str):
        if given not in ("predicted", "uniform"):
            raise ValueError(f"Expected class_weights={given!r} to be 'predicted', 'uniform' or an array [classes].")
        uniform = torch.full_like(logits, 1 / classes)
        return uniform if given == "uniform" else nn.functional.one_hot(logits.argmax(-1), classes).to(logits)
    shape = (classes,) if np.ndim(given) == 1 else (examples, classes)
    array = np.broadcast_to(as_weights(given, shape, "class weight"), (examples, classes))[rows]
    if (array.sum(axis=1) == 0).any():
        raise ValueError("Expected a class weight above 0 in each row, got none in one. Its sensitivity has no class.")
    return torch.from_numpy(unit_rows(array)).to(logits)


def _table_size(classifier: TextClassifier) -> float:
    """Return the mean size of the embedding table's rows, those of zeros (padding) left out."""
    layer = embedding_layer(classifier.model, classifier.embedding)
    if not isinstance(getattr(layer, "weight", None), Tensor):
        raise ValueError(
            f"Expected an embedding table with scale='table', got {type(layer).__name__} without a weight. "
            "Take scale='token'."
        )
    sizes = torch.linalg.vector_norm(layer.weight.detach(), dim=-1)
    return float(sizes[sizes > 0].mean())
