"""A lower bound on ε from many independent runs: Clopper–Pearson intervals of the two error rates.

Every (ε, δ) mechanism keeps TPR ≤ e^ε·FPR + δ for every test (Kairouz, Oh and Viswanath 2015, Theorem 2.1), so a lower
bound on TPR and an upper bound on FPR give one on ε. **Valid for every (ε, δ) mechanism**, when each score comes from a
run of its own.

The threshold is what public tools get wrong: the best of all thresholds, uncorrected, claims too much far more often
than in 5 % of audits. Here thresholds are ranks, fixed before the scores are seen. The k-th highest of n scores without
the canary has an FPR whose distribution is Beta(k, n + 1 - k), whatever the scores are, so its bound is exact; α is
divided by the number of ranks. Or half of the scores choose the threshold, and the other half bound ε at it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from trustlab.columns import as_scores
from trustlab.intervals import rate_bounds
from trustlab.privacy.auditing.counts import Array, check_share

RANKS = 12  # thresholds tried, at geometric distances: more would cost more in α than they find


def clopper_pearson_epsilon(
    true_positives: ArrayLike,
    members: ArrayLike,
    false_positives: ArrayLike,
    others: ArrayLike,
    *,
    delta: float,
    alpha: float = 0.05,
) -> Array:
    """Return the ε that counts at one threshold, fixed beforehand, prove with confidence 1 - `alpha`.

    Half of α goes to each of the two rates. Both directions of the definition are used: of TPR against FPR, and of
    TNR against FNR; they need the same two bounds.

    Parameters
    ----------
    true_positives, members
        Of how many runs with the canary how many were called so; arrays broadcast.
    false_positives, others
        Of how many runs without it.
    delta
        δ in [0, 1).
    alpha
        Probability that the bound is above the true ε, in (0, 1).

    Returns
    -------
    Array
        ε ≥ 0; 0 where nothing is proved.

    Examples
    --------
    >>> float(clopper_pearson_epsilon(500, 500, 0, 500, delta=0.0, alpha=0.01).round(6))
    4.541916
    """
    check_share("delta", delta, zero=True)
    check_share("alpha", alpha)
    tpr, fnr_at_most = _mirrored(true_positives, members, alpha / 2)
    tnr, fpr_at_most = _mirrored(np.asarray(others) - false_positives, others, alpha / 2)
    return np.maximum(_log_ratio(tpr - delta, fpr_at_most), _log_ratio(tnr - delta, fnr_at_most))


def paired_epsilon(
    with_canary: Any,
    without: Any,
    *,
    delta: float,
    alpha: float = 0.05,
    threshold: float | str = "ranks",
    seed: int = 0,
) -> float:
    """Return the ε that scores of independent runs prove with confidence 1 - `alpha`.

    Parameters
    ----------
    with_canary, without
        One score per run, [n] and [n'], higher where the canary seems to have taken part.
    threshold
        ``"ranks"``: the best of :data:`RANKS` fixed ranks in either direction, with α divided by their number.
        ``"held-out"``: half of the runs choose a threshold, the others bound ε. A number: that threshold, which must
        have been chosen without these scores.
    seed
        Which runs are held out.

    Raises
    ------
    ValueError
        For scores that are not finite, fewer than two runs on a side, or another `threshold`.

    Examples
    --------
    >>> scores = np.random.default_rng(0).normal(size=(2, 2000))
    >>> round(paired_epsilon(scores[0] + 2, scores[1], delta=1e-5), 2)  # the truth is 10.0
    3.4
    """
    check_share("delta", delta, zero=True)
    check_share("alpha", alpha)
    inside, outside = as_scores(with_canary, "score with the canary"), as_scores(without, "score without it")
    if min(len(inside), len(outside)) < 2:
        raise ValueError(
            f"Expected two runs or more with the canary and without it, got {len(inside)} and {len(outside)}. "
            "A rate needs trials: train more often, or audit one run with many canaries."
        )
    if threshold == "ranks":
        return _at_ranks(inside, outside, delta, alpha)
    if threshold == "held-out":
        return _held_out(inside, outside, delta, alpha, seed)
    if isinstance(threshold, str) or not math.isfinite(threshold):
        raise ValueError(f"Expected threshold={threshold!r} to be 'ranks', 'held-out' or a finite number.")
    return _at(inside, outside, float(threshold), delta, alpha)


def _at(inside: Array, outside: Array, threshold: float, delta: float, alpha: float) -> float:
    counts = (inside > threshold).sum(), len(inside), (outside > threshold).sum(), len(outside)
    return float(clopper_pearson_epsilon(*counts, delta=delta, alpha=alpha))


def _at_ranks(inside: Array, outside: Array, delta: float, alpha: float) -> float:
    """Try fixed ranks of the scores without the canary, and mirrored, of those with it."""
    found = [0.0]
    for accused, spared in ((inside, outside), (-outside, -inside)):
        ranks = np.unique(np.geomspace(1, len(spared), RANKS).astype(int))
        own = alpha / (2 * 2 * len(ranks))  # two directions, two rates, so many ranks
        threshold = np.sort(spared)[::-1][ranks - 1]
        hits = len(accused) - np.searchsorted(np.sort(accused), threshold, side="right")
        least, _ = rate_bounds(hits, len(accused), own)
        _, most = rate_bounds(ranks - 1, len(spared), own)  # of P[score > the rank-th highest]
        found.append(float(_log_ratio(least - delta, most).max()))
    return max(found)


def _held_out(inside: Array, outside: Array, delta: float, alpha: float, seed: int) -> float:
    """Choose the threshold with the best bound on one half, and compute the bound on the other."""
    rng = np.random.default_rng(seed)
    (a, b), (c, d) = (np.array_split(rng.permutation(scores), 2) for scores in (inside, outside))
    candidates = np.unique(np.r_[a, c])
    hits = [len(half) - np.searchsorted(np.sort(half), candidates, side="right") for half in (a, c)]
    bounds = clopper_pearson_epsilon(hits[0], len(a), hits[1], len(c), delta=delta, alpha=alpha)
    return _at(b, d, float(candidates[bounds.argmax()]), delta, alpha)


def _mirrored(hits: ArrayLike, trials: ArrayLike, alpha: float) -> tuple[Array, Array]:
    """Return the least rate of hits, and the largest rate of misses that it leaves."""
    least, _ = rate_bounds(hits, trials, alpha)
    return least, 1 - least


def _log_ratio(numerator: ArrayLike, denominator: ArrayLike) -> Array:
    """Return max(0, log(numerator / denominator)); 0 where the numerator is not positive."""
    numerator = np.asarray(numerator, float)
    return np.log(np.maximum(np.where(numerator > 0, numerator, 0.0) / denominator, 1.0))
