"""What one canary's outcome reveals when canaries act independently: a pair of distributions, as guesses see it.

A canary's secret bit is a fair coin; its outcome comes from P or Q. The best guess takes the more probable one, and
errs with probability γ = 1 / (1 + e^|log Q/P|). An audit keeps the guesses it is surest of, so all that matters is the
mean of γ over the share s of outcomes with the smallest γ, ``mean_error``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import expit, log_ndtr, ndtr

from trustlab.privacy.auditing.counts import Array

HALVINGS = 48  # of the interval in which an outcome is looked for
POINTS = 40_000  # cells of a channel without a closed form
REACH = 12.0  # its standard deviations on both sides


class Channel(Protocol):
    """Anything that says how often the surest guesses err."""

    def mean_error(self, share: Array) -> Array:
        """Return the mean error probability of the `share` in (0, 1] of guesses that are surest."""


@dataclass(frozen=True)
class GaussianChannel:
    """N(0, 1) against N(μ, 1): one coordinate of a Gaussian step that sees every example, μ = 1/σ.

    Examples
    --------
    >>> GaussianChannel(1.0).mean_error(np.array([0.1, 1.0])).round(4).tolist()  # the last is Φ(-μ/2)
    [0.0967, 0.3085]
    """

    mu: float

    def mean_error(self, share: Array) -> Array:
        """Return the mean error of outcomes further than t from the middle, where `share` of them are."""
        low, high = np.zeros_like(share), np.full_like(share, self.mu / 2 + 40.0)
        for _ in range(HALVINGS):
            t = (low + high) / 2
            further = ndtr(-t - self.mu / 2) + ndtr(self.mu / 2 - t) > share
            low, high = np.where(further, t, low), np.where(further, high, t)
        wrong, right = log_ndtr(-low - self.mu / 2), log_ndtr(self.mu / 2 - low)
        return expit(wrong - right)


@dataclass(frozen=True)
class WorstChannel:
    """The worst channel that (ε, δ) permits, which dominates every other one (Kairouz, Oh and Viswanath 2015).

    With probability δ the outcome gives the bit away; else it is flipped with probability 1 / (1 + e^ε).

    Examples
    --------
    >>> WorstChannel(0.0, 0.01).mean_error(np.array([0.01, 0.02, 1.0])).tolist()
    [0.0, 0.25, 0.495]
    """

    epsilon: float
    delta: float

    def mean_error(self, share: Array) -> Array:
        """Return 0 for the share δ of outcomes that give the bit away, mixed with the others."""
        return np.maximum(share - self.delta, 0.0) / share * expit(-self.epsilon)


class GridChannel:
    """A channel given by its outcomes, largest error first; between them shares are divided exactly.

    Parameters
    ----------
    log_ratio : Array [J]
        log Q/P of each outcome.
    mass : Array [J]
        Its probability under (P + Q) / 2.
    """

    def __init__(self, log_ratio: Array, mass: Array) -> None:
        error = expit(-np.abs(log_ratio))
        surest = np.argsort(error, kind="stable")
        mass = mass[surest] / mass.sum()
        self._error, self._share = error[surest], np.cumsum(mass)
        self._wrong = np.cumsum(self._error * mass)

    def mean_error(self, share: Array) -> Array:
        """Return the mean error of the surest `share`, a part of the last outcome included."""
        last = np.minimum(np.searchsorted(self._share, share), len(self._share) - 1)
        return np.maximum(self._wrong[last] - self._error[last] * (self._share[last] - share), 0.0) / share


def subsampled_gaussian_channel(mu: float, sample_rate: float) -> GridChannel:
    """Return N(0, 1) against (1 - q)·N(0, 1) + q·N(μ, 1): a canary that a Poisson sample may leave out.

    Examples
    --------
    >>> whole = subsampled_gaussian_channel(1.0, 1.0).mean_error(np.array([0.1, 1.0]))
    >>> whole.round(4).tolist()
    [0.0967, 0.3085]
    """
    edges = np.linspace(-REACH, mu + REACH, POINTS + 1)
    x = (edges[1:] + edges[:-1]) / 2
    present = math.log(sample_rate) + mu * x - mu * mu / 2
    log_ratio = np.logaddexp(math.log1p(-sample_rate), present) if sample_rate < 1 else present
    base = np.exp(-x * x / 2)
    return GridChannel(log_ratio, base * (1 + np.exp(log_ratio)))


def laplace_channel(epsilon: float) -> GridChannel:
    """Return Laplace(0, 1) against Laplace(ε, 1), which is ε-DP.

    Examples
    --------
    >>> float(laplace_channel(1.0).mean_error(np.array(1.0)).round(4))  # exp(-ε/2) / 2
    0.3033
    """
    edges = np.linspace(-40.0, epsilon + 40.0, 10 * POINTS + 1)
    x = (edges[1:] + edges[:-1]) / 2
    without, present = np.exp(-np.abs(x)), np.exp(-np.abs(x - epsilon))
    return GridChannel(np.abs(x) - np.abs(x - epsilon), without + present)
