"""Texts that differ in little, stored once: their common pieces, and for each text the numbers of its pieces.

Two pictures of one panel differ in a few elements out of hundreds. Each text is cut at the ends of its elements;
pieces that always follow each other are joined again; every piece is stored once. Joining a text's pieces gives it back
character by character, in one line of script.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

ENDS = re.compile(r"(?<=>)(?=\n? *<(?!/))")  # before an element, after another's tag


def share(texts: Sequence[str]) -> tuple[list[str], list[list[int]]]:
    """Return the pieces of `texts`, and the numbers of the pieces of each text.

    Examples
    --------
    >>> pieces, numbers = share(["<g><a/><b/></g>", "<g><a/><c/></g>", "<g><a/><b/></g>"])
    >>> pieces, numbers
    (['<g><a/>', '<b/></g>', '<c/></g>'], [[0, 1], [0, 2], [0, 1]])
    >>> ["".join(pieces[n] for n in each) for each in numbers][1]
    '<g><a/><c/></g>'
    """
    cut = [ENDS.split(text) for text in texts]
    after, before = _neighbours(cut)
    joined = [_joined(elements, after, before) for elements in cut]
    places: dict[str, int] = {}
    numbers = [[places.setdefault(piece, len(places)) for piece in pieces] for pieces in joined]
    return list(places), numbers


def _neighbours(cut: Sequence[Sequence[str]]) -> tuple[dict[str, set[str | None]], dict[str, set[str | None]]]:
    """Return which elements follow each element, and which come before it; None at the ends."""
    after: dict[str, set[str | None]] = {}
    before: dict[str, set[str | None]] = {}
    for elements in cut:
        for one, other in zip(elements, [*elements[1:], None], strict=True):
            after.setdefault(one, set()).add(other)
        for one, other in zip([None, *elements[:-1]], elements, strict=True):
            before.setdefault(other, set()).add(one)
    return after, before


def _joined(
    elements: Sequence[str], after: dict[str, set[str | None]], before: dict[str, set[str | None]]
) -> list[str]:
    """Return `elements`, those joined that are nowhere without each other."""
    pieces = [elements[0]]
    for last, here in itertools.pairwise(elements):
        if len(after[last]) == 1 and len(before[here]) == 1:
            pieces[-1] += here
        else:
            pieces.append(here)
    return pieces
