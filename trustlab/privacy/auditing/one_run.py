"""A lower bound on ε from one run with m canaries: Steinke, Nasr and Jagielski 2023.

Each canary takes part by a fair coin. If the run is (ε, δ)-DP, then v or more right of r guesses have at most the
probability

    P[Bin(r, p) ≥ v] + 2mδ·max_i P[v - i ≤ Bin(r, p) < v] / i,    p = e^ε / (1 + e^ε),

so an ε at which this is at most α is refuted. **Valid for every (ε, δ) mechanism**, also where the canaries influence
one another, for an r chosen before the scores are seen. The price: it recovers about a third of a Gaussian step's ε.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtrc, expit

from trustlab.privacy.auditing.counts import Array, check_share

PRECISION = 1e-7  # of ε; the bound returned is one that was refuted
LARGEST = 60.0  # an ε beyond it says no more: e^60 to one


def one_run_p(correct: int, guesses: int, canaries: int, epsilon: float, delta: float) -> float:
    """Return the largest probability that an (ε, δ) mechanism gives `correct` or more right of `guesses` guesses.

    Examples
    --------
    >>> round(one_run_p(90, 100, 1000, epsilon=1.0, delta=1e-3), 6)
    0.08142
    """
    right = float(expit(epsilon))
    tail = float(bdtrc(correct - 1, guesses, right)) if correct > 0 else 1.0
    if delta == 0 or correct == 0:
        return min(tail, 1.0)
    # Beyond ten deviations below the mean nothing is left to gain, and the quotient only falls.
    lowest = max(0, math.floor(guesses * right - 10 * math.sqrt(guesses * right * (1 - right)) - 10))
    i = np.arange(1, max(1, correct - lowest) + 1)
    above = np.where(correct - i > 0, bdtrc(correct - i - 1, guesses, right), 1.0)
    return min(tail + 2 * canaries * delta * float(np.max((above - tail) / i)), 1.0)


def one_run_epsilon(
    correct: ArrayLike, guesses: ArrayLike, canaries: ArrayLike, *, delta: float, alpha: float = 0.05
) -> Array:
    """Return the largest ε refuted with confidence 1 - `alpha`.

    Parameters
    ----------
    correct, guesses, canaries
        v ≤ r ≤ m; arrays broadcast. All m canaries count, also those about which nothing was guessed.
    delta
        δ in [0, 1).
    alpha
        Probability that the bound is above the true ε.

    Returns
    -------
    Array
        ε ≥ 0; 0 where nothing is refuted.

    Raises
    ------
    ValueError
        For counts that contradict one another, or a δ or α outside its range.

    Examples
    --------
    >>> one_run_epsilon([90, 95, 50], 100, 1000, delta=1e-5).round(3).tolist()
    [1.626, 2.165, 0.0]
    """
    correct, guesses, canaries = checked_counts(correct, guesses, canaries, delta, alpha)
    return np.vectorize(_epsilon, otypes=[float])(correct, guesses, canaries, delta, alpha)


def checked_counts(
    correct: ArrayLike, guesses: ArrayLike, canaries: ArrayLike, delta: float, alpha: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return whole numbers of one shape; refuse those that no audit can have."""
    check_share("delta", delta, zero=True)
    check_share("alpha", alpha)
    found = np.broadcast_arrays(*(np.asarray(count) for count in (correct, guesses, canaries)))
    whole = all(count.dtype.kind in "iu" for count in found)
    right, made, planted = found
    if not whole or not ((right >= 0) & (right <= made) & (made >= 1) & (made <= planted)).all():
        raise ValueError(
            f"Expected whole numbers 0 <= correct <= guesses <= canaries, got correct={correct}, guesses={guesses}, "
            f"canaries={canaries}. Right guesses are some of the guesses, and each is about another canary."
        )
    return found


def bisected(refuted: Callable[[float], bool], low: float, high: float, precision: float) -> float:
    """Return the largest value refuted, to `precision` and from below; `low` is taken as refuted."""
    while high - low > precision:
        middle = (low + high) / 2
        low, high = (middle, high) if refuted(middle) else (low, middle)
    return low


@lru_cache(maxsize=65536)
def _epsilon(correct: int, guesses: int, canaries: int, delta: float, alpha: float) -> float:
    """Solve for one outcome; an outcome comes again in simulated audits."""

    def refuted(epsilon: float) -> bool:
        return one_run_p(correct, guesses, canaries, epsilon, delta) <= alpha

    return bisected(refuted, 0.0, LARGEST, PRECISION) if refuted(0.0) else 0.0
