"""The words that may come out of a private text, each with its vector: a table that is public.

Metric differential privacy hides a word among words that are near it, so everything rests on the distances of this
table. It must not depend on the private text: a word list that was counted there reveals what was said. The offline
encoder's input embeddings are such a public table.

A word outside the table has the table's mean for its vector. So it is perturbed like any other, never passes through
unchanged, and all unknown words look the same.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trustlab.columns import as_features
from trustlab.models.utterances import word_list

UNKNOWN = -1  # the id of every word outside the table
BLOCK = 256  # words at a time
CLOSE = 1e-4  # squared distances, relative to the longest vector, that are computed again
SAME = 1e-6  # distances below it are rounding: two words with one vector


class WordTable:
    """V distinct words and their vectors.

    Parameters
    ----------
    words
        V ≥ 2 distinct words.
    vectors
        Finite numbers [V, d], d ≥ 1, not all the same.

    Attributes
    ----------
    vectors : float64 [V, d]
    mean : float64 [d]
        The vector of every word outside the table.

    Raises
    ------
    ValueError
        For words that are not distinct, no texts or empty, for vectors of another shape, or equal ones.

    Examples
    --------
    >>> table = WordTable(["tea", "coffee", "train"], [[0.0, 0.0], [0.1, 0.0], [1.0, 1.0]])
    >>> table.ids(["coffee", "espresso"]).tolist()
    [1, -1]
    """

    def __init__(self, words: Sequence[str], vectors: Any) -> None:
        listed = word_list(words, "words")
        array = np.ascontiguousarray(as_features(vectors, "vectors"), dtype=np.float64)
        if len(listed) != len(array):
            raise ValueError(f"Expected a vector for each of {len(listed)} words, got {len(array)} vectors.")
        self.index = {word: i for i, word in enumerate(listed)}
        if len(self.index) < len(listed) or "" in self.index:
            twice = next((word for i, word in enumerate(listed) if self.index[word] != i), "")
            raise ValueError(f"Expected distinct words that are not empty, got {twice!r} among them. Leave it out.")
        if len(listed) < 2 or array.shape[1] < 1 or not np.ptp(array, axis=0).any():
            raise ValueError(
                f"Expected at least 2 words with different vectors, got {len(listed)} words and vectors of shape "
                f"{list(array.shape)}. A word can only be hidden among others."
            )
        self.words, self.vectors, self.mean = tuple(listed), array, array.mean(axis=0)

    @classmethod
    def of(cls, vectors: Mapping[str, Sequence[float]]) -> WordTable:
        """Take a mapping from words to vectors."""
        return cls(list(vectors), list(vectors.values()))

    @classmethod
    def from_encoder(cls, *, dimensions: int = 50, most: int | None = None) -> WordTable:
        """Take the offline encoder's input embeddings of whole words (21,745 in lower case, without digits or signs).

        Parameters
        ----------
        dimensions
            How many of the table's principal components to keep, at most 384. Noise has a length of about d/ε: in fewer
            dimensions less of it is needed, and distances say less about meaning.
        most
            Keep so many words, those that are most frequent in the encoder's own training text, which its vocabulary
            lists in that order; None keeps all. A word list of the private text would tell what was said there.
        """
        from safetensors.numpy import load_file

        from trustlab.models.encoder import offline_encoder

        folder = offline_encoder()
        tokens = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
        kept = [i for i, token in enumerate(tokens) if token.isascii() and token.isalpha()][:most]
        table = load_file(folder / "model.safetensors")["embeddings.word_embeddings.weight"][kept].astype(np.float64)
        if not 1 <= dimensions <= table.shape[1]:
            raise ValueError(f"Expected dimensions={dimensions} in [1, {table.shape[1]}], as many as the encoder has.")
        centred = table - table.mean(axis=0)
        _, axes = np.linalg.eigh(centred.T @ centred)  # in ascending order
        return cls([tokens[i] for i in kept], centred @ axes[:, ::-1][:, :dimensions])

    @functools.cached_property
    def extremes(self) -> tuple[float, float]:
        """The smallest positive and the largest distance of two words."""
        lengths, least, most = (self.vectors**2).sum(axis=1), math.inf, 0.0
        for start in range(0, len(self), BLOCK):  # each pair once, and squares: a table has 10⁸ pairs and more
            block, rest = slice(start, start + BLOCK), slice(start, None)
            squares = lengths[block, None] - 2 * self.vectors[block] @ self.vectors[rest].T
            squares += lengths[rest]
            np.fill_diagonal(squares, 0.0)  # a word's own, up to rounding
            most = max(most, float(squares.max()))
            least = min(least, float(squares.min(initial=math.inf, where=squares > SAME**2)))
        return math.sqrt(least), math.sqrt(most)

    def __len__(self) -> int:
        return len(self.words)

    def ids(self, words: Sequence[str]) -> np.ndarray:
        """Return each word's id in the table, int64 [n]; :data:`UNKNOWN` for a word that it does not have."""
        return np.array([self.index.get(word, UNKNOWN) for word in word_list(words, "words")], dtype=np.int64)

    def points(self, ids: np.ndarray) -> np.ndarray:
        """Return the vectors of `ids`, float64 [n, d]; the mean for :data:`UNKNOWN`."""
        ids = np.asarray(ids)
        return np.where(ids[:, None] == UNKNOWN, self.mean, self.vectors[ids])

    def distances(self, points: np.ndarray) -> np.ndarray:
        """Return the Euclidean distance of each of `points` [n, d] to every word, float64 [n, V]."""
        squares = (points**2).sum(axis=1)[:, None] - 2 * points @ self.vectors.T + (self.vectors**2).sum(axis=1)
        # The difference of large numbers has few digits left where it is small, as for a word itself.
        row, word = np.nonzero(squares < CLOSE * (self.vectors**2).sum(axis=1).max())
        squares[row, word] = ((points[row] - self.vectors[word]) ** 2).sum(axis=1)
        return np.sqrt(squares)
