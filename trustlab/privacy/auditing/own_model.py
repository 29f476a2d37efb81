"""The step on a model and examples of the user's own: what a probe of linear layers cannot show.

Tied weights, a layer whose gradients are computed wrongly, a tensor that the noise passes over: such errors are of one
model. Two tricks make its steps as readable as the probe's. Losses multiplied by 0 have no gradients, so that what a
step leaves is noise alone. And losses multiplied by a large number have gradients far longer than C, of which clipping
has to leave C. How far one example moves the sum is measured along its own gradient and along what it was first seen to
move: two directions, in which little noise is left to average, however many parameters there are.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from trustlab.privacy.auditing.counts import Array
from trustlab.privacy.auditing.neighbours import SLACK, distance, repeats_for, screened
from trustlab.privacy.auditing.noise_checks import between_parameters, coordinates, variances
from trustlab.privacy.auditing.probe import Step, taken, together, trained
from trustlab.privacy.auditing.report import Check

REPEATS = 8  # steps without gradients
EXAMPLES = 17  # of the batch, at most
TRIED, COPIES = 3, 4  # examples that are added, and how often each
LONG = 100.0  # a gradient before clipping, over C
COMPARED = 2048  # numbers of each tensor whose noise is compared with the others'


class Neighbours(NamedTuple):
    """Indices of a batch, one example that is added `copies` times, and what its losses are multiplied by."""

    base: Tensor
    example: int
    copies: int
    times: float

    def __str__(self) -> str:
        added = f"{self.copies} copies of example {self.example}" if self.copies > 1 else f"example {self.example}"
        return f"{added} added to {len(self.base)}, losses times {self.times:.3g}"


class Multiplied:
    """A per-example loss times a number that is changed between steps; a step may keep the loss."""

    def __init__(self, loss: Callable[..., Tensor]) -> None:
        self.loss, self.times = loss, 1.0

    def __call__(self, model: nn.Module, batch: Any) -> Tensor:
        """Return the losses [B]."""
        return self.loss(model, batch) * self.times


class OwnModel:
    """Takes a step on a copy of the user's model and reads what it leaves, in units of C and before division."""

    def __init__(
        self, steps: Sequence[Step], model: nn.Module, loss: Callable[..., Tensor], batch: Any, unit: float
    ) -> None:
        self.step, self.unit, self.loss = together(steps), unit, Multiplied(loss)
        self.model = copy.deepcopy(model)
        self.names = [name for name, parameter in self.model.named_parameters() if parameter.requires_grad]
        self.batch = batch[torch.arange(min(len(batch), EXAMPLES))]

    def parts(self, chosen: Tensor, times: float) -> list[Array]:
        """Take one step on the `chosen` examples and return what it leaves in each parameter, flat."""
        self.loss.times = times
        left = taken(self.step, self.model, self.loss, self.batch[chosen])
        return [part.reshape(-1).double().cpu().numpy() / self.unit for part in left]

    def released(self, chosen: Tensor, times: float, seed: int) -> Array:
        """Take one step after seeding torch's generator, and return all that it leaves, [D]."""
        torch.manual_seed(seed)
        return np.concatenate(self.parts(chosen, times))

    def gradient(self, example: int) -> Array:
        """Return the gradient of one example's loss, [D], as autograd has it."""
        self.loss.times = 1.0
        loss = self.loss(self.model, self.batch[torch.tensor([example])]).sum()
        found = torch.autograd.grad(loss, trained(self.model), allow_unused=True, materialize_grads=True)
        return np.concatenate([part.reshape(-1).double().cpu().numpy() for part in found])


def own_model_checks(own: OwnModel, *, clip_norm: float, sigma: float, sensitivity: float, seed: int) -> list[Check]:
    """Check the noise in each of the model's tensors, and how far its examples move the sum."""
    everyone = torch.arange(len(own.batch))
    seen = [own.parts(everyone[: len(everyone) // 2 + i % 2], 0.0) for i in range(REPEATS)]
    parts = [np.stack(tensor) / sigma for tensor in zip(*seen, strict=True)]
    few = [part[:, :COMPARED] for part in parts]
    return [
        _sensitivity(own, clip_norm, sigma, sensitivity, np.random.default_rng([seed, 3])),
        variances("noise of each parameter, your model", dict(zip(own.names, parts, strict=True)), {}),
        coordinates("noise of each coordinate, your model", own.names, parts),
        between_parameters("noise between parameters, your model", own.names, few),
    ]


def _pairs(own: OwnModel, clip_norm: float, rng: np.random.Generator) -> Iterator[tuple[Neighbours, Array]]:
    """Yield neighbouring batches, each with the direction of the added example's gradient."""
    everyone = np.arange(len(own.batch))
    for example in rng.permutation(everyone)[:TRIED].tolist():
        gradient = own.gradient(example)
        length = float(np.linalg.norm(gradient))
        unit = gradient / (length or 1.0)
        others = torch.from_numpy(rng.permutation(np.delete(everyone, example)))
        long = LONG * clip_norm / (length or 1.0)
        yield Neighbours(others[:1], example, 1, 1.0), unit
        yield Neighbours(others[:1], example, 1, long), unit
        yield Neighbours(others, example, COPIES, long), unit


def _sensitivity(own: OwnModel, clip_norm: float, sigma: float, declared: float, rng: np.random.Generator) -> Check:
    found = []
    for pair, unit in _pairs(own, clip_norm, rng):
        first = _moved(own, pair, rng)
        rest = first - (first @ unit) * unit
        plane = np.stack([unit, rest / (np.linalg.norm(rest) or 1.0)])
        rows = np.stack([_moved(own, pair, rng) @ plane.T for _ in range(2)])
        found.append((*screened(rows, pair.copies), pair, plane))
    _, exact, pair, plane = max(found, key=lambda each: each[0])
    repeats = repeats_for(exact, sigma, pair.copies * declared)
    rows = np.stack([_moved(own, pair, rng) @ plane.T for _ in range(repeats)])
    moved, error, p = distance(rows, at_most=pair.copies * declared * SLACK)
    return Check(
        name="sensitivity, your model",
        expected=f"one example moves the sum by {declared:g} C at most",
        measured=f"{moved / pair.copies:.3g}" + ("" if exact else f" ± {error / pair.copies:.2f}") + f" C ({pair})",
        p=p,
        means="An example of yours moves the released sum further than the accountant assumes: ε is larger on this "
        "model than reported.",
        do="Compare each example's gradient with autograd's. Weights that two layers share have one gradient, whose "
        "norm counts once, and examples must not mix in any layer.",
    )


def _moved(own: OwnModel, pair: Neighbours, rng: np.random.Generator) -> Array:
    """Return by how much the added example moved the sum, [D], both steps with the same seed."""
    seed = int(rng.integers(2**31))
    both = torch.cat([pair.base, torch.full((pair.copies,), pair.example)])
    return own.released(both, pair.times, seed) - own.released(pair.base, pair.times, seed)
