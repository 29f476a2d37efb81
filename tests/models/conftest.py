import pytest

from trustlab.models import Vocabulary

CORPUS = {
    "train": [
        {"tokens": ["play", "blue", "moon"], "slots": ["O", "B-song", "I-song"], "intent": "play"},
        {"tokens": ["stop"], "slots": ["O"], "intent": "stop"},
        {"tokens": ["wake", "me", "at", "six"], "slots": ["O", "O", "O", "B-time"], "intent": "alarm"},
    ]
}


@pytest.fixture
def rows():
    return CORPUS["train"]


@pytest.fixture
def vocabulary():
    return Vocabulary(intents=("alarm", "play", "stop"), slots=("O", "B-song", "I-song", "B-time"), buckets=50)
