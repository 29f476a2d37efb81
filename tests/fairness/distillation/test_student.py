"""A student begins as some of its teacher's layers, in both families; and who cannot be teacher and student."""

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, GPT2Config, GPT2Model, LlamaConfig

from trustlab.fairness.distillation import half_depth, student_of

from .conftest import FAMILIES, gpt2, llama

IDS = torch.tensor([[2, 5, 7, 9], [3, 4, 5, 6]])
BERT = dict(vocab_size=30, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)


def test_a_student_as_deep_as_its_teacher_predicts_the_same(teacher):
    student = student_of(teacher, teacher.config)
    torch.testing.assert_close(student(IDS).logits, teacher(IDS).logits)


@pytest.mark.parametrize(("layers", "expected"), [("even", [0, 2, 5]), ("first", [0, 1, 2])])
@pytest.mark.parametrize("family", FAMILIES)
def test_its_layers_are_the_named_ones_and_all_else_is_the_teachers(family, layers, expected):
    teacher = FAMILIES[family](layers=6)
    config = half_depth(teacher.config)
    student = student_of(teacher, config, layers=layers)
    name = {"gpt2": "transformer.h", "llama": "model.layers"}[family]
    for own, there in enumerate(expected):
        weights = teacher.get_submodule(f"{name}.{there}").state_dict()
        for key, value in student.get_submodule(f"{name}.{own}").state_dict().items():
            assert (value == weights[key]).all()
    of_teacher = teacher.state_dict()
    rest = {key for key in student.state_dict() if not key.startswith(f"{name}.")}
    assert rest == {key for key in of_teacher if not key.startswith(f"{name}.")}
    assert all((student.state_dict()[key] == of_teacher[key]).all() for key in rest)
    assert teacher.config.num_hidden_layers == 6 and student.config.num_hidden_layers == 3


def test_what_the_student_learns_does_not_reach_the_teacher(teacher):
    before = teacher(IDS).logits.clone()
    with torch.no_grad():
        for parameter in student_of(teacher, half_depth(teacher.config)).parameters():
            parameter.zero_()
    assert (teacher(IDS).logits == before).all()


def test_torchs_generator_is_left_as_it_was(teacher):
    before = torch.get_rng_state()
    student_of(teacher, half_depth(teacher.config))
    assert (torch.get_rng_state() == before).all()


def test_half_of_layers_that_are_not_alike():
    config = LlamaConfig(num_hidden_layers=4)
    config.layer_types = ["full", "sliding", "full", "window"]
    assert half_depth(config).layer_types == ["full", "window"] and len(config.layer_types) == 4


def wider(config, **changes):
    for name, value in changes.items():
        setattr(config, name, value)
    return config


@pytest.mark.parametrize(
    ("teacher", "config", "said"),
    [
        (GPT2Model(gpt2().config), gpt2().config, "a teacher with a language head, got GPT2Model"),
        (torch.nn.Linear(2, 2), gpt2().config, "a teacher with a language head, got Linear"),
        (
            BertForMaskedLM(BertConfig(**BERT)),
            BertConfig(**BERT),
            "Expected kind='causal' to be that of the model, got BertForMaskedLM",
        ),
        (gpt2(), llama().config, "of the teacher's family 'gpt2', got 'llama'"),
        (gpt2(), "gpt2", "of the teacher's family 'gpt2', got 'str'"),
        (gpt2(), gpt2(words=50).config, "the teacher's vocabulary of 33 words, got 50"),
        (gpt2(), gpt2(layers=5).config, "a student of 1 to 4 layers, got 5"),
        (gpt2(), wider(half_depth(gpt2().config), n_layer=0), "a student of 1 to 4 layers, got 0"),
        (gpt2(), wider(half_depth(gpt2().config), n_embd=8), r"as wide as its teacher, got \S+ of \(33, 8\)"),
        (gpt2(), wider(half_depth(gpt2().config), n_positions=64), r"got \S+ of \(64, 16\) for \(32, 16\)"),
    ],
)
def test_what_is_refused(teacher, config, said):
    with pytest.raises(ValueError, match=said):
        student_of(teacher, config)


def test_a_model_without_a_list_of_layers_is_refused():
    teacher = gpt2()
    teacher.config = GPT2Config(**teacher.config.to_dict() | {"n_layer": 9})
    with pytest.raises(ValueError, match="a list of its 9 layers, got none in GPT2LMHeadModel"):
        student_of(teacher, half_depth(teacher.config))
