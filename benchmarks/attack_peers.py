"""Scores, intervals and bounds of attacks by other packages' code, and by plain loops of the published formulas.

TF-Privacy, PrivacyGuard and jax-privacy are no part of the lock. Their files that are used here need nothing of the
frameworks that their packages import, and are imported alone: an environment of the lock in which they are installed
without their dependencies (`pip install --no-deps tensorflow-privacy==0.8.12 privacyguard-platform==0.0.2
jax-privacy==2.0.0`) has them. Where one is missing its row is.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

PACKAGES = ("tensorflow-privacy", "privacyguard-platform", "jax-privacy")
TF_PRIVACY, PRIVACY_GUARD, JAX_PRIVACY = "TF-Privacy", "PrivacyGuard", "jax-privacy"
ALPHA, DELTA = 0.05, 1e-5


def alone(name: str) -> ModuleType | None:
    """Return a module without running what its packages import first, or None where it is not installed.

    Examples
    --------
    >>> alone("nobody_has_this.attacks") is None, alone("json.decoder").JSONDecoder().decode("[1]")
    (True, [1])
    """
    parts = name.split(".")
    found = PathFinder.find_spec(parts[0])
    if found is None or not found.submodule_search_locations:
        return None
    for i in range(1, len(parts)):
        package = ModuleType(".".join(parts[:i]))
        package.__path__ = [str(Path(folder, *parts[1:i])) for folder in found.submodule_search_locations]
        sys.modules.setdefault(package.__name__, package)
    return importlib.import_module(name)


def tf_privacy_lira(own: np.ndarray, reference: np.ndarray, inside: np.ndarray) -> Callable[[], np.ndarray] | None:
    """Return what scores targets by TF-Privacy's LiRA: online, each target's own mean and variance."""
    peer = alone("tensorflow_privacy.privacy.privacy_tests.membership_inference_attack.advanced_mia")
    if peer is None:
        return None
    sides = [[row[mask][:, None] for row, mask in zip(reference, used, strict=True)] for used in (inside, ~inside)]
    return lambda: -peer.compute_score_lira(own[:, None], *sides, option="both", median_or_mean="mean")


def lira_loop(own: np.ndarray, reference: np.ndarray, inside: np.ndarray, some: int) -> np.ndarray:
    """Return LiRA's scores of the first `some` targets, one after another."""
    found = np.empty(some)
    for i in range(some):
        density = []
        for used in (inside[i], ~inside[i]):
            scores = reference[i, used]
            mean, std = scores.mean(), scores.std()
            density.append(-0.5 * ((own[i] - mean) / std) ** 2 - np.log(std))
        found[i] = density[0] - density[1]
    return found


def privacy_guard_rmia(
    own: np.ndarray, reference: np.ndarray, inside: np.ndarray, population: np.ndarray, others: np.ndarray, a: float
) -> Callable[[], np.ndarray] | None:
    """Return what scores targets by PrivacyGuard's offline RMIA, its arithmetic alone, without its tables.

    Its own default is half of the reference models, the largest probabilities. Those are all without a target, where
    models were trained on complements; of a population example, which no model had, its mean is too high.
    """
    peer = alone("privacy_guard.attacks.rmia_attack")
    if peer is None:
        return None
    attack = peer.RmiaAttack
    scoring = attack.__new__(attack)  # without its tables
    models = reference.shape[1] // 2
    how = dict(target_scores=own, ref_scores=reference, ref_memberships=inside, alpha=a, num_models=models)
    how |= dict(population_target_scores=population, population_ref_scores=others)
    return lambda: scoring._compute_membership_scores(**how)


def rmia_loop(
    own: np.ndarray,
    reference: np.ndarray,
    inside: np.ndarray,
    population: np.ndarray,
    others: np.ndarray,
    a: float,
    some: int,
) -> np.ndarray:
    """Return RMIA's scores of the first `some` targets, one after another."""
    beaten = population / ((1 + a) / 2 * others.mean(1) + (1 - a) / 2)
    found = np.empty(some)
    for i in range(some):
        ratio = own[i] / ((1 + a) / 2 * reference[i, ~inside[i]].mean() + (1 - a) / 2)
        found[i] = np.mean(ratio / beaten > 1)
    return found


def jax_privacy_bootstrap(scores: np.ndarray, members: np.ndarray, resamples: int) -> Callable[[], Any] | None:
    """Return what resamples AUC and the TPR at FPRs of 0.1 % and 1 % by jax-privacy: 95 % intervals."""
    peer = alone("jax_privacy.auditing")
    if peer is None:
        return None
    auditor = peer.CanaryScoreAuditor(scores[members], scores[~members])
    how = dict(bootstrap_params=peer.BootstrapParams(resamples, bias_correction=False, seed=0))
    return lambda: [auditor.attack_auroc(**how), *(auditor.tpr_at_given_fpr(fpr, **how) for fpr in (0.001, 0.01))]


def bootstrap_loop(scores: np.ndarray, members: np.ndarray, resamples: int) -> np.ndarray:
    """Return the same by scikit-learn's ROC of each resample."""
    from sklearn.metrics import roc_auc_score, roc_curve

    rng, sides, found = np.random.default_rng(0), [np.flatnonzero(members), np.flatnonzero(~members)], []
    for _ in range(resamples):
        drawn = np.concatenate([rng.choice(side, size=len(side)) for side in sides])
        fpr, tpr, _ = roc_curve(members[drawn], scores[drawn])
        tprs = [tpr[fpr <= most].max() for most in (0.001, 0.01)]
        found.append([roc_auc_score(members[drawn], scores[drawn]), *tprs])
    return np.quantile(found, [0.025, 0.975], axis=0)


def jax_privacy_bound(correct: int, guesses: int, canaries: int) -> Callable[[], float] | None:
    """Return what bounds ε by jax-privacy's f-DP bound from one run."""
    peer = alone("jax_privacy.auditing")
    if peer is None:
        return None

    def bound() -> float:
        peer._gaussian_dp_blow_up_inverse.cache_clear()
        return peer._epsilon_one_run_fdp(0.0, canaries, guesses, correct, ALPHA, DELTA)

    return bound


def privacy_guard_bound(correct: int, guesses: int, canaries: int) -> Callable[[], float] | None:
    """Return what bounds ε by PrivacyGuard's f-DP node, which tries noises in steps of 0.01."""
    peer = alone("privacy_guard.analysis.mia.fdp_analysis_node")
    if peer is None:
        return None
    node = peer.FDPAnalysisNode(m=canaries, c=correct, c_cap=guesses, threshold=ALPHA, delta=DELTA)
    return lambda: node.run_analysis().eps
