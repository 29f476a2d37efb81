"""The mechanisms that notebook 14 compares, by name, on one public table of words.

Each has its own grid of ε, from a guess that recovers hardly a word to one that recovers nearly all: an ε per unit of
distance means something else for each of them. Truncated Gumbel noise has no values for strong noise: it says one of
about ln V neighbours, however small its ε.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from trustlab.privacy.text import NoisyVectors, TruncatedExponential, TruncatedGumbel, WordTable

WORDS, DIMENSIONS = 2000, 25
LAPLACE, SHAPED, EXPONENTIAL, GUMBEL = "Laplace", "Mahalanobis", "exponential", "truncated Gumbel"
RANDOM = "random words"
SHAPE = 0.5  # λ of regularised Mahalanobis noise, as :mod:`.shape_search` chose it


class RandomWords:
    """Say any word of the table for any word: nothing is released, and nothing can be learned. A baseline.

    Examples
    --------
    >>> table = WordTable(["tea", "train"], [[0.0], [1.0]])
    >>> RandomWords(table).draw(table.ids(["tea"] * 4), np.random.default_rng(0)).tolist()
    [1, 1, 1, 0]
    """

    def __init__(self, table: WordTable, epsilon: float = 0.0) -> None:
        self.table, self.epsilon = table, epsilon

    def draw(self, ids: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return ids of the table, int64 [n], that depend on nothing."""
        return rng.integers(len(self.table), size=len(ids))


MAKE: Mapping[str, Callable[[WordTable, float], Any]] = MappingProxyType({
    LAPLACE: NoisyVectors,
    SHAPED: functools.partial(NoisyVectors, shape=SHAPE),
    EXPONENTIAL: TruncatedExponential,
    GUMBEL: TruncatedGumbel,
    RANDOM: RandomWords,
})  # fmt: skip


@functools.lru_cache(maxsize=2)
def public_table(words: int = WORDS, dimensions: int = DIMENSIONS) -> WordTable:
    """Return the most frequent words of the offline encoder with their input embeddings, made once."""
    return WordTable.from_encoder(dimensions=dimensions, most=words)


def lowered(texts: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return texts with their words in lower case, as the table has them.

    Examples
    --------
    >>> lowered([["Play", "Jazz"]])
    [['play', 'jazz']]
    """
    return [[word.lower() for word in text] for text in texts]
