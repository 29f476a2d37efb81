"""How a text becomes words: one stated rule, the same for training, for a user's own files and for what one types."""

from __future__ import annotations

import re
from typing import NamedTuple

WORD_OR_SIGN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]|_")


class Word(NamedTuple):
    """A word, and the characters of the text that it is: from `start` up to, and without, `end`."""

    text: str
    start: int
    end: int


def words_in(text: str) -> list[Word]:
    """Cut a text into words and signs.

    A word is a run of letters and digits, with an apostrophe between two of them ("don't" is one word); every other
    sign that is no white space is a word of its own. Nothing is put into small letters. It is the rule by which the
    prediction sensitivity of a text is read, see :mod:`trustlab.fairness.sensitivity`.

    Examples
    --------
    >>> [word.text for word in words_in("Don't wake me at 7:30!")]
    ["Don't", 'wake', 'me', 'at', '7', ':', '30', '!']
    """
    return [Word(found.group(), *found.span()) for found in WORD_OR_SIGN.finditer(text)]
