import math

import numpy as np
import pytest
import torch

from trustlab.course.n00_start_here.tagger import Tagger, words_of
from trustlab.models import Vocabulary, build, entities, predict
from trustlab.models.evaluation import evaluate

INTENTS, SLOTS = ("greet", "leave", "play"), ("O", "B-city", "I-city", "B-time")
SENTENCES = ["play", "wake me up at seven", "a b c d e f g h", "naïve 日本 café"]


@pytest.fixture(scope="module")
def both():
    """The same random weights in torch and in NumPy, large enough that every gate is used."""
    vocabulary = Vocabulary(intents=INTENTS, slots=SLOTS, buckets=50)
    model = build("bilstm", vocabulary, seed=3)
    with torch.no_grad():
        for value in model.parameters():
            value.mul_(3.0)
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    return model, vocabulary, Tagger(weights, INTENTS, SLOTS, 50)


def rows(sentences):
    return [{"tokens": s.split(), "slots": ["O"] * len(s.split()), "intent": "greet"} for s in sentences]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_it_computes_what_torch_computes(both, sentence):
    model, vocabulary, tagger = both
    examples = vocabulary.encode(rows([sentence]))
    with torch.no_grad():
        intents, tags = model.eval()(examples.input_ids, examples.attention_mask)
    ours = tagger.logits(sentence.split())
    np.testing.assert_allclose(ours[0], intents[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours[1], tags[0], rtol=1e-4, atol=1e-5)


def test_intent_share_and_slots_are_read_off_as_the_library_reads_them(both):
    model, vocabulary, tagger = both
    examples = vocabulary.encode(rows(SENTENCES))
    intents, tags = predict(model, examples)
    with torch.no_grad():
        logits, _ = model(examples.input_ids, examples.attention_mask)
    for sentence, intent, names, each in zip(SENTENCES, intents, tags, logits.softmax(-1), strict=True):
        found = tagger.understand(sentence)
        words = sentence.split()
        assert found.intent == intent and found.share == pytest.approx(float(each.max()), abs=1e-5)
        in_order = sorted(entities(names), key=lambda entity: entity[1])
        expected = [(kind, " ".join(words[first : last + 1])) for kind, first, last in in_order]
        assert list(found.slots) == expected
    assert any(tagger.understand(sentence).slots for sentence in SENTENCES)
    assert set(evaluate(model, examples)) == {"loss", "accuracy", "slot_f1"}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("", []),
        ("  ?! ", []),
        ("What’s the weather?", ["what's", "the", "weather"]),
        ("Set 21 degrees, 100 %", ["set", "twenty", "one", "degrees", "100"]),
        ("Ça va ٣", ["ça", "va", "٣"]),
    ],
)
def test_a_sentence_is_read_as_the_corpus_writes_it(said, words):
    assert words_of(said) == words


def test_a_long_text_is_cut_and_no_word_is_no_answer(both):
    assert len(words_of("go " * 500)) == 48
    assert both[2].understand("...") is None
    assert math.isfinite(both[2].understand("go " * 500).share)
