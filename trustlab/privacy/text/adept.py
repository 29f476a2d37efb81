"""ADePT: a text is encoded, its latent vector clipped, noise added, and another text decoded.

Krishna, Gupta and Dupuy (2021), "ADePT: Auto-encoder based differentially private text transformation". A latent vector
z [d] is shortened to ‖z‖₂ ≤ C and gets Laplace noise of scale 2C/ε on each coordinate. Habernal (2021), "When
differential privacy meets NLP: The devil is in the detail": Laplace noise is calibrated to distances in ‖·‖₁, and two
vectors of length C in ‖·‖₂ are up to 2C√d apart in ‖·‖₁. The published scale loses ε√d, not ε. Gaussian noise is
calibrated to ‖·‖₂, where 2C is right.

A whole text is the unit: ε holds between any two texts, whatever they say and however long they are. It says nothing of
the texts that the autoencoder was trained on: those have to be public, or learned from privately.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.columns import as_features
from trustlab.config import check, option

PUBLISHED, CORRECTED, GAUSSIAN = "published", "corrected", "gaussian"


@dataclass(frozen=True)
class LatentNoise:
    """Clip latent vectors and add noise.

    Attributes
    ----------
    dimension, clip_norm, epsilon, delta, noise
        As their options say.

    Examples
    --------
    >>> LatentNoise(dimension=16, noise="published").scale, LatentNoise(dimension=16, noise="corrected").scale
    (2.0, 8.0)
    >>> LatentNoise(dimension=16, noise="published").true_epsilon
    4.0
    """

    dimension: int = option(16, label="d", help="Length of a latent vector.", low=1)
    clip_norm: float = option(1.0, label="C", help="Largest Euclidean length of a latent vector.", above=0)
    epsilon: float = option(1.0, label="ε", help="Privacy of a whole text; smaller is stronger.", above=0)
    noise: str = option(
        CORRECTED,
        label="Noise",
        help="Laplace noise of the published scale, of the corrected one, or Gaussian noise.",
        values=(PUBLISHED, CORRECTED, GAUSSIAN),
    )
    delta: float = option(1e-5, label="δ", help="Of Gaussian noise alone; Laplace noise has none.", above=0, high=0.5)

    def __post_init__(self) -> None:
        check(self)

    @property
    def sensitivity(self) -> float:
        """The largest distance of two clipped vectors: in ‖·‖₁ for Laplace noise, in ‖·‖₂ for Gaussian noise."""
        return 2 * self.clip_norm * (1.0 if self.noise == GAUSSIAN else math.sqrt(self.dimension))

    @property
    def scale(self) -> float:
        """The noise's scale on each coordinate: of Laplace noise its b, of Gaussian noise its σ."""
        if self.noise == PUBLISHED:
            return 2 * self.clip_norm / self.epsilon
        if self.noise == CORRECTED:
            return self.sensitivity / self.epsilon
        return self.sensitivity * _gaussian_multiplier(self.epsilon, self.delta)

    @property
    def true_epsilon(self) -> float:
        """The ε that holds: √d times the stated one for the published scale."""
        return self.sensitivity / self.scale if self.noise == PUBLISHED else self.epsilon

    def clipped(self, latent: np.ndarray) -> np.ndarray:
        """Return vectors [n, d], those longer than C shortened to it."""
        vectors = np.asarray(as_features(latent, "latent vectors"), np.float64)
        if vectors.shape[1] != self.dimension:
            raise ValueError(f"Expected latent vectors of {self.dimension} numbers, got {vectors.shape[1]}.")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors * np.minimum(1.0, self.clip_norm / np.maximum(lengths, 1e-300))

    def private(self, latent: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return vectors [n, d], clipped and noisy."""
        vectors = self.clipped(latent)
        draw = rng.normal if self.noise == GAUSSIAN else rng.laplace
        return vectors + draw(scale=self.scale, size=vectors.shape)

    def witness(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Return two clipped vectors and a released point's log density ratio between them, as large as it gets.

        Both have length C. At the released point, the first vector itself, a Laplace density is e^loss times as large
        for the first as for the second. For Gaussian noise no ratio is the largest: its promise has a δ.

        Examples
        --------
        >>> first, second, loss = LatentNoise(dimension=16, epsilon=1.0, noise="published").witness()
        >>> round(float(np.linalg.norm(first)), 6), round(loss, 6)
        (1.0, 4.0)
        """
        if self.noise == GAUSSIAN:
            raise ValueError("Expected Laplace noise, got Gaussian. Its ratio has no largest value: that is its δ.")
        first = np.full(self.dimension, self.clip_norm / math.sqrt(self.dimension))
        return first, -first, float(np.abs(first + first).sum() / self.scale)


def transformed(
    texts: Sequence[Sequence[str]], autoencoder: Any, noise: LatentNoise, rng: np.random.Generator
) -> list[list[str]]:
    """Return what is said for each text: its vector clipped, noise added, and another text decoded.

    Parameters
    ----------
    texts
        Each a list of words.
    autoencoder
        With ``vectors(texts)`` [n, d] and ``say(vectors)``, see :class:`trustlab.models.TextAutoencoder`.

    Raises
    ------
    ValueError
        If its vectors have another length than the noise.

    Examples
    --------
    >>> from trustlab.models import TextAutoencoder
    >>> model = TextAutoencoder(["play", "jazz"], latent=4, width=8, longest=3)
    >>> said = transformed([["play", "polka"]], model, LatentNoise(dimension=4), np.random.default_rng(0))
    >>> len(said), {word for text in said for word in text} <= {"play", "jazz"}
    (1, True)
    """
    return autoencoder.say(noise.private(autoencoder.vectors(texts), rng))


def _gaussian_multiplier(epsilon: float, delta: float) -> float:
    """Return σ over the sensitivity for (ε, δ), exactly (Balle and Wang 2018, theorem 8), by bisection."""
    from scipy import optimize, special

    def excess(log_sigma: float) -> float:
        sigma = math.exp(log_sigma)
        near, far = 0.5 / sigma - epsilon * sigma, -0.5 / sigma - epsilon * sigma
        return float(special.ndtr(near) - math.exp(epsilon + special.log_ndtr(far))) - delta

    return math.exp(optimize.brentq(excess, -12.0, 12.0, xtol=1e-13))
