"""Check that a model keeps its examples apart, before its "per-example" gradients are believed.

At first sight of a model, two looks at up to three examples of its batch.

Recorded gradients are per example only if row b of every layer depends on example b alone. Then weighting the examples'
losses by w weights row b of every layer's gradient by w_b, and by nothing else. A mean over the batch, positions
without a batch dimension, time in the place of the batch, all break it.

What an example adds must be what it would add alone. So each of them is computed alone, by torch's own backward: its
loss and its norms must be the same. Statistics over the batch's inputs, which no gradient passes, break that one.
"""

from __future__ import annotations

import contextlib
import functools
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

# Powers of two: multiplying by them is exact in floating point, so that rows that are apart agree to rounding.
WEIGHTS = (1.0, 4.0, 0.25)
TOLERANCE = 1e-4
# Alone and together are sums in another order: relative to the largest loss or norm of a parameter, and, for gradients
# that are rounding alone, to the largest norm of all. In half precision, the second pair.
ALONE = {False: (1e-2, 1e-3), True: (1e-1, 3e-2)}

_checked: weakref.WeakKeyDictionary[nn.Module, set[Any]] = weakref.WeakKeyDictionary()


def check_apart(
    model: nn.Module,
    per_example_loss: Callable[..., Tensor],
    batch: Any,
    trained: Mapping[str, nn.Parameter],
    gradients: Callable[..., Any],
    measured: Callable[..., Any],
) -> None:
    """Raise where the examples of `batch` meet in `model`; once for a model, its mode, its trained part and its loss.

    A single example meets nobody, and shows nothing: the look is put off.

    Parameters
    ----------
    gradients
        ``gradients(batch, *weightings)`` returns a recording, the losses, and for each of the weightings [B] of the
        losses the gradients at the recording's taps.
    measured
        ``measured(batch, sizes)`` returns the losses [B], the factors and the squared norms [P, U] of units.

    Raises
    ------
    ValueError
        Naming the first layer whose gradient of one example depends on another, or what an example has otherwise alone.
    """
    seen = (model.training, tuple(trained), _named(per_example_loss))
    if len(batch) < 2 or seen in _checked.setdefault(model, set()):
        return
    few = batch[torch.arange(min(len(batch), len(WEIGHTS)))]
    devices = {parameter.device for parameter in trained.values() if parameter.device.type == "cuda"}
    with torch.random.fork_rng(devices=list(devices)):  # dropout must not see that somebody looked
        finite = _check_weights(few, gradients)
        with _repeatable(model, lambda: per_example_loss(model, few)):
            finite &= _check_alone(model, per_example_loss, few, trained, measured)
    if finite:
        _checked[model].add(seen)


def _check_weights(few: Any, gradients: Callable[..., Any]) -> bool:
    """Weigh the losses, and say whether every gradient was finite, and so compared."""
    weights = torch.tensor(WEIGHTS[: len(few)])
    record, _, (plain, weighted) = gradients(few, torch.ones_like(weights), weights)
    for tap, one, other in zip(record.taps, plain, weighted, strict=True):
        expected = tap.weigh(one, weights)
        if one.isfinite().all() and (expected - other).abs().max() > TOLERANCE * expected.abs().max():
            raise ValueError(
                f"Expected the examples of a batch to stay apart in {tap.name!r}, but the gradient of one depends on "
                "another's loss. Clipping could not bound what one example does: give every input the batch's size "
                "as its first dimension, and use no operation over the batch."
            )
    return all(bool(one.isfinite().all()) for one in plain)


def _check_alone(
    model: nn.Module,
    per_example_loss: Callable[..., Tensor],
    few: Any,
    trained: Mapping[str, nn.Parameter],
    measured: Callable[..., Any],
) -> bool:
    """Compute each example alone, and say whether all was finite, and so compared."""
    losses, _, squares = measured(few, torch.ones(len(few), dtype=torch.long))
    if not (losses.isfinite().all() and squares.isfinite().all()):
        return False
    alone, norms = _one_by_one(model, per_example_loss, few, list(trained.values()))
    half = torch.is_autocast_enabled(losses.device.type) or any(p.itemsize < 4 for p in trained.values())
    near, floor = ALONE[half]
    # Written so that NaN alone, beside a number together, is a difference.
    like = (losses - alone).abs() <= near * alone.abs().max()  # [B]
    difference = (squares.double().clamp(min=0).sqrt() - norms).abs()  # [P, B]
    alike = (difference <= near * norms.amax(1, keepdim=True) + floor * norms.max()).all(1)  # [P]
    if not (like.all() and alike.all()):
        what = "loss" if not like.all() else f"gradient of {list(trained)[int((~alike).nonzero()[0])]!r}"
        raise ValueError(
            f"Expected every example to have the {what} that it has alone, but its neighbours change it, or it was "
            "computed around the layer that was recorded. Clipping could not bound what one example does: use no "
            "operation over the batch, nothing fixed for one batch, and no operation that changes a layer in place."
        )
    return True


def _one_by_one(
    model: nn.Module, per_example_loss: Callable[..., Tensor], few: Any, trained: list[nn.Parameter]
) -> tuple[Tensor, Tensor]:
    """Return each example's loss [B] and the norms [P, B] of its gradients, computed alone by torch."""
    losses, norms = [], []
    for i in range(len(few)):
        try:
            loss = per_example_loss(model, few[torch.tensor([i])]).sum()
        except (RuntimeError, ValueError, IndexError) as error:
            raise ValueError(
                f"Expected an example to be computed alone as well as among others, got: {str(error).splitlines()[0]} "
                "Clipping needs a gradient of each example's own: use no operation over the batch."
            ) from error
        found = torch.autograd.grad(loss, trained, allow_unused=True, materialize_grads=True)
        losses.append(loss.detach())
        norms.append(torch.stack([gradient.double().norm() for gradient in found]))
    return torch.stack(losses), torch.stack(norms, dim=1)


@contextlib.contextmanager
def _repeatable(model: nn.Module, forward: Callable[[], Tensor]) -> Iterator[None]:
    """Put `model` into evaluation mode for the while if its mode throws dice: they fall otherwise for one alone."""
    with torch.no_grad():
        throws = not torch.equal(forward(), forward())
    modes = [(module, module.training) for module in model.modules()]
    if throws:
        model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _named(loss: Any) -> Any:
    """Name a loss by its code and by the functions it is made of; tensors that it closes over may change."""
    if isinstance(loss, functools.partial):
        return ("partial", _named(loss.func), *map(_named, [*loss.args, *loss.keywords.values()]))
    if hasattr(loss, "__func__"):  # a method
        return (_named(loss.__func__), id(loss.__self__))
    if hasattr(loss, "__code__"):
        return (loss.__code__, *(_named(cell.cell_contents) for cell in loss.__closure__ or ()))
    return (type(loss), id(loss)) if callable(loss) else type(loss)
