"""Four accountants: each turns Gaussian steps into the ε that they guarantee together.

All take ``(schedule, sample_rate=..., delta=..., adjacency=...)`` with a schedule ``((sigma, steps), ...)`` whose σ is
in units of what one example adds to the released sum. On Poisson samples (sample_rate < 1) they know:

* ``"pld"``, our :mod:`trustlab.privacy.pld`: both adjacencies; tight, a few milliseconds;
* ``"prv"``, Opacus (Gopi, Lee and Wutschitz 2021): add-remove; tight but for 0.01 on the safe side;
* ``"rdp"``, Opacus (Mironov, Talwar and Zhang 2019): add-remove; a closed form, looser;
* ``"gaussian"`` (Balle and Wang 2018, Theorem 8): nothing; it is the exact ε of steps without sampling.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_ndtr

from trustlab.privacy.pld import pld_epsilon

Steps = tuple[tuple[float, int], ...]

# Opacus' own orders end at 63 and are too coarse for weak noise below 1.1 and for strong noise above 63.
ORDERS = [1 + x / 100 for x in range(2, 10)] + [1 + x / 10 for x in range(1, 100)] + [*range(12, 64), 80, 128, 256, 512]


def prv_epsilon(schedule: Steps, *, sample_rate: float, delta: float, adjacency: str = "add-remove") -> float:
    """Return Opacus' PRV ε, add-remove only.

    Examples
    --------
    >>> round(prv_epsilon(((1.0, 500),), sample_rate=0.02, delta=1e-5), 2)
    2.78
    """
    from opacus.accountants import PRVAccountant

    tracker = PRVAccountant()
    tracker.history = [(sigma, sample_rate, count) for sigma, count in schedule]
    with warnings.catch_warnings(), np.errstate(divide="ignore"):
        warnings.filterwarnings("ignore", message="Optimal order is the")  # of RDP, which only guesses its grid
        # Without sampling it takes log(1 - q) in a branch that it then leaves out.
        return max(float(tracker.get_epsilon(delta)), 0.0)


def rdp_epsilon(schedule: Steps, *, sample_rate: float, delta: float, adjacency: str = "add-remove") -> float:
    """Return the ε of Opacus' Rényi accountant, add-remove only.

    Examples
    --------
    >>> round(rdp_epsilon(((1.0, 500),), sample_rate=0.02, delta=1e-5), 2)
    3.14
    """
    from opacus.accountants import RDPAccountant

    tracker = RDPAccountant()
    tracker.history = [(sigma, sample_rate, count) for sigma, count in schedule]
    with warnings.catch_warnings():
        # Opacus warns that the best order is the largest or smallest one; the bound holds all the same.
        warnings.filterwarnings("ignore", message="Optimal order is the")
        return max(float(tracker.get_epsilon(delta, alphas=ORDERS)), 0.0)


def gaussian_epsilon(
    schedule: Steps, *, sample_rate: float = 1.0, delta: float, adjacency: str = "add-remove"
) -> float:
    """Return the exact ε of steps that all see every example.

    Such steps compose to one Gaussian release of signal-to-noise ratio μ = √Σ 1/σ², with
    δ(ε) = Φ(μ/2 - ε/μ) - e^ε·Φ(-μ/2 - ε/μ) (Balle and Wang 2018, Theorem 8), solved for ε here.

    Examples
    --------
    >>> round(gaussian_epsilon(((1.0, 10),), delta=1e-5), 3)
    17.857
    """
    mu = math.sqrt(sum(count / sigma**2 for sigma, count in schedule))

    def log_delta(epsilon: float) -> float:
        first, second = log_ndtr(mu / 2 - epsilon / mu), epsilon + log_ndtr(-mu / 2 - epsilon / mu)
        return float(first + np.log(-np.expm1(second - first)))

    if log_delta(0.0) <= math.log(delta):
        return 0.0
    highest = mu**2 / 2 + mu * math.sqrt(2 * math.log(1 / delta))  # by Φ(-t) <= e^(-t²/2)
    return float(brentq(lambda epsilon: log_delta(epsilon) - math.log(delta), 0.0, highest, rtol=1e-12))


class Accountant(NamedTuple):
    """An accountant, its name in words, and what it can compute beyond unsampled steps."""

    epsilon: Callable[..., float]
    words: str
    sampled: bool  # Poisson samples, add-remove
    replaced: bool  # Poisson samples, one example replaced


ACCOUNTANTS = {
    "pld": Accountant(pld_epsilon, "privacy loss distribution on a grid, an upper bound on ε", True, True),
    "prv": Accountant(prv_epsilon, "Opacus PRV, an upper bound on ε", True, False),
    "rdp": Accountant(rdp_epsilon, "Opacus RDP, an upper bound on ε", True, False),
    "gaussian": Accountant(gaussian_epsilon, "closed form of the Gaussian mechanism, exact", False, False),
}
