"""LiRA, the likelihood-ratio attack (Carlini et al. 2022, Algorithm 1): is this score a member's, or not.

Reference models that had a target in their training (IN), and others that did not (OUT), give two normal
distributions of the target's score. The attack's score is the log of the ratio of their densities,

    online:   log N(s; μ_in, σ_in²) − log N(s; μ_out, σ_out²),
    offline:  −log Pr[N(μ_out, σ_out²) > s],

where offline, without any model that saw the target, only asks how unusually high the score is.

``variance="fixed"`` is one σ² for all targets, IN and OUT apart: Σ_i Σ_k (s_ik − μ_i)² / Σ_i (n_i − 1), the pooled
variance *within* targets. (Other implementations mean the variance of all scores, which adds the spread between
targets, or the mean of standard deviations.) ``"per-example"`` takes each target's own, Σ_k (s_ik − μ_i)² / n_i, for
which many reference models are needed.

A target that was in n of K trainings has n IN scores and K − n OUT scores: nothing else enters a mean. A target without
a score on one side takes the mean μ and the mean σ of the other targets there.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.special import log_ndtr

from trustlab.privacy.membership.attack_inputs import finite, reference_scores

VARIANTS, VARIANCES, CENTRES = ("online", "offline"), ("fixed", "per-example"), ("mean", "median")
SMALLEST = 1e-12  # σ: scores that agree in every model still have a density


class Normals(NamedTuple):
    """A normal distribution for each target and augmentation: μ and σ, each [N, A]."""

    centre: np.ndarray
    spread: np.ndarray

    def log_density(self, scores: np.ndarray) -> np.ndarray:
        """Return log N(s; μ, σ²) of `scores` [N, A], averaged over augmentations: [N]."""
        z = (scores - self.centre) / self.spread
        return (-0.5 * z**2 - np.log(self.spread) - 0.5 * np.log(2 * np.pi)).mean(1)

    def log_tail(self, scores: np.ndarray) -> np.ndarray:
        """Return −log Pr[N(μ, σ²) > s] of `scores` [N, A], averaged over augmentations: [N]."""
        return -log_ndtr((self.centre - scores) / self.spread).mean(1)


def lira(
    target: Any,
    reference: Any,
    in_reference: Any,
    *,
    variant: str = "online",
    variance: str = "fixed",
    centre: str = "mean",
) -> np.ndarray:
    """Return LiRA's score of each target [N]; larger for a member.

    Parameters
    ----------
    target : [N] or [N, A]
        The target model's signal, best the ``"logit"`` of :mod:`trustlab.privacy.membership.signals`.
    reference : [N, K] or [N, K, A]
        The same of every reference model.
    in_reference : [N, K]
        Which target was in which reference model's training.
    variant
        ``"online"`` uses IN and OUT scores, ``"offline"`` OUT scores only.
    variance
        ``"fixed"`` (pooled) or ``"per-example"``, as said at the top of this file.
    centre
        ``"mean"`` as in the paper's algorithm, or ``"median"`` as in its authors' code.

    Raises
    ------
    ValueError
        For scores that are not finite, shapes that do not fit, or too few references for these options.

    Examples
    --------
    >>> score = lira([2.0, 0.1], [[0.0, 2.0, 0.2, 1.8], [0.0, 2.0, 0.2, 1.8]], [[False, True] * 2] * 2)
    >>> bool(score[0] > 0 > score[1])
    True
    """
    _check(variant, variance, centre)
    scores = finite(target, "target score")
    scores = scores[:, None] if scores.ndim == 1 else scores
    values, inside = reference_scores(reference, in_reference, len(scores))
    if scores.shape != (len(values), values.shape[2]):
        raise ValueError(
            f"Expected target scores of shape {[len(values), values.shape[2]]}, as many augmentations as the "
            f"references have, got {list(scores.shape)}."
        )
    out = normals(values, ~inside, variance=variance, centre=centre, side="OUT")
    if variant == "offline":
        return out.log_tail(scores)
    return normals(values, inside, variance=variance, centre=centre, side="IN").log_density(scores) - out.log_density(
        scores
    )


def normals(
    values: np.ndarray, used: np.ndarray, *, variance: str = "fixed", centre: str = "mean", side: str = "IN"
) -> Normals:
    """Return the normal distribution of each target's scores where `used`.

    Parameters
    ----------
    values : [N, K, A]
    used : bool [N, K]
    side
        For errors.

    Examples
    --------
    >>> values = np.array([[[-1.0], [1.0]], [[0.0], [2.0]]])
    >>> fixed = normals(values, np.ones((2, 2), dtype=bool))
    >>> fixed.centre.ravel(), fixed.spread.ravel().round(3)  # within targets; the variance of all four is 1.67
    (array([0., 1.]), array([1.414, 1.414]))
    """
    counts = used.sum(1)  # [N]
    if counts.max(initial=0) < 2:
        raise ValueError(
            f"Expected a target with two {side} scores or more, got at most {counts.max(initial=0)}. No spread can be "
            "computed: train more reference models, or use rmia, which needs one."
        )
    weights = used[:, :, None].astype(np.float64)
    known = counts > 0
    divisor = np.maximum(counts, 1)[:, None]
    means = (values * weights).sum(1) / divisor  # [N, A]
    middle = _medians(values, used) if centre == "median" else means
    squares = np.square((values - means[:, None]) * weights).sum(1)  # [N, A]
    if variance == "fixed":
        spread = np.broadcast_to(np.sqrt(squares.sum(0) / (counts[known] - 1).sum()), middle.shape)
    else:
        own = np.sqrt(squares / divisor)
        several = counts > 1
        spread = np.where(several[:, None], own, own[several].mean(0))
    middle = np.where(known[:, None], middle, middle[known].mean(0))
    return Normals(middle, np.maximum(spread, SMALLEST))


def _medians(values: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Return the median of each target's scores where `used`, [N, A]; 0 where there are none."""
    ordered = np.sort(np.where(used[:, :, None], values, np.inf), axis=1)  # those that are not used come last
    counts = used.sum(1)
    rows, upper = np.arange(len(values)), np.minimum(counts // 2, len(used[0]) - 1)
    middle = 0.5 * (ordered[rows, np.maximum(counts - 1, 0) // 2] + ordered[rows, upper])
    return np.where((counts > 0)[:, None], middle, 0.0)


def _check(variant: str, variance: str, centre: str) -> None:
    for name, value, known in (
        ("variant", variant, VARIANTS),
        ("variance", variance, VARIANCES),
        ("centre", centre, CENTRES),
    ):
        if value not in known:
            raise ValueError(f"Expected {name}={value!r} to be one of {', '.join(map(repr, known))}.")
