"""How similar the generated words are to the right ones: SQuAD's exact match and token F1, and ROUGE-L.

Accuracy needs no file, and entity F1 is :func:`trustlab.models.entity_f1`.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

from trustlab.columns import as_texts

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised(text: str) -> str:
    """Return `text` as SQuAD compares it: lower case, no punctuation, no articles, single spaces.

    Source: the evaluation of Rajpurkar et al. 2016.

    Examples
    --------
    >>> normalised("The  U.S. Senate")
    'us senate'
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(truth: str, said: str) -> bool:
    """Return whether both are the same once normalised."""
    return normalised(truth) == normalised(said)


def token_f1(truth: str, said: str) -> float:
    """Return the F1 of the words of both, normalised, as bags; 1 if neither has any, 0 if one has none.

    Examples
    --------
    >>> token_f1("the red house", "red houses")
    0.5
    """
    right, guess = normalised(truth).split(), normalised(said).split()
    if not right or not guess:
        return float(right == guess)
    return 2 * sum((Counter(right) & Counter(guess)).values()) / (len(right) + len(guess))


def rouge_l(truth: Sequence[str], said: Sequence[str]) -> float:
    """Return ROUGE-L of two texts in words: the F1 of their longest common subsequence (Lin 2004, with β = 1).

    In [0, 1]; 1 if both are empty, 0 if one is. Words are compared as they are: no stemming. Both are lists of words: a
    text is refused, of which the letters would be compared.

    Examples
    --------
    >>> rouge_l("police killed the gunman".split(), "police kill the gunman".split())
    0.75
    """
    truth, said = as_texts(truth, "word"), as_texts(said, "word")
    if not truth or not said:
        return float(len(truth) == len(said))
    return 2 * _common(truth, said) / (len(truth) + len(said))


def _common(one: Sequence[str], two: Sequence[str]) -> int:
    """Return the length of the longest common subsequence, a row of the usual table at a time."""
    above = [0] * (len(two) + 1)
    for word in one:
        row = [0]
        for j, other in enumerate(two):
            row.append(above[j] + 1 if word == other else max(above[j + 1], row[j]))
        above = row
    return above[-1]
