"""Words that trade places: what goes where, that nothing is lost, and what it means for a prediction."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from trustlab.fairness.distillation import Exchange, reverse
from trustlab.fairness.swaps import WordPairs

from .conftest import WORDS, whole_words

AT = {word: i for i, word in enumerate(WORDS)}
SEEDS = st.integers(0, 10_000)


def bytes_joined(words):
    """A tokenizer that joins letters as GPT-2's does, and knows these words with a space and with a capital."""
    forms = [form for word in words for form in (word, word.capitalize())]
    merges = [(form[:i], form[i]) for form in forms for i in range(1, len(form))] + [("Ġ", word) for word in words]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = dict.fromkeys([*letters, *(a + b for a, b in merges)])
    model = models.BPE({token: i for i, token in enumerate(tokens)}, list(dict.fromkeys(merges)))
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def predictions(seed):
    return torch.randn(2, 6, len(WORDS), generator=torch.Generator().manual_seed(seed)).double().log_softmax(-1)


@settings(max_examples=20)  # a tokenizer is read each time
@given(seed=SEEDS)
def test_pairs_trade_places_and_other_words_keep_theirs(seed):
    p, swapped = predictions(seed)
    found = Exchange(whole_words())(p, swapped)
    for female, male in (("she", "he"), ("woman", "man"), ("queen", "king"), ("herself", "himself")):
        assert (found[:, AT[female]] == swapped[:, AT[male]]).all()
        assert (found[:, AT[male]] == swapped[:, AT[female]]).all()
    for word in ("the", "nurse", "Ms", "<s>"):
        assert (found[:, AT[word]] == swapped[:, AT[word]]).all()


@settings(max_examples=20)  # a tokenizer is read each time
@given(seed=SEEDS)
def test_his_and_him_share_the_mass_of_her_as_the_text_itself_has_them(seed):
    p, swapped = predictions(seed)
    found = Exchange(whole_words())(p, swapped)
    torch.testing.assert_close(found.exp().sum(-1), torch.ones(6).double())
    for here, there in ((["her", "hers"], ["his", "him"]), (["his", "him"], ["her", "hers"])):
        own, others = ([AT[word] for word in side] for side in (here, there))
        torch.testing.assert_close(found[:, own].exp().sum(-1), swapped[:, others].exp().sum(-1))
        torch.testing.assert_close(found[:, own].softmax(-1), p[:, own].softmax(-1))


@settings(max_examples=20)  # a tokenizer is read each time
@given(seed=SEEDS)
def test_averaged_with_its_exchange_a_prediction_prefers_no_gender(seed):
    p, _ = predictions(seed)
    for reversal in ("mean", "max", "expectation"):
        found = reverse(p, Exchange(whole_words())(p, p), reversal)
        torch.testing.assert_close(found[:, AT["she"]], found[:, AT["he"]])
    both = reverse(p, Exchange(whole_words())(p, p), "expectation").exp()
    torch.testing.assert_close(2 * both[:, AT["she"]], p[:, AT["she"]].exp() + p[:, AT["he"]].exp())


def test_own_pairs_and_names_are_exchanged_and_a_word_of_several_tokens_is_not():
    tokenizer = whole_words([*WORDS, "Ada", "Alan"])
    own = Exchange(tokenizer, pairs=WordPairs((("nurse", "pilot"),)), names=[("Ada", "Alan")])
    assert own.groups == [
        ((AT["nurse"],), (AT["pilot"],)),
        ((AT["her"], AT["hers"]), (AT["his"], AT["him"])),
        ((len(WORDS),), (len(WORDS) + 1,)),
    ]
    assert Exchange(tokenizer, pairs=WordPairs((("spokes", "king"),))).groups[0][0] == (AT["her"], AT["hers"])


def test_a_tokenizer_of_parts_of_words_has_them_with_a_space_and_with_capitals():
    tokenizer = bytes_joined(["she", "he", "her", "hers", "his", "him"])
    groups = Exchange(tokenizer).groups
    shown = [tuple([tokenizer.decode([i]) for i in side] for side in group) for group in groups]
    for expected in (([" she"], [" he"]), (["She"], ["He"]), ([" her", " hers"], [" his", " him"])):
        assert expected in shown
    used = [i for group in groups for side in group for i in side]
    assert len(used) == len(set(used))
