"""Check that a model keeps its examples apart, before its "per-example" gradients are believed.

Recorded gradients are per example only if row b of every layer depends on example b alone. Then weighting the examples'
losses by w weights row b of every layer's gradient by w_b, and by nothing else. Three examples and two backwards show
it: a mean over the batch, positions without a batch dimension, time in the place of the batch, all break it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

# Powers of two: multiplying by them is exact in floating point, so that rows that are apart agree to rounding.
WEIGHTS = (1.0, 4.0, 0.25)
TOLERANCE = 1e-4

_checked: weakref.WeakKeyDictionary[nn.Module, set[Any]] = weakref.WeakKeyDictionary()


def check_apart(
    model: nn.Module, per_example_loss: Callable[..., Tensor], batch: Any, gradients: Callable[..., Any]
) -> None:
    """Raise where the examples of `batch` meet in `model`; once for a model, its mode and its loss.

    Parameters
    ----------
    gradients
        ``gradients(batch, weights [3])`` returns taps, their gradients, and their gradients with losses weighted.

    Raises
    ------
    ValueError
        Naming the first layer whose gradient of one example depends on another.
    """
    seen = (model.training, getattr(per_example_loss, "__code__", type(per_example_loss)))
    if len(batch) < len(WEIGHTS) or seen in _checked.setdefault(model, set()):
        return
    few = batch[torch.arange(len(WEIGHTS))]
    weights = torch.tensor(WEIGHTS)
    with torch.random.fork_rng(devices=[]):  # dropout must not see that somebody looked
        taps, plain, weighted = gradients(few, weights)
    for tap, one, other in zip(taps, plain, weighted, strict=True):
        expected = tap.weigh(one, weights)
        if one.isfinite().all() and (expected - other).abs().max() > TOLERANCE * expected.abs().max():
            raise ValueError(
                f"Expected the examples of a batch to stay apart in {tap.name!r}, but the gradient of one depends on "
                "another's loss. Clipping could not bound what one example does: give every input the batch's size "
                "as its first dimension, and use no operation over the batch."
            )
    _checked[model].add(seen)
