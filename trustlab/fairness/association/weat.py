"""WEAT, the word embedding association test (Caliskan, Bryson & Narayanan 2017, Science)."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from trustlab.fairness.association.permutations import drawn_tail, exact_tail

EXACT_UP_TO = 20  # words a target set, C(40, 20) = 1.4e11 divisions: 2^20 sums a half, under a second
DRAWS = 10_000
MOST_WORDS = 22  # with permutations="exact": 2^22 sums a half, seconds


class Association(NamedTuple):
    """Result of an association test.

    Attributes
    ----------
    effect_size
        (mean of s over X − mean of s over Y) / sample standard deviation of s over X ∪ Y (ddof = 1), in
        (−2, 2) for X and Y of equal size. Positive: X is closer to A, and Y to B.
    statistic
        Σ s over X − Σ s over Y.
    p_value
        One-sided and non-strict: the share of divisions whose statistic is at least the observed one. Never 0: the
        observed division counts as one of them, also where divisions are drawn. NaN without a test.
    permutations
        Divisions counted.
    exact
        Whether these were all there are.
    p_strict
        The share whose statistic is strictly larger, as Caliskan and colleagues write it; it can be 0.
    """

    effect_size: float
    statistic: float
    p_value: float
    permutations: int
    exact: bool
    p_strict: float


def weat(X: Any, Y: Any, A: Any, B: Any, *, permutations: int | str = "auto", seed: int = 0) -> Association:
    """Test whether the targets X are closer to the attributes A, and Y to B, than expected by chance.

    The association of a word is s(w, A, B) = mean of cos(w, a) over A − mean of cos(w, b) over B. The null hypothesis
    is that X and Y could be exchanged: X ∪ Y is divided into two sets of the same size in all possible ways.

    Parameters
    ----------
    X, Y, A, B : array [n, d], [n, d], [a, d], [b, d]
        Vectors of the words in each set, at least two. X and Y have as many.
    permutations
        "auto" counts all divisions up to 20 words a target set and draws 10,000 beyond; "exact" counts them all, up to
        22 words; a number draws so many without replacement (all, if there are no more); 0 makes no test, and lets X
        and Y differ in size.
    seed
        Of the drawing.

    Raises
    ------
    ValueError
        For fewer than two words, X and Y of different size, vectors that are zero, not finite or of different width,
        and targets that all have the same association: their effect size would be 0/0.

    Examples
    --------
    >>> X, Y = [[1.0, 0.1], [1.0, 0.2]], [[0.1, 1.0], [0.2, 1.0]]
    >>> A, B = [[1.0, 0.0], [2.0, 0.1]], [[0.0, 1.0], [0.1, 2.0]]
    >>> found = weat(X, Y, A, B)
    >>> round(found.effect_size, 2), round(found.p_value, 3), found.permutations, found.exact
    (1.73, 0.167, 6, True)
    """
    x, y, a, b = unit_sets(X=X, Y=Y, A=A, B=B)
    draws = _checked(permutations, len(x), len(y))
    s = np.concatenate([x, y]) @ (a.mean(0) - b.mean(0))  # a mean of cosines is one product with the mean unit vector
    spread = s.std(ddof=1)
    if spread < 1e-12:
        raise ValueError(
            f"Expected targets with different associations, got {s[0]:.3g} for all. The effect size would be 0/0: "
            "the words are the same, or the encoder gives all of them one vector."
        )
    n = len(x)
    effect, statistic = (s[:n].mean() - s[n:].mean()) / spread, s[:n].sum() - s[n:].sum()
    if draws == 0:
        return Association(float(effect), float(statistic), math.nan, 0, False, math.nan)
    exact = draws >= math.comb(2 * n, n)
    tail = exact_tail(s) if exact else drawn_tail(s, draws, np.random.default_rng(seed))
    here = 0 if exact else 1  # drawn divisions are joined by the observed one, which is as good a division as they
    p_value, p_strict = (tail.at_least + here) / (tail.permutations + here), tail.larger / (tail.permutations + here)
    return Association(float(effect), float(statistic), p_value, tail.permutations, exact, p_strict)


def associations(W: Any, A: Any, B: Any) -> np.ndarray:
    """Return s(w, A, B) of each word: the mean cosine with A minus the mean cosine with B, in [−2, 2].

    Parameters
    ----------
    W, A, B : array [n, d], [a, d], [b, d]
        Vectors of words, at least two in each set.

    Examples
    --------
    >>> associations([[1.0, 0.0], [1.0, 1.0]], [[2.0, 0.0], [3.0, 0.0]], [[0.0, 1.0], [0.0, 4.0]]).round(3).tolist()
    [1.0, 0.0]
    """
    w, a, b = unit_sets(W=W, A=A, B=B)
    return w @ (a.mean(0) - b.mean(0))


def unit_sets(**sets: Any) -> list[np.ndarray]:
    """Return each named set of vectors at length 1, float64 [n, d], after refusing what no cosine can be taken of."""
    return [_unit(name, vectors) for name, vectors in _same_width(sets).items()]


def _same_width(sets: dict[str, Any]) -> dict[str, np.ndarray]:
    arrays = {name: np.asarray(vectors, np.float64) for name, vectors in sets.items()}
    for name, array in arrays.items():
        if array.ndim != 2 or len(array) < 2:
            raise ValueError(
                f"Expected {name} to be vectors of at least two words, [n, d], got shape {list(array.shape)}. "
                "One word is not a set: nothing would be averaged."
            )
    if len({array.shape[1] for array in arrays.values()}) > 1:
        widths = ", ".join(f"{name} {array.shape[1]}" for name, array in arrays.items())
        raise ValueError(f"Expected vectors of one width, got {widths}. They must come from one model.")
    return arrays


def _unit(name: str, array: np.ndarray) -> np.ndarray:
    # Divided by its largest entry first, no vector overflows or vanishes when squared.
    largest = np.abs(array).max(1, keepdims=True)
    bad = np.flatnonzero(~np.isfinite(largest[:, 0]) | (largest[:, 0] == 0))
    if len(bad):
        raise ValueError(
            f"Expected finite vectors other than zero in {name}, got none in rows {bad.tolist()}. A zero vector has no "
            "direction, so no cosine: often it belongs to a word that the model does not know. Leave it out."
        )
    array = array / largest
    return array / np.linalg.norm(array, axis=1, keepdims=True)


def _checked(permutations: int | str, n: int, m: int) -> float:
    """Return how many divisions to draw; infinity for all, 0 for no test."""
    named = isinstance(permutations, str) and permutations in ("auto", "exact")
    number = isinstance(permutations, Integral) and not isinstance(permutations, bool) and permutations >= 0
    if not named and not number:
        raise ValueError(f'Expected permutations={permutations!r} to be "auto", "exact" or a whole number >= 0.')
    if permutations == 0:
        return 0
    if n != m:
        raise ValueError(
            f"Expected X and Y of equal size, got {n} and {m}. The test exchanges them, and its statistic is a "
            "difference of sums: leave words out of the larger set, or pass permutations=0 for the effect size only."
        )
    if permutations == "auto":
        return math.inf if n <= EXACT_UP_TO else DRAWS
    if permutations == "exact":
        if n > MOST_WORDS:
            raise ValueError(
                f'Expected at most {MOST_WORDS} words a target set with permutations="exact", got {n}. It holds 2^n '
                "sums in memory; give a number of divisions to draw."
            )
        return math.inf
    return int(permutations)
