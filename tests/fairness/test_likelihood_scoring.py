"""Batched log-probabilities against one forward per token, for masked models of several makes and for causal ones."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    AlbertConfig,
    AlbertForMaskedLM,
    BertModel,
    DistilBertConfig,
    DistilBertForMaskedLM,
    ElectraConfig,
    ElectraForMaskedLM,
    RobertaConfig,
    RobertaForMaskedLM,
)

from benchmarks import associating
from trustlab.fairness.likelihood import LikelihoodScorer, score_pairs
from trustlab.fairness.likelihood.scoring import Question
from trustlab.models.batching import batches

WORDS = ["he", "she", "is", "a", "nurse", "old", "zebra", "."]
TEXTS = ["he is a nurse .", "the cat sat", "she", "the old doctor and the young pilot likes flowers ."]
SMALL = dict(vocab_size=60, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)


def one_by_one(model, tokenizer, text):
    """The definition: a forward for every token, no batch, no padding."""
    model.eval()
    ids = torch.tensor([tokenizer(text)["input_ids"]])
    found = []
    for place in range(1, ids.shape[1] - 1):
        masked = ids.clone()
        masked[0, place] = tokenizer.mask_token_id
        with torch.no_grad():
            found.append(model(input_ids=masked).logits[0, place].log_softmax(0)[ids[0, place]].item())
    return found


def test_batches_give_what_one_forward_per_token_gives(masked_model, masked_tokenizer):
    for size in (8, 50, 10_000):
        ours = LikelihoodScorer(masked_model, masked_tokenizer, batch_tokens=size).token_log_probabilities(TEXTS)
        for text, each in zip(TEXTS, ours, strict=True):
            assert each == pytest.approx(one_by_one(masked_model, masked_tokenizer, text), abs=1e-4)


@pytest.mark.parametrize(
    "model",
    [
        lambda: RobertaForMaskedLM(RobertaConfig(**SMALL, max_position_embeddings=40, pad_token_id=0)),
        lambda: AlbertForMaskedLM(AlbertConfig(**SMALL, embedding_size=8)),
        lambda: ElectraForMaskedLM(ElectraConfig(**SMALL, embedding_size=8)),
        lambda: DistilBertForMaskedLM(DistilBertConfig(vocab_size=60, dim=16, n_layers=1, n_heads=2, hidden_dim=32)),
    ],
)
def test_every_head_is_given_the_masked_position_only(model, masked_tokenizer):
    torch.manual_seed(0)
    model = model()
    ours = LikelihoodScorer(model, masked_tokenizer).token_log_probabilities(TEXTS)
    assert ours[3] == pytest.approx(one_by_one(model, masked_tokenizer, TEXTS[3]), abs=1e-5)
    assert not model.base_model._forward_hooks  # nothing is left behind


def test_a_causal_model_multiplies_up_to_a_probability(causal_model, causal_tokenizer):
    """By the chain rule, P over all second words of "he …" sums to P(he)."""
    scorer = LikelihoodScorer(causal_model, causal_tokenizer)
    assert scorer.kind == "causal"
    first = scorer.token_log_probabilities(["he"])[0]
    words = [token for token in causal_tokenizer.get_vocab() if not token.startswith("[")]
    special = [[*scorer.encode("he"), token] for token in range(6)]
    pairs = [f"he {word}" for word in words]
    own = scorer.token_log_probabilities(pairs)
    rest = scorer.token_log_probabilities(special, [[1, 2]] * len(special))
    assert sum(math.exp(each.sum()) for each in [*own, *rest]) == pytest.approx(math.exp(first[0]), rel=1e-4)


def test_without_a_start_token_the_first_word_has_no_probability(causal_model, causal_tokenizer):
    bare = copy.deepcopy(causal_tokenizer)
    bare.bos_token = None
    without = LikelihoodScorer(causal_model, bare, start="none")
    assert [len(each) for each in without.token_log_probabilities(["he is old", "he"])] == [2, 0]
    assert [
        len(each) for each in LikelihoodScorer(causal_model, causal_tokenizer).token_log_probabilities(["he is old"])
    ] == [3]


@pytest.mark.parametrize("kind", ["masked", "causal"])
def test_padding_and_neighbours_change_nothing(kind, request):
    model, tokenizer = (request.getfixturevalue(f"{kind}_{part}") for part in ("model", "tokenizer"))
    scorer = LikelihoodScorer(model, tokenizer)
    together = scorer.token_log_probabilities(TEXTS)
    for text, each in zip(TEXTS, together, strict=True):
        assert scorer.token_log_probabilities([text])[0] == pytest.approx(each, abs=1e-4)
    turned = scorer.token_log_probabilities(TEXTS[::-1])
    assert np.concatenate(turned[::-1]) == pytest.approx(np.concatenate(together), abs=1e-4)
    assert scorer.token_log_probabilities([]) == []


def test_the_model_is_left_as_it_was(masked_model, masked_tokenizer):
    masked_model.train()
    found = LikelihoodScorer(masked_model, masked_tokenizer).token_log_probabilities(TEXTS[:1])[0]
    assert masked_model.training
    masked_model.eval()
    # Dropout was off while scoring, though the model was in training mode.
    assert found == pytest.approx(one_by_one(masked_model, masked_tokenizer, TEXTS[0]), abs=1e-4)


def test_places_that_are_asked_for(masked_model, masked_tokenizer):
    scorer = LikelihoodScorer(masked_model, masked_tokenizer)
    everything = scorer.token_log_probabilities(TEXTS[:1])[0]
    chosen = scorer.token_log_probabilities([TEXTS[0], TEXTS[0]], [[4, 1], []])
    assert chosen[0] == pytest.approx(everything[[3, 0]], abs=1e-5) and len(chosen[1]) == 0


def test_unknown_words_are_words(masked_model, masked_tokenizer):
    assert len(LikelihoodScorer(masked_model, masked_tokenizer).token_log_probabilities(["he is a zebra"])[0]) == 4


def test_texts_the_model_cannot_read_are_refused_and_empty_ones_have_no_tokens(
    masked_model, masked_tokenizer, causal_model, causal_tokenizer
):
    scorer = LikelihoodScorer(masked_model, masked_tokenizer)
    with pytest.raises(ValueError, match="at most 64 tokens, which this model can read, got one of 82"):
        scorer.token_log_probabilities(["he", "he " * 80])
    assert [len(each) for each in scorer.token_log_probabilities(["", "he"])] == [0, 1]
    bare = copy.deepcopy(causal_tokenizer)
    bare.bos_token = None
    without = LikelihoodScorer(causal_model, bare, start="none")
    assert [len(each) for each in without.token_log_probabilities(["", "he"])] == [0, 0]
    with pytest.raises(ValueError, match="at most 32 tokens"):
        LikelihoodScorer(causal_model, causal_tokenizer).token_log_probabilities(["he " * 32])


@given(st.integers(1, 80))
def test_a_question_of_any_length_is_answered_or_refused(masked_model, masked_tokenizer, length):
    scorer = LikelihoodScorer(masked_model, masked_tokenizer)
    questions = [Question([7] * length, length - 1, [8]), Question([7], 0, [8])]
    if length <= 64:
        assert all(np.isfinite(each).all() for each in scorer.answer(questions))
    else:
        with pytest.raises(ValueError, match=f"at most 64 tokens, which this model can read, got one of {length}"):
            scorer.answer(questions)


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=12))
def test_a_model_in_half_precision_still_gives_probabilities(masked_model, masked_tokenizer, words):
    """Over all tokens they sum to 1. With log Σ exp in bfloat16 each sum is off by up to 0.02."""
    scorer = LikelihoodScorer(copy.deepcopy(masked_model).to(torch.bfloat16), masked_tokenizer)
    every = list(range(scorer.model.config.vocab_size))
    ids = scorer.encode(" ".join(words))
    found = scorer.answer([Question(ids, place, every) for place in range(len(ids))])
    assert [np.exp(each).sum() for each in found] == pytest.approx([1] * len(ids), abs=1e-5)


@pytest.mark.parametrize(("dtype", "error"), [(torch.bfloat16, 1e-5), (torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_a_causal_models_log_probabilities_are_those_of_its_logits(dtype, error, causal_model, causal_tokenizer):
    scorer = LikelihoodScorer(copy.deepcopy(causal_model).to(dtype), causal_tokenizer)
    ids = torch.tensor([scorer.encode(TEXTS[3])])
    scorer.model.eval()
    with torch.no_grad():
        logits = scorer.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, :-1].double()
    theirs = logits.log_softmax(1)[torch.arange(len(logits)), ids[0, 1:]].numpy()
    assert scorer.token_log_probabilities(TEXTS[3:])[0] == pytest.approx(theirs, abs=error)


def test_a_model_from_a_folder(tmp_path, masked_model, masked_tokenizer, causal_model, causal_tokenizer):
    for model, tokenizer in ((masked_model, masked_tokenizer), (causal_model, causal_tokenizer)):
        folder = tmp_path / type(model).__name__
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        ours, saved = LikelihoodScorer(model, tokenizer), LikelihoodScorer(str(folder))
        assert saved.kind == ours.kind
        found = saved.token_log_probabilities(TEXTS[:1])[0]
        assert found == pytest.approx(ours.token_log_probabilities(TEXTS[:1])[0], abs=1e-5)


def test_models_that_predict_no_words_are_refused(masked_model, masked_tokenizer, causal_tokenizer):
    with pytest.raises(ValueError, match=r"got BertModel\. An encoder without its language head"):
        LikelihoodScorer(BertModel(masked_model.config), masked_tokenizer)
    with pytest.raises(ValueError, match="tokenizer with a mask for a masked model"):
        LikelihoodScorer(masked_model, causal_tokenizer)
    with pytest.raises(ValueError, match="kind='seq2seq'"):
        LikelihoodScorer(masked_model, masked_tokenizer, kind="seq2seq")


@given(st.lists(st.integers(1, 30), max_size=40), st.integers(1, 100))
def test_batches_hold_every_row_once_and_keep_their_size(lengths, tokens):
    found = [batch.tolist() for batch in batches(lengths, tokens)]
    assert sorted(place for batch in found for place in batch) == list(range(len(lengths)))
    for batch in found:
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= tokens


def test_the_benchmark_scores_the_same_one_by_one():
    pairs = [{"sent_more": "The old man is poor.", "sent_less": "The young man is poor.", "bias_type": "age"}] * 3
    rows = list(associating.measure_pll(pairs, part=2, repetitions=2, width=8, layers=1))
    assert [row["method"] for row in rows] == [associating.PLL, associating.ONE_BY_ONE]


def test_the_benchmarks_loop_gives_the_scores_of_pairs(masked_model, masked_tokenizer):
    scorer = LikelihoodScorer(masked_model, masked_tokenizer)
    pairs = [{"sent_more": "the old man is poor .", "sent_less": "the very young man is poor ."}]
    (row,) = score_pairs(scorer, pairs)
    assert [row["more"], row["less"]] == pytest.approx(associating.one_by_one(scorer, pairs)[0], abs=1e-3)
