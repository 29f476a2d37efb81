"""Truncated Gumbel noise on the distances of a word's neighbours, as published; it does not keep a metric promise.

After Xu, Feyisetan, Aggarwal, Xu and Teissier (2021), "Density-aware differentially private textual perturbations using
truncated Gumbel noise", the noise of the article "Calibrating noise addition to word density in the embedding space
improves utility of privacy-protected text". The paper's body could not be consulted: the steps are those of a public
implementation, the package mldp-text, but for what its code adds: it also draws k = 0 and then says the word itself,
takes Δ and δ from one random word unless they are given, and has squared distances where it searches with faiss.
``benchmarks/peers_promises.py`` bounds what that package loses.

Draw k from a Poisson distribution of mean ln V, cut to [1, V]; take the k nearest words, the word itself among them;
add Gumbel noise, cut to [−Δ, Δ], to their distances; say the nearest. Its scale is

    b = 2Δ / min(W(2αΔ), ln(αδ))  with  α = (ε − 2(1 + ln V)/δ)/3 ,

Δ and δ the largest and smallest distance of two words, W Lambert's function. The number of candidates follows the
words' density, and that is what breaks the promise: a word far down the list of neighbours is almost never a candidate.
A word w itself is said with probability P(k = 1) at least, and instead of w′, whose r-th neighbour it is, with
P(k ≥ r) at most. ``witness`` evaluates both. The mechanism is kept here to be measured, not to be used.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from trustlab.privacy.text.word_noise import check_epsilon
from trustlab.privacy.text.word_table import WordTable

BLOCK = 256


class Witness(NamedTuple):
    """Two words by which a promise is broken.

    Attributes
    ----------
    word, other
        Ids of w and w′.
    loss
        ln P(w | w) − ln P(w | w′), at least this much.
    promised
        ε·d(w, w′).
    """

    word: int
    other: int
    loss: float
    promised: float


class TruncatedGumbel:
    """Noise on the distances of about ln V neighbours.

    Parameters
    ----------
    table
        The public words.
    epsilon
        The published parameter, which must exceed 2(1 + ln V)/δ by enough for a positive scale. It is no guarantee.

    Attributes
    ----------
    scale
        b.
    euclidean_epsilon
        Infinite: there is no promise.

    Examples
    --------
    >>> table = WordTable(["tea", "coffee", "train"], [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    >>> round(TruncatedGumbel(table, epsilon=40.0).scale, 2)
    1.14
    """

    def __init__(self, table: WordTable, epsilon: float) -> None:
        check_epsilon(epsilon)
        self.table, self.epsilon, self.euclidean_epsilon = table, float(epsilon), math.inf
        self.least, self.most = table.extremes
        self.scale = self._scale()

    def _scale(self) -> float:
        from scipy import special

        least = 2 * (1 + math.log(len(self.table))) / self.least
        alpha = (self.epsilon - least) / 3
        smaller = -1.0
        if alpha > 0:
            smaller = min(float(special.lambertw(2 * alpha * self.most).real), math.log(alpha * self.least))
        if smaller <= 0:
            raise ValueError(
                f"Expected epsilon={self.epsilon:g} > {least + 3 / self.least:.4g} for this table: below it the "
                "published scale of truncated Gumbel noise is not positive. Its nearest words are too near."
            )
        return 2 * self.most / smaller

    def draw(self, ids: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return what is said for each word, int64 [n]."""
        ids = np.asarray(ids, dtype=np.int64)
        counts = self._candidates(len(ids), rng)
        most = int(counts.max(initial=1))
        kinds, places = np.unique(ids, return_inverse=True)
        near, far = np.empty((len(kinds), most), dtype=np.int64), np.empty((len(kinds), most))
        for start in range(0, len(kinds), BLOCK):
            rows = slice(start, start + BLOCK)
            distances = self.table.distances(self.table.points(kinds[rows]))
            near[rows] = np.argsort(distances, axis=1, kind="stable")[:, :most]
            far[rows] = np.take_along_axis(distances, near[rows], axis=1)
        noisy = far[places] + self._noise(rng.random((len(ids), most)))
        noisy[np.arange(most) >= counts[:, None]] = np.inf
        return near[places, noisy.argmin(axis=1)]

    def _candidates(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return n draws of the Poisson distribution cut to [1, V]."""
        counts, mean = np.zeros(n, dtype=np.int64), math.log(len(self.table))
        while (outside := np.flatnonzero((counts < 1) | (counts > len(self.table)))).size:
            counts[outside] = rng.poisson(mean, size=outside.size)
        return counts

    def _noise(self, uniform: np.ndarray) -> np.ndarray:
        """Return Gumbel noise of scale b cut to [−Δ, Δ], by its quantiles."""
        low, high = (math.exp(-math.exp(-side * self.most / self.scale)) for side in (-1, 1))
        return -self.scale * np.log(-np.log(low + uniform * (high - low)))

    def witness(self, words: np.ndarray, others: np.ndarray) -> Witness:
        """Return the pair of `words` and `others`, ids [n] and [m], with the largest loss relative to its promise."""
        distances = self.table.distances(self.table.points(others))  # [m, V]
        ranks = 1 + distances.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")[:, words]  # [m, n]
        loss = self._log_equal(np.array(1.0)) - self._log_at_least(ranks)
        promised = self.epsilon * distances[:, words]
        ratio = np.divide(loss, promised, out=np.zeros_like(loss), where=promised > 0)
        other, word = np.unravel_index(ratio.argmax(), ratio.shape)
        return Witness(int(words[word]), int(others[other]), float(loss[other, word]), float(promised[other, word]))

    def _log_equal(self, k: np.ndarray) -> np.ndarray:
        """Return ln of the Poisson probability of k, before it is cut."""
        from scipy import special

        mean = math.log(len(self.table))
        return k * math.log(mean) - mean - special.gammaln(k + 1)

    def _log_at_least(self, k: np.ndarray) -> np.ndarray:
        """Return an upper bound of ln P(K ≥ k), before it is cut: beyond the mean by a geometric series."""
        share = math.log(len(self.table)) / (k + 1)
        beyond = self._log_equal(k) - np.log1p(-np.minimum(share, 0.999))
        return np.where(share < 0.999, np.minimum(beyond, 0.0), 0.0)
