import datasets
import pytest
import torch

from trustlab.models import Vocabulary
from trustlab.models.vocabulary import IGNORE, PADDING


def test_padding_mask_and_labels_line_up(vocabulary, rows):
    examples = vocabulary.encode(rows)
    assert examples.input_ids.shape == examples.slots.shape == (3, 4)
    assert examples.attention_mask.sum(1).tolist() == [3, 1, 4]
    assert ((examples.input_ids == PADDING) == ~examples.attention_mask).all()
    assert ((examples.slots == IGNORE) == ~examples.attention_mask).all()
    assert examples.intents.tolist() == [1, 2, 0]
    assert examples.slots[0].tolist() == [0, 1, 2, IGNORE]


def test_taking_examples_cuts_padding_and_keeps_the_rest(vocabulary, rows):
    examples = vocabulary.encode(rows)
    assert examples[torch.tensor([1])].input_ids.shape == (1, 1)
    assert examples[torch.tensor([1, 0])].intents.tolist() == [2, 1]
    assert len(examples[torch.tensor([], dtype=torch.long)]) == 0


def test_hashed_ids_look_at_no_utterance():
    corpora = [
        datasets.DatasetDict(train=datasets.Dataset.from_list([{"tokens": [word], "slots": ["O"], "intent": "x"}]))
        for word in ("secret", "public")
    ]
    first, second = (Vocabulary.hashed(corpus, buckets=64) for corpus in corpora)
    assert first == second
    # The word list of the same corpora does tell them apart: that is why it is outside the guarantee.
    assert Vocabulary.from_corpus(corpora[0]) != Vocabulary.from_corpus(corpora[1])


def test_hashed_ids_are_the_same_in_every_process(vocabulary):
    # crc32 of "123456789" is 0xCBF43926, the check value of the standard; hash() would be salted per process.
    row = {"tokens": ["123456789"], "slots": ["O"], "intent": "play"}
    assert vocabulary.encode([row]).input_ids.item() == 1 + 0xCBF43926 % 50


def test_unknown_words_share_one_id_and_cut_utterances_keep_their_start():
    corpus = datasets.DatasetDict(
        train=datasets.Dataset.from_list([{"tokens": ["a", "b"], "slots": ["O", "O"], "intent": "x"}])
    )
    vocabulary = Vocabulary.from_corpus(corpus, max_length=3)
    examples = vocabulary.encode([{"tokens": ["b", "new", "words", "a"], "slots": ["O"] * 4, "intent": "x"}])
    assert examples.input_ids.tolist() == [[3, 1, 1]]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"tokens": [], "slots": [], "intent": "play"}, "at least one token in utterance 0"),
        ({"tokens": ["x"], "slots": ["O"], "intent": "fly"}, "got 'fly'"),
        ({"tokens": ["x"], "slots": ["B-city"], "intent": "play"}, "got 'B-city'"),
    ],
)
def test_what_cannot_be_encoded_is_named(vocabulary, row, message):
    with pytest.raises(ValueError, match=message):
        vocabulary.encode([row])
