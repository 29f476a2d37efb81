"""Every model of a stack attacked, the others its references (the protocol of Carlini et al. 2022).

A target's own counterpart, trained on exactly the other half of the pool, is never a reference: of it an attacker would
read who the target was trained on from who is *not*, which no attacker has, and the number of IN models would differ
between members and non-members. References come in whole pairs, so that each utterance is in one model of each pair.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from trustlab.course.budgets import DELTA
from trustlab.privacy.auditing.counts import counted
from trustlab.privacy.auditing.lower_bounds import METHODS, default_guesses
from trustlab.privacy.membership import Evidence, Permitted, above, attack, success

ATTACKS = {"loss": "loss threshold", "rmia": "RMIA", "lira-offline": "LiRA offline", "lira-online": "LiRA online"}
REFERENCES = (4, 12, 30)
STRONGEST = "lira-online"
WITHOUT = ("loss", "quantile")  # attacks without references
FPRS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)  # where a curve is kept
MEASURES = ("auc", "advantage", *(f"tpr at fpr {fpr:g}" for fpr in FPRS))
WITH_INTERVAL = ("auc", "advantage", "tpr at fpr 0.001", "tpr at fpr 0.01")
RESAMPLES = 200
AUDIT = "one run"


def combinations() -> Iterator[tuple[str, int]]:
    """Yield each attack with each number of references that it is tried with; the loss threshold needs none."""
    for name in ATTACKS:
        yield from ((name, references) for references in (REFERENCES if name not in WITHOUT else REFERENCES[-1:]))


def references_of(target: int, models: int, count: int) -> np.ndarray:
    """Return `count` models, in pairs of counterparts, without the target's own pair.

    Examples
    --------
    >>> references_of(3, 8, 4).tolist()
    [4, 5, 6, 7]
    """
    if count % 2 or count > models - 2:
        raise ValueError(f"Expected an even number of references, at most {models - 2}, got {count}. Pairs stay whole.")
    pairs = (target // 2 + 1 + np.arange(count // 2)) % (models // 2)
    return np.stack([2 * pairs, 2 * pairs + 1], 1).ravel()


def pooled_scores(
    name: str, count: int, losses: np.ndarray, inside: np.ndarray, population: np.ndarray, variance: str = "fixed"
) -> np.ndarray:
    """Return the attack's score of every candidate against every model, [2n, K].

    Parameters
    ----------
    losses, population : [2n, K], [Z, K]
        Of candidates and of others, by every model.
    inside : bool [2n, K]
    variance
        Of LiRA, ``"fixed"``: one σ² within all candidates.
    """
    models, found = losses.shape[1], []
    for target in range(models):
        others = references_of(target, models, count) if name not in WITHOUT else []
        evidence = Evidence(
            losses[:, target],
            reference=losses[:, others],
            in_reference=inside[:, others],
            population=population[:, target],
            population_reference=population[:, others],
        )
        found.append(attack(name, evidence, variance=variance))
    return np.stack(found, 1)


def measured(scores: np.ndarray, inside: np.ndarray, *, intervals: bool = False, seed: int = 0) -> dict[str, str]:
    """Return AUC, advantage and TPRs at :data:`FPRS`, joined by "|", and perhaps their bootstrap intervals.

    The bootstrap resamples single scores, as if each were a draw of its own.
    """
    flat, members = scores.ravel(), inside.ravel()
    found = success(flat, members, fprs=FPRS, resamples=RESAMPLES if intervals else 0, seed=seed)
    texts = {"": joined([row["value"] for row in found])}
    if intervals:
        kept = [row for row in found if row["measure"] in WITH_INTERVAL]
        texts |= {f"_{end}": joined([row[end] for row in kept]) for end in ("low", "high")}
    return texts


def joined(values: Any) -> str:
    """Write numbers as a table keeps them."""
    return "|".join(f"{value:.4f}" for value in values)


def column(name: str, references: int) -> str:
    """Return the column of an attack with so many references; what needs none has one column."""
    return name if name in WITHOUT else f"{name.replace('-', '_')}_{references}"


def points_above(scores: np.ndarray, inside: np.ndarray, allowed: Permitted) -> int:
    """Return how many points of the pooled ROC are above what is permitted beyond their Clopper–Pearson bounds."""
    return len(above(scores.ravel(), inside.ravel(), allowed))


def epsilon_shown(scores: np.ndarray, inside: np.ndarray, *, level: float = 0.95) -> float:
    """Return the ε that the scores prove at :data:`DELTA`, one bound for all models of a stack.

    Each model is one run with 2n examples that fair coins let in, which is what the audit of Steinke et al. (2023)
    takes; it needs no independence between examples. α is divided among models and numbers of guesses.
    """
    examples, models = scores.shape
    tried = default_guesses(AUDIT, examples)
    best = [max(counted(scores[:, k], inside[:, k], r).correct for k in range(models)) for r in tried]
    alpha = (1 - level) / (models * len(tried))
    bound = METHODS[AUDIT].epsilon
    return max(float(bound(v, r, examples, delta=DELTA, alpha=alpha)) for v, r in zip(best, tried, strict=True))
