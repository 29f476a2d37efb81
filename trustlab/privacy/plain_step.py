"""A step without privacy, to compare with: the gradient of the mean loss."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from trustlab.models import tagging_loss
from trustlab.privacy.clipping import Norms
from trustlab.privacy.distributed import Workers, named_batch
from trustlab.privacy.losses import PerExampleLoss, check_losses


def plain_gradients(
    model: nn.Module,
    batch: Any,
    *,
    per_example_loss: PerExampleLoss = tagging_loss,
    physical_batch: int | None = None,
    workers: Workers | None = None,
) -> Norms:
    """Fill ``.grad`` with the gradient of the mean loss: nothing clipped, no noise.

    One backward, or one for each `physical_batch` examples, added up.

    Raises
    ------
    ValueError
        For a loss that is not of shape [B].
    FloatingPointError
        For a loss that is not finite: its gradient would turn the whole model into NaN. ``.grad`` is None then.
    """
    model.zero_grad(set_to_none=True)
    workers, at_once = workers or Workers(), physical_batch or max(len(batch), 1)
    try:
        with workers.together(lambda: {"batch": named_batch(batch)}):
            own = batch if workers.count == 1 else batch[workers.own(torch.arange(len(batch)))]
            for start in range(0, len(own), at_once):
                part = own[start : start + at_once]
                losses = per_example_loss(model, part)
                check_losses(losses, len(part))
                if not losses.isfinite().all():
                    raise FloatingPointError(not_finite("losses"))
                (losses.sum() / len(batch)).backward()
        _add_gradients(model, workers)
    except BaseException:
        model.zero_grad(set_to_none=True)  # leaves no partial sum for an optimizer to step on
        raise
    return Norms(torch.empty(0), math.nan)


def _add_gradients(model: nn.Module, workers: Workers) -> None:
    """Add the workers' gradients; one that no worker has stays None."""
    if workers.count == 1:
        return
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    reached = torch.tensor([float(parameter.grad is not None) for parameter in parameters])
    sums = [torch.zeros_like(each) if each.grad is None else each.grad for each in parameters]
    workers.add([*sums, reached])
    for parameter, total, found in zip(parameters, sums, reached.tolist(), strict=True):
        parameter.grad = total if found else None


def not_finite(what: str) -> str:
    """Return the error of losses or weights that are not finite."""
    return (
        f"Expected finite {what}, got NaN or infinity. Further steps would be useless: lower the learning rate, and "
        "look for empty or infinite inputs."
    )
