"""Sampling designs: how devices with weights w_i become a cohort, and how often each is then in it.

q_i = w_i / W is device i's probability in one draw, and k the size of the cohort.

* ``"with-replacement"``: k independent draws, repeats kept. Device i is in it k·q_i times on average.
* ``"without-replacement"``: draw, leave out, draw again: successive sampling. k different devices; how likely device i
  is among them has no closed form, see :func:`estimate_inclusion`.
* ``"poisson"``: each device for itself with probability π_i = min(1, c·w_i), where Σ π_i = k. The size is random, k on
  average.
* ``"systematic"`` (Madow 1949): who owns every (1/c)-th point of the line from a random start. k different devices,
  device i with the same probability π_i.

These numbers are what the Horvitz–Thompson aggregation divides by, and π_i what a privacy accountant takes as device
i's sampling rate. Poisson sampling is the design that the accountants' amplification is proved for. Systematic sampling
keeps the devices in their order, so neighbours of low activity are never in one cohort: single probabilities are exact,
those of pairs are not what independent draws would give.

Every draw costs O(k) and a look at N/64 block sums, see :class:`trustlab.federated.selection.urn.Urn`. Only
successive sampling that takes so many devices that most proposals repeat one looks at all N.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from trustlab.federated.selection.urn import Urn


class UnknownInclusionError(ValueError):
    """Raised where nobody can say exactly how likely a device is to be in a cohort."""


def with_replacement(urn: Urn, k: int, rng: np.random.Generator) -> np.ndarray:
    """Draw `k` devices independently, each with probability q_i: int64 [k], with repeats."""
    return urn.locate(rng.random(k) * urn.total)


def without_replacement(urn: Urn, k: int, rng: np.random.Generator) -> np.ndarray:
    """Draw `k` different devices one after another, each time by q_i among those left: int64 [k], in order of drawing.

    The first k different devices of a sequence of independent draws have exactly this law. When most proposals repeat
    a device, the rest is drawn with exponential clocks: who rings first, at rate w_i, is drawn next (Efraimidis and
    Spirakis 2006). Going over in the midst is exact too: who comes next depends only on who is left.
    """
    taken = np.empty(0, np.int64)
    while (missing := k - len(taken)) > 0:
        proposals = with_replacement(urn, missing + missing // 8 + 8, rng)
        both = np.concatenate([taken, proposals])
        _, first = np.unique(both, return_index=True)
        new = len(first) - len(taken)
        taken = both[np.sort(first)[:k]]
        if len(taken) < k and new < len(proposals) / 2:
            return np.concatenate([taken, _first_to_ring(urn, k - len(taken), rng, leaving_out=taken)])
    return taken


def _first_to_ring(urn: Urn, k: int, rng: np.random.Generator, *, leaving_out: np.ndarray) -> np.ndarray:
    """Return the `k` devices whose exponential clocks of rate w_i ring first, in order."""
    left = urn.weights > 0
    left[leaving_out] = False
    devices = np.flatnonzero(left)
    times = rng.exponential(size=len(devices)) / urn.weights[devices]
    first = np.argpartition(times, k - 1)[:k]
    return devices[first[np.argsort(times[first])]]


class Rates(NamedTuple):
    """Inclusion probabilities: 1 for the devices `certain`, and `rate` · w_i < 1 for the others."""

    certain: np.ndarray
    rate: float


def rates(urn: Urn, k: int) -> Rates:
    """Return the probabilities π_i = min(1, c·w_i) that add up to `k`.

    Who would get more than 1 gets 1, and the rest of k is shared by the others, until nobody is over. These are
    also the probabilities of optimal client sampling, where the weights are norms of the devices' updates.
    """
    if k == urn.positive:
        return Rates(np.flatnonzero(urn.weights), 0.0)
    certain, rate = np.empty(0, np.int64), k / urn.total
    while rate and len(more := urn.above(1 / rate)) > len(certain):
        certain, rate = more, (k - len(more)) / urn.total_without(more)
    return Rates(certain, rate)


def poisson(urn: Urn, k: int, rng: np.random.Generator) -> np.ndarray:
    """Take each device for itself with probability π_i: int64 [about k], in order of their numbers.

    Drops of rain fall on device i at rate λ_i = −log(1 − π_i); it is taken if it got wet, which has probability π_i and
    depends on no other device. So there is one drop for each device taken, and not one die for each in the fleet. Drops
    fall at rate 2 log 2 · π_i, which is at least λ_i where π_i <= 1/2, and the surplus evaporates by chance. Who has
    more than 1/2, at most 2k devices, throws a die.
    """
    certain, rate = rates(urn, k)
    if not rate:
        return certain
    likely = urn.above(0.5 / rate)
    dice = np.setdiff1d(likely, certain)
    dice = dice[rng.random(len(dice)) < rate * urn.weights[dice]]
    with urn.set_aside(likely):
        drops = with_replacement(urn, rng.poisson(2 * np.log(2) * rate * urn.total), rng)
    chance = rate * urn.weights[drops]  # π_i of the device under each drop
    stays = rng.random(len(drops)) < -np.log1p(-chance) / (2 * np.log(2) * chance)
    return np.sort(np.concatenate([certain, dice, np.unique(drops[stays])]))


def systematic(urn: Urn, k: int, rng: np.random.Generator) -> np.ndarray:
    """Take who owns the points (U + j)/c, j = 0, 1, …, of the line, U uniform: int64 [k], in order of their numbers."""
    certain, rate = rates(urn, k)
    if not rate:
        return certain
    with urn.set_aside(certain):
        return np.union1d(certain, urn.locate((np.arange(k - len(certain)) + rng.random()) / rate))


def inclusion(urn: Urn, k: int, design: str) -> np.ndarray:
    """Return how often each device is expected in a cohort, float64 [N]; its probability unless it may repeat.

    Raises
    ------
    UnknownInclusionError
        For ``"without-replacement"`` unless it is trivial (one device, all, or all equally likely): no closed form.
    """
    weights = urn.weights
    if design == "with-replacement":
        return k * weights / urn.total
    smallest = weights.min(initial=np.inf, where=weights > 0)
    trivial = k in (1, urn.positive) or smallest == weights.max()
    if design == "without-replacement" and not trivial:
        raise UnknownInclusionError(
            f"Expected design='poisson' or 'systematic' for known inclusion probabilities, got {design!r}. Successive "
            "sampling has none in closed form, and k·q is wrong: use estimate_inclusion, which comes with its error."
        )
    certain, rate = rates(urn, k)
    probabilities = rate * np.minimum(weights, 1 / rate) if rate else np.zeros(urn.devices)
    probabilities[certain] = 1.0
    return np.minimum(probabilities, 1.0)  # rounding may have gone over


def estimate_inclusion(
    urn: Urn, k: int, rng: np.random.Generator, *, repetitions: int = 100
) -> tuple[np.ndarray, np.ndarray]:
    """Estimate the inclusion probabilities of successive sampling: return them [N] and their standard errors [N].

    The estimates are unbiased. With exponential clocks, device i is among the first k if it rings before the k-th of
    the *others*, at time T: given the others that has probability 1 − exp(−w_i T), and T is seen in one run for all
    devices at once. So each repetition, O(N), gives every device a probability and not a yes or no, and they differ
    only as T does.

    Examples
    --------
    >>> estimate, error = estimate_inclusion(Urn([4.0, 3.0, 2.0, 1.0]), 2, np.random.default_rng(0), repetitions=4000)
    >>> exact = 0.4 + 0.3 * 4 / 7 + 0.2 * 4 / 8 + 0.1 * 4 / 9
    >>> bool(abs(estimate[0] - exact) < 4 * error[0] < 0.02)
    True
    """
    if repetitions < 2:
        raise ValueError(f"Expected repetitions={repetitions} >= 2. One repetition has no standard error.")
    devices = np.flatnonzero(urn.weights)
    weights = urn.weights[devices]
    mean, squares = np.zeros(urn.devices), np.zeros(urn.devices)
    if k == len(devices):
        mean[devices] = 1.0
        return mean, squares
    for count in range(1, repetitions + 1):
        times = rng.exponential(size=len(devices)) / weights
        last, next_one = np.partition(times, (k - 1, k))[[k - 1, k]]
        # The k-th of the others rings at `last` for who is not in the cohort, one place later for who is.
        chance = -np.expm1(-weights * np.where(times <= last, next_one, last))
        step = chance - mean[devices]
        mean[devices] += step / count
        squares[devices] += step * (chance - mean[devices])  # Welford's sum of squared deviations
    return mean, np.sqrt(squares / (repetitions - 1) / repetitions)


DESIGNS: dict[str, Callable[[Urn, int, np.random.Generator], np.ndarray]] = {
    "with-replacement": with_replacement,
    "without-replacement": without_replacement,
    "poisson": poisson,
    "systematic": systematic,
}
