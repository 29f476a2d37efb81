"""Two attacks more, tried with all references or none: LiRA with a variance for each utterance, quantile regression.

Per-example variances come from half of the references each. The regression has no reference: it learns from the
population which score is high for an utterance of this label and with these inputs, of which it sees five principal
components. Each target needs a linear program of its own, so it is tried on trainings without privacy only.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from trustlab.course.n12_membership_inference.attacked import REFERENCES, STRONGEST, pooled_scores
from trustlab.course.n12_membership_inference.stacked_training import Pool
from trustlab.privacy.membership import Evidence, attack

OWN_VARIANCE, QUANTILE = "lira-online-own", "quantile"
MORE: Mapping[str, str] = MappingProxyType({
    OWN_VARIANCE: "LiRA online, a variance each",
    QUANTILE: "quantile regression",
})  # fmt: skip
COMPONENTS = 5
QUANTILE_FPR = 0.02  # for which the regression is made: nine of ATIS' 448 utterances that no model has are above


def more_scores(name: str, own: Pool, losses: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the score of every candidate against every model, [2n, K]; parameters as :func:`pooled_scores`."""
    if name == OWN_VARIANCE:
        return pooled_scores(STRONGEST, REFERENCES[-1], losses, own.inside, others, variance="per-example")
    candidates, population = features(own)
    found = [
        attack(
            QUANTILE,
            Evidence(losses[:, k], population=others[:, k], features=candidates, population_features=population),
            fpr=QUANTILE_FPR,
        )
        for k in range(losses.shape[1])
    ]
    return np.stack(found, 1)


def features(own: Pool) -> tuple[np.ndarray, np.ndarray]:
    """Return what is known of candidates and population without a model: the label, and components of the inputs."""
    inputs = own.population[0].numpy()
    centre = inputs.mean(0)
    axes = np.linalg.svd(inputs - centre, full_matrices=False)[2][:COMPONENTS]
    labels = np.eye(own.classes)[:, np.unique(own.population[1].numpy())]
    candidates, population = (
        np.concatenate([labels[part[1].numpy()], (part[0].numpy() - centre) @ axes.T], 1)
        for part in (own.candidates, own.population)
    )
    return candidates, population
