"""What identifies a private training, so that a checkpoint resumes no other.

Weights, optimizer, scheduler, random generators, the planned noise and the steps taken are in one
:class:`trustlab.checkpoint.Checkpoint`; :func:`identity` names the training that it belongs to.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from trustlab.batch_tensors import hashed
from trustlab.checkpoint import Checkpoint, describe_model

__all__ = ["Checkpoint", "identity"]


def identity(
    config: Any,
    *,
    model: nn.Module,
    data: Mapping[str, Any],
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None,
) -> dict[str, str]:
    """Return what identifies a training: every option, the model's shape, the data and the optimizer's settings.

    The weights are not part of it: a new model gets those of the checkpoint. Nor is the code of a scheduler's function;
    only its class is known.
    """
    return {
        **named_options(config),
        "model": describe_model(model),
        **{f"{split} data": hashed(data[split]) for split in sorted(data)},
        **described(optimizer, scheduler),
    }


def named_options(config: Any) -> dict[str, str]:
    """Return every option of a configuration, in words."""
    return {field.name: repr(getattr(config, field.name)) for field in dataclasses.fields(config)}


def described(
    optimizer: torch.optim.Optimizer | None, scheduler: torch.optim.lr_scheduler.LRScheduler | None
) -> dict[str, str]:
    """Return the classes of an optimizer and a scheduler, and the settings of the first; "none" for none."""
    groups = [] if optimizer is None else optimizer.param_groups
    settings = [{k: v for k, v in group.items() if k != "params"} for group in groups]
    return {
        "optimizer": "none" if optimizer is None else f"{type(optimizer).__qualname__} {settings}",
        "scheduler": type(scheduler).__qualname__ if scheduler is not None else "none",
    }
