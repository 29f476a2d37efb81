"""What a run of noisy steps guarantees: from noise to ε, and from ε to noise.

Every figure here is for **add-or-remove-one-example** adjacency and for batches drawn by **Poisson sampling**, each
example independently with probability `sample_rate`. A step that releases a sum of L2 sensitivity Δ·C plus Gaussian
noise of standard deviation σ·C counts as noise multiplier σ/Δ: Δ = 1 when every example is clipped to C, Δ = 2 when
micro-batch means are (Ponomareva et al. 2023, §5.6).

Two accountants, both Opacus': ``"prv"`` (Gopi et al. 2021, numerical, tight; an upper bound within 0.01) and ``"rdp"``
(Mironov et al. 2019, a closed form, looser and quicker).
"""

from __future__ import annotations

import itertools
import math
import numbers
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

Schedule = Sequence[tuple[float, int]]  # (noise multiplier σ, number of steps), in order

# Opacus' own orders end at 63 and are too coarse for weak noise below 1.1 and for strong noise above 63.
ORDERS = [1 + x / 100 for x in range(2, 10)] + [1 + x / 10 for x in range(1, 100)] + [*range(12, 64), 80, 128, 256, 512]


LARGEST_EPSILON = 1000
PRECISION = 1.001  # noise_multiplier_for stops when its bracket is this narrow


def epsilon(
    *,
    noise_multiplier: float | Schedule,
    sample_rate: float,
    delta: float,
    steps: int | None = None,
    sensitivity: float = 1.0,
    accountant: str = "prv",
) -> float:
    """Return the ε that the given steps guarantee at `delta`.

    Parameters
    ----------
    noise_multiplier
        σ > 0 in units of the clipping norm, or a schedule ``[(sigma, steps), ...]`` when it changes.
    sample_rate
        Probability q in (0, 1] with which each example enters a batch.
    delta
        δ in (0, 1); well below one over the number of examples.
    steps
        Number of steps; None with a schedule.
    sensitivity
        Δ, how far one example moves the released sum, in units of the clipping norm.
    accountant
        ``"prv"`` or ``"rdp"``.

    Returns
    -------
    float
        ε ≥ 0; ``inf`` when some step adds no noise, 0 when no step was taken.

    Examples
    --------
    >>> round(epsilon(noise_multiplier=1.0, sample_rate=0.02, steps=500, delta=1e-5), 2)
    2.78
    >>> round(epsilon(noise_multiplier=1.0, sample_rate=0.02, steps=500, delta=1e-5, sensitivity=2.0), 1)
    17.6
    """
    schedule = _schedule(noise_multiplier, steps)
    _check(sample_rate=sample_rate, delta=delta, sensitivity=sensitivity, accountant=accountant)
    schedule = [(sigma, count) for sigma, count in schedule if count]
    if not schedule:
        return 0.0
    if min(sigma for sigma, _ in schedule) == 0:
        return math.inf
    history = tuple((sigma / sensitivity, sample_rate, count) for sigma, count in schedule)
    return _compose(history, delta, accountant)


def noise_multiplier_for(
    *,
    epsilon: float,
    sample_rate: float,
    steps: int,
    delta: float,
    sensitivity: float = 1.0,
    decay: float = 1.0,
    steps_per_epoch: int | None = None,
    accountant: str = "prv",
) -> float:
    """Return the smallest noise multiplier, within 0.1 %, whose steps guarantee `epsilon` or less at `delta`.

    Parameters
    ----------
    epsilon
        Target ε > 0; ``inf`` asks for no noise.
    sample_rate
        Probability q in (0, 1] with which each example enters a batch.
    steps
        Number of steps in all.
    delta
        δ in (0, 1).
    sensitivity
        1 for clipped examples, 2 for the clipped means of micro-batches.
    accountant
        ``"prv"`` (tight) or ``"rdp"`` (quick, asks for a little more noise).
    decay, steps_per_epoch
        γ in (0, 1] of :func:`decayed`, when the noise shrinks by epochs; the first epoch's σ is returned.

    Examples
    --------
    >>> round(noise_multiplier_for(epsilon=2.78, sample_rate=0.02, steps=500, delta=1e-5), 2)
    1.0
    """
    if not epsilon > 0:
        raise ValueError(f"Expected epsilon={epsilon:g} > 0. Smaller ε means stronger privacy; use math.inf for none.")
    _check(sample_rate=sample_rate, delta=delta, sensitivity=sensitivity, accountant=accountant)
    if not steps >= 0:
        raise ValueError(f"Expected steps={steps} >= 0.")
    if math.isinf(epsilon) or steps == 0:
        return 0.0
    if epsilon > LARGEST_EPSILON:
        raise ValueError(
            f"Expected epsilon={epsilon:g} <= {LARGEST_EPSILON}, or math.inf for no noise. "
            "So large an ε promises nothing, and an accountant would need gigabytes to compute it."
        )

    def spent(sigma: float, accountant: str = accountant) -> float:
        schedule = decayed(sigma, decay=decay, steps=steps, steps_per_epoch=steps_per_epoch)
        return _compose(tuple((s / sensitivity, sample_rate, count) for s, count in schedule), delta, accountant)

    # The quick accountant asks for a little too much noise: a bracket's upper end, found in a few milliseconds.
    high = _smallest(lambda sigma: spent(sigma, "rdp"), epsilon, low=0.25, high=1.0)
    return high if accountant == "rdp" else _smallest(spent, epsilon, low=0.85 * high, high=high)


def decayed(
    noise_multiplier: float, *, decay: float, steps: int, steps_per_epoch: int | None = None
) -> list[tuple[float, int]]:
    """Return the schedule σ_e = σ_0·γ^e of eDP-SGD, constant within an epoch.

    Examples
    --------
    >>> decayed(2.0, decay=0.5, steps=5, steps_per_epoch=2)
    [(2.0, 2), (1.0, 2), (0.5, 1)]
    """
    if not 0 < decay <= 1:
        raise ValueError(
            f"Expected decay={decay:g} in (0, 1]. 1 keeps the noise constant, less shrinks it every epoch."
        )
    if decay == 1:
        return [(noise_multiplier, steps)]
    if not steps_per_epoch:
        raise ValueError("Expected steps_per_epoch with decay < 1, got none. The noise shrinks once an epoch.")
    starts = range(0, steps, steps_per_epoch)
    return [(noise_multiplier * decay**e, min(steps_per_epoch, steps - start)) for e, start in enumerate(starts)]


def _smallest(spent: Callable[[float], float], target: float, *, low: float, high: float) -> float:
    """Find the smallest σ with ``spent(σ) <= target``, from a guessed bracket; `spent` falls as σ grows."""
    while spent(high) > target:
        low, high = high, 2 * high
        if high > 1e6:
            raise ValueError(
                f"Expected epsilon={target:g} within reach, got more even at noise multiplier {high:g}. "
                "Raise epsilon or delta."
            )
    while low > 1e-3 and spent(low) <= target:
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
    return high  # the side that keeps the promise


@lru_cache(maxsize=4096)
def _compose(history: tuple[tuple[float, float, int], ...], delta: float, accountant: str) -> float:
    """Ask Opacus' accountant for ε after `history` of (noise multiplier, sample rate, steps)."""
    from opacus.accountants import PRVAccountant, RDPAccountant

    tracker = RDPAccountant() if accountant == "rdp" else PRVAccountant()
    tracker.history = list(history)
    options = {"alphas": ORDERS} if accountant == "rdp" else {}
    with warnings.catch_warnings(), np.errstate(divide="ignore"):
        # Opacus warns that the best order is the largest or smallest one; the bound holds all the same. Without
        # sampling (q = 1) it takes log(1 - q) in a branch that it then leaves out.
        warnings.filterwarnings("ignore", message="Optimal order is the")
        return max(float(tracker.get_epsilon(delta, **options)), 0.0)


def _schedule(noise_multiplier: float | Schedule, steps: int | None) -> list[tuple[float, int]]:
    """Return one list of (σ, steps) for either form of `noise_multiplier`."""
    if isinstance(noise_multiplier, numbers.Real):
        if steps is None:
            raise ValueError("Expected steps with a single noise multiplier, got none. ε grows with every step.")
        schedule = [(float(noise_multiplier), steps)]
    elif steps is None:
        schedule = [(float(sigma), count) for sigma, count in noise_multiplier]
    else:
        raise ValueError(f"Expected steps=None with a schedule, got {steps}. The schedule says its own steps.")
    for sigma, count in schedule:
        if not sigma >= 0 or count < 0 or int(count) != count:
            raise ValueError(f"Expected noise multiplier >= 0 and whole steps >= 0, got ({sigma}, {count}).")
    return schedule


def _check(*, sample_rate: float, delta: float, sensitivity: float, accountant: str) -> None:
    """Refuse what the accountants cannot read, before any work starts."""
    if not 0 < sample_rate <= 1:
        raise ValueError(f"Expected sample_rate={sample_rate} in (0, 1]. It is the chance of one example per step.")
    if not 0 < delta < 1:
        raise ValueError(f"Expected delta={delta} in (0, 1). It is the chance that the ε guarantee fails.")
    if not sensitivity > 0:
        raise ValueError(f"Expected sensitivity={sensitivity} > 0. 1 for per-example clipping, 2 for micro-batches.")
    if accountant not in ("prv", "rdp"):
        raise ValueError(f"Expected accountant={accountant!r} to be 'prv' or 'rdp'.")
