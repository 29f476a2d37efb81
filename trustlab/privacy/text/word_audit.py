"""Does a mechanism for words keep its promise? The largest loss over pairs of words and all that may be said.

ε·d-metric differential privacy says ``|ln P(y | w) − ln P(y | w′)| ≤ ε·d(w, w′)`` for every two words and every y.
Where a mechanism knows its probabilities, the left side is computed exactly, for every y of the table and thousands of
pairs. Noise on vectors has a density instead: it is compared at noisy points, and where the difference is largest,
which for a norm is on the ray from one word through the other. What is said is computed from that point, and cannot
lose more.

The pairs are of words drawn at random, and half as many again of words and their neighbours: a promise per distance is
most easily broken by near words. The audit can miss a pair; what it finds is a witness.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

NEIGHBOURS = 3  # of a word, with which it is a pair
ROUNDING = 1e-9  # of a ratio; distances below 1e-7 are none
BLOCK = 128  # pairs at a time


@dataclass(frozen=True)
class WordAudit:
    """What an audit found.

    Attributes
    ----------
    ratio
        The largest ``|ln P(y | w) − ln P(y | w′)| / (ε·d(w, w′))``: at most 1 where the promise is kept.
    words
        w and w′ of that pair.
    loss, promised
        Its left side, and its ε·d(w, w′).
    pairs, outputs
        How many pairs were compared, and at how many y or points each.
    how
        "probabilities" or "densities".
    """

    ratio: float
    words: tuple[str, str]
    loss: float
    promised: float
    pairs: int
    outputs: int
    how: str

    @property
    def kept(self) -> bool:
        """Whether no pair lost more than promised, up to rounding."""
        return self.ratio <= 1 + ROUNDING

    @property
    def verdict(self) -> str:
        """One sentence: what was found, of how many pairs."""
        said = "keeps its promise" if self.kept else f"loses {self.ratio:.2f} × its promise"
        return f"It {said} on {self.pairs:,} pairs of words, by their {self.how} at {self.outputs:,} outputs each."


def audit_words(mechanism: Any, *, pairs: int = 10_000, seed: int = 0) -> WordAudit:
    """Compare what a mechanism loses with what it promises.

    Parameters
    ----------
    mechanism
        With ``table``, ``epsilon``, ``distance(points, others)``, and either ``log_probabilities(ids)`` or
        ``log_density(noise)``.
    pairs
        At least so many pairs of words, or all that the table has.
    seed
        Of the words drawn.

    Raises
    ------
    ValueError
        For a mechanism that knows neither probabilities nor a density, or fewer than one pair.

    Examples
    --------
    >>> from trustlab.privacy.text import TruncatedExponential, WordTable
    >>> table = WordTable(["tea", "coffee", "train"], [[0.0, 0.0], [0.1, 0.0], [1.0, 1.0]])
    >>> audit_words(TruncatedExponential(table, epsilon=8.0)).kept
    True
    """
    if pairs < 1 or not (hasattr(mechanism, "log_probabilities") or hasattr(mechanism, "log_density")):
        raise ValueError(
            f"Expected pairs >= 1 and a mechanism with log_probabilities or log_density, got pairs={pairs} and "
            f"{type(mechanism).__name__}. Samples alone bound no loss from above."
        )
    rng = np.random.default_rng(seed)
    first, second = _pairs(mechanism.table, pairs, rng)
    points, others = mechanism.table.vectors[first], mechanism.table.vectors[second]
    promised = mechanism.epsilon * mechanism.distance(points, others)
    if hasattr(mechanism, "log_probabilities"):
        loss, outputs, how = _of_probabilities(mechanism, first, second), len(mechanism.table), "probabilities"
    else:
        loss, outputs, how = *_of_densities(mechanism, points, others, rng), "densities"
    apart = promised > mechanism.epsilon * 1e-7
    ratios = np.divide(loss, promised, out=np.where(loss > ROUNDING, math.inf, 0.0), where=apart)
    worst = int(ratios.argmax())
    names = mechanism.table.words[first[worst]], mechanism.table.words[second[worst]]
    return WordAudit(float(ratios[worst]), names, float(loss[worst]), float(promised[worst]), len(first), outputs, how)


def _pairs(table: Any, wanted: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return ids of at least `wanted` pairs of words at random, and some near ones; or all that there are."""
    if wanted >= len(table) * (len(table) - 1) // 2:
        return np.triu_indices(len(table), 1)
    some = rng.permutation(len(table))[: math.ceil((1 + math.sqrt(1 + 8 * wanted)) / 2)]
    first, second = np.triu_indices(len(some), 1)
    near = rng.permutation(len(table))[: math.ceil(wanted / 2 / NEIGHBOURS)]
    found = [np.stack([some[first], some[second]])]
    for start in range(0, len(near), BLOCK):
        rows = near[start : start + BLOCK]
        distances = table.distances(table.vectors[rows])
        distances[np.arange(len(rows)), rows] = math.inf
        closest = distances.argpartition(NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS]
        found.append(np.stack([np.repeat(rows, NEIGHBOURS), closest.ravel()]))
    return tuple(np.concatenate(found, axis=1))


def _of_probabilities(mechanism: Any, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the largest difference of log probabilities over all outputs, for each pair."""
    loss = np.empty(len(first))
    for start in range(0, len(first), BLOCK):
        sides = np.stack([side[start : start + BLOCK] for side in (first, second)])
        words, places = np.unique(sides, return_inverse=True)
        rows, (here, there) = mechanism.log_probabilities(words), places.reshape(sides.shape)
        if np.isnan(rows).any():
            raise ValueError(f"Expected log probabilities from {type(mechanism).__name__}, got NaN. No loss is known.")
        with np.errstate(invalid="ignore"):
            difference = np.abs(rows[here] - rows[there])
        difference[np.isnan(difference)] = 0.0  # −∞ on both sides: neither says it
        loss[start : start + BLOCK] = difference.max(axis=1)
    return loss


def _of_densities(
    mechanism: Any, points: np.ndarray, others: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """Return the largest difference of log densities at a few points, for each pair, and at how many."""
    between = others - points
    tried = [points + step * between for step in (-100.0, -1.0, -0.01, 0.5, 1.01, 2.0, 101.0)]
    for side in (points, others):
        noise = mechanism.noise(len(points), rng)
        tried += [side + scale * noise for scale in (0.01, 0.1, 1.0)]
    loss = np.zeros(len(points))
    for at in tried:
        difference = mechanism.log_density(at - points) - mechanism.log_density(at - others)
        np.maximum(loss, np.abs(difference), out=loss)
    return loss, len(tried)
