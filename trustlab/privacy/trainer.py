"""``transformers``' Trainer with DP-SGD: the same arguments, evaluation, callbacks and files, and a private step.

A :class:`PrivateTrainer` trains as :func:`trustlab.privacy.train` does with the same seed, to the same weights and the
same ε. Batches are Poisson samples, which it draws itself. What Trainer would publish of them (the training loss, the
tokens seen) is left out. Options with which ε would not hold are refused, see :mod:`trustlab.privacy.trainer_options`.
"""

from __future__ import annotations

import functools
import importlib.util
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map
from torch.utils.data import DataLoader

from trustlab.batch_tensors import hashed
from trustlab.batches import as_examples
from trustlab.checkpoint import Checkpoint, describe_model
from trustlab.privacy.collation import check_collated
from trustlab.privacy.distributed import Workers
from trustlab.privacy.labelled_loss import check_own_loss, labelled_loss
from trustlab.privacy.losses import PerExampleLoss
from trustlab.privacy.refusals import refuse_frozen
from trustlab.privacy.trainer_options import TRAINS, check_arguments, check_methods, config_of
from trustlab.privacy.training import fill_gradients, step_gradients
from trustlab.privacy.training_identity import described, named_options
from trustlab.privacy.training_options import TrainConfig, check_training, noise_schedule, spent
from trustlab.privacy.training_state import TrainingState

if importlib.util.find_spec("accelerate") is None:
    raise ModuleNotFoundError(
        "Expected the package accelerate, which transformers' Trainer needs, got none: install trustlab[trainer]."
    )
from transformers import Trainer
from transformers.trainer_utils import TrainOutput, get_last_checkpoint

FILE = "private_training.checkpoint"
ALONE = Workers()  # Trainer's own ways to several processes are refused


class PrivateTrainer(Trainer):
    """A ``Trainer`` whose steps are private.

    Parameters
    ----------
    *given, **options
        As ``Trainer``'s. ``TrainingArguments`` decide the number of epochs, the expected batch size
        (``per_device_train_batch_size``), the clip norm of each example (``max_grad_norm``) and the seed.
    privacy
        Options of :class:`trustlab.privacy.TrainConfig` that ``TrainingArguments`` does not have: ``epsilon``,
        ``delta``, also ``physical_batch``, ``engine``, ``accountant``, ...
    per_example_loss
        ``per_example_loss(model, batch) -> Tensor [B]``; by default that of ``labels``, see
        :func:`trustlab.privacy.labelled_loss.labelled_loss`.

    Attributes
    ----------
    config : TrainConfig
        What :func:`trustlab.privacy.train` would be given; for :func:`trustlab.privacy.statement`.

    Raises
    ------
    ValueError
        At once, for options that would void the guarantee; in ``train()`` before any step, for a δ that is not below
        1/N, a loss that is another than the model's own, padding that changes losses, or a checkpoint of another
        training.

    Notes
    -----
    One trainer trains once: a second training on the same examples spends more ε, and with the same seed it would
    repeat the noise. The seed is in Trainer's ``training_args.bin``: who reads it can subtract the noise.
    """

    def __init__(
        self,
        *given: Any,
        privacy: Mapping[str, Any],
        per_example_loss: PerExampleLoss = labelled_loss,
        **options: Any,
    ) -> None:
        super().__init__(*given, **options)
        check_arguments(self.args)
        check_methods(self, Trainer, PrivateTrainer)
        self.config: TrainConfig = config_of(self.args, privacy)
        self.per_example_loss = functools.partial(_on_device, per_example_loss, self.args.device)
        self._default_loss = per_example_loss is labelled_loss
        self._private: _Private | None = None
        self._resumed: Mapping[str, Any] | None = None
        self._given = described(self.optimizer, self.lr_scheduler)

    @functools.cached_property
    def _examples(self) -> Any:
        """The training examples, without the columns that the model does not take."""
        dataset, collate_fn = self.train_dataset, self.data_collator
        if hasattr(dataset, "column_names"):
            dataset = self._remove_unused_columns(dataset, description="training")
        else:
            collate_fn = self._get_collator_with_removed_columns(collate_fn, description="training")
        return as_examples(dataset, collate_fn, what="train_dataset")

    def train(
        self, resume_from_checkpoint: str | bool | None = None, trial: Any = None, *more: Any, **options: Any
    ) -> TrainOutput:
        """Train, or resume from a checkpoint that a ``PrivateTrainer`` with the same options wrote."""
        if trial is not None or self._private is not None:
            raise ValueError(
                "Expected one training by a PrivateTrainer, got another. Each spends its own ε, and the same seed "
                "would repeat the noise: make a trainer with another seed, and add up what both spend."
            )
        if self.train_dataset is None:
            raise ValueError("Expected a train_dataset, got none. Its examples are what ε protects.")
        refuse_frozen(self.model)
        check_training(self.config, len(self._examples))
        check_collated(self.model, self.per_example_loss, self._examples)
        if self._default_loss:
            check_own_loss(self.model, self.per_example_loss, self._examples)
        folder = resume_from_checkpoint
        if resume_from_checkpoint is True:
            folder = get_last_checkpoint(self.args.output_dir)
        if folder:
            self._resumed = self._kept(Path(folder)).read()
            if self._resumed is None:
                raise ValueError(
                    f"Expected {FILE} in {folder}, got none. What its steps spent, and which noise comes next, is "
                    "unknown: resume from a folder that PrivateTrainer wrote, without save_only_model."
                )
        output = super().train(folder, None, *more, **options)
        return output._replace(training_loss=math.nan)

    def get_train_dataloader(self) -> DataLoader:
        """Return a loader that counts the steps of an epoch, and is empty: a step draws its own Poisson batch."""
        examples = len(self._examples)
        steps = round(examples / self.config.batch_size)
        return DataLoader(range(examples), batch_sampler=[[]] * steps, collate_fn=_nothing)

    def training_step(self, model: nn.Module, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        """Draw a batch and leave its private gradient in ``.grad``; returns 0, as its loss is not covered by ε."""
        if self._private is None:
            self._private = _Private(
                self.model, self.optimizer, None, self.config.seed, noise_schedule(self.config, len(self._examples))
            )
            if self._resumed is not None:
                self._private.restore(self._resumed)
            self._gradients = step_gradients(self.model, self.per_example_loss, self.config, ALONE)
        state = self._private
        self.model.train()
        if hasattr(self.optimizer, "train"):
            self.optimizer.train()
        sample_rate = self.config.batch_size / len(self._examples)
        with state.own_random_state(ALONE), self.accelerator.autocast():
            fill_gradients(state, self._gradients, self._examples, sample_rate, ALONE)
        state.step += 1
        return torch.zeros((), device=self.args.device)

    @property
    def epsilon(self) -> float:
        """ε of the steps taken so far; 0 before the first."""
        if self._private is None:
            return 0.0
        return spent(self.config, self._private.schedule, self._private.step, len(self._examples))

    def log(self, logs: dict[str, float], *more: Any, **options: Any) -> None:
        """Log ε with everything; the training loss, which it does not cover, is left out."""
        for name in ("loss", "train_loss"):
            logs.pop(name, None)
        logs["epsilon"] = self.epsilon
        super().log(logs, *more, **options)

    def floating_point_ops(self, inputs: Any) -> int:
        """Return 0: how long the private batches were is not covered by ε."""
        return 0

    def _clip_grad_norm(self, model: nn.Module) -> Any:
        """Leave the noisy sum as it is: ``max_grad_norm`` has clipped every example."""
        return self._get_grad_norm(model)

    def _save_rng_state(self, output_dir: str) -> None:
        super()._save_rng_state(output_dir)
        if self._private is not None:
            self._kept(Path(output_dir)).write(self._private.to_dict())

    def _kept(self, folder: Path) -> Checkpoint:
        """Return the file with the generators' states, and what the training is that it belongs to."""
        return Checkpoint(folder / FILE, self._identity)

    @functools.cached_property
    def _identity(self) -> dict[str, str]:
        with torch.random.fork_rng(devices=[]):  # a collator's random numbers are the same each time
            torch.manual_seed(0)
            data = hashed(self._examples)
        return {
            **named_options(self.config),
            **{name: repr(getattr(self.args, name)) for name in TRAINS},
            "model": describe_model(self.model),
            "train data": data,
            **self._given,
        }


class _Private(TrainingState):
    """What a private training has beyond Trainer's own, which saves model, optimizer and scheduler."""

    def _parts(self) -> Iterator[tuple[str, Any]]:
        return iter(())


def _on_device(per_example_loss: PerExampleLoss, device: torch.device, model: nn.Module, batch: Any) -> Tensor:
    if hasattr(batch, "to"):
        return per_example_loss(model, batch.to(device))
    return per_example_loss(model, tree_map(lambda part: part.to(device) if isinstance(part, Tensor) else part, batch))


def _nothing(rows: list[Any]) -> dict[str, Any]:
    return {}
