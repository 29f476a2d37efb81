"""Check that a model keeps its examples apart, before its "per-example" gradients are used.

On the first batch of a model there are three checks, on up to three of its examples, in the mode that the model is in.

One example is added a second time: that shows which tensors follow the batch, see :mod:`trustlab.privacy.fast.follow`.

Recorded gradients are per example only if row b of every layer depends on example b alone. Then weighting the examples'
losses by w weights row b of every layer's gradient by w_b, and by nothing else. A mean over the batch, positions
without a batch dimension, time in the place of the batch, all break this.

An example must contribute what it would contribute alone. So each is recomputed alone, by torch's own backward, and
compared: its loss, its norms and the sums must be the same, in every parameter. Statistics over the batch's inputs,
which no gradient passes through, break this. Dropout is off meanwhile, and other random numbers are drawn once: see
``randomness``.
"""

from __future__ import annotations

import contextlib
import functools
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trustlab.privacy.fast.factors import Factor, single
from trustlab.privacy.fast.follow import Plan, Unknown
from trustlab.privacy.fast.function import Inside
from trustlab.privacy.fast.randomness import Again, Draws, without_dropout
from trustlab.privacy.names import named, named_model

# Powers of two: multiplying by them is exact in floating point, so that rows that are apart agree to rounding.
WEIGHTS = (1.0, 4.0, 0.25)
TOLERANCE = 1e-4
# Alone and together, terms are added in a different order. Each loss and each parameter's gradient may differ by this
# share of itself, in half precision by the second; where its terms cancel, by this many times what rounding does to it,
# or to the whole gradient in single precision: less moves no sum.
ALONE = {False: 1e-2, True: 1e-1}
ROUNDINGS = 16.0
FAINT = ROUNDINGS * torch.finfo(torch.float32).eps
SMALLEST = 1e-18  # squares of smaller numbers are 0 in single precision, and so are norms made of them
LOOKS = 8  # a layer that is left out at random may be missing from one check
KEPT = 32  # proofs of one model; the oldest is dropped, and made again when it is needed

_plans: weakref.WeakKeyDictionary[nn.Module, dict[Any, Plan]] = weakref.WeakKeyDictionary()


@dataclass
class Proof:
    """What is known of one model, with one loss, in the mode that it is in.

    Attributes
    ----------
    met
        ``met(batch, known)`` records a forward without a plan, to find out more than is `known`.
    gradients
        ``gradients(batch, *weightings, plan=...)`` returns a recording, the losses, and for each of the weightings [B]
        of the losses the gradients at the recording's taps.
    measured
        ``measured(batch, sizes, plan)`` returns the losses [B], the factors and the squared norms [P, U] of units.
    """

    model: nn.Module
    per_example_loss: Callable[..., Tensor]
    trained: Mapping[str, nn.Parameter]
    met: Callable[..., Any]
    gradients: Callable[..., Any]
    measured: Callable[..., Any]

    def __post_init__(self) -> None:
        plans = _plans.setdefault(self.model, {})
        seen = (named_model(self.model), tuple(self.trained), named(self.per_example_loss))
        self.plan = plans.setdefault(seen, Plan())
        if len(plans) > KEPT:
            del plans[next(iter(plans))]
        self.devices = list({p.device for p in self.trained.values() if p.device.type == "cuda"})

    def check(self, batch: Any) -> None:
        """Raise if the examples of `batch` interact; once for a model as it is, its trained part and its loss.

        A single example shows nothing, nor does a number that is not finite: the check then waits for the next batch.

        Raises
        ------
        ValueError
            Naming the first layer in which one example's gradient depends on another, or what differs for an example
            alone.
        """
        if len(batch) < 2 or self.plan.proved:
            return
        few = batch[torch.arange(min(len(batch), len(WEIGHTS)))]
        with torch.random.fork_rng(devices=self.devices):  # the check must not move dropout's random state
            finite = self.planned(few, lambda plan: _check_weights(few, functools.partial(self.gradients, plan=plan)))
            finite &= self.planned(few, lambda plan: self._check_alone(few, plan))
        self.plan.proved = finite

    def planned(self, batch: Any, compute: Callable[[Plan], Any]) -> Any:
        """Return ``compute(plan)``; observe the layers of this batch first where the plan does not know them."""
        for _ in range(LOOKS):
            random = [torch.get_rng_state(), *(torch.cuda.get_rng_state(device) for device in self.devices)]
            try:
                return compute(self.plan)
            except Unknown as error:
                name = str(error)
            torch.set_rng_state(random[0])  # the step draws what it would have drawn without this
            for device, state in zip(self.devices, random[1:], strict=True):
                torch.cuda.set_rng_state(state, device)
            with torch.random.fork_rng(devices=self.devices):
                self._learn(batch)
        raise Inside(
            f"Expected {name!r} to be called alike with one example more, but its calls or shapes change with the "
            "batch. Which rows belong to an example is unknown: use engine='loop'.",
            {name},
        )

    def _learn(self, batch: Any) -> None:
        """Run some examples of `batch`, and then the same with one repeated: the first two, and all but one."""
        last = len(batch) - 1
        subsets = [range(min(2, last)), range(last), range(1, last + 1)]
        for rows in dict.fromkeys(subsets):
            fewer, more = torch.tensor([*rows]), torch.tensor([*rows, rows[0]])
            with without_dropout(self.model), Draws() as draws:
                met = self.met(batch[more], self.plan).met
            try:
                with without_dropout(self.model), Again(draws.drawn, len(more), torch.arange(len(fewer))), _alone():
                    met_before = self.met(batch[fewer], self.plan).met
            except ValueError:  # numbers that cannot be divided: drawn a second time
                with without_dropout(self.model), Draws(), _alone():
                    met_before = self.met(batch[fewer], self.plan).met
            self.plan.learn(met_before, met, (len(fewer), len(more)))

    def _check_alone(self, few: Any, plan: Plan) -> bool:
        """Compute each example alone and compare; return False where numbers were not finite, and not compared."""
        with without_dropout(self.model):
            with Draws() as draws:
                losses, factors, squares = self.measured(few, torch.ones(len(few), dtype=torch.long), plan)
            if not (losses.isfinite().all() and squares.isfinite().all()):
                return False
            alone = self._one_by_one(few, draws.drawn)
            half = torch.is_autocast_enabled(losses.device.type) or any(p.itemsize < 4 for p in self.trained.values())
            found = _Few(losses.detach(), squares.double().clamp(min=0).sqrt(), _sums(self.trained, factors, len(few)))
            if not found.like(alone, ALONE[half]).all():
                with _rounded(self.model):
                    rounded = self._one_by_one(few, draws.drawn)
                self._refuse(found.like(alone, ALONE[half], rounded))
        return True

    def _one_by_one(self, few: Any, drawn: list[Tensor]) -> _Few:
        """Compute each example alone, by torch."""
        losses, norms, parameters = [], [], list(self.trained.values())
        sums = [torch.zeros_like(single(parameter.detach())) for parameter in parameters]
        for i in range(len(few)):
            with Again(drawn, len(few), torch.tensor([i])), _alone():
                loss = self.per_example_loss(self.model, few[torch.tensor([i])]).sum()
                found = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
            found = [gradient.to_dense() if gradient.is_sparse else gradient for gradient in found]
            losses.append(loss.detach())
            norms.append(torch.stack([gradient.double().norm() for gradient in found]))
            for total, gradient in zip(sums, found, strict=True):
                total.add_(gradient, alpha=WEIGHTS[i])
        return _Few(torch.stack(losses), torch.stack(norms, dim=1), sums)

    def _refuse(self, like: Tensor) -> None:
        """Raise for the first number that is not `like` [1 + P], the loss first."""
        if like.all():
            return
        place = int((~like).nonzero()[0])
        what = f"gradient of {list(self.trained)[place - 1]!r}" if place else "loss"
        raise ValueError(
            f"Expected every example to have the {what} that it has alone, but other examples change it, or it was "
            "computed outside the layer that was recorded. Clipping could not bound what one example does: use no "
            "operation over the batch, nothing fixed for one batch, and no operation that changes a layer in place."
        )


@dataclass
class _Few:
    """Losses [B], norms [P, B] and, for each parameter, the weighted sum of the examples' gradients."""

    losses: Tensor
    norms: Tensor
    sums: list[Tensor]

    def like(self, alone: _Few, near: float, rounded: _Few | None = None) -> Tensor:
        """Return whether the losses, and what each parameter has [1 + P], are those of `alone`.

        Each number is measured by itself, not by the largest. `rounded` is `alone` with roundings added: where terms
        cancel, as in the bias of attention's keys, they are all that there is.
        """
        weights = torch.tensor(WEIGHTS[: len(self.losses)]).to(alone.norms)
        loss, norm = near * alone.losses.abs().double(), near * alone.norms + SMALLEST  # [B], [P, B]
        norm = norm + FAINT * alone.norms.norm(dim=0)
        sums = norm @ weights  # [P]
        if rounded is not None:
            loss = loss + ROUNDINGS * (rounded.losses.double() - alone.losses.double()).abs()
            change = _distances(rounded.sums, alone.sums)
            norm = norm + ROUNDINGS * (torch.maximum((rounded.norms - alone.norms).abs(), change[:, None]))
            sums = sums + ROUNDINGS * change
        # Written so that NaN alone, compared with a number together, is a difference.
        alike = ((self.norms - alone.norms).abs() <= norm).all(1) & (_distances(self.sums, alone.sums) <= sums)
        return torch.cat([((self.losses - alone.losses).double().abs() <= loss).all()[None], alike])


def _distances(one: list[Tensor], other: list[Tensor]) -> Tensor:
    return torch.stack([(a.double() - b.double()).norm() for a, b in zip(one, other, strict=True)])


def _sums(trained: Mapping[str, nn.Parameter], factors: list[list[Factor]], examples: int) -> list[Tensor]:
    """Return what the engine would add up with :data:`WEIGHTS`."""
    sums = []
    for parameter, own in zip(trained.values(), factors, strict=True):
        total = torch.zeros_like(single(parameter.detach()), memory_format=torch.contiguous_format)
        for factor in own:
            factor.add_to(total, torch.tensor(WEIGHTS[:examples]).to(total))
        sums.append(total)
    return sums


def _check_weights(few: Any, gradients: Callable[..., Any]) -> bool:
    """Weight the losses and compare; return False where a gradient was not finite, and not compared."""
    weights = torch.tensor(WEIGHTS[: len(few)])
    record, _, (plain, weighted) = gradients(few, torch.ones_like(weights), weights)
    for tap, one, other in zip(record.taps, plain, weighted, strict=True):
        expected = tap.weigh(one, weights)
        largest, difference = (tap.rows(part).abs().amax(1) for part in (expected, expected - other))
        tiny = torch.finfo(one.dtype).tiny
        if tiny > 1e-30:  # float16 loses the small ones to underflow, the others what has fewer digits than usual
            largest, tiny = largest.amax(), 0.0
        if one.isfinite().all() and (difference > TOLERANCE * largest + tiny).any():
            raise ValueError(
                f"Expected the examples of a batch to stay apart in {tap.name!r}, but the gradient of one depends on "
                "another's loss. Clipping could not bound what one example does: give every input the batch's size "
                "as its first dimension, and use no operation over the batch."
            )
    return all(bool(one.isfinite().all()) for one in plain)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Explain that an example, or two of them, cannot be computed."""
    try:
        yield
    except (RuntimeError, ValueError, IndexError) as error:
        raise ValueError(
            f"Expected an example to be computed alone as well as among others, got: {str(error).splitlines()[0]} "
            "Clipping needs each example's own gradient: use no operation over the batch."
        ) from error


@contextlib.contextmanager
def _rounded(model: nn.Module) -> Iterator[None]:
    """Round every output again, at random, and its gradient too."""

    def round_(module: nn.Module, inputs: Any, output: Any) -> Any:
        if not isinstance(output, Tensor) or not output.is_floating_point():
            return output
        with torch._C.DisableTorchFunction():  # not one of the model's own draws
            signs = torch.randint(-1, 2, output.shape, device=output.device).to(output.dtype)
        return output * (1 + torch.finfo(output.dtype).eps * signs)

    with contextlib.ExitStack() as stack:
        for module in model.modules():
            if next(module.children(), None) is None:
                handle = module.register_forward_hook(round_)
                stack.callback(handle.remove)
        yield
