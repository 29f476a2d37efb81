"""The attacks by name, on per-example losses: what each needs, and what is refused before anything is computed.

============== ================================================ ==========================================
name           asks                                             needs besides the target model's losses
============== ================================================ ==========================================
loss           is the loss low? (Yeom et al. 2018)              nothing
quantile       … for an example like this? (Bertran 2023)       a population, features of all examples
rmia           does it beat the population? (Zarifzadeh 2024)   a population, one reference model or more
lira-offline   … compared with models without it? (Carlini 2022) two reference models or more
lira-online    … and with models that had it?                   four or more, trained for these targets
============== ================================================ ==========================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.privacy.membership.attack_inputs import finite
from trustlab.privacy.membership.lira import lira
from trustlab.privacy.membership.quantile import quantile_regression
from trustlab.privacy.membership.rmia import OFFLINE_A, rmia
from trustlab.privacy.membership.signals import from_losses

_REFERENCES, _POPULATION = ("reference", "in_reference"), ("population",)
NEEDS = {
    "loss": (),
    "quantile": (*_POPULATION, "features", "population_features"),
    "rmia": (*_REFERENCES, *_POPULATION, "population_reference"),
    "lira-offline": _REFERENCES,
    "lira-online": _REFERENCES,
}
# The names of the attacks.
ATTACKS = tuple(NEEDS)


@dataclass(frozen=True, eq=False)
class Evidence:
    """What an attacker has measured: losses −log p ≥ 0 of N targets, and of Z population examples.

    Attributes
    ----------
    target : [N]
        By the model under attack.
    reference : [N, K]
        By K reference models.
    in_reference : bool [N, K]
        Which target was in which reference model's training.
    population, population_reference : [Z], [Z, K]
        Of examples that no model was trained on.
    features, population_features : [N, d], [Z, d]
        What is known of the examples without any model.
    """

    target: Any
    reference: Any = None
    in_reference: Any = None
    population: Any = None
    population_reference: Any = None
    features: Any = None
    population_features: Any = None


def attack(
    name: str, evidence: Evidence, *, variance: str = "fixed", a: float = OFFLINE_A, fpr: float = 0.01
) -> np.ndarray:
    """Return the score [N] of every target by the attack `name`; larger for a more likely member.

    Parameters
    ----------
    name
        One of :data:`ATTACKS`.
    evidence
        With what :data:`NEEDS` says of this attack.
    variance
        Of LiRA: ``"fixed"`` or ``"per-example"``, see :mod:`trustlab.privacy.membership.lira`.
    a
        Of RMIA.
    fpr
        Of the quantile regression: the FPR for which it is made.

    Raises
    ------
    ValueError
        For an unknown attack, missing evidence, and numbers that are not finite.

    Examples
    --------
    >>> attack("loss", Evidence([0.1, 2.0])).tolist()
    [-0.1, -2.0]
    >>> attack("lira", Evidence([0.1, 2.0]))
    Traceback (most recent call last):
    ...
    ValueError: Expected attack='lira' to be one of 'loss', 'quantile', 'rmia', 'lira-offline', 'lira-online'.
    """
    if name not in NEEDS:
        raise ValueError(f"Expected attack={name!r} to be one of {', '.join(map(repr, ATTACKS))}.")
    if missing := [field for field in NEEDS[name] if getattr(evidence, field) is None]:
        raise ValueError(
            f"Expected evidence with {', '.join(missing)} for attack={name!r}, got none. Measure it first, or take "
            "'loss', which needs the target model's losses alone."
        )
    target = finite(evidence.target, "target loss")
    if name == "loss":
        return from_losses(target, "loss")
    if name == "quantile":
        return quantile_regression(
            from_losses(target),
            evidence.features,
            public=from_losses(evidence.population),
            public_features=evidence.population_features,
            fpr=fpr,
        )
    if name == "rmia":
        return rmia(
            from_losses(target, "probability"),
            from_losses(evidence.reference, "probability"),
            evidence.in_reference,
            population_target=from_losses(evidence.population, "probability"),
            population_reference=from_losses(evidence.population_reference, "probability"),
            a=a,
        )
    variant = name.removeprefix("lira-")
    reference = from_losses(evidence.reference)
    return lira(from_losses(target), reference, evidence.in_reference, variant=variant, variance=variance)


def halves(examples: int, models: int, *, seed: int) -> np.ndarray:
    """Draw which example is in which training: bool [N, K], a fair coin for each example and every second model.

    Models 2j and 2j + 1 are trained on complements, so that every example is in one of both and out of the other.

    Parameters
    ----------
    examples, models
        N, and K ≥ 1. The last of an odd number of models has no counterpart.

    Examples
    --------
    >>> drawn = halves(5, 4, seed=0)
    >>> drawn.sum(1).tolist()
    [2, 2, 2, 2, 2]
    """
    if examples < 1 or models < 1:
        raise ValueError(f"Expected examples={examples} >= 1 and models={models} >= 1. They are counts.")
    drawn = np.random.default_rng(seed).random((examples, (models + 1) // 2)) < 0.5
    return np.stack([drawn, ~drawn], axis=2).reshape(examples, -1)[:, :models]
