"""Who is found: the members of a stack by how rare their rarest word is. No text is read, only hashed words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.course.n12_membership_inference.attacked import REFERENCES, STRONGEST, pooled_scores
from trustlab.course.n12_membership_inference.experiment import tuned
from trustlab.course.n12_membership_inference.stacked_training import Pool, bags, models, pool, recipe
from trustlab.privacy.membership.reference_models import classification_loss, train_together

if TYPE_CHECKING:
    import datasets

GROUPS = ("rarest quarter", "second quarter", "third quarter", "most usual quarter")
FPR = 0.01


def trained_and_scored(corpus: datasets.DatasetDict, size: int = 300, seed: int = 0) -> tuple[Pool, np.ndarray]:
    """Train a stack without privacy as the committed ones were; return its pool and LiRA's scores [2n, K]."""
    setting = tuned("assistant", "sgd", math.inf, size, seed)
    own = pool(corpus, size, seed)
    stack = models(own.classes, seed)
    for _ in train_together(stack, classification_loss, own.candidates, own.inside, recipe(setting)):
        pass
    losses, others = (stack.losses(classification_loss, part) for part in (own.candidates, own.population))
    return own, pooled_scores(STRONGEST, REFERENCES[-1], losses, own.inside, others)


def by_rarity(corpus: datasets.DatasetDict, own: Pool, scores: np.ndarray) -> Iterator[dict[str, Any]]:
    """Yield for each quarter of the utterances the share of memberships found at an FPR of 1 % over all.

    Yields
    ------
    dict
        ``utterances``, ``in corpus`` (in how many utterances the rarest word occurs, median), ``members found``, and
        ``non-members accused``.
    """
    everyone, _ = bags(corpus)["train"]
    known = (everyone > 0).sum(0).numpy()  # utterances with each hashed word
    words = own.candidates[0].numpy() > 0
    rarest = np.where(words, known, len(everyone)).min(1)
    threshold = np.quantile(scores[~own.inside], 1 - FPR)
    for name, part in zip(GROUPS, np.array_split(np.argsort(rarest, kind="stable"), len(GROUPS)), strict=True):
        called, members = scores[part] > threshold, own.inside[part]
        yield {
            "utterances": name,
            "in corpus": int(np.median(rarest[part])),
            "members found": float(called[members].mean()),
            "non-members accused": float(called[~members].mean()),
        }
