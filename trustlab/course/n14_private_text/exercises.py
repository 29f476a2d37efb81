"""The exercises of notebook 14: what is right, and what each usual slip means."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from trustlab.course.found import exercise
from trustlab.lab.checks import Checked, check
from trustlab.lab.functions import check_function
from trustlab.lab.teaching import Hints
from trustlab.privacy.text import LatentNoise

RANDOM_TABLES = 20
DIMENSION, CLIP, EPSILON = 64, 1.0, 2.0  # of ADePT
DISTANCES, PER_WORD = (0.0, 0.5, 0.8, 0.5, 0.2), 40.0  # of two sentences, word by word


@exercise("14", "A word by its distance")
def exponential_probabilities(mine: Any) -> Checked:
    """Check the reader's function ``(distances [V], epsilon) -> probabilities [V]`` of the exponential mechanism.

    Examples
    --------
    >>> exponential_probabilities(lambda d, e: np.exp(-e * d) / np.exp(-e * d).sum())  # doctest: +ELLIPSIS
    ✗ That loses twice the promise: w moves the score of y and the sum below it, each by ε·d. Your function returned ...
    """
    return check_function(mine, _tables(), right=by_distance, properties=_PROPERTIES, because=_SLIPS)


def by_distance(distances: np.ndarray, epsilon: float) -> np.ndarray:
    """Return the probabilities of the exponential mechanism, not truncated.

    Examples
    --------
    >>> by_distance(np.array([0.0, 1.0]), 2 * math.log(3)).round(3).tolist()
    [0.75, 0.25]
    """
    weights = np.exp(-epsilon / 2 * distances)
    return weights / weights.sum()


def _tables() -> Iterator[tuple[np.ndarray, float]]:
    """Yield two words and then random tables: distances of a word to all, and ε."""
    yield np.array([0.0, 1.0]), 2.0
    rng = np.random.default_rng(14)
    for _ in range(RANDOM_TABLES):
        yield np.append(0.0, rng.uniform(0.1, 3.0, size=int(rng.integers(2, 9)))), float(rng.uniform(0.5, 4.0))


_PROPERTIES = [
    (lambda given, got: np.shape(got) == given[0].shape, "Expected one probability for each word."),
    (lambda given, got: math.isclose(np.sum(got), 1, rel_tol=1e-6), "The probabilities do not sum to 1."),
    (lambda given, got: np.argmax(got) == 0, "The word itself, at distance 0, has to be the most likely one."),
]
_SLIPS = [
    (
        lambda d, e: np.exp(-e * d) / np.exp(-e * d).sum(),
        "That loses twice the promise: w moves the score of y and the sum below it, each by ε·d.",
    ),
    (lambda d, e: np.exp(-e / 2 * d), "Those are weights. Divide by their sum: one of the words is said."),
    (lambda d, e: np.exp(e / 2 * d) / np.exp(e / 2 * d).sum(), "The sign: far words would be the likely ones."),
    (
        lambda d, e: np.exp(-d / (2 * e)) / np.exp(-d / (2 * e)).sum(),
        "You divided by ε. A larger ε has to make the word itself more likely.",
    ),
]


@exercise("14", "The noise that ADePT needs")
def laplace_scale(answer: Any) -> Checked:
    """Check the scale b of Laplace noise on each of 64 coordinates, for vectors of length at most 1 and ε = 2.

    Examples
    --------
    >>> laplace_scale(1)
    ✗ 1 is not right. That is the published scale, 2C/ε, for distances in ‖·‖₂. Laplace noise needs ‖·‖₁.
    """
    root = math.sqrt(DIMENSION)
    slips = {
        2 * CLIP / EPSILON: "That is the published scale, 2C/ε, for distances in ‖·‖₂. Laplace noise needs ‖·‖₁.",
        CLIP * root / EPSILON: "Two vectors of length C can point away from each other: their distance is up to twice.",
        2 * CLIP * DIMENSION / EPSILON: "Not all coordinates can be C at once. How large is each when all are alike?",
        2 * CLIP * root: "That is the sensitivity. Divide it by ε.",
        2 * CLIP * root * EPSILON: "You multiplied by ε. More privacy is a smaller ε, and needs more noise.",
    }
    return check(answer, LatentNoise(dimension=DIMENSION, clip_norm=CLIP, epsilon=EPSILON).scale, because=slips)


@exercise("14", "A whole sentence")
def sentence_loss(answer: Any) -> Checked:
    """Check by how much the log probability of what is said can differ between two sentences of five words, ε = 40.

    Examples
    --------
    >>> sentence_loss(32)
    ✗ 32 is not right. That is the word that differs most. Every word is drawn on its own: losses add up.
    """
    slips = {
        PER_WORD: "That is ε. It is per unit of distance and per word.",
        PER_WORD * max(DISTANCES): "That is the word that differs most. Every word is drawn on its own: losses add up.",
        PER_WORD * len(DISTANCES): "That is ε times the number of words. What are the distances for?",
        PER_WORD * float(np.mean(DISTANCES)): "That is the mean word. Losses add up.",
        PER_WORD * math.hypot(*DISTANCES): "Losses add up word by word; a Euclidean sum would need one noise for all.",
    }
    return check(answer, PER_WORD * math.fsum(DISTANCES), because=slips)


hints = Hints({
    exponential_probabilities: (
        "Give every word y a weight that falls with its distance, and divide by the sum of all weights.",
        "Going from w to w′ changes each distance by at most d(w, w′): so it changes the weight, and the sum too.",
        "Each of the two may cost half of ε·d: the weight is exp(−ε·d/2).",
    ),
    laplace_scale: (
        "The scale is the sensitivity over ε: the largest distance of two clipped vectors, in ‖·‖₁.",
        "‖z‖₁ is largest for ‖z‖₂ = C when all 64 coordinates are alike. How large is each then?",
        "Each is C/√64, so ‖z‖₁ = C·√64, and two such vectors with opposite signs are twice as far apart.",
    ),
    sentence_loss: (
        "P(said | sentence) is a product over words. What is the logarithm of a product?",
        "Each word contributes at most ε times its distance.",
        "Add up the five distances and multiply by ε.",
    ),
})  # fmt: skip
