"""Where a likelihood would be silently wrong: checkpoints by name, places, starts, ties, scores that are no numbers."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertForMaskedLM,
    BertModel,
    ElectraConfig,
    ElectraForPreTraining,
    GPT2Model,
    LlamaConfig,
    LlamaModel,
    RobertaConfig,
    RobertaModel,
)

from trustlab.course.n31_fairness_metrics import experiment as population
from trustlab.course.n31_fairness_metrics import real_models
from trustlab.fairness.contexts import ContextEncoder
from trustlab.fairness.likelihood import (
    LikelihoodScorer,
    crows_pairs,
    ilps,
    lpbs,
    score_clusters,
    score_pairs,
    stereoset,
)
from trustlab.fairness.likelihood.scoring import Question
from trustlab.models.encoder import EncoderTagger
from trustlab.models.pretrained import load_encoder, load_whole

SIZE = dict(vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
NUMBERS = st.sampled_from([math.nan, math.inf, -math.inf])


def saved(folder, model, tokenizer):
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def without_start(tokenizer, **special):
    bare = copy.deepcopy(tokenizer)
    bare.bos_token = None
    for name, token in special.items():
        setattr(bare, name, token)
    return bare


# Checkpoints by name


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (lambda: RobertaModel(RobertaConfig(**SIZE, pad_token_id=0)), "masked"),
        (lambda: ElectraForPreTraining(ElectraConfig(**SIZE, embedding_size=8)), "masked"),
        (lambda: LlamaModel(LlamaConfig(**SIZE, num_key_value_heads=2)), "causal"),
    ],
)
def test_a_checkpoint_without_its_language_head_is_refused_by_name(model, kind, tmp_path, masked_tokenizer):
    name = saved(tmp_path, model(), masked_tokenizer)
    for asked in (None, kind):
        with pytest.raises(ValueError, match=rf"every weight of .*, got '{tmp_path}' without .*random"):
            LikelihoodScorer(name, kind=asked)


def test_tied_heads_are_no_missing_weights(tmp_path, causal_model, causal_tokenizer):
    bare = GPT2Model(causal_model.config)
    bare.load_state_dict(causal_model.transformer.state_dict())
    ours = LikelihoodScorer(saved(tmp_path, bare, causal_tokenizer))
    theirs = LikelihoodScorer(causal_model, causal_tokenizer)
    found, expected = (each.token_log_probabilities(["he is old"])[0] for each in (ours, theirs))
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("lost", ["cls.predictions.transform.dense.bias", "bert.encoder.layer.1.output.dense.weight"])
def test_one_weight_that_is_missing_or_of_another_shape_is_named(tmp_path, masked_model, lost):
    state = masked_model.state_dict()
    masked_model.save_pretrained(tmp_path / "lacks", state_dict={k: v for k, v in state.items() if k != lost})
    cut = {name: value[:-1] if name == lost else value for name, value in state.items()}
    masked_model.save_pretrained(tmp_path / "shape", state_dict=cut)
    for folder in ("lacks", "shape"):
        with pytest.raises(ValueError, match=f"without .*{lost}"):
            load_whole(AutoModelForMaskedLM, tmp_path / folder)


def test_an_encoder_without_a_pooler_gets_none_and_always_the_same_fingerprint(
    tmp_path, masked_model, masked_tokenizer
):
    name = saved(tmp_path, masked_model, masked_tokenizer)
    assert load_encoder(name).pooler is None
    first, second = (ContextEncoder(name).identity() for _ in range(2))
    assert first == second


def test_a_model_in_the_home_is_found_by_its_short_path(tmp_path, monkeypatch, masked_model, masked_tokenizer):
    """transformers takes ~ for a name on its hub."""
    saved(tmp_path / "bert", masked_model, masked_tokenizer)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert LikelihoodScorer("~/bert").kind == "masked"
    assert ContextEncoder("~/bert").identity() == ContextEncoder(tmp_path / "bert").identity()
    assert population._pretrained("~/bert")[0].config.vocab_size == masked_model.config.vocab_size
    assert real_models.pretrained("~/bert")[0].config.vocab_size == masked_model.config.vocab_size


def test_encoders_and_seq2seq_models_with_lost_layers_are_refused(tmp_path, masked_model):
    encoder = BertModel(masked_model.config)
    kept = {name: value for name, value in encoder.state_dict().items() if "layer.1." not in name}
    encoder.save_pretrained(tmp_path / "encoder", state_dict=kept)
    with pytest.raises(ValueError, match=r"without encoder\.layer\.1"):
        EncoderTagger(2, 2, encoder=str(tmp_path / "encoder"))
    size = dict(d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2)
    bart = BartForConditionalGeneration(BartConfig(vocab_size=40, max_position_embeddings=32, **size))
    kept = {name: value for name, value in bart.state_dict().items() if "decoder.layers" not in name}
    bart.save_pretrained(tmp_path / "bart", state_dict=kept)
    with pytest.raises(ValueError, match=r"without model\.decoder\.layers"):
        load_whole(AutoModelForSeq2SeqLM, tmp_path / "bart")


def test_a_kind_that_the_model_is_not_is_refused(tmp_path, masked_model, masked_tokenizer, causal_model):
    with pytest.raises(ValueError, match="got BertForMaskedLM, which is the other"):
        LikelihoodScorer(masked_model, masked_tokenizer, kind="causal")
    with pytest.raises(ValueError, match="got GPT2LMHeadModel, which is the other"):
        LikelihoodScorer(causal_model, masked_tokenizer, kind="masked")
    with pytest.raises(ValueError, match=r"is_decoder=False\. It sees the token that it should predict"):
        LikelihoodScorer(saved(tmp_path, masked_model, masked_tokenizer), kind="causal")


def test_a_tokenizer_of_another_model_is_refused(masked_tokenizer):
    small = BertForMaskedLM(BertConfig(**(SIZE | {"vocab_size": 10})))
    with pytest.raises(ValueError, match=r"token ids below 10, which this model has, got \d\d"):
        LikelihoodScorer(small, masked_tokenizer).token_log_probabilities(["he likes flowers"])


# Places


@pytest.mark.parametrize("kind", ["masked", "causal"])
@pytest.mark.parametrize("places", [[-1], [9], [1.0], [True, False], [None]])
def test_places_that_point_at_no_token_are_refused(kind, places, request):
    scorer = LikelihoodScorer(*(request.getfixturevalue(f"{kind}_{part}") for part in ("model", "tokenizer")))
    with pytest.raises(ValueError, match="place"):
        scorer.token_log_probabilities(["he is old"], [places])
    with pytest.raises(ValueError, match="Expected places in each of 1 texts, got 2"):
        scorer.token_log_probabilities(["he is old"], [[1], [1]])
    with pytest.raises(ValueError, match="one text"):
        scorer.token_log_probabilities("he is old")


def test_the_first_token_of_a_causal_model_has_no_probability(causal_model, causal_tokenizer):
    with pytest.raises(ValueError, match="Expected places >= 1 for a causal model, got 0"):
        LikelihoodScorer(causal_model, causal_tokenizer).token_log_probabilities(["he is old"], [[1, 0]])


def test_a_question_at_no_place_is_refused(masked_model, masked_tokenizer):
    with pytest.raises(ValueError, match="Expected every place >= 0 and < 2, got -1"):
        LikelihoodScorer(masked_model, masked_tokenizer).answer([Question([7, 8], -1, [8])])


# What stands before the first word


def log_p(model, ids):
    """Σ log P of all but the first of `ids`, by a plain forward."""
    model.eval()
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids])).logits[0].double().log_softmax(-1)
    return sum(logits[i - 1, ids[i]].item() for i in range(1, len(ids)))


PAIR = {"sent_more": "she is old .", "sent_less": "the nurse is old .", "bias_type": "age"}


def test_without_a_start_token_the_end_of_text_stands_in_front_and_is_named(causal_model, causal_tokenizer):
    scorer = LikelihoodScorer(causal_model, without_start(causal_tokenizer, eos_token="[PAD]"))
    (row,) = score_pairs(scorer, [PAIR])
    for side in ("more", "less"):
        words = causal_tokenizer(PAIR[f"sent_{side}"])["input_ids"]
        assert row[side] == pytest.approx(log_p(causal_model, [0, *words]), abs=1e-4)
    assert "end-of-text token '[PAD]'" in row["rule"]
    assert crows_pairs([row])[0]["rule"] == row["rule"]


def test_the_start_can_be_chosen_or_left_out_by_name(causal_model, causal_tokenizer):
    bare = without_start(causal_tokenizer)
    words = causal_tokenizer(PAIR["sent_more"])["input_ids"]
    (row,) = score_pairs(LikelihoodScorer(causal_model, bare, start="[UNK]"), [PAIR])
    assert row["more"] == pytest.approx(log_p(causal_model, [1, *words]), abs=1e-4)
    assert "after the token '[UNK]'" in row["rule"]
    (row,) = score_pairs(LikelihoodScorer(causal_model, bare, start="none"), [PAIR])
    assert row["more"] == pytest.approx(log_p(causal_model, words), abs=1e-4)
    assert "first token left out" in row["rule"]
    with pytest.raises(ValueError, match="start or an end-of-text token, got TokenizersBackend with neither"):
        LikelihoodScorer(causal_model, bare)
    with pytest.raises(ValueError, match="start='<s>'"):
        LikelihoodScorer(causal_model, bare, start="<s>")


# Ties and scores that are no numbers


def deaf(model):
    """A model whose answer does not depend on what it reads: its scores of shared words are all ties."""
    model = copy.deepcopy(model)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "embeddings" in name or ".wte" in name or ".wpe" in name:
                continue
            if name.endswith(("decoder.bias", "predictions.bias")):
                parameter.add_(3 * torch.randn_like(parameter))
        for layer in model.bert.encoder.layer:
            layer.output.LayerNorm.weight.mul_(1e-6)  # what was read is left as noise
    return model


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_tie_is_judged_above_the_noise_of_batching(dtype, masked_model, masked_tokenizer):
    torch.manual_seed(1)
    model = deaf(masked_model).to(dtype)
    pairs = [
        {"sent_more": f"the old {a} is {b} {c} .", "sent_less": f"she is {b} {c} .", "bias_type": "age"}
        for a in ("man", "woman", "pilot")
        for b in ("very", "not")
        for c in ("rich", "poor", "young")
    ]
    for size in (8, 64, 10_000):
        scorer = LikelihoodScorer(model, masked_tokenizer, batch_tokens=size)
        found = crows_pairs(score_pairs(scorer, pairs))[0]
        assert (found["score"], found["neutral"]) == (50, len(pairs))


@pytest.mark.parametrize("kind", ["masked", "causal"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_the_noise_that_is_said_is_above_the_one_that_is(kind, dtype, request):
    model, tokenizer = (request.getfixturevalue(f"{kind}_{part}") for part in ("model", "tokenizer"))
    model = copy.deepcopy(model).to(dtype)
    texts = ["he is old", "the old doctor and the young pilot likes flowers .", "she", "the cat sat down , very poor ."]
    together = LikelihoodScorer(model, tokenizer).token_log_probabilities(texts)
    scorer = LikelihoodScorer(model, tokenizer)
    for text, each in zip(texts, together, strict=True):
        alone = scorer.token_log_probabilities([text])[0]
        assert abs(alone - each).max() <= scorer.noise
        assert abs(alone.sum() - each.sum()) <= scorer.noise * math.sqrt(len(each))


def test_pairs_with_nothing_to_score_are_refused(masked_model, masked_tokenizer):
    scorer = LikelihoodScorer(masked_model, masked_tokenizer)
    for pair in ({"sent_more": "he", "sent_less": "she"}, {"sent_more": "", "sent_less": "she"}):
        with pytest.raises(ValueError, match=r"in both sentences of each of 2 pairs, got none in 1 \(first: pair 1\)"):
            list(score_pairs(scorer, [PAIR, pair]))


@given(NUMBERS, st.sampled_from(["more", "less"]), st.integers(1, 5), st.booleans())
def test_a_score_that_is_not_finite_is_never_no_preference(bad, side, pairs, everywhere):
    rows = [{"bias_type": "age", "more": -1.0, "less": -2.0} for _ in range(pairs)]
    for row in rows if everywhere else rows[-1:]:
        row[side] = bad
    with pytest.raises(ValueError, match=f"finite '{side}' score"):
        crows_pairs(rows)


@given(NUMBERS, st.sampled_from("sau"))
def test_stereoset_refuses_scores_that_are_not_finite(bad, name):
    ids = {"stereotype_id": "s", "anti_stereotype_id": "a", "unrelated_id": "u"}
    cluster = {"kind": "intrasentence", "domain": "gender", "target": "nurse"} | ids
    with pytest.raises(ValueError, match="infinity is no score"):
        stereoset([cluster], {"s": -1.0, "a": -2.0, "u": -3.0} | {name: bad})


@pytest.mark.parametrize("kind", ["masked", "causal"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_damaged_model_is_found_out(kind, bad, request):
    model, tokenizer = (request.getfixturevalue(f"{kind}_{part}") for part in ("model", "tokenizer"))
    model = copy.deepcopy(model)
    with torch.no_grad():
        next(parameter for parameter in model.parameters() if parameter.ndim == 1)[0] = bad
    with pytest.raises(ValueError, match="Expected finite log-probabilities, got"):
        LikelihoodScorer(model, tokenizer).token_log_probabilities(["he is old"])


# StereoSet by the authors' rules


def authors_counts(s, a, u):
    """SS and LMS of one cluster as moinnadeem/StereoSet's evaluation.py counts them."""
    return 100.0 * (s > a), 50.0 * ((s > u) + (a > u))


@given(*[st.integers(-2, 2)] * 3)
def test_ties_by_the_authors_rule(s, a, u):
    ids = {"stereotype_id": "s", "anti_stereotype_id": "a", "unrelated_id": "u"}
    cluster = {"kind": "intrasentence", "domain": "gender", "target": "nurse"} | ids
    scores = {"s": float(s), "a": float(a), "u": float(u)}
    row = stereoset([cluster], scores, rules="authors")[0]
    assert (row["ss"], row["lms"]) == authors_counts(s, a, u)
    assert "for the anti-stereotype" in row["rules"] and "half" in stereoset([cluster], scores)[0]["rules"]
    with pytest.raises(ValueError, match="rules='theirs'"):
        stereoset([cluster], scores, rules="theirs")


def test_the_authors_score_is_the_mean_over_tokens_and_results_say_so(causal_model, causal_tokenizer):
    cluster = {
        **{"kind": "intrasentence", "domain": "gender", "target": "nurse", "context": "the nurse is BLANK ."},
        **{"stereotype": "the nurse is a very old woman .", "stereotype_id": "s"},
        **{"anti_stereotype": "the nurse is rich .", "anti_stereotype_id": "a"},
        **{"unrelated": "the nurse is flowers .", "unrelated_id": "u"},
    }
    scorer = LikelihoodScorer(causal_model, causal_tokenizer)
    ours, theirs = (score_clusters(scorer, [cluster], rules=rules) for rules in ("ours", "authors"))
    for label in ("stereotype", "anti_stereotype", "unrelated"):
        ids = [5, *causal_tokenizer(cluster[label])["input_ids"]]
        total = log_p(causal_model, ids)
        assert ours[cluster[f"{label}_id"]] == pytest.approx(total, abs=1e-4)
        assert theirs[cluster[f"{label}_id"]] == pytest.approx(total / (len(ids) - 1), abs=1e-5)
    rules = [stereoset([cluster], scores)[0]["rules"] for scores in (ours, theirs)]
    assert rules[0].startswith("sum of log P") and rules[1].startswith("mean log P")
    assert "after the start token '[BOS]'" in rules[0]
    assert np.isfinite(list(theirs.values())).all()


# One text for a list, one word for two groups


@pytest.mark.parametrize("place", range(3))
def test_templates_targets_and_attributes_are_lists(masked_model, masked_tokenizer, place):
    """Of "he" the targets would be "h" and "e", and nothing would be said."""
    scorer = LikelihoodScorer(masked_model, masked_tokenizer)
    asked = [["{target} is {attribute}"], ["he", "she"], ["a nurse"]]
    asked[place] = asked[place][0]
    with pytest.raises(ValueError, match="one text"):
        list(ilps(scorer, *asked))
    for first, second in (("he", ["she"]), (["he"], "she")):
        with pytest.raises(ValueError, match="one text"):
            list(lpbs(scorer, ["{target} is {attribute}"], first, second, ["a nurse"]))


def test_a_target_is_of_one_group(masked_model, masked_tokenizer):
    scorer = LikelihoodScorer(masked_model, masked_tokenizer)
    with pytest.raises(ValueError, match="every word once in the targets, got he twice"):
        list(lpbs(scorer, ["{target} is {attribute}"], ["he", "man"], ["she", "he"], ["a nurse"]))
