"""Options of ``transformers``' Trainer: which a private training takes as they are, and which it refuses by name.

An option in :data:`FINE` decides how noisy gradients are used, what is measured on evaluation data, or how a run is
logged and saved; or it is read here (:func:`config_of`). All others must keep their defaults, also those that a later
version of ``transformers`` adds: what no one has looked at could void the guarantee without a sign of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from trustlab.privacy.training_options import TrainConfig

# Options of TrainConfig that TrainingArguments has under another name.
READ: Mapping[str, str] = {
    "clip_norm": "max_grad_norm",
    "epochs": "num_train_epochs",
    "batch_size": "per_device_train_batch_size",
    "learning_rate": "learning_rate",
    "seed": "seed",
}
# What changes the weights of a training, apart from TrainConfig's: a resumed training must have the same.
_TRAINS = """
    learning_rate lr_scheduler_type lr_scheduler_kwargs warmup_steps optim optim_args optim_target_modules weight_decay
    adam_beta1 adam_beta2 adam_epsilon bf16
"""
# Activations that are computed again; the machine and the model; evaluation, on examples that are taken as public; what
# is logged and saved.
_FINE = """
    gradient_checkpointing gradient_checkpointing_kwargs activation_checkpointing activation_checkpointing_kwargs
    output_dir use_cache use_cpu full_determinism tf32 accelerator_config remove_unused_columns label_names
    average_tokens_across_devices length_column_name restore_callback_states_from_checkpoint
    eval_strategy eval_steps eval_delay per_device_eval_batch_size prediction_loss_only eval_on_start
    eval_do_concat_batches eval_use_gather_object eval_accumulation_steps include_for_metrics batch_eval_metrics
    bf16_full_eval fp16_full_eval load_best_model_at_end metric_for_best_model greater_is_better
    dataloader_num_workers dataloader_pin_memory dataloader_persistent_workers dataloader_prefetch_factor
    dataloader_multiprocessing_context dataloader_in_order
    logging_strategy logging_steps logging_first_step logging_nan_inf_filter log_on_each_node log_level
    log_level_replica disable_tqdm report_to run_name project trackio_space_id trackio_bucket_id
    trackio_static_space_id save_strategy save_steps save_total_limit save_only_model save_on_each_node
    skip_memory_metrics debug do_train do_eval do_predict resume_from_checkpoint
"""
TRAINS = _TRAINS.split()
FINE = frozenset([*READ.values(), *TRAINS, *_FINE.split()])
POISSON = "ε holds for Poisson batches, which every example joins by a draw of its own."
REASONS: Mapping[str, str] = {
    "gradient_accumulation_steps": "per_device_train_batch_size is the whole expected batch here; "
    "privacy=dict(physical_batch=...) computes that many examples at once, with the same result.",
    "max_steps": "Noise is planned for whole epochs, of examples that can be counted: set num_train_epochs, and of a "
    "stream take those you want first, datasets.Dataset.from_list(list(stream.take(10_000))).",
    "label_smoothing_factor": "It belongs to the loss of a batch, which is not used: smooth in per_example_loss.",
    "fp16": "A scaler would rescale gradients that are clipped and noisy already: use bf16.",
    "auto_find_batch_size": "It starts again with another batch size, after steps that have spent ε.",
    "train_sampling_strategy": POISSON,
    "dataloader_drop_last": POISSON,
    "data_seed": "One seed draws batches, dropout and noise.",
    "include_num_input_tokens_seen": "It publishes how many tokens the private batches had, which ε does not cover.",
    "push_to_hub": "It publishes training_args.bin with the seed, from which the noise follows: push the model alone.",
    "torch_compile": "Layers are watched one by one, which a compiled model hides.",
}


def config_of(args: Any, privacy: Mapping[str, Any]) -> TrainConfig:
    """Return the options of :func:`trustlab.privacy.train` that `args` and `privacy` mean.

    Raises
    ------
    ValueError
        For an option given twice, one that is unknown, or a number of epochs that is not whole.
    """
    for name in privacy:
        if name in READ:
            raise ValueError(
                f"Expected {name!r} not to be in privacy, got {privacy[name]!r} there. It is {READ[name]} of "
                "TrainingArguments: set it there."
            )
        if name not in {field.name for field in dataclasses.fields(TrainConfig)}:
            raise ValueError(f"Expected options of TrainConfig in privacy, got {name!r}, which is none.")
    if args.num_train_epochs != int(args.num_train_epochs):
        raise ValueError(
            f"Expected num_train_epochs={args.num_train_epochs} to be a whole number. Noise is planned for whole "
            "epochs."
        )
    if not args.max_grad_norm:
        raise ValueError(
            f"Expected max_grad_norm={args.max_grad_norm} > 0. It is the norm to which each example's gradient is "
            "clipped; the noisy sum is not clipped again."
        )
    read = {ours: getattr(args, theirs) for ours, theirs in READ.items()}
    return TrainConfig(**{**read, "epochs": int(args.num_train_epochs), **privacy})


def check_arguments(args: Any) -> None:
    """Refuse, by name, options of ``TrainingArguments`` with which ε would not hold, or that would do nothing.

    Raises
    ------
    ValueError
        Before any step.
    """
    for field in dataclasses.fields(args):
        if field.name in FINE or field.name == "local_rank" or field.name.startswith(("ddp_", "hub_", "liger_")):
            continue  # the last ones do nothing where what they belong to is off
        default = field.default_factory() if callable(field.default_factory) else field.default
        value = getattr(args, field.name)
        if value != default:
            reason = REASONS.get(field.name, "What it does to a private step is not known here.")
            raise ValueError(f"Expected {field.name}={default!r}, got {value!r}. {reason}")
    if args.parallel_mode.value != "not_parallel":
        raise ValueError(
            f"Expected one device and one process, got parallel_mode={args.parallel_mode.value!r}. Noise and batches "
            "are drawn once: set CUDA_VISIBLE_DEVICES to one device and start without torchrun."
        )
    optimizer = str(getattr(args.optim, "value", args.optim))
    if "lomo" in optimizer or "layerwise" in optimizer:
        raise ValueError(
            f"Expected an optimizer that steps after the backward, got optim={optimizer!r}. It would step on "
            "gradients that are neither clipped nor noisy: choose one without layer-wise updates."
        )


def check_methods(trainer: Any, base: type, own: type) -> None:
    """Refuse a batch's loss, and a subclass whose own loss, step or sampler would not be used.

    Raises
    ------
    ValueError
        Before any step.
    """
    if trainer.compute_loss_func is not None or type(trainer).compute_loss is not base.compute_loss:
        raise ValueError(
            "Expected per_example_loss(model, batch) -> [B], got compute_loss or compute_loss_func. A loss of the "
            "whole batch cannot be clipped example by example."
        )
    for name in ("training_step", "get_train_dataloader"):
        if getattr(type(trainer), name) is not getattr(own, name):
            raise ValueError(
                f"Expected a subclass without {name}, got one. Clipping, noise and Poisson batches are there."
            )
    if type(trainer)._get_train_sampler is not base._get_train_sampler:
        raise ValueError(f"Expected a subclass without a sampler of its own, got one. {POISSON}")
