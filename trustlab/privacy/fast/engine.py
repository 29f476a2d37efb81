"""One step's clipped sum by one forward and one backward."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import CheckpointError

from trustlab.privacy.fast.apart import Proof
from trustlab.privacy.fast.factors import Factor, single, square_norms
from trustlab.privacy.fast.follow import Plan
from trustlab.privacy.fast.function import Inside, compute_around, forget_around
from trustlab.privacy.fast.layers import trained_layers
from trustlab.privacy.fast.recording import Layer, Recording, recording
from trustlab.privacy.losses import UNREACHED
from trustlab.privacy.noise import NoisySum
from trustlab.privacy.thresholds import Thresholds

Measured = tuple[Tensor, list[list[Factor]], Tensor]  # losses [B], factors, squared norms [P, U]


def add_clipped(
    model: nn.Module,
    per_example_loss: Callable[[nn.Module, Any], Tensor],
    batch: Any,
    *,
    sizes: Tensor,
    trained: dict[str, nn.Parameter],
    thresholds: Thresholds,
    total: NoisySum,
    scale: float,
) -> tuple[Tensor, Tensor]:
    """Add ``scale`` times the clipped gradients of all units to `total`.

    Parameters
    ----------
    batch
        B examples, at least one, unit by unit.
    sizes : Tensor [U]
        How many examples each unit has; a unit's loss is the mean of its examples'. For per-example clipping every
        example is a unit by itself. Consecutive units of equal size are measured together.
    trained
        The trainable parameters by name, in the model's order.
    total
        Takes its memory when the backward is over.

    Returns
    -------
    norms, shares
        As :meth:`Thresholds.kept` does, for each unit.

    Raises
    ------
    ValueError
        For a model in which examples meet, or a parameter used outside its layer.
    """
    refused: Inside | None = None
    while True:
        try:
            factors, squares = _measured(model, per_example_loss, batch, sizes=sizes, trained=trained)
            break
        except Inside as error:
            if not compute_around(model, error.names):
                raise ValueError(str(refused or error)) from error.__cause__
            refused = refused or error
        except ValueError:
            if refused is None:
                raise
            forget_around(model)
            raise ValueError(str(refused)) from refused.__cause__
    with _full_precision(squares.device):
        return _clip_and_add(factors, squares, sizes=sizes, thresholds=thresholds, total=total, scale=scale)


def _measured(
    model: nn.Module,
    per_example_loss: Callable[[nn.Module, Any], Tensor],
    batch: Any,
    *,
    sizes: Tensor,
    trained: dict[str, nn.Parameter],
) -> tuple[list[list[Factor]], Tensor]:
    """Return the factors of each parameter's gradients, and their squared norms [P, U], once examples stay apart."""
    layers = trained_layers(model)

    def met(batch: Any, known: Plan) -> Recording:
        return _recorded(model, layers, per_example_loss, batch, known=known)[0]

    def gradients(batch: Any, *weightings: Tensor, plan: Plan, complete: bool = True) -> Any:
        record, losses = _forward(model, layers, per_example_loss, batch, plan, complete)
        return record, losses, _gradients(trained, record, losses, list(weightings))

    def measured(batch: Any, sizes: Tensor, plan: Plan, complete: bool = True) -> Measured:
        record, losses, (deltas,) = gradients(batch, (1 / sizes).repeat_interleave(sizes), plan=plan, complete=complete)
        with _full_precision(losses.device):
            factors = _factors(trained, record, deltas)
            deltas.clear()
            return losses.detach(), factors, _square_norms(factors, sizes, losses)

    proof = Proof(model, per_example_loss, trained, met=met, gradients=gradients, measured=measured)
    proof.check(batch)
    _, factors, squares = proof.planned(batch, lambda plan: measured(batch, sizes, plan, complete=False))
    return factors, squares


def _clip_and_add(
    factors: list[list[Factor]],
    squares: Tensor,
    *,
    sizes: Tensor,
    thresholds: Thresholds,
    total: NoisySum,
    scale: float,
) -> tuple[Tensor, Tensor]:
    """Add what `factors` hold, clipped by their squared norms [P, U], to `total`; see :func:`add_clipped`."""
    norms, shares = thresholds.kept(squares.mT.clamp(min=0).double().cpu())
    kept = norms.isfinite().repeat_interleave(sizes)  # [B]
    all_kept = bool(kept.all())
    weights = (scale * shares).repeat_interleave(sizes, dim=0).to(squares.device, squares.dtype)  # [B, P]

    def add(i: int, summed: Tensor) -> None:
        for factor in factors[i]:
            factor = factor if all_kept else factor.finite(kept)
            factor.add_to(summed, weights[:, i].to(summed.dtype))
        factors[i].clear()

    total.add(add)
    return norms, shares


def _forward(
    model: nn.Module,
    layers: list[Layer],
    per_example_loss: Callable[[nn.Module, Any], Tensor],
    batch: Any,
    plan: Plan,
    complete: bool,
) -> tuple[Recording, Tensor]:
    """Compute the losses [B] once, recording every layer that is trained."""
    record, losses = _recorded(model, layers, per_example_loss, batch, plan, complete)
    record.check_reached()
    record.check_unchanged()
    return record, losses


def _recorded(
    model: nn.Module,
    layers: list[Layer],
    per_example_loss: Callable[[nn.Module, Any], Tensor],
    batch: Any,
    plan: Plan | None = None,
    complete: bool = False,
    known: Plan | None = None,
) -> tuple[Recording, Tensor]:
    """Compute the losses [B] while `layers` are recorded; an error names the recording if it is the cause."""
    with recording(layers, len(batch), plan, complete=complete, known=known) as record:
        try:
            return record, per_example_loss(model, batch)
        except (RuntimeError, IndexError, AssertionError) as error:
            failure = error
    _refuse_widened(record, failure, lambda: per_example_loss(model, batch))
    raise failure


def _refuse_widened(record: Recording, failure: Exception, plain: Callable[[], Tensor]) -> None:
    """Refuse a model that took one row from a layer and could not go on with a row for each example."""
    if not record.widened:
        return
    devices = {tap.kind["device"] for tap in record.taps if tap.kind["device"].type == "cuda"}
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=list(devices)):
            plain()
    except Exception:  # it fails by itself: the user's own error is the one to be shown
        return
    names = ", ".join(map(repr, sorted(record.widened)))
    raise Inside(
        f"Expected a row for each of {record.examples} examples from {names}, got one row for all. Widened to have a "
        f"gradient for each example, it no longer fits the model: {str(failure).splitlines()[0]} Give the layer's "
        "input the batch's size, as in ids.expand(len(batch), -1), and leave the repeating out; or use engine='loop'.",
        record.widened,
    ) from failure


def _gradients(
    trained: dict[str, nn.Parameter], record: Recording, losses: Tensor, weightings: list[Tensor]
) -> list[list[Tensor]]:
    """Return the gradients of Σ_b weights_b·loss_b at every tapped output, for each of the weightings [B]."""
    results = []
    for i, weights in enumerate(weightings, start=1):
        wanted = [tap.edge for tap in record.taps] + list(trained.values())
        try:
            with record.again():  # checkpointed activations are computed as they were
                found = torch.autograd.grad(
                    losses, wanted, weights.to(losses), allow_unused=True, retain_graph=i < len(weightings)
                )
        except CheckpointError as error:
            raise ValueError(
                "Expected checkpointed activations to be computed again as they were, got others: "
                f"{str(error).splitlines()[0]} Turn checkpointing off; physical_batch saves memory too."
            ) from error
        caught, direct = found[: len(record.taps)], found[len(record.taps) :]
        outside = [name for name, gradient in zip(trained, direct, strict=True) if gradient is not None]
        if outside:
            raise Inside(
                f"Expected {outside[0]!r} to be used by calling its layer only, but it also reaches the loss directly. "
                "What an example does through it was not recorded: call the layer, or use engine='loop'.",
                {name.rpartition(".")[0] for name in outside},
            )
        if all(gradient is None for gradient in caught):
            raise ValueError(UNREACHED)
        pairs = zip(record.taps, caught, strict=True)
        results.append([tap.zeros() if gradient is None else gradient for tap, gradient in pairs])
    record.layers.clear()  # their forwards hold the recording: a cycle would keep its tensors into the next step
    return results


def _factors(trained: dict[str, nn.Parameter], record: Recording, deltas: list[Tensor]) -> list[list[Factor]]:
    """Return each trained parameter's factors, one for each use of it."""
    place = {id(parameter): i for i, parameter in enumerate(trained.values())}
    factors: list[list[Factor]] = [[] for _ in place]
    while record.uses:  # popped, so that what a layer read is free once its factors are made
        own, parts = record.uses.pop()
        for parameter, factor in parts(*deltas[own]):
            factors[place[id(parameter)]].append(factor)
    return factors


@contextlib.contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """Compute norms and sums as exactly as their type allows: bf16 or TF32 would let gradients slip past C."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def _square_norms(factors: list[list[Factor]], sizes: Tensor, losses: Tensor) -> Tensor:
    """Return the squared norm [P, U] of each parameter's gradient for each unit, of `sizes` [U] examples."""
    runs = [(size, len(list(units))) for size, units in groupby(sizes.tolist())]
    squares = single(losses.detach()).new_empty(len(factors), len(sizes))
    for own, out in zip(factors, squares, strict=True):
        _write_square_norms(own, runs, out)
    return squares


def _write_square_norms(factors: list[Factor], runs: list[tuple[int, int]], out: Tensor) -> None:
    """Write the squared norms of one parameter's gradients into `out` [U].

    `runs` are pairs: so many examples make a unit, and so many such units come next.
    """
    first, unit = 0, 0
    for size, units in runs:
        own = factors
        if size > 1 or len(runs) > 1:
            own = [factor[first : first + size * units].summed(size) for factor in factors]
        out[unit : unit + units] = square_norms(own) if own else 0.0
        first, unit = first + size * units, unit + units
