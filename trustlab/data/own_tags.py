"""Tags of words as BIO, whichever of three ways a user's rows are tagged in: BIO, BILOU or BIOES.

BILOU (spaCy) and BIOES (Flair, Stanza) also mark the end of a slot, and a slot of one word. The rule is one line: U-
and S- become B-, L- and E- become I-. A row in which one of these four occurs is read so, and has to be well-formed in
its own way: what is cut off in the middle is refused and not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

OUTSIDE = "O"
_TAG = re.compile(r"[BILUES]-\S+")
_BIO = {"U": "B", "S": "B", "L": "I", "E": "I"}
_CONTINUES = ("B", "I")  # with ends marked, a slot continues after these


class WrongRow(ValueError):
    """A row that is not what it has to be; the message says what was expected and what came."""


def bio_tags(tags: Sequence[Any], words: Sequence[str], column: str) -> list[str]:
    """Return the BIO tags of a row's words.

    Parameters
    ----------
    tags
        As they came, one for each word.
    words, column
        For errors.

    Raises
    ------
    WrongRow
        If a tag is none, or a slot does not begin or end as it has to.

    Examples
    --------
    >>> bio_tags(["U-day", "O", "B-city", "L-city"], ["today", "in", "New", "York"], "tags")
    ['B-day', 'O', 'B-city', 'I-city']
    """
    for tag in tags:
        if tag != OUTSIDE and not (isinstance(tag, str) and _TAG.fullmatch(tag)):
            raise WrongRow(
                f"expected the tags O, B-<slot> and I-<slot> in {column!r}, got {tag!r}; BILOU and BIOES are read too"
            )
    if any(tag[0] in _BIO for tag in tags):
        _refuse_cut_off(tags, words)
    found = [_BIO.get(tag[0], tag[0]) + tag[1:] for tag in tags]
    before = OUTSIDE
    for tag, given, word in zip(found, tags, words, strict=True):
        if tag.startswith("I-") and before[2:] != tag[2:]:
            raise WrongRow(
                f"expected {given!r} of {word!r} after B-{tag[2:]} or I-{tag[2:]}, got it after {before!r}: in "
                "BIO a slot begins with B- (IOB1 tags have to be converted)"
            )
        before = tag
    return found


def _refuse_cut_off(tags: Sequence[str], words: Sequence[str]) -> None:
    """Refuse a slot that continues after its end, or has none, where ends are marked."""
    for tag, after, word in zip(tags, [*tags[1:], OUTSIDE], words, strict=True):
        continues = tag[0] in _CONTINUES
        if tag != OUTSIDE and (continues != (after[0] in "ILE") or (continues and after[2:] != tag[2:])):
            what = "continue" if continues else "end its slot"
            raise WrongRow(
                f"expected {tag!r} of {word!r} to {what}, got {after!r} after it: the row marks ends "
                "of slots (BILOU or BIOES), where one word alone is U- or S- and the last of several L- or E-"
            )
