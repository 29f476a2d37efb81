"""Word sets looked up in word vectors: missing words are reported, and too many are refused."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from trustlab.fairness.association.sets import distinct_sets

SETS = ("X", "Y", "A", "B")


class TestSets(NamedTuple):
    """Vectors of the four sets of an association test, and the words behind them.

    Attributes
    ----------
    X, Y, A, B : float64 [n, d]
        X and Y have equal size.
    words
        Words used, by set.
    missing
        Words without a vector, by set.
    dropped
        Words left out of the larger target set to make both equal: its last ones.
    """

    __test__ = False  # not a test for pytest to collect

    X: np.ndarray
    Y: np.ndarray
    A: np.ndarray
    B: np.ndarray
    words: dict[str, list[str]]
    missing: dict[str, list[str]]
    dropped: dict[str, list[str]]


class WordVectors:
    """One vector a word, as in word2vec and GloVe.

    Parameters
    ----------
    vectors
        Vector [d] of each word; case matters: "John" and "john" are two words.

    Examples
    --------
    >>> vectors = WordVectors({"rose": [1.0, 0.0], "tulip": [1.0, 0.2], "wasp": [0.0, 1.0], "flea": [0.1, 1.0]})
    >>> sets = vectors.sets(["rose", "tulip", "oxlip"], ["wasp", "flea"], ["rose", "tulip"], ["wasp", "flea"],
    ...                     max_missing=0.5)
    >>> sets.X.shape, sets.missing["X"]
    ((2, 2), ['oxlip'])
    >>> vectors["tulip"].tolist(), vectors[["tulip", "wasp"]].shape
    ([1.0, 0.2], (2, 2))
    """

    def __init__(self, vectors: Mapping[str, Sequence[float]]) -> None:
        self.index = {word: row for row, word in enumerate(vectors)}
        self.matrix = np.array(list(vectors.values()), np.float64)

    def __contains__(self, word: object) -> bool:
        return word in self.index

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, words: str | Sequence[str]) -> np.ndarray:
        """Return the vector [d] of a word, or the vectors [n, d] of a list of words, all of which must be there."""
        asked = [words] if isinstance(words, str) else words
        missing = [word for word in asked if word not in self.index]
        if missing:
            raise KeyError(f"Expected words with a vector, got none for {', '.join(missing)}.")
        vectors = self.matrix[[self.index[word] for word in asked]]
        return vectors[0] if isinstance(words, str) else vectors

    def sets(
        self,
        X: Sequence[str],
        Y: Sequence[str],
        A: Sequence[str],
        B: Sequence[str],
        *,
        max_missing: float = 0.2,
    ) -> TestSets:
        """Return the vectors of four word sets, with X and Y of equal size.

        Parameters
        ----------
        X, Y, A, B
            Words of the targets and of the attributes.
        max_missing
            Largest share of a set, in [0, 1), that may have no vector.

        Raises
        ------
        ValueError
            If more is missing: a test of the few words that are left is another test under the same name. For words
            that occur twice in a set, or in both of a pair of sets.
        """
        asked = distinct_sets(X, Y, A, B)
        missing = {name: [word for word in words if word not in self] for name, words in asked.items()}
        for name, lost in missing.items():
            if len(lost) > max_missing * len(asked[name]):
                raise ValueError(
                    f"Expected at most {max_missing:.0%} of {name} without a vector, got {len(lost)} of "
                    f"{len(asked[name])}: {', '.join(lost)}. What is left is another test: use vectors that have these "
                    "words, or raise max_missing and report it with the result."
                )
        words = {name: [word for word in each if word in self] for name, each in asked.items()}
        size = min(len(words["X"]), len(words["Y"]))
        dropped = {name: words[name][size:] for name in ("X", "Y")}
        words |= {name: words[name][:size] for name in ("X", "Y")}
        return TestSets(*(self[words[name]] for name in SETS), words, missing, dropped)


def word_vectors(source: str, *, directory: str | os.PathLike[str] | None = None) -> WordVectors:
    """Load one of the two small sets of real vectors, see :func:`trustlab.data.load`.

    Parameters
    ----------
    source
        "word2vec" (347 words of the WEAT tests, 300 wide) or "glove" (11,925 frequent words in lower case, 25 wide).
    directory
        Folder of the data, as for :func:`trustlab.data.load`.
    """
    from trustlab.data import load

    if source not in ("word2vec", "glove"):
        raise ValueError(f"Expected source={source!r} to be 'word2vec' or 'glove'.")
    rows = load("embeddings_small", split="test", directory=directory)["test"]
    return WordVectors({row["word"]: row["vector"] for row in rows if row["source"] == source})
