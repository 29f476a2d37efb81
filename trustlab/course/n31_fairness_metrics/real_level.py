"""How good the classifiers are compared with the field's: HateXplain's own question has three answers.

The gaps of this notebook are about "offensive or hateful", a question of two. What papers report is the accuracy of
hateful, offensive and normal on the authors' test split. So that is measured too, with the same features, penalty and
training posts.
"""

from __future__ import annotations

import numpy as np

from trustlab.course.n31_fairness_metrics.real_models import LOGISTIC, PIECES, RECIPES, features, logistic
from trustlab.data import load

ACCURACY = "three classes accuracy"


def level_columns(model: str, encoder: str, *, c: float = 1.0, counts: str = PIECES, seed: int = 0) -> dict[str, float]:
    """Return the accuracy of a model on HateXplain's three classes as :data:`ACCURACY`; of others than these nothing.

    Parameters
    ----------
    model
        "words", "head" or "majority".
    encoder, c, counts, seed
        As :func:`~trustlab.course.n31_fairness_metrics.real_models.train_on`, which draws the same posts.
    """
    if model not in (*LOGISTIC, "majority"):
        return {}
    corpus = load("hatexplain")
    texts, labels = np.array(corpus["train"]["text"][:], dtype=object), np.array(corpus["train"]["label"][:])
    rows = np.random.default_rng([seed, 6]).permutation(len(texts))[: RECIPES[model]["rows"]]
    asked, truth = corpus["test"]["text"][:], np.array(corpus["test"]["label"][:])
    if model == "majority":
        names, counted = np.unique(labels[rows], return_counts=True)
        answers = np.full(len(truth), names[counted.argmax()])
    else:
        answers = logistic(features(model, encoder, counts), texts[rows].tolist(), labels[rows], c).predict(asked)
    return {ACCURACY: float(np.mean(answers == truth))}
