"""Words hidden by choosing another one: the exponential mechanism over the whole table, cut off at a distance.

The truncated exponential mechanism (Carvalho, Vasiloudis, Feyisetan and Wang, "TEM: High utility metric differential
privacy on text") scores each word y by −d(w, y), adds Gumbel noise of scale 2/ε and says the best. Words beyond a
distance γ share one entry ⊥ with score −γ + (2/ε)·ln(number of them), and if ⊥ wins, one of them is said at random. So

    P(y | w) = exp(−(ε/2)·min(d(w, y), γ)) / Z_w ,

which is what is computed and drawn from here. The score moves by at most d(w, w′) from one word to another and so does
(2/ε)·ln Z_w: together ε·d(w, w′)-metric differential privacy. An implementation with another number in ⊥'s
logarithm, such as mldp-text's, or one that says the word itself for ⊥, such as pypantera's, loses that. So
:mod:`trustlab.privacy.text.word_audit` finds, see ``benchmarks/peers_promises.py``.
"""

from __future__ import annotations

import math

import numpy as np

from trustlab.privacy.text.word_noise import check_epsilon
from trustlab.privacy.text.word_table import WordTable

BLOCK = 256  # words at a time: their probabilities for 30,000 words take 60 MB


class TruncatedExponential:
    """Choose a word by its distance, all beyond a threshold alike.

    Parameters
    ----------
    table
        The public words.
    epsilon
        Privacy per unit of Euclidean distance, > 0 and finite.
    beta
        In (0, 1): the paper's threshold γ = (2/ε)·ln((1 − β)(V − 1)/β) makes a word within γ likely, 1 − β or more.

    Attributes
    ----------
    threshold
        γ, in the table's distances. It depends on ε and the number of words alone.

    Examples
    --------
    >>> table = WordTable(["tea", "coffee", "train"], [[0.0, 0.0], [0.1, 0.0], [1.0, 1.0]])
    >>> np.exp(TruncatedExponential(table, epsilon=8.0).log_probabilities(table.ids(["tea"]))).round(2).tolist()
    [[0.6, 0.4, 0.0]]
    """

    def __init__(self, table: WordTable, epsilon: float, *, beta: float = 0.001) -> None:
        check_epsilon(epsilon)
        if not 0 < beta < 1:
            raise ValueError(f"Expected beta={beta!r} in (0, 1). It is the probability of a word beyond the threshold.")
        self.table, self.epsilon = table, float(epsilon)
        self.threshold = max(0.0, 2 / epsilon * math.log((1 - beta) * (len(table) - 1) / beta))
        self.euclidean_epsilon = self.epsilon

    def distance(self, points: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return Euclidean distances along the last axis: what ε is multiplied by."""
        return np.linalg.norm(points - others, axis=-1)

    def log_probabilities(self, ids: np.ndarray) -> np.ndarray:
        """Return log P(y | w) for each of `ids` and every word y of the table, float64 [n, V]."""
        scores = np.minimum(self.table.distances(self.table.points(ids)), self.threshold)
        scores *= -self.epsilon / 2
        largest = scores.max(axis=1, keepdims=True)
        return scores - (largest + np.log(np.exp(scores - largest).sum(axis=1, keepdims=True)))

    def draw(self, ids: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return what is said for each word, int64 [n]: ids of the table, for words outside it too."""
        ids = np.asarray(ids, dtype=np.int64)
        kinds, places = np.unique(ids, return_inverse=True)
        said = np.empty(len(ids), dtype=np.int64)
        uniform = rng.random(len(ids))
        order = np.argsort(places, kind="stable")
        ends = np.searchsorted(places[order], np.arange(len(kinds) + 1))
        for start in range(0, len(kinds), BLOCK):
            block = kinds[start : start + BLOCK]
            sums = np.exp(self.log_probabilities(block)).cumsum(axis=1)
            for row, below in enumerate(sums, start=start):
                mine = order[ends[row] : ends[row + 1]]
                said[mine] = np.searchsorted(below, uniform[mine] * below[-1], side="right")
        return np.minimum(said, len(self.table) - 1)
