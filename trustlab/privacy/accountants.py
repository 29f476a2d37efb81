"""Four accountants: each turns Gaussian steps into the ε that they guarantee together.

All take ``(schedule, sample_rate=..., delta=..., adjacency=...)`` with a schedule ``((sigma, steps), ...)`` whose σ is
in units of what one example adds to the released sum. On Poisson samples (sample_rate < 1) they know:

* ``"pld"``, our :mod:`trustlab.privacy.pld`: both adjacencies; tight, a few milliseconds. In double precision
  the smallest δ of long runs is lost: :func:`trustlab.privacy.accounting.bound` then takes the least of all bounds;
* ``"prv"``, Opacus (Gopi, Lee and Wutschitz 2021): add-remove; tight but for 0.01 on the safe side. Refused where δ is
  below :data:`PRV_DELTA` or its grid is larger than :data:`PRV_GRID`;
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

# Below this δ, Opacus' PRV allows itself an error (δ/1000) that double precision does not reach: at σ = 1, q = 0.02,
# 500 steps and δ = 1e-13 it gives 5.98, where ε is at least 6.0.
PRV_DELTA = 1e-10
PRV_GRID = 2**23  # points; about eight seconds and a gigabyte


def prv_epsilon(schedule: Steps, *, sample_rate: float, delta: float, adjacency: str = "add-remove") -> float:
    """Return Opacus' PRV ε, add-remove only.

    Raises
    ------
    ValueError
        If δ is below :data:`PRV_DELTA`, or the noise so weak that the grid would exceed :data:`PRV_GRID` points.

    Examples
    --------
    >>> round(prv_epsilon(((1.0, 500),), sample_rate=0.02, delta=1e-5), 2)
    2.78
    """
    from opacus.accountants import PRVAccountant

    _check_prv(schedule, sample_rate, delta)
    tracker = PRVAccountant()
    tracker.history = [(sigma, sample_rate, count) for sigma, count in schedule]
    with warnings.catch_warnings(), np.errstate(divide="ignore"):
        warnings.filterwarnings("ignore", message="Optimal order is the")  # of RDP, which only guesses its grid
        # Without sampling it takes log(1 - q) in a branch that it then leaves out.
        return max(float(tracker.get_epsilon(delta)), 0.0)


def _check_prv(schedule: Steps, sample_rate: float, delta: float) -> None:
    """Refuse what Opacus' PRV computes wrongly, or for minutes: its grid holds the whole loss, 0.01/√steps apart."""
    if delta < PRV_DELTA:
        raise ValueError(
            f"Expected delta={delta:g} >= {PRV_DELTA:g} with accountant='prv'. Its rounding errors are larger than so "
            "small a δ, and its ε may be too low. Use accountant='pld' or 'rdp'."
        )
    steps = sum(count for _, count in schedule)
    rough = rdp_epsilon(schedule, sample_rate=sample_rate, delta=delta / 1000)
    points = 2 * rough * math.sqrt(steps * math.log(12_000 / delta) / 2) / 0.01
    if points > PRV_GRID:
        raise ValueError(
            f"Expected a noise multiplier that accountant='prv' can handle, got {min(schedule)[0]:g}. With an ε of "
            f"about {rough:.0f} its grid needs {points:.0e} points, at most {PRV_GRID:.0e}. Use accountant='pld'."
        )


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
        # Opacus warns that the best order is the largest or smallest one; the bound holds anyway.
        warnings.filterwarnings("ignore", message="Optimal order is the")
        return max(float(tracker.get_epsilon(delta, alphas=ORDERS)), 0.0)


def least_rdp(delta: float) -> float:
    """Return the ε below which :func:`rdp_epsilon` does not go: that of no loss at all, at the best of its orders.

    Examples
    --------
    >>> round(least_rdp(1e-14), 4), round(rdp_epsilon(((1e6, 1),), sample_rate=0.01, delta=1e-14), 4)
    (0.0489, 0.0489)
    """
    alpha = np.array(ORDERS)
    return max(float(np.min(np.log1p(-1 / alpha) - (math.log(delta) + np.log(alpha)) / (alpha - 1))), 0.0)


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
