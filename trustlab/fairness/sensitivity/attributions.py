"""Two attributions to compare with sensitivity: input × gradient, and integrated gradients.

They say with a sign how much a token adds to a class, with the embedding that it has. A gradient's norm says how
much the class would move if the embedding did: a word may add nothing to a class and still be able to move it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from trustlab.fairness.sensitivity.embedded import TextClassifier, as_classifier, at_embeddings, value_of
from trustlab.fairness.sensitivity.token_batch import TokenBatch


class Integrated(NamedTuple):
    """Attributions [N, T], and by how much their sums miss the difference of the values at both ends [N]."""

    attributions: np.ndarray
    missing: np.ndarray


def input_x_gradient(
    classifier: TextClassifier | nn.Module, batch: Any, *, of: str = "probabilities", target: int | None = None
) -> np.ndarray:
    """Return ⟨x_i, ∂f_k/∂x_i⟩ for each token, float [N, T], 0 at padding (Shrikumar et al. 2016).

    Parameters
    ----------
    classifier, batch, of
        As for :func:`~trustlab.fairness.sensitivity.accumulated_prediction_sensitivity`.
    target
        The class k; None takes each example's predicted class.
    """
    classifier = as_classifier(classifier)
    tokens = classifier.read(batch)
    found = np.zeros(tuple(tokens.mask.shape))
    for rows, chunk in classifier.chunks(tokens):
        with at_embeddings(classifier, chunk) as (logits, embedded):
            (gradient,) = torch.autograd.grad(value_of(logits, _target(logits, target), of).sum(), embedded)
        found[rows, : chunk.mask.shape[1]] = _over_width(embedded.detach() * gradient, chunk)
    return found


def integrated_gradients(
    classifier: TextClassifier | nn.Module,
    batch: Any,
    *,
    of: str = "probabilities",
    target: int | None = None,
    steps: int = 50,
) -> Integrated:
    """Return (x_i − 0) · ∫₀¹ ∂f_k/∂x_i(α x) dα for each token, by Gauss and Legendre's rule (Sundararajan et al. 2017).

    The path starts where all embeddings are 0. The sum over tokens is f_k(x) − f_k(0) but for the error of the rule.

    Parameters
    ----------
    classifier, batch, of, target
        As for :func:`input_x_gradient`; the class is that of the whole text all along the path.
    steps
        Points of the rule, a forward and a backward pass each.
    """
    classifier = as_classifier(classifier)
    if not isinstance(steps, int) or steps < 1:
        raise ValueError(f"Expected steps={steps!r} to be a whole number >= 1. It counts points of the path.")
    tokens, points = classifier.read(batch), np.polynomial.legendre.leggauss(steps)
    path = [((1 + float(point)) / 2, float(weight) / 2) for point, weight in zip(*points, strict=True)]
    found, missing = np.zeros(tuple(tokens.mask.shape)), np.zeros(len(tokens))
    for rows, chunk in classifier.chunks(tokens):
        with at_embeddings(classifier, chunk) as (logits, embedded):
            classes = _target(logits.detach(), target)
            whole = value_of(logits.detach(), classes, of)
        total = torch.zeros_like(embedded)
        for share, weight in path:
            with at_embeddings(classifier, chunk, lambda x, share=share: share * x) as (logits, changed):
                (gradient,) = torch.autograd.grad(value_of(logits, classes, of).sum(), changed)
            total += weight * gradient
        with at_embeddings(classifier, chunk, torch.zeros_like) as (logits, _):
            start = value_of(logits.detach(), classes, of)
        each = _over_width(embedded.detach() * total, chunk)
        found[rows, : chunk.mask.shape[1]] = each
        missing[rows] = each.sum(axis=1) - (whole - start).double().cpu().numpy()
    return Integrated(found, missing)


def _target(logits: Tensor, target: int | None) -> Tensor:
    if target is None:
        return logits.argmax(-1)
    if not isinstance(target, int) or not 0 <= target < logits.shape[1]:
        raise ValueError(f"Expected target={target!r} to be a class from 0 to {logits.shape[1] - 1}, or None.")
    return torch.full((len(logits),), target, device=logits.device)


def _over_width(product: Tensor, chunk: TokenBatch) -> np.ndarray:
    """Sum over the embedding's dimensions, with 0 at padding."""
    return (product.double().sum(-1).cpu() * chunk.mask).numpy()
