"""The best valid tags are those of a search through all sequences."""

import itertools

import numpy as np
import pytest
from seqeval.metrics.sequence_labeling import get_entities

from trustlab.models import Vocabulary, build, entity_f1, evaluate, predict
from trustlab.models.tag_order import best_valid_tags

NAMES = ("O", "B-a", "I-a", "B-b", "I-b")


def follows(tags):
    """Whether every I-x continues an entity: seqeval then finds as many entities as there are B-s."""
    begun = sum(tag.startswith("B-") for tag in tags)
    return len(get_entities(list(tags))) == begun and all(
        tag[0] != "I" or (before[0] != "O" and before[2:] == tag[2:])
        for before, tag in zip(["O", *tags], tags, strict=False)
    )


@pytest.mark.parametrize("length", [1, 2, 4])
def test_no_valid_sequence_scores_higher(length):
    rng = np.random.default_rng(length)
    for _ in range(30):
        scores = rng.normal(size=(length, len(NAMES)))
        every = itertools.product(range(len(NAMES)), repeat=length)
        valid = [each for each in every if follows([NAMES[i] for i in each])]
        best = max(valid, key=lambda each: sum(row[i] for row, i in zip(scores, each, strict=True)))
        assert tuple(best_valid_tags(scores, NAMES)) == best


def test_what_is_valid_already_stays_and_nothing_has_no_tags():
    scores = np.eye(5)[[1, 2, 0, 3, 4]]
    assert best_valid_tags(scores, NAMES) == [1, 2, 0, 3, 4]
    assert best_valid_tags(np.zeros((0, 5)), NAMES) == []


def test_a_models_tags_are_valid_when_asked_and_of_labelled_tokens():
    rows = [{"tokens": list("abcdefgh"), "slots": ["O"] * 8, "intent": "x"}] * 3
    vocabulary = Vocabulary(intents=("x",), slots=NAMES, buckets=50)
    model, examples = build("bilstm", vocabulary, seed=1), vocabulary.encode(rows)
    one_by_one, valid = (predict(model, examples, valid=each)[1] for each in (False, True))
    assert not follows(one_by_one[0]) and all(follows(tags) and len(tags) == 8 for tags in valid)


def test_f1_is_measured_of_the_tags_that_are_predicted():
    said = ["B-a", "I-a", "O", "B-b", "O", "O", "B-b", "I-b"]
    words = list("abcdefgh")
    rows = [{"tokens": words[i:] + words[:i], "slots": said[i:] + said[:i], "intent": "x"} for i in range(8)]
    vocabulary = Vocabulary(intents=("x",), slots=NAMES, buckets=50)
    model, examples = build("bilstm", vocabulary, seed=1), vocabulary.encode(rows)
    truth = [row["slots"] for row in rows]
    found = [entity_f1(truth, predict(model, examples, valid=each)[1]) for each in (False, True)]
    assert [evaluate(model, examples, valid=each)["slot_f1"] for each in (False, True)] == found
    assert found[0] != found[1]
