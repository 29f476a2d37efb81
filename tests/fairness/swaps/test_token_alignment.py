"""Tokens of a text and of its counterfactual: at the same place, whatever the tokenizer makes of a word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trustlab.fairness.swaps import align_tokens, counterfactual
from trustlab.models.pretrained import encoder_and_tokenizer
from trustlab.models.smollm2 import load_smollm2

TEXTS = ["He is a businessman.", "The spokeswoman's son’s widow", "No one sat.", "WIZARDS and her grandmothers", ""]
PIECES = ["he", "her", "hers", "spokesman", "the", "sat", "Duchess", "witches", ";", "'s", "3", "ß"]


@pytest.fixture(scope="module")
def tokenizers():
    return {"WordPiece": encoder_and_tokenizer()[1], "byte-level BPE": load_smollm2()[1]}


def letters(text):
    return "".join(text.lower().split())


@pytest.mark.parametrize("name", ["WordPiece", "byte-level BPE"])
def test_what_precedes_a_pair_of_tokens_is_each_others_counterfactual(tokenizers, name):
    tokenizer = tokenizers[name]
    special = set(tokenizer.all_special_ids)

    def said(ids, place):
        return letters(tokenizer.decode([token for token in ids[: place + 1] if token not in special]))

    texts = [counterfactual(text) for text in TEXTS]
    for found, tokens in zip(texts, align_tokens(texts, tokenizer), strict=True):
        assert tokens.original == tokenizer(found.original)["input_ids"]
        assert tokens.swapped == tokenizer(found.text)["input_ids"]
        assert (tokens.places[1:] > tokens.places[:-1]).all()
        for i, j in tokens.places.tolist():
            read = len(said(tokens.original, i))
            assert letters(found.original)[:read] == said(tokens.original, i)
            grown = 0
            for swap in found.swaps:
                if read >= len(letters(found.original[: swap.end])):
                    grown = len(letters(found.text[: swap.new_end])) - len(letters(found.original[: swap.end]))
            assert letters(found.text)[: read + grown] == said(tokens.swapped, j)


def test_a_text_without_a_swap_is_aligned_token_by_token(tokenizers):
    for tokenizer in tokenizers.values():
        (tokens,) = align_tokens([counterfactual("No one sat.")], tokenizer)
        assert tokens.one_to_one and tokens.original == tokens.swapped
        assert (tokens.places[:, 0] == tokens.places[:, 1]).all()


def test_inside_a_swapped_word_no_token_has_a_partner_and_that_can_be_refused(tokenizers):
    tokenizer, texts = tokenizers["WordPiece"], [counterfactual(text) for text in ("He sat.", "The spokeswoman sat.")]
    even, uneven = align_tokens(texts, tokenizer)
    assert even.one_to_one and not uneven.one_to_one and len(uneven.original) == len(uneven.swapped) + 2
    assert len(uneven.places) == len(uneven.swapped)
    with pytest.raises(ValueError, match="got 1 of 2 where that changes, with swaps such as spokeswoman to spokesman"):
        align_tokens(texts, tokenizer, refuse_changes=True)
    assert align_tokens(texts[:1], tokenizer, refuse_changes=True)[0].one_to_one


@given(words=st.lists(st.sampled_from(PIECES), max_size=8))
def test_every_token_outside_swapped_words_has_a_partner(words, tokenizers):
    found = counterfactual(" ".join(words))
    (tokens,) = align_tokens([found], tokenizers["WordPiece"])
    inside = tokenizers["WordPiece"](found.original, return_offsets_mapping=True)["offset_mapping"]
    alone = [i for i, (_, end) in enumerate(inside) if any(each.start < end < each.end for each in found.swaps)]
    assert sorted({*alone, *tokens.places[:, 0].tolist()}) == list(range(len(tokens.original)))


def test_what_cannot_be_aligned_is_refused():
    with pytest.raises(ValueError, match="fast tokenizer, got object"):
        align_tokens([counterfactual("he")], object())
    fast = type("Fast", (), {"is_fast": True})()
    for wrong, kind in ((["he"], "str"), (counterfactual("he"), "Counterfactual")):
        with pytest.raises(ValueError, match=f"list of counterfactuals, got {kind}"):
            align_tokens(wrong, fast)
