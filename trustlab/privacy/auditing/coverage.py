"""How often a bound claims too much: simulated audits of mechanisms whose ε is known.

Four mechanisms treat canaries independently. The fifth, ``"burst"``, does not: with probability m·δ/k it reveals k of
the m canaries at once, and nothing else ever. Each canary is revealed with probability δ, so it is (0, δ)-DP.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.privacy.auditing.counts import check_whole
from trustlab.privacy.auditing.gaussian_curve import mu_epsilon
from trustlab.privacy.auditing.lower_bounds import METHODS, lower_bound

Draw = Callable[[np.random.Generator, np.ndarray], np.ndarray]
VALID = {
    "any": ("any", "independent", "gaussian"),
    "independent": ("independent", "gaussian"),
    "gaussian": ("gaussian",),
}
CERTAIN = 1e6  # the score of a canary that is given away


@dataclass(frozen=True)
class Mechanism:
    """A mechanism with known ε: scores [m] of canaries of which `included` [m] took part.

    Attributes
    ----------
    draw
        ``draw(rng, included) -> scores``.
    epsilon
        The true ε at the audit's δ, or an upper bound on it.
    kind
        ``"gaussian"``, ``"independent"`` or ``"any"``: which bounds are valid, see ``ASSUMPTIONS``.
    """

    draw: Draw
    epsilon: float
    kind: str


def mechanisms(delta: float) -> dict[str, Mechanism]:
    """Return the simulated mechanisms, with their ε at `delta`.

    Examples
    --------
    >>> {name: round(each.epsilon, 2) for name, each in mechanisms(0.01).items()}
    {'null': 0.0, 'Laplace': 1.0, 'Gaussian': 2.32, 'subsampled Gaussian': 0.91, 'burst': 0.0}
    """

    def sampled(rng: np.random.Generator, included: np.ndarray) -> np.ndarray:
        return rng.normal(size=len(included)) + (included & (rng.random(len(included)) < 0.3))

    def burst(rng: np.random.Generator, included: np.ndarray) -> np.ndarray:
        scores, many = rng.normal(size=len(included)), max(len(included) // 10, 1)
        if rng.random() < len(included) * delta / many:
            given = rng.choice(len(included), size=many, replace=False)
            scores[given] = np.where(included[given], CERTAIN, -CERTAIN)
        return scores

    return {
        "null": Mechanism(lambda rng, included: rng.normal(size=len(included)), 0.0, "gaussian"),
        "Laplace": Mechanism(lambda rng, included: rng.laplace(size=len(included)) + included, 1.0, "independent"),
        "Gaussian": Mechanism(
            lambda rng, included: rng.normal(size=len(included)) + included, mu_epsilon(1.0, delta), "gaussian"
        ),
        "subsampled Gaussian": Mechanism(sampled, mu_epsilon(1.0, delta, sample_rate=0.3), "independent"),
        "burst": Mechanism(burst, 0.0, "any"),
    }


def coverage(
    audits: int = 2000,
    *,
    canaries: int = 1000,
    delta: float = 0.01,
    alpha: float = 0.05,
    methods: Mapping[str, Any] = METHODS,
    seed: int = 0,
) -> Iterator[dict[str, Any]]:
    """Audit each mechanism many times by each method, and count the claims above the true ε.

    Yields
    ------
    dict
        ``mechanism``, ``method``, ``valid`` (whether validity is claimed), ``audits``, ``false claims`` (their share),
        ``allowed`` (α and two standard errors of its share), ``true epsilon``, ``mean bound``.

    Examples
    --------
    >>> rows = list(coverage(20, canaries=100))
    >>> len(rows), rows[0]["mechanism"], rows[0]["valid"]
    (20, 'null', True)
    """
    check_whole("audits", audits, low=1, means="Each is one simulated run.")
    check_whole("canaries", canaries, low=20, means="Fewer show nothing.")
    allowed = alpha + 2 * math.sqrt(alpha * (1 - alpha) / audits)
    for name, mechanism in mechanisms(delta).items():
        rng = np.random.default_rng(seed)
        found: dict[str, list[float]] = {method: [] for method in methods}
        for _ in range(audits):
            included = rng.random(canaries) < 0.5
            scores = mechanism.draw(rng, included)
            for method in methods:
                found[method].append(lower_bound(scores, included, delta=delta, alpha=alpha, method=method).epsilon)
        for method, bounds in found.items():
            yield {
                "mechanism": name,
                "method": method,
                "valid": mechanism.kind in VALID[methods[method].assumes],
                "audits": audits,
                "false claims": float(np.mean(np.array(bounds) > mechanism.epsilon)),
                "allowed": allowed,
                "true epsilon": mechanism.epsilon,
                "mean bound": float(np.mean(bounds)),
            }
