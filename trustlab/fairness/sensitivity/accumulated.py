"""Accumulated prediction sensitivity: how much a prediction moves with the tokens that carry a protected status.

Krishna et al. (2022), "Measuring Fairness of Text Classifiers via Prediction Sensitivity":

    P(w, v) = Σ_k Σ_i w_k v_i J_ki,        J_ki = ‖∂f_k/∂x_i‖,

x_i being the embedding of token i, f_k what the classifier says of class k, w the weights of classes and v those of
tokens, both non-negative with a sum of 1. v is *hard*, equal on the words of a list, or *soft*, in proportion to the
gradient of a model of the protected status. So P is at most the largest J, and that at most f's Lipschitz constant.

Ours, where the paper leaves it open: the norm, what f is (:func:`~trustlab.fairness.sensitivity.embedded.value_of`),
and what becomes of special tokens, sub-tokens and the embeddings' scale. Each is an argument.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from trustlab.fairness.sensitivity.embedded import TextClassifier, as_classifier
from trustlab.fairness.sensitivity.gradient_norms import Choices, columns, gradient_norms
from trustlab.fairness.sensitivity.protected_status import StatusModel
from trustlab.fairness.sensitivity.token_batch import TokenBatch
from trustlab.fairness.sensitivity.token_weights import as_weights, protected_tokens, unit_rows

SURE = 0.99  # a probability that hardly moves


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """Accumulated prediction sensitivity of N examples, T tokens (or words) wide, padded with 0.

    Attributes
    ----------
    score : [N]
        P. NaN where no token has a weight, as in a text without a protected word.
    per_token : [N, T]
        Each token's share of P, v_i Σ_k w_k J_ki; the row's sum is P.
    movement : [N, T]
        Σ_k w_k J_ki: how much the prediction moves with each token, protected or not.
    token_weights : [N, T]
        v.
    class_weights, probabilities : [N, K]
        w, and what the classifier says.
    mask : bool [N, T]
        Where there is a token or a word.
    words
        Of each example, or None where only ids are known. Column i is word i with ``subwords="word"``.
    choices
        The other arguments.
    """

    score: np.ndarray
    per_token: np.ndarray
    movement: np.ndarray
    token_weights: np.ndarray
    class_weights: np.ndarray
    probabilities: np.ndarray
    mask: np.ndarray
    words: tuple[tuple[str, ...], ...] | None
    choices: Choices

    @property
    def sure(self) -> float:
        """Share of the examples whose predicted class has a probability above 0.99."""
        return float((self.probabilities.max(axis=1) > SURE).mean())


def accumulated_prediction_sensitivity(
    classifier: TextClassifier | nn.Module,
    batch: Any,
    *,
    class_weights: str | np.ndarray = "predicted",
    token_weights: str | np.ndarray = "hard",
    protected: StatusModel | Collection[str] | np.ndarray | None = None,
    norm: float = 2,
    of: str = "probabilities",
    subwords: str = "token",
    special_tokens: str = "left out",
    scale: str = "none",
) -> Sensitivity:
    """Return how much predictions move with the tokens that carry a protected status.

    Parameters
    ----------
    classifier
        A :class:`~trustlab.fairness.sensitivity.TextClassifier`, or a module for batches that are encoded.
    batch
        N texts, lists of words, :class:`~trustlab.models.Examples` or a tokenizer's tensors.
    class_weights
        w: "predicted" (1 at the predicted class: one backward pass), "uniform" (a backward pass for each class), or an
        array [K] or [N, K].
    token_weights
        v: "hard" (equal on protected words), "soft" (in proportion to the norms of the status model's gradients), or
        an array [N, T], which may have been learnt (:func:`~trustlab.fairness.sensitivity.learn_token_weights`). Soft
        weights say where the status *could* change: any word could become "she", so they are often nearly uniform.
        For where a text tells the status, give
        ``abs(integrated_gradients(status.classifier, batch).attributions)``.
    protected
        For "hard" a list of words in lower case, or a mask [N, T]; None takes the gendered words of
        :mod:`trustlab.fairness.swaps`. For "soft" a :class:`~trustlab.fairness.sensitivity.StatusModel`.
    norm
        Which norm of a gradient: 1, 2, math.inf, or another number from 1.
    of
        "probabilities", "logits" or "log_odds". A saturated model's probabilities hardly move, so that it looks
        insensitive: report a second one with them.
    subwords
        "token": T are the model's tokens; "word": T are words, the gradients of a word's tokens taken as one vector.
    special_tokens
        Whether v includes tokens that the tokenizer added: "left out" or "kept".
    scale
        "none"; "token": J times the size of the token's embedding; "table": times the mean size of all embeddings, so
        that models whose embeddings have different scales can be compared.

    Returns
    -------
    Sensitivity

    Raises
    ------
    ValueError
        For one text instead of a list, a model without an embedding layer, an unknown choice, weights that are negative
        or of another shape, or a status model that is not better than chance.

    Warns
    -----
    UserWarning
        If probabilities are taken of a model that is nearly sure of most examples, or the status model is below the
        accuracy that was stated for it.

    Examples
    --------
    >>> from trustlab.models import Vocabulary, build
    >>> vocabulary = Vocabulary(intents=("no", "yes"), slots=("O",), words=("she", "he", "sings"))
    >>> classifier = TextClassifier(build("bilstm", vocabulary, seed=0), vocabulary)
    >>> found = accumulated_prediction_sensitivity(classifier, [["she", "sings"], ["sings"]])
    >>> found.token_weights.tolist(), np.isnan(found.score).tolist()
    ([[1.0, 0.0], [0.0, 0.0]], [False, True])
    """
    classifier = as_classifier(classifier)
    choices = Choices(norm, of, subwords, special_tokens, scale)
    tokens = classifier.read(batch)
    weights = _token_weights(tokens, batch, token_weights, protected, choices)
    movement, classes, probabilities = gradient_norms(classifier, tokens, class_weights, choices)
    per_token = weights * movement
    weighted = weights.sum(axis=1) > 0
    found = Sensitivity(
        score=np.where(weighted, per_token.sum(axis=1), math.nan),
        per_token=per_token,
        movement=movement,
        token_weights=weights,
        class_weights=classes,
        probabilities=probabilities,
        mask=columns(tokens, subwords),
        words=tokens.words,
        choices=choices,
    )
    if of == "probabilities" and found.sure > 0.5:
        warnings.warn(
            f"The classifier is nearly sure of {found.sure:.0%} of the examples; their probabilities hardly move "
            'whatever the words are. Look at of="log_odds" too.',
            stacklevel=2,
        )
    return found


def _token_weights(
    tokens: TokenBatch, batch: Any, given: str | np.ndarray, protected: Any, choices: Choices
) -> np.ndarray:
    """Return v [N, T], rows of sum 1, or 0 where no token has a weight."""
    there = columns(tokens, choices.subwords)
    if choices.special_tokens == "left out" and choices.subwords == "token":
        there = there & ~tokens.special.numpy()
    if isinstance(given, str) and given == "hard":
        return unit_rows(protected_tokens(tokens, protected, there.shape, choices.subwords) & there)
    if isinstance(given, str) and given == "soft":
        if not isinstance(protected, StatusModel):
            raise ValueError(
                f"Expected a StatusModel as protected with token_weights='soft', got {type(protected).__name__}. Train "
                "one with fit_status_model, or measure yours with measure_status_model."
            )
        return unit_rows(_soft(tokens, batch, protected, choices) * there)
    if isinstance(given, str):
        raise ValueError(f"Expected token_weights={given!r} to be 'hard', 'soft' or an array [examples, tokens].")
    return unit_rows(as_weights(given, there.shape, "token weight") * there)


def _soft(tokens: TokenBatch, batch: Any, status: StatusModel, choices: Choices) -> np.ndarray:
    """Return the norms of the status model's gradients on the same tokens: of its log odds, which never saturate."""
    status.check()
    theirs = status.classifier.read(batch)
    if choices.subwords == "word":
        same = theirs.words == tokens.words
    else:
        ids = [each.inputs.get("input_ids", each.mask) for each in (tokens, theirs)]
        same = torch.equal(tokens.mask, theirs.mask) and torch.equal(*ids)
    if not same:
        raise ValueError(
            "Expected a status model that reads the same tokens as the classifier, got others. Give both the same "
            "tokenizer, or take subwords='word' and texts."
        )
    # Weights are relative, so the scale drops out; and so would the difference between log odds and probabilities.
    found, _, _ = gradient_norms(status.classifier, theirs, "predicted", replace(choices, of="log_odds", scale="none"))
    return found
