import pytest
from torch import nn

from trustlab.models import SubwordVocabulary, Vocabulary, build

WORDS = (
    "set",
    "an",
    "alarm",
    "for",
    "six",
    "play",
    "the",
    "blue",
    "song",
    "call",
    "anna",
    "stop",
    "it",
    "now",
    "please",
)


def make_utterances(count):
    """Make `count` utterances of 1 to 9 words; the last word of a third of them is a slot."""
    rows = []
    for i in range(count):
        tokens = [WORDS[(i * 7 + j * 3) % len(WORDS)] for j in range(1 + i % 9)]
        slots = ["O"] * (len(tokens) - 1) + ["B-thing" if i % 3 == 0 else "O"]
        rows.append({"tokens": tokens, "slots": slots, "intent": ("on", "off", "other")[i % 3]})
    return rows


@pytest.fixture
def utterances():
    return make_utterances


@pytest.fixture
def vocabulary():
    return Vocabulary(intents=("off", "on", "other"), slots=("O", "B-thing"), buckets=40)


@pytest.fixture(params=["bilstm", "transformer", "encoder"])
def task(request, vocabulary):
    """A tagger of each kind, and a batch of 14 utterances for it, of which several have the same length.

    Of the encoder two of six layers are left, and the vectors of 9,000 words: a test costs by the weight.
    """
    if request.param == "encoder":
        vocabulary = SubwordVocabulary(vocabulary.intents, vocabulary.slots)
    model = build(request.param, vocabulary, seed=1)
    if request.param == "encoder":
        del model.encoder.encoder.layer[2:]
        embeddings = model.encoder.embeddings
        vectors = embeddings.word_embeddings.weight.detach()[:9000].clone()
        embeddings.word_embeddings = nn.Embedding.from_pretrained(vectors, freeze=False, padding_idx=0)
    return model, vocabulary.encode(make_utterances(14))
