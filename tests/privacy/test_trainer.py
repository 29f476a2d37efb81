"""transformers' Trainer with private steps: equal to `train`, resumed exactly, and refused where ε would not hold."""

import dataclasses
import importlib.util
import math
import re
import stat
from types import SimpleNamespace

import peft
import pytest
import torch
from datasets import Dataset
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    MixtralConfig,
    MixtralForCausalLM,
    Trainer,
    TrainingArguments,
    default_data_collator,
    get_scheduler,
)

from trustlab.batches import as_examples
from trustlab.privacy import statement, train
from trustlab.privacy import trainer as module
from trustlab.privacy.labelled_loss import FEW, IGNORED, check_own_loss, labelled_loss
from trustlab.privacy.trainer import FILE, PrivateTrainer
from trustlab.privacy.trainer_options import FINE, READ, REASONS, TRAINS
from trustlab.versions import ROOT

SIZES = dict(vocab_size=30, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
IDS = torch.randint(3, 30, (60, 6), generator=torch.Generator().manual_seed(0))
ROWS = Dataset.from_list([
    {"input_ids": ids.tolist(), "attention_mask": [1] * 6, "labels": int(ids[0]) % 3, "of no use": "a text"}
    for ids in IDS
])  # fmt: skip
TAKEN = ROWS.remove_columns("of no use")
PRIVACY = dict(epsilon=8.0, delta=1e-3, accountant="rdp")
STEPS = 10


def classifier(**more):
    """A model with dropout, so that torch's global generator matters too."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return BertForSequenceClassification(BertConfig(**SIZES, max_position_embeddings=16, num_labels=3, **more))


def arguments(folder, **more):
    basis = dict(per_device_train_batch_size=12, num_train_epochs=2, learning_rate=0.01, max_grad_norm=0.3, seed=7)
    quiet = dict(report_to="none", disable_tqdm=True, use_cpu=True, save_strategy="no", logging_steps=5)
    return TrainingArguments(**{**basis, **quiet, "output_dir": str(folder), **more})


def trainer(folder, model=None, dataset=ROWS, privacy=PRIVACY, kind=PrivateTrainer, own=None, **more):
    return kind(model or classifier(), arguments(folder, **more), train_dataset=dataset, privacy=privacy, **(own or {}))


def weights(model):
    return torch.cat([value.flatten() for value in model.state_dict().values()])


def nothing(model, examples):
    return {"accuracy": 0.0}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A training that nothing interrupts, with its checkpoints."""
    made = trainer(tmp_path_factory.mktemp("whole"), save_strategy="steps", save_steps=3)
    return made, made.train()


# Equal to train


@pytest.mark.parametrize("bf16", [False, True], ids=["fp32", "bf16"])
def test_it_has_the_weights_and_the_epsilon_of_train(bf16, whole, tmp_path):
    made = whole[0]
    if bf16:
        made = trainer(tmp_path, bf16=True)
        made.train()
    model = classifier()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        *_, last = train(
            model, {"train": TAKEN, "validation": TAKEN}, made.config, per_example_loss=labelled_loss,
            evaluate=nothing, collate_fn=default_data_collator,
            optimizer=lambda parameters: torch.optim.AdamW(parameters, lr=0.01, weight_decay=0.0, fused=True),
            scheduler=lambda optimizer: get_scheduler("linear", optimizer, 0, STEPS),
        )  # fmt: skip
    assert torch.equal(weights(made.model), weights(model))
    assert last["step"] == made.state.global_step == STEPS
    assert made.epsilon == last["epsilon"] and 7 < made.epsilon <= 8
    assert made.epsilon <= statement(made.config, len(ROWS)).epsilon <= 8  # rounded up


def test_epsilon_is_logged_and_what_it_does_not_cover_is_not(whole):
    made, output = whole
    logs = made.state.log_history
    assert [entry["step"] for entry in logs] == [5, 10, 10]
    assert 0 < logs[0]["epsilon"] < logs[1]["epsilon"] == made.epsilon == output.metrics["epsilon"]
    assert not any("loss" in name or "flos" in name for entry in logs for name in entry if entry.get("total_flos") != 0)
    assert made.state.total_flos == 0 and made.state.num_input_tokens_seen == 0 and math.isnan(output.training_loss)


def test_the_noisy_sum_is_not_clipped_to_the_clip_norm(whole):
    made = whole[0]
    assert all(entry["grad_norm"] > made.args.max_grad_norm for entry in made.state.log_history if "grad_norm" in entry)


def test_evaluation_is_trainers_own(tmp_path):
    made = trainer(
        tmp_path, own=dict(eval_dataset=ROWS, compute_metrics=lambda given: {"labels": len(given.label_ids)}),
        eval_strategy="epoch", lr_scheduler_type="reduce_lr_on_plateau", metric_for_best_model="loss",
    )  # fmt: skip
    made.train()
    measured = [entry for entry in made.state.log_history if "eval_loss" in entry]
    assert [entry["eval_labels"] for entry in measured] == [60, 60] and measured[0]["epsilon"] < measured[1]["epsilon"]


# Going on


@pytest.mark.parametrize("step", [3, 6, 9])
def test_a_resumed_training_equals_an_uninterrupted_one(step, whole, tmp_path):
    made = trainer(tmp_path, model=classifier(classifier_dropout=None), save_strategy="steps", save_steps=3)
    with torch.no_grad():
        made.model.classifier.weight.zero_()  # the weights are the checkpoint's
    torch.rand(5)  # whatever else the process draws
    folder = f"{whole[0].args.output_dir}/checkpoint-{step}"
    assert stat.S_IMODE((module.Path(folder) / FILE).stat().st_mode) == 0o600
    made.train(resume_from_checkpoint=folder)
    assert torch.equal(weights(made.model), weights(whole[0].model))
    assert made.epsilon == whole[0].epsilon


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        (dict(learning_rate=0.02), "learning_rate is 0.01 there and 0.02 here"),
        (dict(seed=8), "seed is 7 there and 8 here"),
        (dict(lr_scheduler_type="constant"), "lr_scheduler_type is"),
        (dict(privacy=PRIVACY | dict(epsilon=3.0)), "epsilon is 8.0 there and 3.0 here"),
        (dict(dataset=ROWS.select(range(59))), "train data is 60 examples"),
    ],
    ids=lambda value: next(iter(value), "") if isinstance(value, dict) else "",
)
def test_another_training_does_not_resume(changes, differs, whole, tmp_path):
    with pytest.raises(ValueError, match=re.escape(differs)):
        trainer(tmp_path, **changes).train(resume_from_checkpoint=f"{whole[0].args.output_dir}/checkpoint-3")


def test_a_checkpoint_without_the_noise_s_state_is_refused(tmp_path):
    plain = Trainer(classifier(), arguments(tmp_path, save_strategy="steps", save_steps=5), train_dataset=ROWS)
    plain.train()
    with pytest.raises(ValueError, match=f"Expected {FILE} in .*checkpoint-10, got none. What its steps spent"):
        trainer(tmp_path).train(resume_from_checkpoint=True)


def test_a_second_training_is_refused_because_it_would_repeat_the_noise(whole):
    with pytest.raises(ValueError, match="Expected one training by a PrivateTrainer, got another"):
        whole[0].train()


# Options


@pytest.mark.parametrize(
    "option",
    [
        dict(gradient_accumulation_steps=2),
        dict(max_steps=5),
        dict(label_smoothing_factor=0.1),
        dict(auto_find_batch_size=True),
        dict(train_sampling_strategy="group_by_length"),
        dict(train_sampling_strategy="sequential"),
        dict(dataloader_drop_last=True),
        dict(data_seed=3),
        dict(include_num_input_tokens_seen="all"),
        dict(push_to_hub=True),
        dict(torch_compile=True),
        dict(neftune_noise_alpha=5.0),
        dict(ignore_data_skip=True),
        dict(fp16=True),
    ],
    ids=lambda option: next(iter(option)),
)
def test_options_with_which_epsilon_would_not_hold_are_refused_by_name(option, tmp_path):
    (name,) = option
    made = trainer(tmp_path)
    setattr(made.args, name, option[name])
    with pytest.raises(ValueError, match=f"Expected {name}=.*, got .*{re.escape(REASONS.get(name, 'is not known'))}"):
        module.check_arguments(made.args)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (dict(num_train_epochs=2.5), "Expected num_train_epochs=2.5 to be a whole number"),
        (dict(max_grad_norm=0.0), "Expected max_grad_norm=0.0 > 0. It is the norm to which each example's"),
        (dict(gradient_accumulation_steps=4), "physical_batch=...) computes that many examples at once"),
        (dict(privacy=dict(batch_size=5)), "It is per_device_train_batch_size of TrainingArguments"),
        (dict(privacy=dict(eps=5)), "Expected options of TrainConfig in privacy, got 'eps'"),
        (dict(own=dict(compute_loss_func=len)), "got compute_loss or compute_loss_func"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused_when_the_trainer_is_made(option, message, tmp_path):
    with pytest.raises(ValueError, match=re.escape(message)):
        trainer(tmp_path, **option)


def test_more_than_one_device_is_refused(tmp_path):
    made = arguments(tmp_path)
    made._n_gpu = 2  # as Trainer notes it for DataParallel
    with pytest.raises(ValueError, match="Expected one device and one process, got parallel_mode='not_distributed'"):
        module.check_arguments(made)


def test_an_optimizer_that_steps_within_the_backward_is_refused(tmp_path):
    made = arguments(tmp_path)
    made.optim = "galore_adamw_layerwise"
    with pytest.raises(ValueError, match=r"got optim='galore_adamw_layerwise'. It would step on gradients"):
        module.check_arguments(made)


@pytest.mark.parametrize("name", ["compute_loss", "training_step", "get_train_dataloader", "_get_train_sampler"])
def test_a_subclass_whose_own_step_or_sampler_would_not_be_used_is_refused(name, tmp_path):
    kind = type("Own", (PrivateTrainer,), {name: lambda self, *given, **options: None})
    with pytest.raises(ValueError, match=r"per_example_loss|a subclass without"):
        trainer(tmp_path, kind=kind)


def test_every_option_was_looked_at_and_one_of_a_later_version_must_keep_its_default(tmp_path):
    known = {field.name for field in dataclasses.fields(TrainingArguments)}
    assert known >= FINE and REASONS.keys() <= known and set(READ.values()) <= known and set(TRAINS) <= known
    assert not FINE & REASONS.keys()

    @dataclasses.dataclass
    class Later(TrainingArguments):
        share_batches: bool = False

    module.check_arguments(Later(output_dir=str(tmp_path), use_cpu=True))
    with pytest.raises(ValueError, match="Expected share_batches=False, got True"):
        module.check_arguments(Later(output_dir=str(tmp_path), use_cpu=True, share_batches=True))


def test_data_without_examples_or_with_a_delta_too_large_is_refused(tmp_path):
    with pytest.raises(ValueError, match="Expected a train_dataset, got none"):
        trainer(tmp_path, dataset=None).train()
    with pytest.raises(ValueError, match=r"Expected delta=0\.1 < 1/N"):
        trainer(tmp_path, privacy=dict(epsilon=8.0, delta=0.1)).train()


def test_without_accelerate_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    spec = importlib.util.spec_from_file_location("without", module.__file__)
    with pytest.raises(ModuleNotFoundError, match=r"install trustlab\[trainer\]"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


# Losses and padding


def writer(kind, config):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return kind(config)


GPT2 = GPT2Config(vocab_size=30, n_embd=8, n_layer=1, n_head=2, n_positions=16, bos_token_id=1, eos_token_id=2)
TEXTS = [{"input_ids": ids[: 3 + i % 4].tolist()} for i, ids in enumerate(IDS)]


def padded(rows, ignored=IGNORED, masked=True):
    """Pad on the right, as a collator for language models does."""
    longest = max(len(row["input_ids"]) for row in rows)
    ids = torch.tensor([row["input_ids"] + [0] * (longest - len(row["input_ids"])) for row in rows])
    batch = {"input_ids": ids, "labels": ids.masked_fill(ids == 0, ignored)}
    return batch | ({"attention_mask": (ids != 0).long()} if masked else {})


def test_a_language_model_trains_on_texts_of_different_length(tmp_path):
    made = trainer(
        tmp_path, model=writer(GPT2LMHeadModel, GPT2), dataset=TEXTS, own=dict(data_collator=padded), num_train_epochs=1
    )
    before = weights(made.model)
    made.train()
    assert not torch.equal(weights(made.model), before) and made.state.global_step == 5


@pytest.mark.parametrize("recomputed", [False, True], ids=["kept", "recomputed"])
def test_an_adapter_trains_and_the_model_around_it_does_not(recomputed, tmp_path):
    base = writer(GPT2LMHeadModel, GPT2)
    before = weights(base)
    adapted = peft.get_peft_model(base, peft.LoraConfig(r=2, target_modules=["c_attn"], fan_in_fan_out=True))
    made = trainer(
        tmp_path, model=adapted, dataset=TEXTS, own=dict(data_collator=padded), num_train_epochs=1,
        gradient_checkpointing=recomputed,
    )  # fmt: skip
    made.train()
    trained = [parameter for parameter in adapted.parameters() if parameter.requires_grad]
    assert trained and all(parameter.abs().sum() > 0 for parameter in trained)  # B began with zeros
    with adapted.disable_adapter():
        assert torch.equal(weights(adapted.unload()), before)


def test_padding_that_changes_other_examples_losses_is_refused(tmp_path):
    """The mean over the padding too: the longest text would change the gradients of all others."""

    def with_padding(rows):
        return padded(rows, ignored=0)

    made = trainer(tmp_path, model=writer(GPT2LMHeadModel, GPT2), dataset=TEXTS, own=dict(data_collator=with_padding))
    with pytest.raises(ValueError, match=r"Expected an example to have the loss that it has alone, got .* collate_fn"):
        made.train()
    with pytest.raises(ValueError, match="Expected an example to have the loss that it has alone"):
        train(
            writer(GPT2LMHeadModel, GPT2), {"train": TEXTS, "validation": TEXTS}, made.config,
            per_example_loss=labelled_loss, evaluate=nothing, collate_fn=with_padding,
        )  # fmt: skip


def test_a_collator_that_draws_is_not_compared(tmp_path):
    def masking(rows):
        batch = padded(rows)
        return batch | {"input_ids": batch["input_ids"].masked_fill(torch.rand(batch["input_ids"].shape) < 0.3, 3)}

    made = trainer(
        tmp_path, model=writer(GPT2LMHeadModel, GPT2), dataset=TEXTS, own=dict(data_collator=masking),
        num_train_epochs=1, save_strategy="steps", save_steps=2,
    )  # fmt: skip
    made.train()
    again = trainer(
        tmp_path, model=writer(GPT2LMHeadModel, GPT2), dataset=TEXTS, own=dict(data_collator=masking),
        num_train_epochs=1,
    )  # fmt: skip
    again.train(resume_from_checkpoint=f"{tmp_path}/checkpoint-2")
    assert torch.equal(weights(again.model), weights(made.model))


def test_a_model_that_adds_a_term_to_its_loss_needs_a_loss_of_ones_own(tmp_path):
    config = MixtralConfig(
        **SIZES, num_key_value_heads=2, num_local_experts=2, max_position_embeddings=16, output_router_logits=True,
        router_aux_loss_coef=1.0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    made = trainer(tmp_path, model=writer(MixtralForCausalLM, config), dataset=TEXTS, own=dict(data_collator=padded))
    with pytest.raises(ValueError, match=r"Expected MixtralForCausalLM to compute the loss .* It adds a term"):
        made.train()


@pytest.mark.parametrize("unlabelled", [1, FEW + 1])
def test_an_example_without_a_label_is_no_other_loss(unlabelled, tmp_path):
    """The mean over none of its labels is NaN in the model; a collator that masks words at random makes such ones."""
    bare = [{**row, "labels": IGNORED} if i < unlabelled else row for i, row in enumerate(TAKEN)]
    assert trainer(tmp_path, dataset=bare, num_train_epochs=1).train().global_step == STEPS // 2
    twice = lambda model, batch: 2 * labelled_loss(model, batch)  # noqa: E731
    with pytest.raises(ValueError, match="to compute the loss"):
        check_own_loss(classifier(), twice, as_examples(bare, default_data_collator))


@pytest.mark.parametrize("labels", [["a"] * 60, [None] * 60], ids=["texts", "none"])
def test_labels_that_are_no_numbers_are_named(labels, tmp_path):
    rows = TAKEN.remove_columns("labels").add_column("labels", labels)
    with pytest.raises(ValueError, match="labels that are texts or None: make them numbers"):
        trainer(tmp_path, dataset=rows).train()


@pytest.mark.parametrize(
    ("labels", "more", "said"),
    [
        ([1, 2, 3], {}, "from 0 to 2, as num_labels=3, or -100 for none, got 1 to 3. Give the model"),
        ([0, 1, -1], {}, "got -1 to 1"),
        ([0.0, 1.0, 2.0], {}, "whole numbers below num_labels=3, got torch.float32"),
        ([0, 1, 2], dict(num_labels=1), "that are floats, got torch.int64. With num_labels=1"),
        ([[0, 1, 1]] * 3, dict(problem_type="multi_label_classification"), "with multi_label_classification 0.0 or"),
    ],
)
def test_labels_that_are_no_classes_are_named(labels, more, said):
    """torch said "Target 3 is out of bounds" and the like, and at a later step, when ε was spent."""
    with torch.random.fork_rng():
        model = BertForSequenceClassification(BertConfig(**{**SIZES, "num_labels": 3, **more}))
    with pytest.raises(ValueError, match=re.escape(said)):
        labelled_loss(model, {"input_ids": IDS[:3], "labels": torch.tensor(labels)})


def test_a_stream_and_a_frozen_model_say_what_to_do(tmp_path):
    """Without a length Trainer asks for max_steps, which is refused here: that has to be the end of the way."""
    with pytest.raises(ValueError, match=r"max_steps=-1, got 5.*from_list\(list\(stream.take"):
        trainer(tmp_path, dataset=TAKEN.to_iterable_dataset(), max_steps=5)
    with pytest.raises(ValueError, match="that are all frozen"):
        trainer(tmp_path, model=classifier().requires_grad_(False)).train()


@pytest.mark.parametrize("kind", ["classes", "several", "number", "tokens", "texts"])
def test_the_loss_of_one_example_is_the_models_own(kind):
    from transformers import BertForTokenClassification, T5Config, T5ForConditionalGeneration

    ids = IDS[:4]
    bert = BertConfig(**SIZES, num_labels=1 if kind == "number" else 3)
    model, labels = {
        "classes": (BertForSequenceClassification, ids[:, 0] % 3),
        "several": (BertForSequenceClassification, (ids[:, :3] % 2).float()),
        "number": (BertForSequenceClassification, ids[:, 0].float()),
        "tokens": (BertForTokenClassification, (ids % 3).masked_fill(ids < 9, IGNORED)),
        "texts": (T5ForConditionalGeneration, ids.masked_fill(ids < 9, IGNORED)),
    }[kind]
    t5 = T5Config(vocab_size=30, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2, decoder_start_token_id=0)
    made = writer(model, t5 if kind == "texts" else bert).eval()
    losses = labelled_loss(made, {"input_ids": ids, "labels": labels})
    for i, loss in enumerate(losses):
        own = made(input_ids=ids[i : i + 1], labels=labels[i : i + 1]).loss
        torch.testing.assert_close(loss, own)


def test_labels_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"Expected logits .* and labels for them, got"):
        labelled_loss(lambda **batch: SimpleNamespace(logits=torch.zeros(2, 3)), {"labels": torch.zeros(2, 3, 4)})
    with pytest.raises(ValueError, match="Expected 'labels' in a batch, got input_ids"):
        labelled_loss(classifier(), {"input_ids": IDS[:2]})


# The page


def test_the_pages_example_runs_and_spends_what_it_says():
    (example,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "trainer.md").read_text(encoding="utf-8"), re.DOTALL
    )
    said = []
    with torch.random.fork_rng():
        exec(compile(re.sub(r"print\((.*)\)", r"said.extend([\1])", example), "trainer.md", "exec"), {"said": said})
    spent, logged, whole = said
    assert spent == logged <= 8 and whole.epsilon >= spent
