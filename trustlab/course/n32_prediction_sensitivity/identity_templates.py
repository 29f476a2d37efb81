"""Dixon's templates: the same frames with fifty identity terms, so that it is known which term a model treats unlike.

A frame says the same with each term. So a term whose texts get another mean score than all texts is treated
unequally, by as much. A measure of single predictions that is averaged over a term's texts should rank terms alike.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from trustlab.course.n32_prediction_sensitivity.sensitivity_measures import (
    EVEN,
    HARD,
    SWAPPED,
    TIMES,
    UNSURE,
    Variant,
    quietly,
)
from trustlab.fairness.sensitivity import TextClassifier, input_x_gradient
from trustlab.fairness.sensitivity.token_weights import unit_rows
from trustlab.fairness.tasks import load_task

FRAMES = 40  # of the harmless ones
NORMAL = "normal"
OF = ("probabilities", "log_odds")


class Templates(NamedTuple):
    """Texts, a row for each frame and a column for each term: words [F × T], and which of them are the term."""

    words: list[list[str]]
    named: np.ndarray
    shape: tuple[int, int]


@functools.cache
def templates() -> Templates:
    """Return :data:`FRAMES` harmless frames, drawn once for all models, each with every identity term."""
    task = load_task("identity_terms").test
    harmless = np.unique(task.units[~task.truth])
    frames = np.random.default_rng(32).permutation(harmless)[:FRAMES]
    words, terms = [], []
    for frame in frames:
        own = np.flatnonzero(task.units == frame)
        for name, member in zip(task.groups.names, task.groups.masks[own].T, strict=True):
            words.append(task.texts[own[np.flatnonzero(member)[0]]].lower().rstrip(".").split())
            terms.append(name.split())
    named = np.zeros((len(words), max(map(len, words))), dtype=bool)
    for row, (said, term) in enumerate(zip(words, terms, strict=True)):
        named[row, : len(said)] = _at(said, term)
    return Templates(words, named, (FRAMES, len(task.groups.names)))


def _at(words: list[str], term: list[str]) -> np.ndarray:
    """Return where a term of one or more words is, bool [T].

    Examples
    --------
    >>> _at(["a", "middle", "aged", "man"], ["middle", "aged"]).tolist()
    [False, True, True, False]
    """
    found = np.zeros(len(words), dtype=bool)
    for start in range(len(words) - len(term) + 1):
        if words[start : start + len(term)] == term:
            found[start : start + len(term)] = True
    return found


def ranks_of_terms(classifier: TextClassifier) -> dict[str, float]:
    """Return Spearman's correlation over terms of each measure's mean with how unequally the term is treated."""
    from scipy.stats import spearmanr

    found = templates()
    probabilities = classifier.logits(found.words).softmax(-1).double().numpy()
    abusive = 1 - probabilities[:, classifier.reader.intents.index(NORMAL)].reshape(found.shape)
    unequal = abs(abusive.mean(axis=0) - abusive.mean())
    values = measures_of(classifier, found, probabilities)
    means = {name: each.reshape(found.shape).mean(axis=0) for name, each in values.items()}
    return {name: float(spearmanr(each, unequal).statistic) for name, each in means.items()}


def measures_of(classifier: TextClassifier, found: Templates, probabilities: np.ndarray) -> dict[str, np.ndarray]:
    """Return measures of each text, the same numbers in each row; a swap's is the mean over all other terms there."""
    there = np.zeros(found.named.shape)
    for row, words in enumerate(found.words):
        there[row, : len(words)] = 1
    weights = {HARD: unit_rows(found.named), EVEN: unit_rows(there)}
    values: dict[str, np.ndarray] = {}
    for of in OF:
        movement = quietly(classifier, found.words, token_weights=weights[EVEN], of=of).movement
        values |= {Variant(v=v, of=of).name: (each * movement).sum(axis=1) for v, each in weights.items()}
        attributed = abs(input_x_gradient(classifier, found.words, of=of))
        values[f"{TIMES}, {of}"] = (weights[HARD] * attributed).sum(axis=1)
    frames, terms = found.shape
    own = probabilities.argmax(axis=1).reshape(frames, terms)
    by_frame = probabilities.reshape(frames, terms, -1)
    changed = np.empty(found.shape)
    for term in range(terms):
        of_class = np.take_along_axis(by_frame, own[:, term, None, None], axis=2)[..., 0]  # [frames, terms]
        changed[:, term] = abs(of_class - of_class[:, term, None]).sum(axis=1) / (terms - 1)
    values[f"{SWAPPED}, probabilities"] = changed.ravel()
    values[UNSURE] = 1 - probabilities.max(axis=1)
    return values
