"""Words hidden by noise on their vectors: multivariate Laplace, and noise shaped like the table.

A word's vector x gets noise Z with density proportional to exp(−ε‖Z‖_S), and the nearest word of the table is said.
Two words' densities differ at every point by a factor of at most exp(ε‖x − x′‖_S), because ‖·‖_S is a norm, and what is
said is computed from the noisy vector alone: ε‖x − x′‖_S-metric differential privacy. With S = I this is the mechanism
of Feyisetan et al. (2020), "Privacy- and utility-preserving textual analysis via calibrated multivariate
perturbations". Xu et al. (2020), "A differentially private text perturbation method using regularized Mahalanobis
metric", take S = λΣ + (1 − λ)I and ‖z‖_S = √(zᵀS⁻¹z): more noise where the table is wide. Σ is the words' covariance,
scaled so that its trace is d.

The promise holds in its own metric. In the Euclidean one it is weaker by 1/√(smallest eigenvalue of S), which
``euclidean_epsilon`` states. And like every sampler in floating point it is proved for real numbers (Mironov 2012).
"""

from __future__ import annotations

import math

import numpy as np

from trustlab.privacy.text.nearest_words import nearest
from trustlab.privacy.text.word_table import WordTable


class NoisyVectors:
    """Noise on a word's vector, then the nearest word.

    Parameters
    ----------
    table
        The public words.
    epsilon
        Privacy per unit of distance, > 0 and finite: smaller hides a word among more. Alone it compares nothing between
        tables or mechanisms.
    shape
        λ in [0, 1]: 0 is multivariate Laplace noise, alike in all directions, 1 is noise shaped like the table.

    Attributes
    ----------
    euclidean_epsilon
        The ε that holds for Euclidean distances.

    Raises
    ------
    ValueError
        For an ε or λ outside its range; for λ = 1 and a table that is flat in some direction.

    Examples
    --------
    >>> table = WordTable(["tea", "coffee", "train"], [[0.0, 0.0], [0.1, 0.0], [1.0, 1.0]])
    >>> mechanism = NoisyVectors(table, epsilon=8.0)
    >>> said = mechanism.draw(table.ids(["tea"] * 1000), np.random.default_rng(0))
    >>> np.bincount(said, minlength=3).round(-2).tolist()
    [600, 400, 0]
    """

    def __init__(self, table: WordTable, epsilon: float, *, shape: float = 0.0) -> None:
        check_epsilon(epsilon)
        if not 0 <= shape <= 1:
            raise ValueError(f"Expected shape={shape!r} in [0, 1]. 0 is spherical noise, 1 is shaped like the table.")
        self.table, self.epsilon, self.shape = table, float(epsilon), float(shape)
        values, axes = np.linalg.eigh(self.covariance())
        values = shape * np.maximum(values, 0.0) + (1 - shape)  # of S
        if values.min() <= 1e-12 * values.max():
            raise ValueError(
                f"Expected shape={shape:g} < 1 for a table that is flat in some direction. There would be no noise "
                "along it: words that differ there would not be hidden."
            )
        self._root, self._inverse = (axes * values**0.5) @ axes.T, (axes * values**-0.5) @ axes.T
        self.euclidean_epsilon = self.epsilon / math.sqrt(values.min())

    def covariance(self) -> np.ndarray:
        """Return Σ [d, d], the covariance of the table's vectors scaled to a trace of d (Xu et al. 2020)."""
        centred = self.table.vectors - self.table.mean
        found = centred.T @ centred
        return found * len(found) / np.trace(found)

    def distance(self, points: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return ‖points − others‖_S along the last axis: what ε is multiplied by."""
        return np.linalg.norm((points - others) @ self._inverse, axis=-1)

    def log_density(self, noise: np.ndarray) -> np.ndarray:
        """Return the log density of noise [..., d], up to a constant that is the same for all words."""
        return -self.epsilon * np.linalg.norm(noise @ self._inverse, axis=-1)

    def noise(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return `n` draws [n, d]: a direction of the sphere, a length of Gamma(d, 1/ε), and then the shape."""
        width = self.table.vectors.shape[1]
        directions = rng.normal(size=(n, width))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        return rng.gamma(width, 1 / self.epsilon, size=(n, 1)) * directions @ self._root

    def draw(self, ids: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return what is said for each word, int64 [n]: ids of the table, for words outside it too."""
        points = self.table.points(ids)
        return nearest(points + self.noise(len(points), rng), self.table.vectors)


def check_epsilon(epsilon: float) -> None:
    """Refuse an ε that is not positive and finite."""
    if not (isinstance(epsilon, int | float | np.number) and 0 < epsilon < math.inf):
        raise ValueError(
            f"Expected epsilon={epsilon!r} > 0 and finite. Smaller ε means stronger privacy; to say words as they are, "
            "use no mechanism."
        )
