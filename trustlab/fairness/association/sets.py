"""The word sets of an association test: four lists in which every word has one place."""

from __future__ import annotations

from typing import Any

from trustlab.columns import as_texts

OPPOSED = (("X", "Y"), ("A", "B"))


def distinct_sets(X: Any, Y: Any, A: Any, B: Any) -> dict[str, list[str]]:
    """Return the four sets by name, as lists of words, after refusing words that occur twice.

    A word in both target sets, or in both attribute sets, pulls either side towards the other; one that occurs twice in
    a set counts twice, and the permutation test takes it for two observations. A target that is an attribute as well is
    the researcher's choice: its cosine with itself is 1.

    Parameters
    ----------
    X, Y, A, B
        Words of the targets and of the attributes, in any column.

    Raises
    ------
    ValueError
        For one text in place of a list, or words that occur twice, which are named.

    Examples
    --------
    >>> distinct_sets(["rose"], ["wasp", "rose"], ["joy"], ["pain"])
    Traceback (most recent call last):
    ...
    ValueError: Expected X and Y without a common word, got rose in both. It would be on both sides of what is \
compared: leave it out of one, or of both.
    """
    sets = {name: distinct(words, name) for name, words in zip("XYAB", (X, Y, A, B), strict=True)}
    for first, second in OPPOSED:
        common = [word for word in sets[first] if word in sets[second]]
        if common:
            raise ValueError(
                f"Expected {first} and {second} without a common word, got {', '.join(common)} in both. It would be on "
                "both sides of what is compared: leave it out of one, or of both."
            )
    return sets


def distinct(words: Any, name: str) -> list[str]:
    """Return a list of words, after refusing one text in its place, and words that occur twice.

    Examples
    --------
    >>> distinct(("he", "she"), "targets")
    ['he', 'she']
    """
    words = as_texts(words, f"word of {name}")
    twice = sorted({word for word in words if words.count(word) > 1})
    if twice:
        raise ValueError(
            f"Expected every word once in {name}, got {', '.join(twice)} twice or more. Each would count as an "
            "observation of the test: keep one."
        )
    return words
