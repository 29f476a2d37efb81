"""Canaries, their copies and their decoys, and what a guarantee for one copy is for all of them."""

import math

import pytest

from trustlab.data import assistant
from trustlab.data.phrases import DIGITS
from trustlab.privacy.inversion import (
    Canary,
    canaries_of,
    canary_and_decoys,
    deduplicated,
    group_privacy,
    plant,
)

ROW = {"tokens": ["play", "jazz"], "slots": ["O", "B-genre"], "intent": "play"}
OTHER = {"tokens": ["stop"], "slots": ["O"], "intent": "stop"}


@pytest.fixture(scope="module")
def corpus():
    return {"train": [ROW, OTHER, ROW], "validation": [OTHER], "test": [ROW]}


@pytest.mark.parametrize(
    ("form", "prefix", "n", "decoy"),
    [
        ("call", "call", 4, "my pin code is"),
        ("pin", "my pin code is", 4, "call"),
        ("colour", "my favourite colour is", 1, "turn the lights"),
    ],
)
def test_each_form_has_its_sentence_its_labels_and_decoys_of_another_form(form, prefix, n, decoy):
    canary, decoys = canary_and_decoys(form, 4, seed=3)
    assert " ".join(canary.prefix) == prefix and canary.digits == n
    assert canary.slots[len(canary.prefix)].startswith("B-")
    assert {" ".join(each.prefix) for each in decoys} == {decoy}
    assert len({each.secret for each in decoys}) == len(decoys) == 40
    assert set(canary.secret) <= {word for each in decoys for word in each.secret}  # no word is the canary's alone


def test_digits_of_codes_are_uniform():
    """10,000 digits of 2,500 codes: each count within 5 standard deviations of 1,000 (fails with probability 6e-6)."""
    said = [word for seed in range(2500) for word in canary_and_decoys(seed=seed)[0].secret]
    assert len(said) == 10_000
    for digit in DIGITS:
        assert abs(said.count(digit) - 1000) < 5 * math.sqrt(10_000 * 0.1 * 0.9)


def test_planting_adds_copies_and_decoys_to_train_and_changes_nothing_else(corpus):
    canary, decoys = canary_and_decoys(seed=0)
    planted = plant(corpus, canary, 7, decoys)
    rows = list(planted["train"])
    assert rows[:3] == corpus["train"] and rows[3:10] == [canary.row()] * 7
    assert rows[10:] == [decoy.row() for decoy in decoys]
    assert list(planted["validation"]) == corpus["validation"] and list(planted["test"]) == corpus["test"]
    assert canary.row() not in list(plant(corpus, canary, 0, decoys)["train"])


def test_deduplication_keeps_each_utterance_once_and_tells_labels_apart(corpus):
    canary, _ = canary_and_decoys(seed=0)
    relabelled = {**ROW, "intent": "stop"}
    kept = deduplicated(plant({**corpus, "train": [*corpus["train"], relabelled]}, canary, 9))
    assert list(kept["train"]) == [ROW, OTHER, relabelled, canary.row()]
    assert list(kept["test"]) == corpus["test"]


def test_the_assistant_corpus_canaries_are_read_by_their_numbers():
    made = assistant(100, canaries=3, canary_repetitions=5, seed=4)
    read = canaries_of(made)
    assert [" ".join(canary.prefix) for canary in read] == ["call", "my pin code is", "my favourite colour is"]
    for number, canary in enumerate(read):
        rows = [row for row in made["train"] if row["canary"] == number]
        assert len(rows) == 5 and all(row["tokens"] == canary.row()["tokens"] for row in rows)
        assert {row["intent"] for row in rows} == {canary.intent}


def test_group_privacy_is_the_definition_applied_copy_by_copy():
    """P(M(D_R) ∈ S) ≤ e^ε P(M(D_{R−1}) ∈ S) + δ, put into itself R times."""
    for epsilon, delta, copies in ((1.0, 1e-5, 1), (0.3, 1e-6, 10), (2.0, 1e-9, 5), (0.0, 1e-5, 4)):
        factor, added = 1.0, 0.0
        for _ in range(copies):
            factor, added = factor * math.exp(epsilon), added * math.exp(epsilon) + delta
        total = group_privacy(epsilon, delta, copies)
        assert total == pytest.approx((math.log(factor), added), rel=1e-12, abs=1e-15)
    assert group_privacy(8.0, 1e-5, 500) == (4000.0, 1.0)  # nothing is promised, and nothing overflows
    assert group_privacy(math.inf, 1e-5, 3) == (math.inf, 1.0)
    assert group_privacy(math.inf, 0.0, 3) == (math.inf, 0.0)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda c: Canary(("my",), (), ("O",), "x"), "Expected a canary with at least one secret word, got none"),
        (lambda c: Canary("my pin", ("one",), ("O",), "x"), "got the text 'my pin'"),
        (lambda c: Canary(("my",), ("one",), ("O",), "x"), "Expected as many slots as tokens"),
        (lambda c: Canary.of(OTHER), "at least one secret word"),
        (lambda c: canary_and_decoys("password"), "Expected form='password' to be one of 'call', 'pin', 'colour'"),
        (lambda c: canary_and_decoys("pin", 1), r"Expected digits=1 in \[3, 9\]"),
        (lambda c: plant(c, canary_and_decoys()[0], -1), "Expected copies=-1 to be a whole number >= 0"),
        (lambda c: plant(c, canary_and_decoys()[0], 1.5), "Expected copies=1.5 to be a whole number"),
        (lambda c: plant(c, canary_and_decoys()[0], 1, [canary_and_decoys()[0]]), "decoys other than the canary"),
        (lambda c: plant({"test": []}, canary_and_decoys()[0], 1), "Expected a corpus with a train split, got test"),
        (lambda c: canaries_of(plant(c, canary_and_decoys()[0], 1)), "Expected a corpus with a column canary"),
        (lambda c: group_privacy(-1.0, 0.0, 1), "Expected epsilon=-1.0 >= 0"),
        (lambda c: group_privacy(1.0, 2.0, 1), r"delta=2.0 in \[0, 1\]"),
        (lambda c: group_privacy(1.0, 0.0, 0), "copies=0 >= 1"),
    ],
)
def test_what_cannot_be_planted_is_refused(call, said, corpus):
    with pytest.raises(ValueError, match=said):
        call(corpus)
