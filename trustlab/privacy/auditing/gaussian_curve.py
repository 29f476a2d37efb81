"""Between a Gaussian step's signal-to-noise ratio μ = 1/σ and its ε at a δ, with or without Poisson sampling."""

from __future__ import annotations

import math

from scipy.optimize import brentq
from scipy.special import ndtr

from trustlab.privacy.accountants import gaussian_epsilon

LARGEST_MU = 40.0  # noise of 1/40 of what it hides


def mu_epsilon(mu: float, delta: float, sample_rate: float = 1.0) -> float:
    """Return the ε at `delta` of N(0, 1) against (1 - q)·N(0, 1) + q·N(μ, 1), in the direction that a canary adds.

    Examples
    --------
    >>> round(mu_epsilon(1.0, 1e-5), 3), round(mu_epsilon(1.0, 1e-5, sample_rate=0.5), 3)
    (4.377, 3.534)
    """
    if mu <= 0:
        return 0.0
    if sample_rate == 1:
        return gaussian_epsilon(((1 / mu, 1),), delta=delta)

    def excess(epsilon: float) -> float:
        # The outcome above which the privacy loss is more than ε.
        x = (math.log((math.expm1(epsilon) + sample_rate) / sample_rate) + mu * mu / 2) / mu
        against = ndtr(-x)
        return (1 - sample_rate) * against + sample_rate * ndtr(mu - x) - math.exp(epsilon) * against - delta

    highest = gaussian_epsilon(((1 / mu, 1),), delta=delta)
    if excess(1e-9) <= 0:
        return 0.0
    return float(brentq(excess, 1e-9, max(highest, 1e-6), xtol=1e-10))
