"""Tight ε by numerical composition: the privacy loss distribution (PLD) on a grid, composed by Fourier transform.

The privacy loss of one step is L = log P(x)/Q(x) of its outcome x ~ P under one of two neighbouring data sets against
the other, Q. Its distribution has all that (ε, δ) needs,

    δ(ε) = E[(1 - e^(ε - L))₊],

and independent steps add their losses, so that distributions convolve. Three ingredients, each on the safe side:

* **Dominating pairs** in units of the step's sensitivity (Zhu, Dong and Wang 2022): with sampling rate q, one example
  more is P = (1-q)·N(0, σ²) + q·N(1, σ²) against Q = N(0, σ²), one less is the same the other way round, and one
  replaced is P against Q = (1-q)·N(0, σ²) + q·N(-1, σ²). The last holds because for every test φ with E₀φ = t,
  Neyman and Pearson bound E₊φ - αE₋φ by the threshold test of level t on the line.
* **Connecting the dots** (Doroshenko et al. 2022, Algorithm 1): the loss between two grid points is split among both
  so that P's and Q's mass stay what they are. That pair dominates the true one; its error falls with the width squared.
* **Tails** that are cut off, and a bound on what floating point loses, count as infinite loss.

The grid is :data:`RESOLUTION` times the standard deviation of one step's loss, so that ε is less than 0.1 % above the
exact value, in milliseconds. dp-accounting works by the same means on a fixed grid, and is what the tests compare with.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.signal import lfilter
from scipy.special import ndtr, ndtri

RESOLUTION = 0.05  # grid width over the standard deviation of a step's loss; inflates the variance by 0.04 %
LARGEST_GRID = 2**17  # points; a wider distribution gets a coarser grid, and an ε further above the exact one
SMALLEST_WIDTH = 1e-6  # over the largest loss of a step
ROUNDING = 1e-16  # lost to floating point per step, in δ: ten times the largest error seen against closed forms
TAIL = 1e-5  # share of δ that may be lost in the tails cut off, of single steps and of their composition
DIRECTIONS = {"add-remove": ("remove", "add"), "replace": ("replace",)}

Array = NDArray[np.float64]


class Losses(NamedTuple):
    """One step's privacy loss: ``masses[k]`` of P's mass at loss ``(first + k) * width``, `infinite` beyond."""

    first: int
    masses: Array
    infinite: float


def pld_epsilon(
    schedule: tuple[tuple[float, int], ...], *, sample_rate: float, delta: float, adjacency: str = "add-remove"
) -> float:
    """Return ε, an upper bound within 0.1 % for ordinary runs, of Gaussian steps on Poisson samples.

    Parameters
    ----------
    schedule
        ``((sigma, steps), ...)``: σ > 0 in units of what one example adds to the sum, steps ≥ 1.
    sample_rate
        q in (0, 1].
    delta
        δ in (0, 1), above 1e-16 times the number of steps: double precision sees no smaller one.
    adjacency
        ``"add-remove"`` (the worse of both directions) or ``"replace"``.

    Returns
    -------
    float
        ε ≥ 0; ``inf`` when δ is below what rounding may hide, see :func:`rounding_share`.

    Examples
    --------
    >>> round(pld_epsilon(((1.0, 500),), sample_rate=0.02, delta=1e-5), 3)
    2.774
    """
    if rounding_share(schedule, delta) >= 1:
        return math.inf  # and no grid: towards δ = 1e-300 it would take gigabytes
    # Without sampling, one more and one less are the same pair mirrored.
    directions = DIRECTIONS[adjacency][:1] if sample_rate == 1 else DIRECTIONS[adjacency]
    return max(_epsilon(schedule, sample_rate, delta, direction) for direction in directions)


def rounding_share(schedule: tuple[tuple[float, int], ...], delta: float) -> float:
    """Return the share of δ that floating-point errors may take; from 1 on, :func:`pld_epsilon` is ``inf``.

    Examples
    --------
    >>> round(rounding_share(((0.7, 10_000),), 1e-11), 3)
    0.1
    """
    return ROUNDING * sum(count for _, count in schedule) / delta


def _epsilon(schedule: tuple[tuple[float, int], ...], q: float, delta: float, direction: str) -> float:
    """Compose one direction's losses and read ε off them."""
    total = sum(count for _, count in schedule)
    # In powers of ten, so that the next steps of a training find this one's losses in the cache.
    reach = -float(ndtri(TAIL / 10 ** math.ceil(math.log10(total / delta))))
    spreads = [_spread(sigma, q, direction, reach) for sigma, _ in schedule]
    variance = sum(count * deviation**2 for (_, count), (_, _, deviation) in zip(schedule, spreads, strict=True))
    furthest = max(highest - lowest for lowest, highest, _ in spreads)
    # Weak noise and one example less: the loss is -log(1-q) nearly always, and its deviation vanishes in rounding.
    least = SMALLEST_WIDTH * max(abs(loss) for lowest, highest, _ in spreads for loss in (lowest, highest))
    width = max(RESOLUTION * math.sqrt(variance / total), furthest / LARGEST_GRID, least)
    variance = max(variance, total * width**2 / 4)  # what the grid itself adds
    steps = [(_one_step(sigma, q, direction, reach, width), count) for sigma, count in schedule]
    lowest, highest = _window(steps, width, variance, TAIL * delta)
    size = fft.next_fast_len(max(highest - lowest + 1, *(len(loss.masses) for loss, _ in steps)), real=True)
    spectrum = np.ones(size // 2 + 1, dtype=complex)
    for loss, count in steps:
        spectrum *= fft.rfft(loss.masses, size) ** count
    # The transform wraps around: the value at k belongs to the one number congruent to it inside the window.
    start = sum(count * loss.first for loss, count in steps)
    masses = np.roll(fft.irfft(spectrum, size), -((lowest - start) % size))
    infinite = TAIL * delta + sum(count * (loss.infinite + ROUNDING) for loss, count in steps)
    return _read_off(lowest, np.maximum(masses, 0.0), infinite, width, delta)


def _loss(x: Array, sigma: float, q: float, direction: str) -> Array:
    """Return the privacy loss at the outcomes `x`; it grows with x in every direction."""

    def against_base(x: Array) -> Array:
        """Log of ((1-q)·N(0) + q·N(1)) over N(0)."""
        return np.logaddexp(math.log1p(-q) if q < 1 else -math.inf, math.log(q) + (x - 0.5) / sigma**2)

    if direction == "remove":
        return against_base(x)
    if direction == "add":  # mirrored, so that it grows
        return -against_base(-x)
    return against_base(x) - against_base(-x)


def _outcome(loss: Array, sigma: float, q: float, direction: str) -> Array:
    """Invert :func:`_loss`: the outcome x above which the loss is more than `loss`."""
    if direction == "add":
        return -_outcome(-loss, sigma, q, "remove")
    if direction == "replace":
        # (1-q + c·y) / (1-q + c/y) = e^loss with y = e^(x/σ²), c = q·e^(-1/2σ²) is a quadratic in y.
        c = math.log(q) - 0.5 / sigma**2
        half = np.abs(loss) / 2
        # asinh(z) = log 2z for large z, where sinh itself would overflow.
        log_z = (math.log1p(-q) if q < 1 else -math.inf) + half + np.log(-np.expm1(-2 * half) / 2) - c
        asinh = np.where(log_z > 300, log_z + math.log(2), np.arcsinh(np.exp(np.minimum(log_z, 300))))
        return np.sign(loss) * sigma**2 * (half + asinh)
    down, up = np.minimum(loss, 0.0), np.maximum(loss, 0.0)
    # log((e^loss - (1-q)) / q), written twice so that neither sign cancels or overflows.
    below = np.log1p(np.maximum(np.expm1(down) / q, -1.0))
    above = up + np.log((q * np.exp(-up) - np.expm1(-up)) / q)
    return sigma**2 * np.where(loss < 0, below, above) + 0.5


def _survival(loss: Array, sigma: float, q: float, direction: str) -> tuple[Array, Array]:
    """Return the masses of P and of Q on losses above `loss`."""
    x = _outcome(loss, sigma, q, direction)
    base, above = ndtr(-x / sigma), ndtr((1 - x) / sigma)
    if direction == "remove":
        return (1 - q) * base + q * above, base
    below = ndtr(-(1 + x) / sigma)
    if direction == "add":
        return base, (1 - q) * base + q * below
    return (1 - q) * base + q * above, (1 - q) * base + q * below


@lru_cache(maxsize=1024)
def _spread(sigma: float, q: float, direction: str, reach: float) -> tuple[float, float, float]:
    """Return the least and the largest loss of noise up to `reach` σ, and the loss' standard deviation under P."""
    shift = 0.0 if direction == "add" else 1.0
    x = np.linspace(-reach * sigma, shift + reach * sigma, 1001)
    density = (1 - q) * np.exp(-0.5 * (x / sigma) ** 2) + q * np.exp(-0.5 * ((x - shift) / sigma) ** 2)
    loss = _loss(x, sigma, q, direction)
    mean = np.average(loss, weights=density)
    return float(loss[0]), float(loss[-1]), math.sqrt(np.average((loss - mean) ** 2, weights=density))


@lru_cache(maxsize=128)
def _one_step(sigma: float, q: float, direction: str, reach: float, width: float) -> Losses:
    """Discretise one step's loss by connecting the dots."""
    lowest, highest, _ = _spread(sigma, q, direction, reach)
    first, last = math.floor(lowest / width), math.ceil(highest / width)
    grid = np.arange(first, last + 1) * width
    with np.errstate(divide="ignore", over="ignore"):
        above_p, above_q = _survival(grid, sigma, q, direction)
    p, other = -np.diff(above_p), -np.diff(above_q)
    # Between g and g + w: up + down = p keeps P's mass, up·e^-(g+w) + down·e^-g = other keeps Q's. Rounding is clipped
    # so that P's mass stays whole.
    up = np.clip((p - other * np.exp(np.minimum(grid[:-1], 700))) / -math.expm1(-width), 0, np.maximum(p, 0))
    masses = np.zeros(len(grid))
    masses[0] = 1 - above_p[0]  # all values below are raised to the first point
    masses[1:] += up
    masses[:-1] += np.maximum(p, 0) - up
    return Losses(first, masses, float(above_p[-1]))


def _window(steps: list[tuple[Losses, int]], width: float, variance: float, tail: float) -> tuple[int, int]:
    """Return the grid points outside of which the composed loss has mass `tail` at most (Chernoff's bound)."""
    log_tail = math.log(2 / tail)
    start = sum(count * loss.first for loss, count in steps)
    end = sum(count * (loss.first + len(loss.masses) - 1) for loss, count in steps)
    # By factors of two from what a few large losses need to what a normal sum of many small ones needs.
    many = math.sqrt(2 * log_tail / variance)
    few = log_tail / (width * max(abs(loss.first) + len(loss.masses) for loss, _ in steps))
    orders = min(few, many / 4) * 2.0 ** np.arange(2 + max(2, math.ceil(math.log2(many / few))))
    above, below = np.zeros(len(orders)), np.zeros(len(orders))
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # such an order bounds nothing and drops out
        for loss, count in steps:
            tilt = np.exp(orders[0] * width * (loss.first + np.arange(len(loss.masses))))
            for k in range(len(orders)):
                above[k] += count * np.log(loss.masses @ tilt)
                below[k] += count * np.log(loss.masses @ (1 / tilt))
                tilt *= tilt
        highest, lowest = (above + log_tail) / orders / width, -(below + log_tail) / orders / width
    highest, lowest = highest[np.isfinite(highest)], lowest[np.isfinite(lowest)]
    return max([start, *map(math.floor, lowest)]), min([end, *map(math.ceil, highest)])


def _read_off(first: int, masses: Array, infinite: float, width: float, delta: float) -> float:
    """Return the smallest ε ≥ 0 with δ(ε) ≤ `delta` for masses at ``(first + k) * width``."""
    masses = masses[max(0, 1 - first) :]
    if infinite > delta or not len(masses):
        return math.inf if infinite > delta else 0.0
    # At the grid point ε = loss[k]: δ = upper[k] - lower[k], with lower[k] = Σ_j≥k masses[j]·e^(loss[k] - loss[j]).
    upper = infinite + np.cumsum(masses[::-1])[::-1]
    lower = lfilter([1.0], [1.0, -math.exp(-width)], masses[::-1])[::-1]
    k = int(np.argmax(upper - lower <= delta))  # holds at the last point, where only infinite loss is left
    # Down to the next grid point δ is upper[k] - lower[k]·e^(ε - loss[k]).
    excess = upper[k] - delta
    return 0.0 if excess <= 0 else max(0.0, (max(first, 1) + k) * width + math.log(excess / lower[k]))
