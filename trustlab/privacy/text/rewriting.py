"""Texts rewritten word by word by a mechanism, and what that promises for a whole text.

Every word is drawn on its own, so losses add up: two texts of the same length differ by ε·Σᵢ d(wᵢ, w′ᵢ) at most. The
number of words is not hidden, and what a word's neighbours say about it is not either: a reader who knows the language
guesses better than one word's promise suggests (:mod:`trustlab.privacy.text.reconstruction`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trustlab.models.utterances import word_list


def rewrite(texts: Sequence[Sequence[str]], mechanism: Any, rng: np.random.Generator) -> list[list[str]]:
    """Return texts with every word replaced by what the mechanism says for it.

    Parameters
    ----------
    texts
        Each a list of words. Words outside the mechanism's table are replaced too, as if they had its mean vector.
    mechanism
        With ``table`` and ``draw(ids, rng)``.

    Examples
    --------
    >>> from trustlab.privacy.text import NoisyVectors, WordTable
    >>> table = WordTable(["tea", "coffee", "train"], [[0.0, 0.0], [0.1, 0.0], [1.0, 1.0]])
    >>> rewrite([["tea", "please"]], NoisyVectors(table, epsilon=9.0), np.random.default_rng(0))
    [['coffee', 'train']]
    """
    if isinstance(texts, str):
        raise ValueError(f"Expected a list of texts, each a list of words, got the text {texts[:40]!r}. Split it.")
    listed = [word_list(text, f"text {i}") for i, text in enumerate(texts)]
    said = mechanism.draw(mechanism.table.ids([word for text in listed for word in text]), rng)
    words = iter(mechanism.table.words[i] for i in said)
    return [[next(words) for _ in text] for text in listed]


def text_loss(mechanism: Any, text: Sequence[str], other: Sequence[str]) -> float:
    """Return ε·Σᵢ d(wᵢ, w′ᵢ): by how much the log probability of what is said can differ between two texts.

    Raises
    ------
    ValueError
        For texts of different length: what is said shows the length, and no ε covers it.

    Examples
    --------
    >>> from trustlab.privacy.text import NoisyVectors, WordTable
    >>> table = WordTable(["tea", "coffee", "train"], [[0.0, 0.0], [0.1, 0.0], [1.0, 1.0]])
    >>> round(text_loss(NoisyVectors(table, epsilon=9.0), ["tea", "tea"], ["tea", "coffee"]), 2)
    0.9
    """
    ids, others = (mechanism.table.ids(words) for words in (text, other))
    if len(ids) != len(others):
        raise ValueError(
            f"Expected two texts of the same length, got {len(ids)} and {len(others)} words. The length is not hidden."
        )
    if not len(ids):
        return 0.0
    points = mechanism.table.points(ids), mechanism.table.points(others)
    return float(mechanism.epsilon * mechanism.distance(*points).sum())
