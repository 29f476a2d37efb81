"""The rounds of notebook 10's game: ten noisy head counts, and how often a guesser can be right about them.

A clinic's group met on ten evenings; 28 others came, and Anna came to all of them or to none. Ten noisy counts are
published. ε and δ hold for all ten together. Everything that the picture compares a reader with is exact:

- no guesser is right more often than (e^ε + δ) / (1 + e^ε), whatever the noise, as long as it keeps (ε, δ);
- with Gaussian noise of standard deviation s on each count, the optimal guesser asks whether the mean is above 28.5
  (a likelihood-ratio test) and is right with probability Φ(√10 / 2s);
- one coin for all ten counts tells the truth as often as (ε, δ) allows: a guesser who believes it attains the bound.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import norm

from trustlab.config import option
from trustlab.course.budgets import DELTA
from trustlab.guessing import best_hit_rate
from trustlab.intervals import rate_bounds
from trustlab.privacy.accounting import noise_multiplier_for

OTHERS = 28
EVENINGS = 10
EPSILONS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, math.inf)
WORDS = {0.5: "very strong", 1.0: "strong", 4.0: "medium", 8.0: "weak", 16.0: "very weak", math.inf: "no noise"}
NOISES = {"gaussian": "bell-shaped", "coin": "as bad as ε allows"}
GUESSES = ("in", "out")


@dataclass(frozen=True)
class GamePosition:
    """What the reader chooses before a game."""

    epsilon: float = option(
        8.0, label="ε", help="What the ten counts together may reveal: smaller is stronger.", values=EPSILONS
    )
    noise: str = option(
        "gaussian",
        label="Noise",
        help="Bell-shaped: normal noise on each count. As bad as ε allows: one coin decides for all ten counts "
        "whether they tell the truth, as often as ε permits.",
        values=tuple(NOISES),
    )


@dataclass(frozen=True)
class Round:
    """Whether Anna came, and what was published of the ten evenings."""

    anna: bool
    counts: np.ndarray = field(compare=False)  # [10]


@dataclass
class Score:
    """How many guesses were right."""

    right: int = 0
    guesses: int = 0

    @property
    def rate(self) -> float:
        """The share of right guesses; NaN before the first."""
        return self.right / self.guesses if self.guesses else math.nan

    def add(self, right: bool) -> None:
        """Count one guess more."""
        self.right, self.guesses = self.right + bool(right), self.guesses + 1

    def interval(self) -> tuple[float, float]:
        """Return the 95 % Clopper–Pearson interval of the hit rate behind these guesses.

        Examples
        --------
        >>> low, high = Score(right=7, guesses=10).interval()
        >>> round(low, 2), round(high, 2)
        (0.35, 0.93)
        """
        low, high = rate_bounds(self.right, self.guesses, 0.025)
        return float(low), float(high)


@functools.cache
def noise_std(epsilon: float) -> float:
    """Return the standard deviation of the noise on each count, so that all ten together keep ε at δ = 1e-5.

    Examples
    --------
    >>> round(noise_std(8.0), 1), round(noise_std(1.0), 1), noise_std(math.inf)
    (1.9, 11.8, 0.0)
    """
    return noise_multiplier_for(epsilon=epsilon, delta=DELTA, steps=EVENINGS, sampling="none", accountant="gaussian")


def bound(epsilon: float) -> float:
    """Return the hit rate that no guesser exceeds at δ = 1e-5, (e^ε + δ) / (1 + e^ε).

    Examples
    --------
    >>> round(bound(1.0), 2), round(bound(8.0), 4), bound(math.inf)
    (0.73, 0.9997, 1.0)
    """
    return best_hit_rate(epsilon, DELTA)


def optimal_hit_rate(position: GamePosition) -> float:
    """Return how often the optimal guesser is right, exactly.

    Examples
    --------
    >>> round(optimal_hit_rate(GamePosition(epsilon=8.0)), 2), round(optimal_hit_rate(GamePosition(epsilon=1.0)), 2)
    (0.8, 0.55)
    """
    if position.noise == "coin":
        return bound(position.epsilon)
    std = noise_std(position.epsilon)
    return float(norm.cdf(math.sqrt(EVENINGS) / (2 * std))) if std else 1.0


def optimal_guess(counts: np.ndarray) -> bool:
    """Say whether Anna came: the likelihood-ratio test of both noises is whether the mean is above 28.5."""
    return float(np.mean(counts)) > OTHERS + 0.5


def new_round(position: GamePosition, rng: np.random.Generator) -> Round:
    """Flip a fair coin for Anna and publish ten counts."""
    anna = bool(rng.random() < 0.5)
    if position.noise == "coin":
        truthful = rng.random() < bound(position.epsilon)
        return Round(anna, np.full(EVENINGS, OTHERS + float(anna == truthful)))
    noise = noise_std(position.epsilon) * rng.standard_normal(EVENINGS)
    return Round(anna, OTHERS + float(anna) + noise)


def rounds(position: GamePosition, seed: int | tuple[int, ...]) -> Iterator[Round]:
    """Yield rounds without end; the same seed gives the same coins and the same noise, scaled by ε."""
    rng = np.random.default_rng(seed)
    while True:
        yield new_round(position, rng)
