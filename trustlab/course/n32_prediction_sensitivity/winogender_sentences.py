"""Winogender's sentences: two that differ in a pronoun only, so that it is known how unequally a model treats them.

The models are those of real posts, which were not made for such sentences: a score that moves with *he* or *she* in one
about an accountant is a reaction to the pronoun and to nothing else.
"""

from __future__ import annotations

import functools

import numpy as np

from trustlab.course.n32_prediction_sensitivity.identity_templates import NORMAL, Templates, measures_of
from trustlab.fairness.sensitivity import TextClassifier
from trustlab.fairness.tasks import load_task


@functools.cache
def sentences() -> Templates:
    """Return each sentence about an occupation twice, with a male pronoun and with a female one."""
    test = load_task("winogender").test
    words, differ = [], []
    for pair in zip(test.texts, test.counterparts, strict=True):
        own, other = ("".join(sign for sign in text.lower() if sign not in ".,").split() for text in pair)
        words += [own, other]
        differ += [[a != b for a, b in zip(own, other, strict=True)]] * 2
    named = np.zeros((len(words), max(map(len, words))), dtype=bool)
    for row, where in enumerate(differ):
        named[row, : len(where)] = where
    return Templates(words, named, (len(test.texts), 2))


def ranks_of_sentences(classifier: TextClassifier) -> dict[str, float]:
    """Return Spearman's correlation over sentences of each measure's mean with how unequally the pronouns are treated.

    Unequally: by the difference of the score for abuse between both pronouns.
    """
    from scipy.stats import spearmanr

    found = sentences()
    probabilities = classifier.logits(found.words).softmax(-1).double().numpy()
    abusive = 1 - probabilities[:, classifier.reader.intents.index(NORMAL)].reshape(found.shape)
    unequal = abs(abusive[:, 0] - abusive[:, 1])
    values = measures_of(classifier, found, probabilities)
    means = {name: each.reshape(found.shape).mean(axis=1) for name, each in values.items()}
    return {name: float(spearmanr(each, unequal).statistic) for name, each in means.items()}
