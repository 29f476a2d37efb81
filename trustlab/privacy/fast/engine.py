"""One step's clipped sum by one forward and one backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from trustlab.privacy.fast.apart import check_apart
from trustlab.privacy.fast.factors import Factor, square_norms
from trustlab.privacy.fast.layers import refuse_mixers, rule_of
from trustlab.privacy.fast.recording import Recording, recording
from trustlab.privacy.thresholds import Thresholds


def add_clipped(
    model: nn.Module,
    per_example_loss: Callable[[nn.Module, Any], Tensor],
    batch: Any,
    *,
    units: Tensor,
    thresholds: Thresholds,
    totals: list[Tensor],
    scale: float,
) -> tuple[Tensor, Tensor]:
    """Add ``scale`` times the clipped gradients of all units to `totals`.

    Parameters
    ----------
    batch
        B examples, at least one.
    units : Tensor [B]
        The unit, 0 … U - 1, that each example belongs to; a unit's loss is the mean of its examples'. For per-example
        clipping every example is a unit of its own.
    totals
        One tensor for each trainable parameter, in the model's order.

    Returns
    -------
    norms, shares
        As :meth:`Thresholds.kept` does, for each unit.

    Raises
    ------
    ValueError
        For a model in which examples meet, or a parameter used outside its layer.
    """
    refuse_mixers(model)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    check_apart(model, per_example_loss, batch, lambda few, weights: _probe(model, per_example_loss, few, weights))
    sizes = torch.bincount(units)  # [U]
    record, losses = _forward(model, per_example_loss, batch)
    (deltas,) = _gradients(model, record, losses, [1 / sizes[units]])
    factors: dict[int, list[Factor]] = {id(parameter): [] for parameter in parameters}
    while record.uses:  # popped, so that what a layer read is free once its factors are made
        edges, parts = record.uses.pop()
        for parameter, factor in parts(*deltas[edges]):
            factors[id(parameter)].append(factor)
    del deltas
    squares = [_square_norms(factors[id(parameter)], units, sizes) for parameter in parameters]  # each [U]
    norms, shares = thresholds.kept(torch.stack(squares, dim=1))
    kept = norms.isfinite()[units]  # [B]
    weights = (scale * shares[units]).to(parameters[0].device)  # [B, P]
    for i, parameter in enumerate(parameters):
        for factor in factors.pop(id(parameter)):
            factor = factor if kept.all() else factor.finite(kept)
            factor.add_to(totals[i], weights[:, i].to(totals[i].dtype))
    return norms, shares


def _forward(
    model: nn.Module, per_example_loss: Callable[[nn.Module, Any], Tensor], batch: Any
) -> tuple[Recording, Tensor]:
    """Compute the losses [B] once, recording every layer that is trained."""
    with recording(model, len(batch), rule_of) as record:
        losses = per_example_loss(model, batch)
    if losses.shape != (len(batch),):
        raise ValueError(
            f"Expected per_example_loss to return shape ({len(batch)},), one loss per example, got "
            f"{tuple(losses.shape)}. A mean over the batch has lost what is to be clipped: use reduction='none'."
        )
    record.check_unchanged()
    return record, losses


def _gradients(model: nn.Module, record: Recording, losses: Tensor, weightings: list[Tensor]) -> list[list[Tensor]]:
    """Return the gradients of Σ_b weights_b·loss_b at every tapped output, for each of the weightings [B]."""
    names, parameters = zip(*((n, p) for n, p in model.named_parameters() if p.requires_grad), strict=True)
    results = []
    for i, weights in enumerate(weightings, start=1):
        found = torch.autograd.grad(
            losses,
            [tap.edge for tap in record.taps] + list(parameters),
            weights.to(losses),
            allow_unused=True,
            materialize_grads=False,
            retain_graph=i < len(weightings),
        )
        caught, direct = found[: len(record.taps)], found[len(record.taps) :]
        for name, gradient in zip(names, direct, strict=True):
            if gradient is not None:
                raise ValueError(
                    f"Expected {name!r} to be used by calling its layer only, but it also reaches the loss directly. "
                    "What an example does through it was not recorded: call the layer, or use method='loop'."
                )
        pairs = zip(record.taps, caught, strict=True)
        results.append([tap.zeros() if gradient is None else gradient for tap, gradient in pairs])
    return results


def _square_norms(factors: list[Factor], units: Tensor, sizes: Tensor) -> Tensor:
    """Return the squared norms [U] of one parameter's gradients, in double precision."""
    if not factors:
        return torch.zeros(len(sizes), dtype=torch.float64)
    if len(sizes) == len(units):  # every example is a unit of its own
        squares = square_norms(factors)
    else:
        members = units.argsort(stable=True).split(sizes.tolist())
        squares = torch.cat([square_norms([factor[own].merged() for factor in factors]) for own in members])
    return squares.clamp(min=0).double().cpu()


def _probe(model: nn.Module, per_example_loss: Any, few: Any, weights: Tensor) -> tuple[Any, ...]:
    """Return what :func:`check_apart` compares: the taps, and their gradients without and with weights."""
    record, losses = _forward(model, per_example_loss, few)
    return record.taps, *_gradients(model, record, losses, [torch.ones_like(weights), weights])
