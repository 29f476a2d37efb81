"""Texts with their counterfactuals as tokens: what is paired, what is added, what is cut and what is left as it is."""

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from trustlab.fairness.distillation import read_roles

from .conftest import WORDS

AT = {word: i for i, word in enumerate(WORDS)}


def ids(text):
    return [AT[word] for word in text.split()]


def test_a_text_is_paired_with_its_counterfactual(tokenizer):
    (role,) = read_roles(["she saw her home"], tokenizer)
    assert role.ids == ids("she saw her home") and role.partner == ids("he saw his home")
    assert role.places.tolist() == [[i, i] for i in range(4)]


def test_a_text_without_gender_or_of_doubtful_gender_has_no_partner_and_is_not_added(tokenizer):
    found = read_roles(["it rained .", "Ms queen saw it", "she saw him old"], tokenizer, augmentation=1)
    assert [role.partner for role in found] == [None] * 3
    assert [role.places.tolist() for role in found] == [[[i, i] for i in range(n)] for n in (3, 4, 4)]


def test_all_or_a_share_of_the_texts_with_a_counterfactual_are_added_in_reversed_roles(tokenizer):
    texts = ["she sang", "it rained"] * 200
    assert len(read_roles(texts, tokenizer)) == 400
    every = read_roles(texts, tokenizer, augmentation=1)
    assert len(every) == 600 and every[400].ids == ids("he sang") and every[400].partner == ids("she sang")
    half, again, other = (len(read_roles(texts, tokenizer, augmentation=0.5, seed=seed)) for seed in (0, 0, 1))
    assert half == again != other and 460 < half < 540


def test_texts_and_partners_are_cut_and_begin_with_the_start(tokenizer):
    (role,) = read_roles(["she saw her home"], tokenizer, max_length=3, start="<s>")
    assert role.ids == ids("<s> she saw") and role.partner == ids("<s> he saw")
    assert role.places.tolist() == [[0, 0], [1, 1], [2, 2]]


def in_parts():
    """ "spokeswoman" is three tokens and "spokesman" two."""
    words = ["<unk>", "spokes", "##wo", "##man", "sang", "the", "."]
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


def test_where_the_number_of_tokens_changes_places_inside_the_word_have_no_partner():
    there, back = read_roles(["the spokeswoman sang ."], in_parts(), augmentation=1)
    assert len(there.ids) == 6 and len(there.partner) == 5
    assert there.places.tolist() == [[0, 0], [3, 2], [4, 3], [5, 4]]
    np.testing.assert_array_equal(back.places, there.places[:, ::-1])
    (cut,) = read_roles(["the spokeswoman sang ."], in_parts(), max_length=4)
    assert cut.places.tolist() == [[0, 0], [3, 2]]


def test_a_text_of_one_token_predicts_nothing(tokenizer):
    assert len(read_roles(["it rained", "it"], tokenizer)) == 1
    assert len(read_roles(["it"], tokenizer, start="<s>")) == 1


@pytest.mark.parametrize(
    ("texts", "options", "said"),
    [
        ("she sang", {}, "one text"),
        ([], {}, "at least one text, got none"),
        (["it", "he"], {}, "a text of at least two tokens, got 2 of fewer"),
        ([3, 4], {}, "Expected a text in each row, got int"),
        (["she sang"], {"start": "<begin>"}, "start='<begin>' to be a token of the tokenizer"),
    ],
)
def test_what_is_refused(texts, options, said, tokenizer):
    with pytest.raises(ValueError, match=said):
        read_roles(texts, tokenizer, **options)


def test_a_tokenizer_that_does_not_know_places_is_refused(tokenizer):
    class Slow:
        is_fast = False

    with pytest.raises(ValueError, match="Expected a fast tokenizer, got Slow"):
        read_roles(["she sang"], Slow())
