"""Every measure that notebook 32 compares, of one classifier on one set of texts: P in its variants, and its rivals.

A variant of P is named by its class weights w, token weights v, norm, and what is differentiated. "even" token weights
know nothing of the protected status: if P with them does as well, v adds nothing.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from trustlab.fairness.sensitivity import (
    Sensitivity,
    StatusModel,
    TextClassifier,
    accumulated_prediction_sensitivity,
    counterfactual_change,
    input_x_gradient,
    integrated_gradients,
)
from trustlab.fairness.sensitivity.token_weights import unit_rows

CLASS_WEIGHTS = ("predicted", "uniform")
EVEN, HARD, SOFT, TOLD = "even", "hard", "soft", "|IG|"
TOKEN_WEIGHTS = (HARD, SOFT, TOLD, EVEN)
NORMS = (1, 2, math.inf)
OF = ("probabilities", "logits", "log_odds")
SWAPPED, TIMES, INTEGRATED = "counterfactual", "input × gradient", "integrated gradients"
UNSURE, SHORT = "1 − p", "1 / words"  # trivial: they look at no group
STEPS = 16  # of integrated gradients' path


class Variant(NamedTuple):
    """A choice of everything that P leaves open."""

    w: str = "predicted"
    v: str = HARD
    norm: float = 2
    of: str = "probabilities"

    @property
    def name(self) -> str:
        """The column of a table.

        Examples
        --------
        >>> Variant().name
        'P, predicted, hard, 2, probabilities'
        """
        return f"P, {self.w}, {self.v}, {self.norm:g}, {self.of}"


VARIANTS = tuple(itertools.starmap(Variant, itertools.product(CLASS_WEIGHTS, TOKEN_WEIGHTS, NORMS, OF)))
RIVALS = tuple(f"{name}, {of}" for name in (SWAPPED, TIMES, INTEGRATED) for of in ("probabilities", "log_odds"))
TRIVIAL = (UNSURE, SHORT)


def token_weights(
    classifier: TextClassifier, texts: Sequence[Any], status: StatusModel, protected: np.ndarray
) -> dict[str, np.ndarray]:
    """Return each kind of token weights, float [N, T] with rows of sum 1 (or 0 where no word is protected).

    Parameters
    ----------
    classifier, texts
        A model, and what it reads.
    status
        A model of the protected status that reads the same tokens.
    protected
        Which words are protected, bool [N, T].
    """
    soft = accumulated_prediction_sensitivity(classifier, texts, token_weights=SOFT, protected=status, of="log_odds")
    told = abs(integrated_gradients(status.classifier, texts, of="log_odds", steps=STEPS).attributions)
    return {HARD: unit_rows(protected), SOFT: soft.token_weights, TOLD: unit_rows(told), EVEN: unit_rows(soft.mask)}


def variants(
    classifier: TextClassifier, texts: Sequence[Any], weights: Mapping[str, np.ndarray]
) -> Iterator[tuple[Variant, np.ndarray]]:
    """Yield P [N] in each of :data:`VARIANTS`; gradients are taken once for all token weights.

    P is linear in v, so it is the sum of v_i times how much the prediction moves with token i.
    """
    for w, norm, of in itertools.product(CLASS_WEIGHTS, NORMS, OF):
        movement = quietly(classifier, texts, class_weights=w, token_weights=weights[EVEN], norm=norm, of=of).movement
        for v in TOKEN_WEIGHTS:
            yield Variant(w, v, norm, of), (weights[v] * movement).sum(axis=1)


def quietly(*arguments: Any, **options: Any) -> Sensitivity:
    """Return the accumulated prediction sensitivity without a warning of sure models: log odds are measured, too."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The classifier is nearly sure", UserWarning)
        return accumulated_prediction_sensitivity(*arguments, **options)


def rivals(
    classifier: TextClassifier, texts: Sequence[Any], protected: np.ndarray, others: Sequence[Sequence[Any]]
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and values [N] of what P is compared with, and of the trivial ones.

    Parameters
    ----------
    others
        Ways to say the texts as about or by other groups, each N texts; counterfactual fairness is the mean over them.
    protected
        Attributions are summed, in size, over these words.
    """
    for of in ("probabilities", "log_odds"):
        changes = [counterfactual_change(classifier, texts, counterparts=each, of=of).score for each in others]
        yield f"{SWAPPED}, {of}", np.mean(changes, axis=0)
        yield f"{TIMES}, {of}", (abs(input_x_gradient(classifier, texts, of=of)) * protected).sum(axis=1)
        whole = integrated_gradients(classifier, texts, of=of, steps=STEPS).attributions
        yield f"{INTEGRATED}, {of}", (abs(whole) * protected).sum(axis=1)
    yield UNSURE, 1 - classifier.logits(texts).softmax(-1).double().numpy().max(axis=1)
    yield SHORT, 1 / classifier.read(texts).mask.sum(1).double().numpy()


def by_weights(
    classifier: TextClassifier,
    status: StatusModel,
    words: list[list[str]],
    kinds: Sequence[str],
    scales: Sequence[str],
    named: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Return P [N] with each of some kinds of token weights on each of some scales, and the trivial measures, by name.

    `named` says which words name a group, bool [N, T], for hard weights; by default none does.
    """
    if named is None:
        named = np.zeros((len(words), max(map(len, words))), dtype=bool)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The status model's balanced accuracy", UserWarning)  # it is in the row
        weights = token_weights(classifier, words, status, named)
    found = {}
    for of in scales:
        movement = quietly(classifier, words, token_weights=weights[EVEN], of=of).movement
        for v in kinds:
            found[Variant(v=v, of=of).name] = (weights[v] * movement).sum(axis=1)
    found[UNSURE] = 1 - classifier.logits(words).softmax(-1).double().numpy().max(axis=1)
    found[SHORT] = 1 / classifier.read(words).mask.sum(1).double().numpy()
    return found


def rank_correlation(values: np.ndarray, others: np.ndarray) -> float:
    """Return Spearman's ρ, 0 where one of both is the same everywhere."""
    from scipy.stats import spearmanr

    if np.ptp(values) == 0 or np.ptp(others) == 0:
        return 0.0
    return float(spearmanr(values, others).statistic)
