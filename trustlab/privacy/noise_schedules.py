"""Schedules of noise: how much of it each step adds, as ``[(σ, number of steps), ...]`` in order."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence

import numpy as np

Schedule = Sequence[tuple[float, int]]  # (noise multiplier σ, number of steps), in order


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


def one_schedule(noise_multiplier: float | Schedule, steps: int | None) -> list[tuple[float, int]]:
    """Return one list of (σ, steps) for either form of `noise_multiplier`."""
    if isinstance(noise_multiplier, numbers.Real):
        if steps is None:
            raise ValueError("Expected steps with a single noise multiplier, got none. ε grows with every step.")
        schedule = [(float(noise_multiplier), steps)]
    elif steps is None:
        schedule = [(float(sigma), count) for sigma, count in noise_multiplier]
    else:
        raise ValueError(f"Expected steps=None with a schedule, got {steps}. The schedule contains its own steps.")
    for sigma, count in schedule:
        if not 0 <= sigma < math.inf or count < 0 or int(count) != count:
            raise ValueError(f"Expected noise multiplier >= 0 and whole steps >= 0, got ({sigma}, {count}).")
    return schedule


def once_an_epoch(schedule: Schedule, sample_rate: float) -> list[tuple[float, int]]:
    """Return the releases that one example takes part in when it is seen once per epoch, always at the worst step."""
    sigmas = np.repeat([sigma for sigma, _ in schedule], [count for _, count in schedule])
    # A tolerance, so that q = 1/49 in floating point still has epochs of 49 steps.
    lengths = math.floor(1 / sample_rate + 1e-9), math.ceil(1 / sample_rate - 1e-9)
    epochs = [np.minimum.reduceat(sigmas, np.arange(0, len(sigmas), length)) for length in lengths]
    costlier = max(epochs, key=lambda least: np.sum(1 / least**2))  # unsampled, noise counts by this sum alone
    return [(float(sigma), 1) for sigma in costlier]
