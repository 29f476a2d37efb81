"""The best tags that could have been written: an ``I-x`` follows a ``B-x`` or another ``I-x``, and nothing else.

Which tag may follow which is known from the format, not from the data, and it is applied to what a model has
released: it costs no ε. Linear heads choose each tag by itself and gain most from it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np


def best_valid_tags(scores: np.ndarray, names: tuple[str, ...]) -> list[int]:
    """Return the sequence of tags with the highest sum of scores among those that BIO allows (Viterbi).

    Parameters
    ----------
    scores
        [T, S], logits or log-probabilities: the same constant added to a row changes nothing.
    names
        The S tags.

    Examples
    --------
    >>> names = ("O", "B-city", "I-city")
    >>> best_valid_tags(np.array([[1.0, 0.9, 0.0], [0.0, 0.0, 1.0]]), names)  # one by one it would be O, I-city
    [1, 2]
    """
    if not len(scores):
        return []
    begins, follows = _refused(names)
    total, before = scores[0] + begins, []
    for row in scores[1:]:
        paths = total[:, None] + follows  # [from, to]
        before.append(paths.argmax(0))
        total = paths.max(0) + row
    best = [int(total.argmax())]
    for chosen in reversed(before):
        best.append(int(chosen[best[-1]]))
    return best[::-1]


@lru_cache
def _refused(names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return −∞ where a tag may not begin [S], or not follow another [from, to], and 0 elsewhere."""
    inside = np.array([name.startswith("I-") for name in names])
    kind = np.array([name.partition("-")[2] for name in names])
    return np.where(inside, -np.inf, 0.0), np.where(inside & (kind[:, None] != kind), -np.inf, 0.0)
