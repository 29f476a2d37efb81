"""What noisy steps guarantee: from noise to ε, and from ε to noise.

A step releases a sum that one example moves by at most Δ·C, plus Gaussian noise of standard deviation σ·C: it counts
as noise multiplier σ/Δ. Δ = 1 when every example is clipped to C, Δ = 2 when micro-batch means are (Ponomareva et al.
2023, §5.6). What the same noise guarantees depends on two more things, without which an ε means nothing:

* **how examples come into a batch**: ``"poisson"`` (each independently with probability q), ``"shuffle"`` (each once
  per epoch; no amplification by the shuffle is credited, which can be far weaker than Poisson's: Chua et al. 2024) or
  ``"none"`` (every step may see every example, once);
* **which data sets are neighbours**: ``"add-remove"`` (one example more) or ``"replace"`` (one example exchanged).

The accountants themselves are in :mod:`trustlab.privacy.accountants`, schedules of noise in
:mod:`trustlab.privacy.noise_schedules`.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from trustlab.privacy.accountants import ACCOUNTANTS, Steps, least_rdp
from trustlab.privacy.noise_schedules import Schedule, decayed, once_an_epoch, one_schedule
from trustlab.privacy.pld import rounding_share

SAMPLINGS = ("poisson", "shuffle", "none")
ADJACENCIES = ("add-remove", "replace")
LARGEST_EPSILON = 1000
PRECISION = 1.001  # noise_multiplier_for stops when its bracket is this narrow
LEAST_NOISE = 1e-3  # and when it looks below this noise multiplier
MOST_NOISE = 2**20  # and for this one: ε = 0.001 at δ = 1e-14 needs nearly as much for 20,000 steps
ROUNDED = 0.01  # from this share of δ on, what "pld" gives away to floating point may cost more than another bound


class Bound(NamedTuple):
    """An ε, and the accountant that gave it: a key of :data:`trustlab.privacy.accountants.ACCOUNTANTS`."""

    epsilon: float
    accountant: str


def epsilon(
    *,
    noise_multiplier: float | Schedule,
    delta: float,
    sample_rate: float = 1.0,
    steps: int | None = None,
    sensitivity: float = 1.0,
    sampling: str = "poisson",
    adjacency: str = "add-remove",
    accountant: str = "pld",
) -> float:
    """Return the ε that the given steps guarantee at `delta`.

    Parameters
    ----------
    noise_multiplier
        σ > 0 in units of the clipping norm, or a schedule ``[(sigma, steps), ...]`` when it changes.
    delta
        δ in (0, 1); well below one over the number of examples.
    sample_rate
        q in (0, 1]: the share of all examples in an expected batch. ``"none"`` does not read it.
    steps
        Number of steps; None with a schedule.
    sensitivity
        Δ, how far adding or removing one example moves the released sum, in units of the clipping norm.
    sampling
        ``"poisson"``, ``"shuffle"`` or ``"none"``. An epoch of ``"shuffle"`` is 1/q steps, and one begun counts as a
        whole one. Where 1/q is not whole, its last short batch may be kept or dropped, and the costlier is counted:
        give q as one over the number of batches to be exact.
    adjacency
        ``"add-remove"``, or ``"replace"``: an example that is exchanged moves the sum by up to 2Δ.
    accountant
        ``"pld"`` (tight, milliseconds), ``"prv"``, ``"rdp"`` or ``"gaussian"`` (exact, without Poisson sampling).
        Where δ is so small that floating point hides it from ``"pld"`` (near 1e-16 times the number of steps), the
        least of its own and the closed forms' bounds is taken; :func:`bound` says which.

    Returns
    -------
    float
        ε ≥ 0; ``inf`` when some step adds no noise, 0 when no step was taken.

    Raises
    ------
    ValueError
        For an argument outside its range, or a combination that the accountant has no proof for.

    Examples
    --------
    >>> run = dict(noise_multiplier=1.0, sample_rate=0.02, steps=500, delta=1e-5)
    >>> round(epsilon(**run), 2)
    2.77
    >>> round(epsilon(**run, sensitivity=2.0), 1), round(epsilon(**run, adjacency="replace"), 1)
    (17.6, 4.2)
    >>> round(epsilon(**run, sampling="shuffle"), 1)
    17.9
    """
    schedule = one_schedule(noise_multiplier, steps)
    how = dict(sample_rate=sample_rate, sensitivity=sensitivity, sampling=sampling, adjacency=adjacency)
    return bound(schedule, delta=delta, accountant=accountant, **how).epsilon


def bound(
    schedule: Schedule,
    *,
    delta: float,
    sample_rate: float = 1.0,
    sensitivity: float = 1.0,
    sampling: str = "poisson",
    adjacency: str = "add-remove",
    accountant: str = "pld",
) -> Bound:
    """Return the ε of :func:`epsilon`, for a schedule ``[(sigma, steps), ...]``, with the accountant that gave it.

    Examples
    --------
    >>> run = dict(sample_rate=1e-3, delta=1e-12)
    >>> spent = bound([(0.7, 10_000)], **run)
    >>> round(spent.epsilon, 2), spent.accountant
    (5.1, 'rdp')
    """
    _check(sample_rate=sample_rate, delta=delta, sensitivity=sensitivity)
    _check_known(sampling=sampling, adjacency=adjacency, accountant=accountant, sample_rate=sample_rate)
    return _spent(schedule, sample_rate, delta, sensitivity, sampling, adjacency, accountant)


def noise_multiplier_for(
    *,
    epsilon: float,
    steps: int,
    delta: float,
    sample_rate: float = 1.0,
    sensitivity: float = 1.0,
    decay: float = 1.0,
    steps_per_epoch: int | None = None,
    sampling: str = "poisson",
    adjacency: str = "add-remove",
    accountant: str = "pld",
) -> float:
    """Return the smallest noise multiplier, within 0.1 %, whose steps guarantee `epsilon` or less at `delta`.

    Parameters
    ----------
    epsilon
        Target ε > 0, at most 1000; ``inf`` means no noise.
    steps
        Number of steps in all.
    decay, steps_per_epoch
        γ in (0, 1] of :func:`decayed`, when the noise shrinks by epochs; the first epoch's σ is returned.
    delta, sample_rate, sensitivity, sampling, adjacency, accountant
        As in :func:`epsilon`.

    Examples
    --------
    >>> round(noise_multiplier_for(epsilon=2.774, sample_rate=0.02, steps=500, delta=1e-5), 2)
    1.0
    """
    if not epsilon > 0:
        raise ValueError(f"Expected epsilon={epsilon:g} > 0. Smaller ε means stronger privacy; use math.inf for none.")
    _check(sample_rate=sample_rate, delta=delta, sensitivity=sensitivity)
    _check_known(sampling=sampling, adjacency=adjacency, accountant=accountant, sample_rate=sample_rate)
    if not steps >= 0:
        raise ValueError(f"Expected steps={steps} >= 0.")
    if math.isinf(epsilon) or steps == 0:
        return 0.0
    if epsilon > LARGEST_EPSILON:
        raise ValueError(
            f"Expected epsilon={epsilon:g} <= {LARGEST_EPSILON}, or math.inf for no noise. "
            "So large an ε guarantees nothing, and an accountant would need gigabytes to compute it."
        )

    def spent(sigma: float, accountant: str = accountant) -> float:
        schedule = decayed(sigma, decay=decay, steps=steps, steps_per_epoch=steps_per_epoch)
        return _spent(schedule, sample_rate, delta, sensitivity, sampling, adjacency, accountant).epsilon

    if accountant != "prv":
        return _smallest(spent, epsilon, low=0.5, high=1.0)
    # "prv" takes seconds a call, and fails far below the answer: "pld" finds where to search.
    sigma = _smallest(lambda sigma: spent(sigma, "pld"), epsilon, low=0.5, high=1.0)
    return _smallest(spent, epsilon, low=0.98 * sigma, high=1.1 * sigma)


def _spent(
    schedule: Schedule,
    sample_rate: float,
    delta: float,
    sensitivity: float,
    sampling: str,
    adjacency: str,
    accountant: str,
) -> Bound:
    """Reduce a run to what accountants take, and ask one."""
    schedule = [(sigma, count) for sigma, count in schedule if count]
    if not schedule:
        return Bound(0.0, accountant)
    if min(sigma for sigma, _ in schedule) == 0:
        return Bound(math.inf, accountant)
    if sampling == "shuffle":
        schedule = once_an_epoch(schedule, sample_rate)
    rate = sample_rate if sampling == "poisson" else 1.0
    if rate == 1 and adjacency == "replace":
        # The two sums are at most 2Δ apart, and for two Gaussians only their distance matters.
        sensitivity, adjacency = 2 * sensitivity, "add-remove"
    merged = Counter[float]()
    for sigma, count in schedule:
        merged[sigma / sensitivity] += int(count)
    return _ask(tuple(sorted(merged.items())), rate, delta, adjacency, accountant)


@lru_cache(maxsize=4096)
def _ask(steps: Steps, sample_rate: float, delta: float, adjacency: str, accountant: str) -> Bound:
    """Return an accountant's bound, or the least of several where rounding spoils the tight one; cached."""

    def by(name: str, steps: Steps = steps) -> Bound:
        return Bound(ACCOUNTANTS[name].epsilon(steps, sample_rate=sample_rate, delta=delta, adjacency=adjacency), name)

    if accountant != "pld" or rounding_share(steps, delta) <= ROUNDED:
        return by(accountant)
    if adjacency == "add-remove":
        closed = by("gaussian")  # without sampling a step reveals more, never less
        # Strong noise: RDP cannot give less whatever the noise, and would take seconds to give more.
        return min([by("pld"), closed] if closed.epsilon <= least_rdp(delta) else [by("pld"), by("rdp"), closed])
    return min(by("pld"), by("gaussian", tuple((sigma / 2, count) for sigma, count in steps)))  # 2 apart, unsampled


def _smallest(spent: Callable[[float], float], target: float, *, low: float, high: float) -> float:
    """Find the smallest σ with ``spent(σ) <= target``, from a guessed bracket; `spent` falls as σ grows."""
    while spent(high) > target:
        if high >= MOST_NOISE:
            raise ValueError(
                f"Expected epsilon={target:g} within reach, got more even at noise multiplier {high:g}. "
                "Raise epsilon or delta."
            )
        low, high = high, 2 * high
    while spent(low) <= target:
        # Where an example is hardly ever seen, δ covers what even weak noise reveals about it.
        if low <= LEAST_NOISE:
            return low
        low, high = low / 2, low
    # log ε is nearly straight in log σ: the chord through the bracket's ends aims well, and each guess is pushed a
    # little past the root so that both ends close in. Should a curve be so bent that this creeps, halving ends it.
    for attempt in itertools.count():
        if high / low <= PRECISION:
            break
        guess = math.sqrt(low * high)
        if attempt < 8:
            slope = math.log(max(spent(high), 1e-12) / spent(low)) / math.log(high / low)
            guess = low * (target / spent(low)) ** (1 / slope)
            guess *= math.sqrt(PRECISION) if high / guess > guess / low else 1 / math.sqrt(PRECISION)
            guess = min(max(guess, low * PRECISION**0.1), high / PRECISION**0.1)
        low, high = (low, guess) if spent(guess) <= target else (guess, high)
    return high  # the side that keeps the guarantee


def _check(*, sample_rate: float, delta: float, sensitivity: float) -> None:
    """Refuse numbers outside their range, before any work starts."""
    if not 0 < sample_rate <= 1:
        raise ValueError(f"Expected sample_rate={sample_rate} in (0, 1]. It is an example's probability per step.")
    if not 0 < delta < 1:
        raise ValueError(f"Expected delta={delta} in (0, 1). It is the probability that the guarantee fails.")
    if not 0 < sensitivity < math.inf:
        raise ValueError(f"Expected sensitivity={sensitivity} > 0. 1 for per-example clipping, 2 for micro-batches.")


def _check_known(*, sampling: str, adjacency: str, accountant: str, sample_rate: float) -> None:
    """Refuse unknown names, and what an accountant has no proof for."""
    for name, given, known in (
        ("sampling", sampling, SAMPLINGS),
        ("adjacency", adjacency, ADJACENCIES),
        ("accountant", accountant, ACCOUNTANTS),
    ):
        if given not in known:
            raise ValueError(f"Expected {name}={given!r} to be one of {', '.join(map(repr, known))}.")
    if sampling != "poisson" or sample_rate == 1:
        return
    able = [name for name, one in ACCOUNTANTS.items() if (one.replaced if adjacency == "replace" else one.sampled)]
    if accountant not in able:
        raise ValueError(
            f"Expected accountant={accountant!r} to be one of {', '.join(map(repr, able))} with sampling='poisson' and "
            f"adjacency={adjacency!r}. It has no proof for that; with sampling='none' every accountant gives a bound."
        )
