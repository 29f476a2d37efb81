"""What a guarantee permits an attack to reach, and whether a measured one stays below it.

For every ε there is a δ(ε), and for each such pair every attack on one example obeys (Wasserman and Zhou 2010; Kairouz,
Oh and Viswanath 2015)

    TPR ≤ e^ε · FPR + δ    and    1 − TPR ≥ e^−ε · (1 − δ − FPR).

The permitted curve is the lowest of these lines, over many pairs on the mechanism's privacy loss distribution: lower
than what its one published (ε, δ) allows, and for the Gaussian mechanism its exact trade-off.

The bound is about an example that is in the training or not, the others being what they are. So an experiment that is
to be compared with it lets a fair coin decide each example's membership (add or remove one); a random half of fixed
size swaps an example for another, which is the replacement of one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.columns import as_mask, as_scores
from trustlab.intervals import rate_bounds
from trustlab.privacy.membership.roc import roc
from trustlab.privacy.pld import pld_epsilon, rounding_share

DELTAS = 10.0 ** -np.concatenate([np.arange(0.02, 1.0, 0.06), np.arange(1.0, 10.5, 0.25)])
RANKS = 12  # thresholds at which a measured curve is compared


@dataclass(frozen=True)
class Permitted:
    """The curve that a guarantee permits.

    Attributes
    ----------
    pairs
        ``((epsilon, delta), …)`` that all hold.

    Examples
    --------
    >>> Permitted(((1.0, 1e-5),)).tpr([0.01, 0.5]).round(3)
    array([0.027, 0.816])
    """

    pairs: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        for epsilon, delta in self.pairs:
            if not (epsilon >= 0 and 0 <= delta <= 1):
                raise ValueError(f"Expected every epsilon >= 0 and delta in [0, 1], got {epsilon} and {delta}.")

    def tpr(self, fpr: Any) -> np.ndarray:
        """Return the largest TPR that an attack with these FPRs [N] can have, [N] in [0, 1]."""
        rates = as_scores(fpr, "FPR", low=0, high=1)
        highest = np.ones_like(rates)
        for epsilon, delta in self.pairs:
            if math.isfinite(epsilon) and epsilon < 700:  # e^700 is the largest double
                flat = 1 - math.exp(-epsilon) * (1 - delta - rates)
                highest = np.minimum(highest, np.minimum(math.exp(epsilon) * rates + delta, flat))
        return np.clip(highest, 0.0, 1.0)


def permitted(
    schedule: Sequence[tuple[float, int]],
    *,
    sample_rate: float,
    adjacency: str = "add-remove",
    sensitivity: float = 1.0,
) -> Permitted:
    """Return the curve that a training by noisy steps on Poisson samples permits.

    Parameters
    ----------
    schedule
        ``((sigma, steps), …)``: σ is the noise multiplier, in units of C; 0 is no noise, which permits everything.
    sample_rate
        q in (0, 1].
    adjacency
        ``"add-remove"`` or ``"replace"``.
    sensitivity
        What one example can add to the clipped sum, in units of C: 1 for clipped examples, 2 for clipped means.

    Examples
    --------
    >>> from scipy.stats import norm
    >>> curve = permitted(((1.0, 1),), sample_rate=1.0)
    >>> curve.tpr([0.01]).round(3), norm.cdf(norm.ppf([0.01]) + 1).round(3)  # the Gaussian mechanism's is known
    (array([0.092]), array([0.092]))
    """
    steps = tuple((sigma / sensitivity, int(count)) for sigma, count in schedule)
    if any(sigma == 0 for sigma, _ in steps):
        return Permitted(((math.inf, 0.0),))
    kept = [delta for delta in DELTAS.tolist() if rounding_share(steps, delta) < 0.1]
    options = dict(sample_rate=sample_rate, adjacency=adjacency)
    return Permitted(tuple((pld_epsilon(steps, delta=delta, **options), delta) for delta in kept))


def above(
    scores: Any, members: Any, allowed: Permitted | Callable[[np.ndarray], np.ndarray], *, level: float = 0.999
) -> list[dict[str, float]]:
    """Return the points of a measured ROC that are above what is permitted, beyond their sampling interval.

    At fixed ranks among the non-members' scores, which say nothing of the members', TPR and FPR get one-sided
    Clopper–Pearson bounds. All of them hold at once with probability `level` where examples are independent, so a sound
    training has no point here but by that chance.

    Returns
    -------
    list of rows
        ``fpr``, ``tpr``, ``fpr_high`` and ``tpr_low`` (their bounds) and ``permitted`` (at ``fpr_high``).

    Examples
    --------
    >>> members = np.arange(400) < 200
    >>> above(members.astype(float) * 9 + np.arange(400) / 400, members, Permitted(((1.0, 1e-5),)))[0]["fpr"]
    0.005
    """
    mask = as_mask(members, what="membership")
    curve = roc(scores, mask)
    inside, outside = int(mask.sum()), int((~mask).sum())
    ranks = np.unique(np.geomspace(1, outside, RANKS).astype(int))  # false positives
    risk = (1 - level) / (2 * len(ranks))
    false = np.round(curve.fpr * outside).astype(int)
    at = np.unique(np.searchsorted(false, ranks, side="right") - 1)
    positives, negatives = np.round(curve.tpr[at] * inside), false[at].astype(float)
    tpr_low, _ = rate_bounds(positives, inside, risk)
    _, fpr_high = rate_bounds(negatives, outside, risk)
    highest = allowed.tpr(fpr_high) if isinstance(allowed, Permitted) else allowed(fpr_high)
    columns = dict(fpr=curve.fpr[at], tpr=curve.tpr[at], fpr_high=fpr_high, tpr_low=tpr_low, permitted=highest)
    return [
        {name: float(values[i]) for name, values in columns.items()} for i in np.flatnonzero(tpr_low > highest).tolist()
    ]
