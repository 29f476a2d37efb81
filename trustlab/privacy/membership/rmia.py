"""RMIA, the robust attack (Zarifzadeh et al. 2024): how often a target beats examples that no model had.

The model raises the probability of a target x over its probability without any training on x,

    ratio(x) = p_target(x) / p̄(x),    p̄(x) = (1 + a)/2 · p̄_out(x) + (1 − a)/2,

where p̄_out is the mean over reference models that did not have x, and a corrects for what a model that had x would have
added (the paper's offline form). The score is the share of population examples z, which no model had, that x beats:
share of z with ratio(x) / ratio(z) > γ. One reference model is enough.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from trustlab.privacy.membership.attack_inputs import finite, reference_scores

OFFLINE_A = 0.3  # of models as accurate on others as on members a is near 1; the more they overfit, the smaller


def rmia(
    target: Any,
    reference: Any,
    in_reference: Any,
    *,
    population_target: Any,
    population_reference: Any,
    a: float = OFFLINE_A,
    gamma: float = 1.0,
) -> np.ndarray:
    """Return RMIA's score of each target, [N] in [0, 1]; larger for a member.

    Parameters
    ----------
    target : [N]
        Probability that the target model gives the true label, ``"probability"`` of
        :mod:`trustlab.privacy.membership.signals`.
    reference : [N, K]
        The same of K ≥ 1 reference models.
    in_reference : [N, K]
        Which target was in which reference model's training. Each target needs a model without it; pairs of models
        trained on complements, see :func:`trustlab.privacy.membership.halves`, always give one.
    population_target : [Z]
        Probabilities of population examples by the target model; none of them was in any training.
    population_reference : [Z, K]
        The same by the reference models.
    a
        In [0, 1].
    gamma
        γ > 0, by how much x has to beat z.

    Raises
    ------
    ValueError
        For a probability outside (0, 1], an empty population, or a target that every reference model had.

    Examples
    --------
    >>> rmia([0.9, 0.4], [[0.5], [0.5]], [[False], [False]], population_target=[0.5, 0.6, 0.4],
    ...      population_reference=[[0.5], [0.5], [0.5]])
    array([1., 0.])
    """
    if not 0 <= a <= 1 or not gamma > 0:
        raise ValueError(f"Expected a={a} in [0, 1] and gamma={gamma} > 0. (1 + a)/2 weights what OUT models say.")
    own = _probabilities(target, "target probability")
    values, inside = reference_scores(reference, in_reference, len(own))
    population = _probabilities(population_target, "population probability")
    if own.ndim != 1 or population.ndim != 1 or not len(population) or values.shape[2] != 1:
        raise ValueError(
            f"Expected one probability for each target and for at least one population example, got shapes "
            f"{list(own.shape)}, {list(population.shape)} and {list(np.shape(reference))}."
        )
    others = _probabilities(population_reference, "population probability")
    if others.shape != (len(population), values.shape[1]):
        raise ValueError(
            f"Expected population_reference of shape {[len(population), values.shape[1]]}, a row for each population "
            f"example and a column for each reference model, got {list(others.shape)}."
        )
    ratios = own / _expected(_probabilities(values[:, :, 0], "reference probability"), ~inside, a)
    beaten = np.sort(population / _expected(others, np.ones(others.shape, dtype=bool), a))
    # z is beaten where ratio(z)·γ < ratio(x): a place in the sorted ratios, and no table of N × Z pairs.
    return np.searchsorted(beaten * gamma, ratios, side="left") / len(beaten)


def _expected(values: np.ndarray, used: np.ndarray, a: float) -> np.ndarray:
    """Return p̄ of each row of `values` [N, K], from those that are `used`."""
    counts = used.sum(1)
    if not counts.all():
        raise ValueError(
            f"Expected a reference model without each target, got none for target {int(np.argmin(counts))}. Train "
            "reference models in pairs, on complements, so that each target is out of one of both."
        )
    return (1 + a) / 2 * np.einsum("nk,nk->n", values, used.astype(np.float64)) / counts + (1 - a) / 2


def _probabilities(values: Any, what: str) -> np.ndarray:
    found = finite(values, what)
    if found.size and not (found.min() > 0 and found.max() <= 1):
        worst = found.min() if found.min() <= 0 else found.max()
        raise ValueError(f"Expected every {what} in (0, 1], got {worst:g}. Losses become one by e^−loss.")
    return found
