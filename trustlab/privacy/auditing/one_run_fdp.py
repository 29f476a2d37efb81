"""A lower bound from one run that uses the whole trade-off curve: Mahloujifar, Melis and Chaudhuri 2024, Algorithm 3.

The claim under test is a curve f instead of a point (ε, δ): here that of a Gaussian mechanism, μ = 1/σ. The algorithm
follows how much probability right (r) and wrong (h) guesses can have if v or more are right with probability α, from v
right guesses down: wrong ones have at least what the curve leaves of right ones, f's inverse blow-up Φ(Φ⁻¹(r) - μ). If
in the end more guesses are needed than were made, the curve is refuted.

**Valid for Gaussian mechanisms whose canaries act independently**, with an r fixed beforehand. Of another mechanism it
can claim too much: it refutes a curve, and the ε is that curve's. It recovers about half of a Gaussian step's ε.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from trustlab.privacy.auditing.counts import Array
from trustlab.privacy.auditing.gaussian_curve import LARGEST_MU, mu_epsilon
from trustlab.privacy.auditing.one_run import checked_counts

AT_ONCE, ROUNDS = 32, 5  # each round divides the interval around μ into so many


def one_run_fdp_epsilon(
    correct: ArrayLike, guesses: ArrayLike, canaries: ArrayLike, *, delta: float, alpha: float = 0.05
) -> Array:
    """Return the ε at `delta` of the largest Gaussian trade-off curve refuted with confidence 1 - `alpha`.

    Parameters and errors are those of :func:`trustlab.privacy.auditing.one_run_epsilon`; δ > 0.

    Examples
    --------
    >>> one_run_fdp_epsilon([90, 95], 100, 1000, delta=1e-5).round(3).tolist()
    [2.456, 3.323]
    """
    correct, guesses, canaries = checked_counts(correct, guesses, canaries, delta, alpha)
    return np.vectorize(_epsilon, otypes=[float])(correct, guesses, canaries, delta, alpha)


def refuted_curves(mus: Array, correct: int, guesses: int, canaries: int, alpha: float) -> np.ndarray:
    """Return for each μ [k] whether its Gaussian curve is refuted."""
    refuted, open_ones = np.zeros(len(mus), bool), np.arange(len(mus))
    right = np.full(len(mus), alpha * correct / canaries)
    wrong = np.full(len(mus), alpha * (guesses - correct) / canaries)
    for i in range(correct - 1, -1, -1):
        most = np.maximum(wrong, ndtr(ndtri(np.minimum(right, 1.0)) - mus[open_ones]))
        going_on = most > wrong  # where wrong guesses need no more, nothing changes from here on
        right = right + i / (guesses - i) * (most - wrong)
        wrong = most
        over = right + wrong > guesses / canaries
        refuted[open_ones[over]] = True
        stay = going_on & ~over
        if not stay.all():
            open_ones, right, wrong = open_ones[stay], right[stay], wrong[stay]
        if not len(open_ones):
            break
    return refuted


@lru_cache(maxsize=65536)
def _epsilon(correct: int, guesses: int, canaries: int, delta: float, alpha: float) -> float:
    """Narrow the interval between the largest μ refuted and the smallest one that is not."""
    low, high = 0.0, LARGEST_MU
    for _ in range(ROUNDS):
        mus = np.linspace(low, high, AT_ONCE + 1)[1:]
        kept = np.flatnonzero(~refuted_curves(mus, correct, guesses, canaries, alpha))
        first = kept[0] if len(kept) else AT_ONCE - 1  # everything refuted: no more is claimed than the range holds
        low, high = (mus[first - 1] if first else low), mus[first]
    return mu_epsilon(low, delta)
