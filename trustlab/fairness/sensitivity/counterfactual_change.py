"""Counterfactual fairness: how much a prediction changes when the gendered words do, |f(x) − f(swap(x))|.

The measure that sensitivity is compared with. It asks about the one other text that a word list makes; sensitivity asks
about every small change of the embeddings, and needs no other text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from trustlab.columns import as_texts
from trustlab.fairness.sensitivity.embedded import TextClassifier, as_classifier, value_of
from trustlab.fairness.sensitivity.gradient_norms import weights_of_classes
from trustlab.fairness.swaps import OWN_PAIRS, Counterfactual, WordPairs, counterfactual


class CounterfactualChange(NamedTuple):
    """How much the predictions of N texts change, and the texts they change with.

    Attributes
    ----------
    score : [N]
        ``Σ_k w_k |f_k(x) − f_k(swap(x))|``; 0 where no word was swapped.
    change : [N]
        f_k(swap(x)) − f_k(x) of the class k that is predicted of x: its sign shows which gender the class favours.
    texts
        The counterfactuals; ``texts[i].covered`` says whether all gendered words were swapped. Empty where the other
        texts were given.
    """

    score: np.ndarray
    change: np.ndarray
    texts: tuple[Counterfactual, ...]


def counterfactual_change(
    classifier: TextClassifier | nn.Module,
    texts: Sequence[str] | Sequence[Sequence[str]],
    *,
    class_weights: str | np.ndarray = "predicted",
    of: str = "probabilities",
    pairs: WordPairs = OWN_PAIRS,
    names: Sequence[tuple[str, str]] = (),
    counterparts: Sequence[str] | Sequence[Sequence[str]] | None = None,
) -> CounterfactualChange:
    """Return how much each prediction changes when the text's gendered words are swapped.

    Parameters
    ----------
    classifier
        With a reader.
    texts
        N texts, or lists of words.
    class_weights, of
        As for :func:`~trustlab.fairness.sensitivity.accumulated_prediction_sensitivity`.
    pairs, names
        As for :func:`~trustlab.fairness.swaps.counterfactual`.
    counterparts
        Of each text the one to compare with, where no list of pairs of words makes it: a dialect, an identity. None
        swaps words.

    Raises
    ------
    ValueError
        For one text instead of a list, a classifier without a reader, or not one counterpart for each text.

    Examples
    --------
    >>> from trustlab.models import Vocabulary, build
    >>> vocabulary = Vocabulary(intents=("no", "yes"), slots=("O",), words=("she", "he", "sings"))
    >>> classifier = TextClassifier(build("bilstm", vocabulary, seed=0), vocabulary)
    >>> found = counterfactual_change(classifier, [["she", "sings"], ["sings"]])
    >>> (found.score > 0).tolist(), found.texts[0].words
    ([True, False], ['he', 'sings'])
    """
    classifier = as_classifier(classifier)
    if isinstance(texts, str):
        as_texts(texts)  # refuses it by name
    if counterparts is None:
        swapped = tuple(counterfactual(text, pairs=pairs, names=names) for text in texts)
        others = [each.text if isinstance(text, str) else each.words for text, each in zip(texts, swapped, strict=True)]
    else:
        swapped, others = (), list(counterparts)
        if isinstance(counterparts, str) or len(others) != len(texts):
            raise ValueError(f"Expected a counterpart of each of {len(texts)} texts, got {len(others)}.")
    before, after = classifier.logits(list(texts)), classifier.logits(others)
    predicted, (rows, classes) = before.argmax(-1), before.shape
    values = [
        torch.stack([value_of(logits, torch.full((rows,), k), of) for k in range(classes)], dim=1).double().numpy()
        for logits in (before, after)
    ]
    difference = values[1] - values[0]  # [N, K]
    w = weights_of_classes(class_weights, before, np.arange(rows), rows).double().numpy()
    moved = difference[np.arange(rows), predicted.numpy()]
    return CounterfactualChange((w * abs(difference)).sum(axis=1), moved, swapped)
