"""A lower bound from one run whose canaries act independently: the exact tail of Xiang et al. 2025.

Keep the r surest of m guesses. Given the error that separates them from the rest, they are r independent outcomes of
the channel among those that are surer, each wrong with probability γ̄(s), the mean error of the surest share s. That
share is distributed as Beta(r + 1, m - r), the (r + 1)-st of m uniform numbers, so that at most u mistakes have

    P[T ≤ u] = E[ P[Bin(r, γ̄(S)) ≤ u] ],    S ~ Beta(r + 1, m - r);    for r = m it is P[Bin(m, γ̄(1)) ≤ u].

No choice of r guesses does better: given all outcomes, the surest r of them have the fewest mistakes, and a mechanism
that the channel dominates lets an attacker see less (Blackwell). So the bound is **valid where canaries act
independently**, as orthogonal gradients do in one step, for every mechanism that the family's channel dominates, with
an r fixed beforehand. Where canaries influence one another it can claim too much; `one_run` does not.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc, gammaln

from trustlab.privacy.auditing.channels import Channel, GaussianChannel, WorstChannel, subsampled_gaussian_channel
from trustlab.privacy.auditing.counts import Array, check_share
from trustlab.privacy.auditing.gaussian_curve import LARGEST_MU, mu_epsilon
from trustlab.privacy.auditing.one_run import LARGEST, bisected, checked_counts

NODES, DEVIATIONS = 301, 12.0  # of the share S around its mean: the integrand is smooth, so the sum is exact to 1e-9
PRECISION = 1e-5  # of the family's parameter


class Family(NamedTuple):
    """Channels by one parameter that grows with what they reveal."""

    channel: Callable[[float], Channel]
    epsilon: Callable[[float], float]  # of the parameter, at the δ in question
    largest: float


def families(delta: float, sample_rate: float = 1.0) -> dict[str, Family]:
    """Return what can be taken for granted of a mechanism, from nothing to a Gaussian on Poisson samples."""
    sampled = partial(subsampled_gaussian_channel, sample_rate=sample_rate)
    return {
        "any": Family(partial(WorstChannel, delta=delta), float, LARGEST),
        "gaussian": Family(GaussianChannel, partial(mu_epsilon, delta=delta), LARGEST_MU),
        "subsampled gaussian": Family(sampled, partial(mu_epsilon, delta=delta, sample_rate=sample_rate), LARGEST_MU),
    }


def exact_tail(channel: Channel, mistakes: int, guesses: int, canaries: int) -> float:
    """Return the probability of at most `mistakes` among the `guesses` surest guesses about `canaries` canaries.

    Examples
    --------
    >>> round(exact_tail(GaussianChannel(0.8), mistakes=80, guesses=500, canaries=2000), 6)
    0.011912
    """
    if guesses == canaries:
        share, weight = np.array([1.0]), np.array([1.0])
    else:
        share, weight = _shares(guesses + 1.0, float(canaries - guesses))
    error = channel.mean_error(share)
    few = betainc(guesses - mistakes, mistakes + 1, 1 - error) if mistakes < guesses else np.ones_like(error)
    return min(float(few @ weight), 1.0)


def exact_tail_epsilon(
    correct: ArrayLike,
    guesses: ArrayLike,
    canaries: ArrayLike,
    *,
    delta: float,
    alpha: float = 0.05,
    family: str = "gaussian",
    sample_rate: float = 1.0,
) -> Array:
    """Return the largest ε of a family of channels refuted with confidence 1 - `alpha`.

    Parameters
    ----------
    correct, guesses, canaries, delta, alpha
        As in :func:`trustlab.privacy.auditing.one_run_epsilon`; δ > 0 but for ``"any"``.
    family
        ``"any"``: valid for every (ε, δ) mechanism with independent canaries. ``"gaussian"``: for Gaussian noise, and
        as tight as can be. ``"subsampled gaussian"``: for one Gaussian step on a Poisson sample of rate `sample_rate`.

    Raises
    ------
    ValueError
        For another family, and as ``one_run_epsilon``.

    Examples
    --------
    >>> exact_tail_epsilon(214, 250, 1000, delta=1e-5).round(3).item()  # the truth behind these counts: 4.377
    3.633
    >>> exact_tail_epsilon(214, 250, 1000, delta=1e-5, family="any").round(3).item()
    1.478
    """
    correct, guesses, canaries = checked_counts(correct, guesses, canaries, delta, alpha)
    if family not in families(delta):
        raise ValueError(f"Expected family={family!r} to be one of {', '.join(map(repr, families(delta)))}.")
    if family != "any":
        check_share("delta", delta)
    if not 0 < sample_rate <= 1:
        raise ValueError(f"Expected sample_rate={sample_rate} in (0, 1]. It is the probability of being in the step.")
    solve = np.vectorize(_epsilon, otypes=[float])
    return solve(correct, guesses, canaries, delta, alpha, family, sample_rate)


@lru_cache(maxsize=65536)
def _epsilon(
    correct: int, guesses: int, canaries: int, delta: float, alpha: float, family: str, sample_rate: float
) -> float:
    own = families(delta, sample_rate)[family]

    def refuted(parameter: float) -> bool:
        return exact_tail(own.channel(parameter), guesses - correct, guesses, canaries) <= alpha

    return own.epsilon(bisected(refuted, 0.0, own.largest, PRECISION)) if refuted(0.0) else 0.0


def _shares(a: float, b: float) -> tuple[Array, Array]:
    """Return nodes of Beta(a, b), and weights that sum to 1."""
    mean, deviation = a / (a + b), np.sqrt(a * b / (a + b + 1)) / (a + b)
    ends = max(mean - DEVIATIONS * deviation, 0.0), min(mean + DEVIATIONS * deviation, 1.0)
    edges = np.linspace(*ends, NODES + 1)
    share = (edges[1:] + edges[:-1]) / 2
    logs = (a - 1) * np.log(share) + (b - 1) * np.log1p(-share) + gammaln(a + b) - gammaln(a) - gammaln(b)
    weight = np.exp(logs - logs.max())
    return share, weight / weight.sum()
