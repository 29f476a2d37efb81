"""Refuse modules that keep or share statistics of a batch: clipping does not bound what an example does there."""

from __future__ import annotations

from typing import Any

from torch import nn


def refuse_mixers(model: nn.Module) -> None:
    """Refuse a normalisation of `model` that mixes the examples of a batch, or keeps statistics of them.

    In evaluation mode, with statistics from elsewhere, the same layer is allowed.

    Raises
    ------
    ValueError
        Naming the layer.

    Examples
    --------
    >>> refuse_mixers(nn.BatchNorm1d(2).eval())
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.batchnorm._NormBase) and _mixes(module):
            raise ValueError(
                f"Expected no {type(module).__name__} in training mode, got {name!r}. It mixes the examples of a batch "
                "and keeps statistics of them, which clipping does not bound: use LayerNorm or GroupNorm, or call "
                "eval() on it."
            )


def _mixes(module: Any) -> bool:
    keeps = module.training and module.track_running_stats
    batch = isinstance(module, nn.modules.batchnorm._BatchNorm)
    return keeps or (batch and (module.training or not module.track_running_stats))
