"""Completing a secret with a causal language model: the tree against one sentence at a time, and what is refused."""

import itertools

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from trustlab.data.phrases import DIGITS
from trustlab.privacy.inversion import Canary, Completion, canary_and_decoys, completion_losses, completion_of

LLAMA = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2)


def llama(seed=0):
    torch.manual_seed(seed)
    return LlamaForCausalLM(LlamaConfig(vocab_size=40, initializer_range=0.5, **LLAMA))


def gpt2():
    torch.manual_seed(0)
    return GPT2LMHeadModel(GPT2Config(vocab_size=40, n_embd=16, n_layer=2, n_head=2, initializer_range=0.5))


def tokenizer_of(words, **options):
    """Return a tokenizer of whole words; "seventy" and whatever is longer is not in it."""
    known = Tokenizer(models.WordLevel({word: i for i, word in enumerate(["[UNK]", *words])}, unk_token="[UNK]"))
    known.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=known, unk_token="[UNK]", **options)


def one_by_one(model, prefix, candidates, places):
    """Minus log P of each code after `prefix`: one sentence at a time, cross entropy of its last tokens."""
    found = []
    for code in itertools.product(candidates, repeat=places):
        ids = torch.tensor([[*prefix, *code]])
        with torch.no_grad():
            logits = model.eval()(input_ids=ids).logits[0]
        of = logits[len(prefix) - 1 : -1]
        found.append(torch.nn.functional.cross_entropy(of.double(), torch.tensor(code), reduction="sum"))
    return torch.stack(found)


@pytest.mark.parametrize("make", [llama, gpt2])
@pytest.mark.parametrize(("prefix", "candidates", "places"), [((1, 5, 6), (9, 2, 30), 4), ((3,), (8, 4), 1)])
def test_the_tree_gives_what_reading_each_sentence_gives(make, prefix, candidates, places):
    model = make()
    found = completion_losses(model, Completion(prefix, candidates, candidates[:1] * places))
    torch.testing.assert_close(found, one_by_one(model, prefix, candidates, places), atol=1e-5, rtol=0)
    assert found.std() > 0.1  # a model without preferences would prove nothing


def test_of_all_ten_thousand_codes_the_place_is_that_of_counting():
    completion = Completion((1, 2), tuple(range(10, 20)), (14, 17, 11, 11))
    losses = completion_losses(llama(), completion)
    assert (completion.place, len(losses)) == (4711, 10_000)
    alone = one_by_one(llama(), (1, 2, 14, 17), tuple(range(10, 20)), 2)
    before = losses[4700:4800] - alone  # what the first two digits cost is the same for all
    torch.testing.assert_close(before, before[:1].expand(100), atol=1e-5, rtol=0)


def test_which_codes_are_true_changes_no_loss_and_the_model_is_left_as_it_was():
    model = llama().train()
    one, other = (completion_losses(model, Completion((1,), (5, 6), secret)) for secret in ((5, 5), (6, 5)))
    assert torch.equal(one, other) and model.training and all(each.grad is None for each in model.parameters())


def test_a_tree_that_is_too_large_is_refused_before_the_model_is_asked():
    with pytest.raises(ValueError, match=r"Expected a tree of at most 4,096 tokens, got 11,112: 10 candidates at 5 pl"):
        completion_losses(None, Completion((1, 2), tuple(range(10)), (0,) * 5))


def test_a_canary_becomes_its_tokens():
    canary, _ = canary_and_decoys("pin", 4, seed=0)
    tokenizer = tokenizer_of([*canary.prefix, *DIGITS])
    found = completion_of(tokenizer, canary, DIGITS, start=40)
    assert found.prefix == (40, *tokenizer.convert_tokens_to_ids(list(canary.prefix)))
    assert tokenizer.decode(found.secret) == " ".join(canary.secret)
    assert found.place == int("".join(str(DIGITS.index(word)) for word in canary.secret))


CANARY = Canary(("my", "pin"), ("one", "two"), ("O", "O", "B-pin", "I-pin"), "remember_fact")


@pytest.mark.parametrize(
    ("words", "candidates", "match"),
    [
        (
            "my pin one",
            ["one", "two"],
            r"Expected words of the tokenizer's vocabulary, got 'two'\. All unknown words are",
        ),
        ("pin one two", ["one", "two"], r"vocabulary, got 'my'"),
        ("my pin one two", ["one", "six"], r"Expected secret words among the 2 candidates, got 'two'"),
        ("my pin one two", ["one"], r"Expected at least two distinct candidates"),
        ("my pin one two", ["one", "one", "two"], r"Expected at least two distinct candidates"),
        ("my pin one two", "one two", r"Expected the candidates to be a list of words, got the text"),
    ],
)
def test_what_cannot_be_looked_for_is_refused_by_name(words, candidates, match):
    with pytest.raises(ValueError, match=match):
        completion_of(tokenizer_of(words.split()), CANARY, candidates, start=0)


def test_a_candidate_of_several_tokens_is_refused_by_name():
    """A tokenizer that splits words into letters, as GPT-2's does with rare words."""
    letters = Tokenizer(models.BPE({letter: i for i, letter in enumerate("mypinoetw ")}, []))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=letters)
    with pytest.raises(ValueError, match=r"Expected candidates of one token each, got 'one' of 4\. Codes are ranked"):
        completion_of(tokenizer, CANARY, ["one", "two"], start=0)


def test_a_tokenizer_that_joins_neighbouring_words_is_refused():
    """Without a division into words, merges go over spaces: " a" and " b" are tokens, and so is " a b"."""
    merges = [(" ", "a"), (" ", "b"), (" a", " b")]
    vocabulary = {token: i for i, token in enumerate([*"pab ", *("".join(pair) for pair in merges)])}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE(vocabulary, merges)))
    canary = Canary(("p",), ("b", "a"), ("O", "B-pin", "I-pin"), "remember_fact")
    for candidates in (["a", "b"], ["b", "a"]):
        with pytest.raises(ValueError, match="same token wherever they stand, got others for 'a b'"):
            completion_of(tokenizer, canary, candidates, start=9)
