"""Teachers by name: a tiny GPT-2 and DistilGPT-2's shape, from a folder and from the hub's cache, offline."""

import pytest
import torch
from huggingface_hub import constants
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, GPT2Config, GPT2LMHeadModel, GPT2TokenizerFast

from trustlab.fairness.distillation import distill, student_of

from .conftest import randomised

SMALL = dict(steps=4, batch_size=4, row_every=2, max_length=24)
END = "<|endoftext|>"


def gpt2_tokenizer(texts):
    """Byte-level BPE as GPT-2 has it, with one special token."""
    whole = Tokenizer(models.BPE())
    whole.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    whole.decoder = decoders.ByteLevel()
    start = pre_tokenizers.ByteLevel.alphabet()
    whole.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=320, initial_alphabet=start, special_tokens=[END]))
    return GPT2TokenizerFast(tokenizer_object=whole, bos_token=END, eos_token=END, unk_token=END)


@pytest.fixture
def saved(texts):
    """Save GPT-2 and DistilGPT-2, narrow but as deep as the published ones, where `transformers` finds those names."""
    tokenizer = gpt2_tokenizer(texts)
    torch.manual_seed(4)
    size = dict(vocab_size=len(tokenizer), n_positions=64, n_embd=24, n_head=12, bos_token_id=0, eos_token_id=0)
    found = {name: randomised(GPT2LMHeadModel(GPT2Config(**size, n_layer=n))) for name, n in
             (("gpt2", 12), ("distilgpt2", 6))}  # fmt: skip

    def write(place):
        for name, model in found.items():
            model.save_pretrained(place(name))
            tokenizer.save_pretrained(place(name))
        return found["gpt2"], tokenizer

    return write


def in_folder(write, root, monkeypatch):
    monkeypatch.chdir(root)
    return write(lambda name: root / name)


def in_cache(write, root, monkeypatch):
    """Lay the files out as the hub's client keeps what it fetched, and forbid it to ask the hub."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(root))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    revision = 40 * "a"

    def place(name):
        folder = root / f"models--{name}"
        (folder / "refs").mkdir(parents=True, exist_ok=True)
        (folder / "refs" / "main").write_text(revision)
        return folder / "snapshots" / revision

    return write(place)


@pytest.mark.parametrize("kept", [in_folder, in_cache])
def test_gpt2_by_name_is_distilled_to_half_its_layers(kept, saved, texts, tmp_path, monkeypatch):
    teacher, tokenizer = kept(saved, tmp_path, monkeypatch)
    *_, last = distill("gpt2", None, texts, reversal="mean", **SMALL)
    assert last["student"].config.num_hidden_layers == 6 and last["step"] == 4
    *_, given = distill(teacher, AutoConfig.from_pretrained("distilgpt2"), texts, tokenizer=tokenizer, reversal="mean",
                        **SMALL)  # fmt: skip
    assert (last["kl"], last["ce"], last["tokens"]) == (given["kl"], given["ce"], given["tokens"])
    of_name, of_model = (each["student"].state_dict() for each in (last, given))
    assert all(torch.equal(value, of_model[name]) for name, value in of_name.items())


def test_distilgpt2_has_the_shape_of_a_student_and_begins_as_every_other_layer(saved, tmp_path, monkeypatch):
    teacher, _ = in_folder(saved, tmp_path, monkeypatch)
    student = student_of(teacher, AutoConfig.from_pretrained("distilgpt2"))
    rows = [layer.mlp.c_fc.weight for layer in teacher.transformer.h]
    begun = [next(i for i, row in enumerate(rows) if torch.equal(row, layer.mlp.c_fc.weight))
             for layer in student.transformer.h]  # fmt: skip
    assert begun == [0, 2, 4, 7, 9, 11]


def test_a_name_that_leads_to_no_language_model_is_refused_before_any_step(saved, texts, tmp_path, monkeypatch):
    teacher, _ = in_folder(saved, tmp_path, monkeypatch)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(OSError, match="find them in the cached files"):
        distill("gpt3", None, texts, **SMALL)
    weights = {name: each for name, each in teacher.state_dict().items() if "h.7.mlp" not in name}
    teacher.save_pretrained(tmp_path / "damaged", state_dict=weights)
    with pytest.raises(ValueError, match=r"every weight of GPT2LMHeadModel, got 'damaged' without .*h\.7\.mlp"):
        distill("damaged", None, texts, **SMALL)


def test_a_model_without_its_tokenizer_is_refused(teacher, texts):
    with pytest.raises(ValueError, match=r"Expected the tokenizer of the teacher, got none with .*LM"):
        distill(teacher, None, texts, **SMALL)
