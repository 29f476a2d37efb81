"""Whom an attack finds: planted, on made-up corpora; and the two attacks that are tried beside the four."""

import datasets
import numpy as np
import pytest
import torch

from trustlab.course.n12_membership_inference.attacked import pooled_scores
from trustlab.course.n12_membership_inference.experiment import WHO
from trustlab.course.n12_membership_inference.more_attacks import MORE, features, more_scores
from trustlab.course.n12_membership_inference.stacked_training import Pool, accuracy, bags, models, pool_of
from trustlab.course.n12_membership_inference.who_leaks import KINDS, QUARTERS, by_quarter, how_common
from trustlab.privacy.membership import halves, success

MODELS = 32


def made(intents):
    """A corpus of one split's intents each, with a word of its own for every second utterance."""

    def split(names):
        tokens = [["say", name, f"word{i}" if i % 2 else "again"] for i, name in enumerate(names)]
        return {"tokens": tokens, "slots": [["O", "O", "B-x"]] * len(names), "intent": list(names)}

    return datasets.DatasetDict({name: datasets.Dataset.from_dict(split(part)) for name, part in intents.items()})


def test_labels_that_only_the_test_split_has_are_mistakes_and_no_error():
    corpus = made({"train": "aabb" * 10, "validation": "ab" * 5, "test": "az"})
    labels = bags(corpus)["test"][1]
    assert labels.tolist() == [0, 2]
    own = pool_of(corpus, np.arange(20), seed=0, models=4)
    assert own.classes == 3 and accuracy(models(own.classes, 0, 4), *bags(corpus)["test"]) <= 1


def test_rarity_is_counted_of_intents_of_words_and_of_words_in_slots():
    found = how_common(made({"train": "aaab", "validation": "a", "test": "a"}))
    assert tuple(found) == tuple(KINDS)
    assert found["intent"].tolist() == [3, 3, 3, 1]
    assert found["word"].tolist() == [2, 1, 2, 1]
    assert found["name"].tolist() == [2, 1, 2, 1]


def test_who_is_planted_to_be_found_is_found_in_its_quarter():
    rng, inside = np.random.default_rng(0), halves(400, MODELS, seed=0)
    common = rng.permutation(400)
    scores = rng.normal(size=inside.shape) + 6 * (inside & (common < 100)[:, None])
    rows = list(by_quarter(scores, inside, common))
    assert len(rows) == QUARTERS and rows[0]["members found"] > 0.99 and set(WHO.values()) < set(rows[0])
    assert all(row["members found"] < 0.03 for row in rows[1:])
    assert np.mean([row["non-members accused"] for row in rows]) == pytest.approx(0.01, abs=0.002)


def evidence(shift, of_label=0.0, seed=0, examples=400, others=500):
    """A pool whose losses are higher by label, and lower for members by `shift`."""
    rng, inside = np.random.default_rng(seed), halves(examples, MODELS, seed=seed)
    labels = [torch.from_numpy(rng.integers(2, size=n)) for n in (examples, others)]
    inputs = [torch.from_numpy(rng.normal(size=(n, 8)).astype(np.float32)) for n in (examples, others)]
    own = Pool(np.arange(examples), (inputs[0], labels[0]), inside, (inputs[1], labels[1]), 3)
    losses, outside = (
        np.exp(0.3 * rng.normal(size=(len(each), MODELS)) + of_label * each.numpy()[:, None]) for each in labels
    )
    return own, losses * np.exp(-shift * inside), outside


@pytest.mark.parametrize("name", MORE)
def test_more_attacks_find_what_leaks_and_nothing_where_nothing_does(name):
    for shift, low, high in ((0.0, 0.48, 0.52), (1.0, 0.9, 1.0)):
        own, losses, others = evidence(shift)
        auc = success(more_scores(name, own, losses, others).ravel(), own.inside.ravel(), resamples=0)[0]["value"]
        assert low < auc <= high


def test_the_regression_knows_which_labels_are_hard_which_a_threshold_does_not():
    own, losses, others = evidence(0.5, of_label=2.0)
    regressed, threshold = (
        success(scores.ravel(), own.inside.ravel(), resamples=0)[0]["value"]
        for scores in (
            more_scores("quantile", own, losses, others),
            pooled_scores("loss", 0, losses, own.inside, others),
        )
    )
    assert regressed > threshold + 0.1
    assert features(own)[0].shape[1] == 2 + 5  # the third label is in no population
