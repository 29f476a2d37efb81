"""Checkpoints of a private training: all that it is, in one file that only its own training goes on from.

Weights, optimizer, scheduler, random generators, the noise planned and the steps taken lie in one
:class:`trustlab.checkpoint.Checkpoint`; here is what names the training that it belongs to.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

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
    """Return what makes a training this one: every option, the model's shape, the data and the optimizer's settings.

    The weights are not part of it: a model freshly built gets those of the checkpoint. Nor is the code inside a
    scheduler's function, of which only the class is known.
    """
    settings = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    return {
        **{field.name: repr(getattr(config, field.name)) for field in dataclasses.fields(config)},
        "model": describe_model(model),
        **{f"{split} data": _data(data[split]) for split in sorted(data)},
        "optimizer": f"{type(optimizer).__qualname__} {settings}",
        "scheduler": type(scheduler).__qualname__ if scheduler is not None else "none",
    }


def _data(examples: Any) -> str:
    """Name a split by its length and a hash of all that it holds."""
    hashed = hashlib.sha256()
    for name, value in sorted(vars(examples).items()):
        tensor = isinstance(value, torch.Tensor)
        hashed.update(f"{name} {value.dtype} {tuple(value.shape)}".encode() if tensor else f"{name} {value}".encode())
        hashed.update(value.detach().cpu().contiguous().numpy().tobytes() if tensor else b"")
    return f"{len(examples)} examples, {hashed.hexdigest()[:8]}"
