"""What an audit counts: scores become guesses of who took part, and guesses become counts.

A score is any number that is larger for canaries that took part. The number of guesses r is fixed before the scores
are seen: every bound here is a statement about one r. Where several are tried, α is divided by how many.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trustlab.columns import as_mask, as_scores

Array = NDArray[np.float64]


class Counts(NamedTuple):
    """The outcome of an audit in one run: `correct` of `guesses` guesses about `canaries` canaries."""

    canaries: int
    guesses: int
    correct: int


def counted(scores: Any, included: Any, guesses: int) -> Counts:
    """Guess that the r/2 highest scores took part and the r/2 lowest did not, and count what is right.

    Parameters
    ----------
    scores
        One finite number per canary, larger for a canary that seems to have taken part, [m].
    included
        Which canaries took part: independent fair coins, [m].
    guesses
        r in 1 … m, chosen without the scores. Of an odd r, one more is guessed to have taken part.

    Raises
    ------
    ValueError
        For scores that are not finite, columns of different lengths, or an r outside its range.

    Examples
    --------
    >>> counted([3.0, 0.1, -2.0, 0.2], [True, True, False, False], guesses=2)
    Counts(canaries=4, guesses=2, correct=2)
    """
    scores, included = checked_scores(scores, included)
    check_whole("guesses", guesses, low=1, high=len(scores), means="Each canary is guessed once, or left out.")
    order = np.argsort(-scores, kind="stable")
    highest, lowest = order[: math.ceil(guesses / 2)], order[len(order) - guesses // 2 :]
    correct = included[highest].sum() + (~included[lowest]).sum()
    return Counts(len(scores), int(guesses), int(correct))


def checked_scores(scores: Any, included: Any) -> tuple[Array, NDArray[np.bool_]]:
    """Return scores [m] and who took part [m]; refuse an audit in which all canaries or none did."""
    scores = as_scores(scores, "canary score")
    included = as_mask(included, len(scores), "included")
    if not 0 < included.sum() < len(scores):
        raise ValueError(
            f"Expected canaries of both kinds, got {int(included.sum())} of {len(scores)} that took part. An audit "
            "compares those that took part with those that did not: include each by a fair coin."
        )
    return scores, included


def check_share(name: str, value: float, *, zero: bool = False) -> None:
    """Refuse a δ or an α outside (0, 1); with `zero`, 0 is a value too."""
    if not (value < 1 and (value > 0 or (zero and value == 0))):
        raise ValueError(
            f"Expected {name}={value} in {'[' if zero else '('}0, 1). It is a probability: of failing (alpha), or of "
            "what ε does not cover (delta)."
        )


def check_whole(name: str, value: Any, *, low: int, high: int | None = None, means: str) -> None:
    """Refuse what is no whole number in its range."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):
        top = "" if high is None else f" <= {high}"
        raise ValueError(f"Expected {low} <= {name}={value!r}{top}, a whole number. {means}")
