"""Which dialect a tweet's words make likely: Blodgett, Green and O'Connor (2016), "Demographic Dialectal Variation".

A mixed-membership model: every word of a tweet is drawn from one of four kinds of language, whose word counts are
given; the shares of the four in one tweet are inferred by a few passes of collapsed variational inference (CVB0).
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

import numpy as np

from trustlab.columns import as_texts
from trustlab.data import load
from trustlab.data.labelled_readers import DIALECTS

_ADDRESS = re.compile(r"https?://\S+|&\w+;|&#\d+;|@\w+")  # links, HTML entities and people's handles are no language
_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]+|_+")


class DialectModel:
    """Word probabilities of K dialects and the posterior of their shares in a text.

    Parameters
    ----------
    words
        V words, lower case.
    counts : [V, K]
        Expected count of each word in each dialect; one is added to each, as the authors do.

    Examples
    --------
    >>> model = DialectModel(["finna", "shall"], np.array([[9.0, 0.0], [0.0, 9.0]]))
    >>> model.posterior(["finna finna", "Shall", "unheard"]).round(2)
    array([[0.95, 0.05],
           [0.09, 0.91],
           [ nan,  nan]])
    """

    def __init__(self, words: Sequence[str], counts: np.ndarray) -> None:
        self._place = {word: place for place, word in enumerate(as_texts(words, "word"))}
        smoothed = np.asarray(counts, dtype=float) + 1
        probability = smoothed / np.asarray(counts).sum(axis=0)
        self._likelihood = probability / probability.sum(axis=1, keepdims=True)  # [V, K], each word's rows sum to 1

    @classmethod
    def load(cls, directory: str | os.PathLike[str] | None = None) -> DialectModel:
        """Read the authors' counts; the dialects are those of :data:`~trustlab.data.labelled_readers.DIALECTS`."""
        rows = load("twitter_aae_model", directory=directory)["test"]
        return cls(rows["word"][:], np.column_stack([rows[name][:] for name in DIALECTS]))

    def posterior(self, texts: Sequence[str], *, alpha: float = 1.0, passes: int = 5) -> np.ndarray:
        """Return the share of each dialect in each text, [N, K]; NaN where the model knows no word of it.

        Parameters
        ----------
        texts
            N texts; words are sought in lower case, handles and links are left out.
        alpha
            Prior weight of each dialect.
        passes
            One pass sets each word's dialects by its counts alone; each further one by its neighbours' too.
        """
        known = [[self._place[word] for word in tokens(text) if word in self._place] for text in as_texts(texts)]
        longest = max(map(len, known), default=0)
        words = np.zeros((len(known), longest), dtype=int)
        real = np.zeros((len(known), longest, 1), dtype=bool)
        for i, places in enumerate(known):
            words[i, : len(places)] = places
            real[i, : len(places)] = True
        likelihood = self._likelihood[words] * real  # [N, T, K], padding has weight 0
        shares = likelihood.copy()
        total = shares.sum(axis=1)  # [N, K]
        for _ in range(passes - 1):
            for t in range(longest):  # one word after another, but all texts at once
                total -= shares[:, t]
                mixed = likelihood[:, t] * (total + alpha)
                shares[:, t] = mixed / np.maximum(mixed.sum(axis=1, keepdims=True), np.finfo(float).tiny)
                total += shares[:, t]
        length = real.sum(axis=1)
        return np.where(length > 0, total / np.maximum(length, 1), np.nan)


def tokens(text: str) -> list[str]:
    """Split a tweet into lower-case words and signs, without handles, links and HTML entities.

    Examples
    --------
    >>> tokens("RT @you: I'm HERE!! https://t.co/x &amp; there")
    ['rt', ':', "i'm", 'here', '!!', 'there']
    """
    return _TOKEN.findall(_ADDRESS.sub(" ", text).lower())
