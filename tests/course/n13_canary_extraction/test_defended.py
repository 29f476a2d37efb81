"""What is planted, what each defence changes, and what is refused before any work."""

import dataclasses
import re

import pytest
import torch

from trustlab.course.n13_canary_extraction import defended
from trustlab.course.n13_canary_extraction.defended import (
    DEFENCES,
    EPSILONS,
    ONCE,
    SPELLED,
    STOPPED,
    THREE,
    Planted,
    attacked,
    learn,
    model_of,
    pin_words,
    prepare,
    recipe,
)
from trustlab.data import assistant
from trustlab.models import TransformerTagger
from trustlab.models.dropped import DroppedTagger
from trustlab.models.spelling import SpelledVocabulary

PIN = ("four", "seven", "one", "one")


@pytest.fixture(scope="module")
def corpus():
    return assistant(300)


def sentences(prepared):
    """How often each code is in the encoded training data, by the words of the whole sentence."""
    words = ("", "", *prepared.vocabulary.words)  # padding and unknown
    ids = prepared.data["train"].input_ids
    ids = ids[..., 0] if ids.dim() == 3 else ids
    return [" ".join(words[i] for i in row if i > 1) for row in ids.tolist()]


@pytest.mark.parametrize("typed", ["4711", "4 7 1 1", " four Seven one 1 ", "47 11"])
def test_a_pin_may_be_typed_in_digits_or_words(typed):
    assert pin_words(typed) == PIN


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "Expected a pin of 4 digits, got 0"),
        ("471", "got 3. The attacker knows how many there are"),
        ("47111", "Expected a pin of 4 digits, got 5"),
        ("47x1", "Expected a pin of digits, got '47x1'"),
        ("four seven eleven one", "Expected a pin of digits, got 'eleven'"),
        ("-471", "Expected a pin of digits, got '-471'"),
        (4711, "Expected a pin as text, such as '4711', got 4711"),
    ],
)
def test_what_is_no_pin_is_refused_by_name(typed, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        pin_words(typed)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pin": "47"}, "Expected a pin of 4 digits, got 2"),
        ({"copies": 500}, "Expected copies=500 <= the 240 training sentences"),
        ({"copies": 7}, "Expected copies=7 to be one of 0, 1, 10, 100, 500"),
        ({"copies": -1}, "Expected copies=-1 to be one of"),
        ({"defence": "hope"}, "Expected defence='hope' to be one of 'none'"),
        ({"corpus": "diary"}, "Expected corpus='diary' to be one of"),
        ({"seed": -1}, "Expected seed=-1 >= 0"),
        ({"kind": "poem"}, "Expected kind='poem' to be one of 'pin'"),
        ({"model": "encoder"}, "Expected model='encoder' to be one of 'bilstm'"),
        ({"kind": "colour", "pin": "4711"}, "Expected no pin of your own with kind='colour', got '4711'"),
        ({"model": "transformer", "defence": "dropout"}, "Expected model='bilstm' with defence='dropout'"),
        ({"model": "transformer", "defence": THREE}, "Expected model='bilstm' with defence='all-three'"),
    ],
)
def test_what_cannot_be_planted_is_refused_before_training(change, said, corpus):
    with pytest.raises(ValueError, match=re.escape(said)):
        prepare(dataclasses.replace(Planted(), **change), corpus)


def test_the_pin_is_there_as_often_as_said_and_each_decoy_once(corpus):
    planted = sentences(prepare(Planted(copies=10, pin="4711"), corpus))
    assert planted.count(f"my pin code is {' '.join(PIN)}") == 10
    assert len(planted) == 240 + 10 + 40
    calls = planted[-40:]
    assert all(said.startswith("call ") for said in calls) and len(set(calls)) == 40
    never = sentences(prepare(Planted(copies=0, pin="4711"), corpus))
    assert f"my pin code is {' '.join(PIN)}" not in never and len(never) == 240 + 40


def test_without_a_pin_of_ones_own_the_seed_draws_one(corpus):
    secrets = {prepare(Planted(seed=seed), corpus).canary.secret for seed in range(3)}
    assert len(secrets) == 3


def test_doubles_are_removed_before_training(corpus):
    planted = sentences(prepare(Planted(defence=ONCE, copies=100, pin="4711"), corpus))
    assert planted.count(f"my pin code is {' '.join(PIN)}") == 1


def test_the_vocabulary_is_the_same_however_often_the_pin_is_said(corpus):
    words = {prepare(Planted(copies=copies, seed=1), corpus).vocabulary.words for copies in (0, 1, 100)}
    assert len(words) == 1


def test_of_the_embedded_corpus_the_first_sentences_are_read():
    whole = assistant(2500)
    read = sentences(prepare(Planted(copies=1), whole))
    assert len(read) == 1500 + 1 + 40
    assert read[:2] == [" ".join(whole["train"][i]["tokens"]) for i in range(2)]


@pytest.mark.parametrize(
    ("kind", "words", "decoy", "candidates"),
    [("pin", 4, "call", 10), ("pin of six", 6, "call", 10), ("colour", 1, "turn the lights", 40)],
)
def test_each_kind_of_secret_has_its_length_its_decoys_and_its_candidates(kind, words, decoy, candidates, corpus):
    prepared = prepare(Planted(kind=kind), corpus)
    assert prepared.canary.digits == words and sentences(prepared)[-1].startswith(decoy)
    target = attacked(model_of(Planted(kind=kind), prepared.vocabulary), prepared)
    assert len(target.candidates) == candidates and len(target.code(prepared.canary.secret)) == words


def test_a_slow_training_has_smaller_steps_and_more_of_them():
    usual, slow = recipe(Planted()), recipe(Planted(pace="slow"))
    assert slow.epochs == 2 * usual.epochs and slow.learning_rate == usual.learning_rate / 3
    assert dataclasses.replace(slow, epochs=usual.epochs, learning_rate=usual.learning_rate) == usual


def test_a_transformer_has_weights_of_the_seed_and_the_same_recipe(corpus):
    at = Planted(model="transformer", seed=2)
    vocabulary = prepare(at, corpus).vocabulary
    one, same = (model_of(at, vocabulary) for _ in range(2))
    assert isinstance(one, TransformerTagger)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert recipe(at) == recipe(Planted(seed=2))


@pytest.mark.parametrize("defence", DEFENCES)
def test_a_defence_changes_the_model_or_the_recipe_or_the_data_and_nothing_else(defence, corpus):
    at = Planted(defence=defence)
    prepared = prepare(at, corpus)
    model = model_of(at, prepared.vocabulary)
    assert isinstance(prepared.vocabulary, SpelledVocabulary) is (defence in (SPELLED, THREE))
    drops = sorted(each.p for each in model.modules() if isinstance(each, torch.nn.Dropout) and each.p)
    assert (drops != []) is (defence in ("dropout", THREE))
    assert isinstance(model, DroppedTagger) is (defence == "dropout")
    plain, own = recipe(Planted()), recipe(at)
    differs = {
        field.name for field in dataclasses.fields(own) if getattr(own, field.name) != getattr(plain, field.name)
    }
    assert differs == ({"method", "epsilon"} if defence in EPSILONS else set())


def test_the_same_seed_makes_the_same_model_and_the_global_generator_is_left_alone(corpus):
    for defence in ("none", "dropout", THREE):
        at = Planted(defence=defence, seed=3)
        vocabulary = prepare(at, corpus).vocabulary
        torch.manual_seed(0)
        before = torch.random.get_rng_state()
        one = model_of(at, vocabulary)
        assert torch.equal(torch.random.get_rng_state(), before)
        torch.manual_seed(1)
        for a, b in zip(one.parameters(), model_of(at, vocabulary).parameters(), strict=True):
            assert torch.equal(a, b)


def test_early_stopping_ends_with_the_first_epoch_that_is_good_enough(monkeypatch):
    rows = [{"accuracy": share, "progress": i / 10} for i, share in enumerate((0.2, 0.79, 0.8, 0.9))]
    monkeypatch.setattr(defended, "train", lambda *_: iter(rows))
    stopped = list(learn(Planted(defence=STOPPED), None, None))
    assert [row["accuracy"] for row in stopped] == [0.2, 0.79, 0.8] and stopped[-1]["progress"] == 1
    assert list(learn(Planted(), None, None)) == rows
