"""A model whose gradients are its inputs, on which any step shows what it clips and what noise it adds.

It has several parameters, ``layers.0.weight`` …, and the gradient of example x along each is a part of x itself. Only
the first coordinate of each part is used for examples. All other coordinates of a step's result are noise alone,
whatever the batch was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trustlab.privacy.auditing.counts import Array

Step = Callable[..., Any]


class NotFiniteError(ValueError):
    """A step left no finite gradient."""


WIDTHS = (2048, 2048, 1024)  # numbers in each parameter; two of one size, so that equal noise in both is seen
NOT_FINITE = (
    "Expected the step to leave a finite gradient in .grad of the model that it is given, got none. Take the step on "
    "that model, not on a copy."
)


class Probe(nn.Module):
    """A sum of linear layers, each on its own part of the input [B, D].

    Examples
    --------
    >>> Probe((3, 2))(torch.ones(4, 5)).shape
    torch.Size([4, 1])
    """

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.widths = list(widths)
        with torch.random.fork_rng(devices=[]):  # first weights take nothing from the step's noise
            self.layers = nn.ModuleList(nn.Linear(width, 1, bias=False) for width in widths)

    def forward(self, batch: Tensor) -> Tensor:
        """Return [B, 1]."""
        parts = batch.split(self.widths, dim=1)
        outputs = [layer(part) for layer, part in zip(self.layers, parts, strict=True)]
        return torch.stack(outputs).sum(0)


def probe_loss(model: nn.Module, batch: Tensor) -> Tensor:
    """Return losses [B] whose gradients are the rows of `batch` [B, d]."""
    return model(batch).squeeze(-1)


def together(steps: Sequence[Step]) -> Step:
    """Return one step in which worker w of W takes the examples w, w + W, …, and the results are added.

    Examples
    --------
    >>> def step(model, loss, batch):
    ...     model.weight.grad = batch.sum(0, keepdim=True)
    >>> model = nn.Linear(2, 1, bias=False)
    >>> together([step, step])(model, probe_loss, torch.ones(5, 2))
    >>> model.weight.grad
    tensor([[5., 5.]])
    """
    if len(steps) == 1:
        return steps[0]

    def step(model: nn.Module, loss: Callable[..., Tensor], batch: Any) -> None:
        shares = []
        for w, own in enumerate(steps):
            shares.append(taken(own, model, loss, batch[w :: len(steps)]))
        for parameter, *parts in zip(trained(model), *shares, strict=True):
            parameter.grad = torch.stack(parts).sum(0)

    return step


class Prober:
    """Takes a step on the probe and reads what it leaves, in units of the clipping norm C.

    Parameters
    ----------
    steps
        One step, or one for each worker.
    clip_norm, divisor
        C, and what the step divides the noisy sum by.
    """

    def __init__(self, steps: Sequence[Step], clip_norm: float, divisor: float) -> None:
        self.steps, self.clip_norm, self.divisor = steps, clip_norm, divisor
        self.model = Probe()
        self.names = [name for name, _ in self.model.named_parameters()]
        self._starts = np.cumsum([0, *WIDTHS[:-1]])
        self._parts = [slice(start, start + width) for start, width in zip(self._starts, WIDTHS, strict=True)]

    def batch(self, signals: Array) -> Tensor:
        """Return examples whose gradients along the parameters' first coordinates are `signals` [B, P], in units of C.

        Examples
        --------
        >>> Prober([], clip_norm=0.5, divisor=1.0).batch(np.ones((2, 3)))[:, :2]
        tensor([[0.5000, 0.0000],
                [0.5000, 0.0000]])
        """
        rows = torch.zeros(len(signals), sum(WIDTHS))
        rows[:, torch.from_numpy(self._starts)] = torch.from_numpy(signals * self.clip_norm).to(rows.dtype)
        return rows

    def shares(self, signals: Array) -> Array:
        """Take one step on `signals` [B, P] and return what each worker leaves, [W, D], before division.

        Raises
        ------
        NotFiniteError
            Where a step leaves no finite gradient.
        """
        batch, many = self.batch(signals), len(self.steps)
        found = [taken(step, self.model, probe_loss, batch[w::many]) for w, step in enumerate(self.steps)]
        flat = torch.stack([torch.cat([part.reshape(-1) for part in parts]) for parts in found]).double()
        return (flat * (self.divisor / self.clip_norm)).numpy()

    def signal(self, signals: Array, seed: int) -> Array:
        """Take one step after seeding torch's generator (CPU), and return the parameters' first coordinates [P]."""
        torch.default_generator.manual_seed(seed)  # torch.manual_seed takes longer than a step
        return self.shares(signals).sum(0)[self._starts]

    def parts(self, released: Array) -> list[Array]:
        """Divide `released` [..., D] among the parameters; all but the first number of each is noise alone."""
        return [released[..., part] for part in self._parts]


def trained(model: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that a step has to leave a gradient in."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def taken(step: Step, model: nn.Module, loss: Callable[..., Tensor], batch: Any) -> list[Tensor]:
    """Take a step and return the gradients that it leaves."""
    model.zero_grad(set_to_none=True)
    step(model, loss, batch)
    left = [parameter.grad for parameter in trained(model)]
    if any(gradient is None or not gradient.isfinite().all() for gradient in left):
        raise NotFiniteError(NOT_FINITE)
    return [gradient.detach().clone() for gradient in left]
