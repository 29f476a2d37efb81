import datasets
import numpy as np
import pandas
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trustlab.models import SubwordVocabulary, Vocabulary
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


GOOD = {"tokens": ["play", "jazz"], "slots": ["O", "O"], "intent": "play"}


@pytest.fixture(params=["words", "sub-words"])
def either(request, vocabulary):
    subword = SubwordVocabulary(vocabulary.intents, vocabulary.slots) if request.param == "sub-words" else None
    return subword or vocabulary


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"slots": ["O"]}, "as many slots as tokens in utterance 1, got 1 for 2"),
        ({"slots": ["O", "O", "O"]}, "as many slots as tokens in utterance 1, got 3 for 2"),
        ({"slots": []}, "as many slots as tokens in utterance 1, got 0 for 2"),
        ({"tokens": "hi"}, "tokens of utterance 1 to be a list of words, got the text 'hi'"),
        ({"slots": "OO"}, "slots of utterance 1 to be a list of words, got the text 'OO'"),
        ({"tokens": b"hi"}, "tokens of utterance 1 to be a list of words, got bytes"),
        ({"tokens": None}, "tokens of utterance 1 to be a list of words, got NoneType"),
        ({"tokens": ["play", 7]}, r"tokens of utterance 1 to be words, got 7 \(int\)"),
        ({"tokens": ["play", None]}, "tokens of utterance 1 to be words, got None"),
        ({"tokens": ["play", ["jazz"]]}, "tokens of utterance 1 to be words"),
        ({"tokens": ["play", ""]}, "words in utterance 1, got an empty one at place 1"),
        ({"slots": ["O", 0]}, "slots of utterance 1 to be words, got 0"),
        ({"intent": ["play"]}, "labels of utterance 1 to be in the vocabulary"),
        ({"intent": 1}, "labels of utterance 1 to be in the vocabulary, got 1"),
        ({"intent": torch.tensor(1)}, "labels of utterance 1 to be in the vocabulary"),
    ],
)
def test_a_row_that_would_train_and_mean_nothing_is_refused_with_its_place(changes, message, either):
    with pytest.raises(ValueError, match=message):
        either.encode([GOOD, GOOD | changes])


def test_a_tag_beyond_the_cut_is_looked_at_too(vocabulary):
    long = {"tokens": ["x"] * 100, "slots": ["O"] * 99 + ["B-slip"], "intent": "play"}
    with pytest.raises(ValueError, match="got 'B-slip'"):
        vocabulary.encode([long])


def test_what_is_no_split_is_said_to_be_none(either):
    corpus = datasets.DatasetDict(train=datasets.Dataset.from_list([GOOD]))
    for given_, kind in ((corpus, "str"), (pandas.DataFrame([GOOD]), "str"), ([("play",)], "tuple")):
        with pytest.raises(
            ValueError, match=f"Expected utterance 0 to be a row with tokens, slots and intent, got {kind}"
        ):
            either.encode(given_)
    with pytest.raises(ValueError, match="got none of slots"):
        either.encode([{"tokens": ["x"], "intent": "play"}])


@given(
    said=st.lists(st.tuples(st.text(min_size=1, max_size=5), st.sampled_from(["O", ""])), min_size=1, max_size=60),
    hold=st.sampled_from([list, tuple, lambda words: np.array(words, dtype=object), pandas.Series]),
)
def test_every_word_keeps_its_own_tag_whatever_holds_the_words(said, hold):
    words, tags = (list(part) for part in zip(*said, strict=True))
    vocabulary = Vocabulary(intents=("x",), slots=("O",), buckets=7, max_length=48)
    row = {"tokens": hold(words), "slots": hold(tags), "intent": "x"}
    examples = vocabulary.encode([row])
    assert examples.slots[0].tolist() == [0 if tag else IGNORE for tag in tags[:48]]
    assert examples.input_ids.tolist() == vocabulary.encode([row | {"tokens": words, "slots": tags}]).input_ids.tolist()


def test_a_word_that_the_tokenizer_drops_does_not_move_the_tags_after_it(vocabulary):
    """BERT's tokenizer makes nothing of a zero-width space; its tag would be the next word's."""
    subword = SubwordVocabulary(("x",), ("O", "B-name"))
    row = {"tokens": ["call", "\u200b", "ann"], "slots": ["O", "O", "B-name"], "intent": "x"}
    examples = subword.encode([row])
    assert examples.slots[0].tolist() == [IGNORE, 0, 0, 1, IGNORE]
    assert subword.tokenizer.convert_ids_to_tokens(examples.input_ids[0, 2].item()) == "[UNK]"
    assert subword.encode([]).input_ids.shape[0] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(intents="play"), "intents to be a tuple of names, got the text 'play'"),
        (dict(intents=("a", "a")), "every name in intents once, got 'a' twice"),
        (dict(slots=("O", "B-x", "B-x")), "every name in slots once"),
        (dict(slots=("O", "")), "slots with names, got ''"),
        (dict(words=("a", "b", "a"), buckets=0), "every name in words once"),
        (dict(buckets=-3), "buckets=-3 >= 0"),
        (dict(max_length=0), "max_length=0 >= 1"),
    ],
)
def test_names_that_would_share_an_id_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Vocabulary(**{"intents": ("x",), "slots": ("O",), "buckets": 5, **options})


def test_a_corpus_of_texts_is_not_read_letter_by_letter():
    rows = [{"tokens": "play jazz", "slots": ["O"], "intent": "x"}]
    corpus = datasets.DatasetDict(train=datasets.Dataset.from_list(rows))
    with pytest.raises(ValueError, match="tokens of utterance 0 to be a list of words"):
        Vocabulary.from_corpus(corpus)
    corpus = datasets.DatasetDict(train=datasets.Dataset.from_list([{**rows[0], "slots": "O O"}]))
    with pytest.raises(ValueError, match="slots of utterance 0 of train"):
        Vocabulary.hashed(corpus)


def test_words_without_an_order_are_no_utterance():
    vocabulary = Vocabulary(intents=("x",), slots=("O",), buckets=5)
    with pytest.raises(ValueError, match="tokens of utterance 0 to be a list of words, got set"):
        vocabulary.encode([{"tokens": {"play", "jazz"}, "slots": ["O", "O"], "intent": "x"}])


@pytest.mark.parametrize(
    ("corpus", "said"),
    [
        (datasets.DatasetDict({"train": datasets.Dataset.from_dict({"utterance": ["hi"], "label": ["greet"]})}),
         r"'train' has no .*slots, intent; it has utterance, label\. .*trustlab\.data\.load_own\(rows, text="),
        ({"train": {"tokens": [["hi"]], "intent": ["greet"]}}, "'train' has no slots; it has tokens, intent"),
        (datasets.Dataset.from_dict({"tokens": [["hi"]]}), "Expected a corpus, a mapping .*, got Dataset.*load_own"),
        ([{"tokens": ["hi"]}], "got list.*load_own"),
        ({}, "got nothing.*load_own"),
        ({"train": [{"tokens": ["hi"]}]}, "Expected rows with columns in 'train', got list.*load_own"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("make", [Vocabulary.hashed, Vocabulary.from_corpus])
def test_a_corpus_without_the_columns_is_refused_with_the_way_to_ones_own(make, corpus, said):
    with pytest.raises(ValueError, match=said):
        make(corpus)
