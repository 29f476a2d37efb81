"""Sampling designs: how clients with weights w_i become a cohort, and how often each is then in it.

q_i = w_i / W is client i's probability in one draw, and k the size of the cohort.

* ``"with-replacement"``: k independent draws, repeats kept. Client i is in it k·q_i times on average.
* ``"without-replacement"``: draw, leave out, draw again: successive sampling. k different clients; the probability
  that client i is among them has no closed form, see :func:`estimate_inclusion`.
* ``"poisson"``: each client independently with probability π_i = min(1, c·w_i), where Σ π_i = k. The size is random,
  k on average.
* ``"systematic"`` (Madow 1949): the owners of every (1/c)-th point of the line from a random start. k different
  clients, client i with the same probability π_i.

These numbers are what the Horvitz–Thompson aggregation divides by, and π_i what a privacy accountant takes as client
i's sampling rate. Poisson sampling is the design that the accountants' amplification is proved for. Systematic sampling
keeps the clients in their order, so neighbours of low activity are never in one cohort: single probabilities are exact,
those of pairs are not what independent draws would give.

Every draw costs O(k) and a look at N/64 block sums, see :mod:`trustlab.federated.selection.weighted_sampler`. Only
successive sampling that takes so many clients that most proposals repeat one looks at all N.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from trustlab.federated.selection.weighted_sampler import WeightedSampler


class UnknownInclusionError(ValueError):
    """Raised where the probability of a client to be in a cohort is not known exactly."""


def with_replacement(sampler: WeightedSampler, k: int, rng: np.random.Generator) -> np.ndarray:
    """Draw `k` clients independently, each with probability q_i: int64 [k], with repeats."""
    return sampler.locate(rng.random(k) * sampler.total)


def without_replacement(sampler: WeightedSampler, k: int, rng: np.random.Generator) -> np.ndarray:
    """Draw `k` different clients one after another, each time by q_i among those left: int64 [k], in order of drawing.

    The first k different clients of a sequence of independent draws have exactly this distribution. When
    most proposals repeat a client, the rest is drawn with exponential clocks: the first to ring, at rate w_i, is drawn
    next (Efraimidis and Spirakis 2006). Changing over midway is exact too: which client comes next depends only on
    those that are left.
    """
    taken = np.empty(0, np.int64)
    while (missing := k - len(taken)) > 0:
        proposals = with_replacement(sampler, missing + missing // 8 + 8, rng)
        both = np.concatenate([taken, proposals])
        _, first = np.unique(both, return_index=True)
        new = len(first) - len(taken)
        taken = both[np.sort(first)[:k]]
        if len(taken) < k and new < len(proposals) / 2:
            return np.concatenate([taken, _first_to_ring(sampler, k - len(taken), rng, leaving_out=taken)])
    return taken


def _first_to_ring(
    sampler: WeightedSampler, k: int, rng: np.random.Generator, *, leaving_out: np.ndarray
) -> np.ndarray:
    """Return the `k` clients whose exponential clocks of rate w_i ring first, in order."""
    left = sampler.weights > 0
    left[leaving_out] = False
    clients = np.flatnonzero(left)
    times = rng.exponential(size=len(clients)) / sampler.weights[clients]
    first = np.argpartition(times, k - 1)[:k]
    return clients[first[np.argsort(times[first])]]


class Rates(NamedTuple):
    """Inclusion probabilities: 1 for the clients `certain`, and `rate` · w_i < 1 for the others."""

    certain: np.ndarray
    rate: float


def rates(sampler: WeightedSampler, k: int) -> Rates:
    """Return the probabilities π_i = min(1, c·w_i) that add up to `k`.

    A client that would get more than 1 gets 1, and the others share the rest of k, until none is above 1. These are
    also the probabilities of optimal client sampling, where the weights are norms of the clients' updates.
    """
    if k == sampler.positive:
        return Rates(np.flatnonzero(sampler.weights), 0.0)
    certain, rate = np.empty(0, np.int64), k / sampler.total
    while rate and len(more := sampler.above(1 / rate)) > len(certain):
        certain, rate = more, (k - len(more)) / sampler.total_without(more)
    return Rates(certain, rate)


def poisson(sampler: WeightedSampler, k: int, rng: np.random.Generator) -> np.ndarray:
    """Take each client independently with probability π_i: int64 [about k], in order of their numbers.

    Give client i a Poisson number of hits with mean λ_i = −log(1 − π_i), and take it if it is hit: that has probability
    π_i and depends on no other client. So there is one hit for each client taken, not one random number for each in the
    fleet. Hits are drawn with mean 2 log 2 · π_i, which is at least λ_i where π_i <= 1/2, and the surplus is dropped at
    random. The clients with more than 1/2, at most 2k, get a random number each.
    """
    certain, rate = rates(sampler, k)
    if not rate:
        return certain
    likely = sampler.above(0.5 / rate)
    tried = np.setdiff1d(likely, certain)
    tried = tried[rng.random(len(tried)) < rate * sampler.weights[tried]]
    with sampler.set_aside(likely):
        hits = with_replacement(sampler, rng.poisson(2 * np.log(2) * rate * sampler.total), rng)
    chance = rate * sampler.weights[hits]  # π_i of the client of each hit
    stays = rng.random(len(hits)) < -np.log1p(-chance) / (2 * np.log(2) * chance)
    return np.sort(np.concatenate([certain, tried, np.unique(hits[stays])]))


def systematic(sampler: WeightedSampler, k: int, rng: np.random.Generator) -> np.ndarray:
    """Take the owners of the points (U + j)/c, j = 0, 1, …, of the line, U uniform: int64 [k], ascending."""
    certain, rate = rates(sampler, k)
    if not rate:
        return certain
    with sampler.set_aside(certain):
        return np.union1d(certain, sampler.locate((np.arange(k - len(certain)) + rng.random()) / rate))


def inclusion(sampler: WeightedSampler, k: int, design: str) -> np.ndarray:
    """Return how often each client is expected in a cohort, float64 [N]; its probability unless it may repeat.

    Raises
    ------
    UnknownInclusionError
        For ``"without-replacement"`` unless it is trivial (one client, all, or all equally likely): no closed form.
    """
    weights = sampler.weights
    if design == "with-replacement":
        return k * weights / sampler.total
    smallest = weights.min(initial=np.inf, where=weights > 0)
    trivial = k in (1, sampler.positive) or smallest == weights.max()
    if design == "without-replacement" and not trivial:
        raise UnknownInclusionError(
            f"Expected design='poisson' or 'systematic' for known inclusion probabilities, got {design!r}. Successive "
            "sampling has none in closed form, and k·q is wrong: use estimate_inclusion, which comes with its error."
        )
    certain, rate = rates(sampler, k)
    probabilities = rate * np.minimum(weights, 1 / rate) if rate else np.zeros(sampler.clients)
    probabilities[certain] = 1.0
    return np.minimum(probabilities, 1.0)  # rounding may have exceeded it


def estimate_inclusion(
    sampler: WeightedSampler, k: int, rng: np.random.Generator, *, repetitions: int = 100
) -> tuple[np.ndarray, np.ndarray]:
    """Estimate the inclusion probabilities of successive sampling: return them [N] and their standard errors [N].

    The estimates are unbiased. With exponential clocks, client i is among the first k if it rings before the k-th of
    the *others*, at time T: given the others that has probability 1 − exp(−w_i T), and T is seen in one run for all
    clients at once. So each repetition, O(N), gives every client a probability and not a yes or no, and they differ
    only as T does.

    Examples
    --------
    >>> sampler, rng = WeightedSampler([4.0, 3.0, 2.0, 1.0]), np.random.default_rng(0)
    >>> estimate, error = estimate_inclusion(sampler, 2, rng, repetitions=4000)
    >>> exact = 0.4 + 0.3 * 4 / 7 + 0.2 * 4 / 8 + 0.1 * 4 / 9
    >>> bool(abs(estimate[0] - exact) < 4 * error[0] < 0.02)
    True
    """
    if repetitions < 2:
        raise ValueError(f"Expected repetitions={repetitions} >= 2. One repetition has no standard error.")
    clients = np.flatnonzero(sampler.weights)
    weights = sampler.weights[clients]
    mean, squares = np.zeros(sampler.clients), np.zeros(sampler.clients)
    if k == len(clients):
        mean[clients] = 1.0
        return mean, squares
    for count in range(1, repetitions + 1):
        times = rng.exponential(size=len(clients)) / weights
        last, next_one = np.partition(times, (k - 1, k))[[k - 1, k]]
        # The k-th of the others rings at `last` for a client outside the cohort, one place later for one inside.
        chance = -np.expm1(-weights * np.where(times <= last, next_one, last))
        step = chance - mean[clients]
        mean[clients] += step / count
        squares[clients] += step * (chance - mean[clients])  # Welford's sum of squared deviations
    return mean, np.sqrt(squares / (repetitions - 1) / repetitions)


# How a cohort is drawn when clients have weights, by name.
DESIGNS: dict[str, Callable[[WeightedSampler, int, np.random.Generator], np.ndarray]] = {
    "with-replacement": with_replacement,
    "without-replacement": without_replacement,
    "poisson": poisson,
    "systematic": systematic,
}
