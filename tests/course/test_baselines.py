"""The trivial baselines, against counts by hand and scikit-learn's own answers; and the literature's numbers."""

from __future__ import annotations

import numpy as np
import pytest

from trustlab.course import baselines
from trustlab.course.baselines import (
    copied_input,
    frozen_encoder,
    majority,
    sentence_embeddings,
    tfidf_logistic,
    word_tags,
)
from trustlab.course.literature import known, literature
from trustlab.federated.partition import embed

TEXTS = ["play some jazz", "play a song", "stop the music", "stop it now", "call my mother", "call the office"]
LABELS = ["play", "play", "stop", "stop", "call", "call"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(baselines, "cache_directory", lambda: tmp_path)
    return tmp_path


def test_the_majority_is_the_first_of_the_most_frequent():
    assert majority([2, 1, 1, 2, 3], 3) == [2, 2, 2]
    with pytest.raises(ValueError, match="A majority needs votes"):
        majority([], 3)


@pytest.mark.parametrize("classify", [tfidf_logistic, frozen_encoder])
def test_texts_are_classified_by_what_they_say(classify):
    assert classify(TEXTS, LABELS, ["please play jazz music", "stop it", "call mother now"]) == ["play", "stop", "call"]
    # Labels keep their type, whatever it is: sets of entity types are labels too.
    kinds = [frozenset({label}) for label in LABELS]
    assert classify(TEXTS, kinds, ["stop it"]) == [frozenset({"stop"})]
    with pytest.raises(ValueError, match="at least two kinds of labels"):
        classify(TEXTS, ["play"] * 6, ["stop it"])
    with pytest.raises(ValueError, match="Its letters would be the texts"):
        classify("play some jazz", LABELS, ["stop it"])


def test_embeddings_are_the_encoders_and_are_computed_once(own_cache, monkeypatch):
    found = sentence_embeddings(TEXTS)
    np.testing.assert_allclose(found, embed(TEXTS), atol=1e-6)
    monkeypatch.setattr("trustlab.federated.partition.embed", lambda texts: pytest.fail("computed again"))
    np.testing.assert_array_equal(sentence_embeddings(TEXTS), found)
    assert len(list(own_cache.rglob("*.vectors"))) == 1


def test_a_word_has_its_most_frequent_tag():
    tokens, tags = (
        [["to", "Paris"], ["paris", "hilton"], ["Paris"]],
        [["O", "B-city"], ["B-name", "I-name"], ["B-city"]],
    )
    assert word_tags(tokens, tags, [["PARIS", "hilton", "new"], []]) == [["B-city", "I-name", "O"], []]
    with pytest.raises(ValueError):
        word_tags([["a", "b"]], [["O"]], [["a"]])


def test_copying_is_the_identity():
    assert copied_input(["a b", ""]) == ["a b", ""]


def test_every_number_of_the_literature_has_a_source_and_is_a_share():
    for each in literature():
        most = 100 if each.what.endswith(", per cent") else 1
        assert each.source and each.model and 0 < each.low <= each.high <= most, each
    assert known("hatexplain accuracy")[0].written == "0.69"
    with pytest.raises(ValueError, match="Add it with its source"):
        known("snips speed")
