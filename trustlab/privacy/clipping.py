"""One private step's gradient: clip, add noise, divide.

Two mechanisms, readable from top to bottom. ``"loop"`` is textbook DP-SGD (Abadi et al. 2016, Algorithm 1): the
gradient of every example is clipped to C. ``"micro-batch"`` is our reading of eDP-SGD (Dupuy et al. 2022), of which the
summaries name the ingredients and not the details: the batch is dealt into K micro-batches, and the gradient of each
one's *mean* loss is clipped, which costs K backward passes and not B.

One example moves the sum of the loop by at most C. It moves a micro-batch's clipped mean by up to **2C**, from any
vector of length C to any other, so the same noise buys half the noise multiplier: see :data:`SENSITIVITY`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

PerExampleLoss = Callable[[nn.Module, Any], Tensor]

# Δ: how far adding or removing one example can move the sum before noise, in units of the clipping norm.
SENSITIVITY = {"loop": 1.0, "micro-batch": 2.0}


@dataclass(frozen=True)
class Norms:
    """What was clipped in one step. It is read off private gradients before noise: it is outside the guarantee.

    Attributes
    ----------
    norms : Tensor [U]
        L2 norm of each unit's gradient before clipping; a unit is an example or a non-empty micro-batch.
    clipped : float
        Share of units that clipping shortened, in [0, 1]; NaN for an empty batch. A unit whose norm is not finite is
        left out of the sum and stands in `norms` as it is.
    """

    norms: Tensor
    clipped: float


def private_gradients(
    model: nn.Module,
    per_example_loss: PerExampleLoss,
    batch: Any,
    *,
    method: str,
    clip_norm: float,
    noise_multiplier: float = 0.0,
    normalizer: float | None = None,
    micro_batches: int | None = None,
    layerwise: str = "flat",
    generator: torch.Generator | None = None,
) -> Norms:
    """Leave ``(Σ clipped gradients + noise) / normalizer`` in ``.grad`` of the trainable parameters.

    Parameters
    ----------
    model
        Its parameters with ``requires_grad`` are trained.
    per_example_loss
        ``per_example_loss(model, batch) -> Tensor [B]``, each entry a function of its own example only.
    batch
        Has a length B, possibly 0, and can be indexed with a tensor of indices.
    method
        ``"loop"`` or ``"micro-batch"``.
    clip_norm
        C > 0, the largest L2 norm a unit keeps.
    noise_multiplier
        σ ≥ 0; the noise added to the sum has standard deviation σ·C in every coordinate.
    normalizer
        A number fixed without looking at the batch: the expected batch size for the loop (required), K for
        micro-batches (the default).
    micro_batches
        K ≥ 1. Each example of the batch goes to one of K micro-batches by its own throw of a die, so that removing
        it leaves every other example where it was. Cutting the batch into K pieces in order would move them all:
        one example could then change every micro-batch, by 2C each.
    layerwise
        How ``"micro-batch"`` divides C over the L parameter tensors: ``"flat"`` (one norm over all), ``"equal"``
        (C/√L each) or ``"dimension"`` (C·√(d_l/Σd)). The squares sum to C² in each case, so Δ is the same.
    generator
        Source of the noise and of the dice. A seeded one makes a run repeatable, and its noise predictable to
        anybody who knows the seed.

    Raises
    ------
    ValueError
        For options outside these ranges, before any gradient is computed.

    Examples
    --------
    >>> model = nn.Linear(2, 1, bias=False)
    >>> loss = lambda model, x: model(x).squeeze(-1)  # the gradient of example i is x_i itself
    >>> norms = private_gradients(model, loss, torch.tensor([[3.0, 4.0], [0.0, 0.5]]),
    ...                           method="loop", clip_norm=1.0, normalizer=1.0)
    >>> norms.norms, norms.clipped
    (tensor([5.0000, 0.5000]), 0.5)
    >>> model.weight.grad
    tensor([[0.6000, 1.3000]])
    """
    _check(method, clip_norm, noise_multiplier, normalizer, micro_batches, layerwise)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if method == "loop":
        units = [torch.tensor([i]) for i in range(len(batch))]
        limits = _limits(parameters, clip_norm, "flat")
    else:
        dice = torch.randint(micro_batches, (len(batch),), generator=generator)  # [B], each example's micro-batch
        units = [members for k in range(micro_batches) if len(members := (dice == k).nonzero()[:, 0])]
        limits = _limits(parameters, clip_norm, layerwise)
        normalizer = micro_batches if normalizer is None else normalizer

    total = [torch.zeros_like(parameter) for parameter in parameters]
    norms, clipped = [], 0
    for members in units:
        loss = per_example_loss(model, batch[members]).mean()
        gradient = torch.autograd.grad(loss, parameters, allow_unused=True)
        norm, shortened = _add_clipped(total, gradient, limits)
        norms.append(norm)
        clipped += shortened
    for parameter, summed in zip(parameters, total, strict=True):
        noise = _noise(summed, noise_multiplier * clip_norm, generator)
        parameter.grad = (summed + noise) / normalizer
    return Norms(torch.tensor(norms), clipped / len(units) if units else math.nan)


def _add_clipped(
    total: list[Tensor], gradient: tuple[Tensor | None, ...], limits: list[tuple[list[int], float]]
) -> tuple[float, bool]:
    """Add one unit's gradient to `total`, each group of tensors shortened to its limit; return its norm."""
    square, shortened = 0.0, False
    for group, limit in limits:
        parts = [(i, gradient[i]) for i in group if gradient[i] is not None]
        norm = math.sqrt(sum(part.square().sum().item() for _, part in parts))
        square += norm**2
        if not math.isfinite(norm):
            continue  # an example whose gradient overflows adds nothing: it must not poison the sum
        factor = min(1.0, limit / norm) if norm > 0 else 1.0
        shortened = shortened or factor < 1
        for i, part in parts:
            total[i].add_(part, alpha=factor)
    return math.sqrt(square), shortened


def _limits(parameters: list[Tensor], clip_norm: float, layerwise: str) -> list[tuple[list[int], float]]:
    """Return groups of parameter indices, each with the largest norm that the group keeps."""
    if layerwise == "flat":
        return [(list(range(len(parameters))), clip_norm)]
    sizes = [parameter.numel() for parameter in parameters]
    shares = [1 / len(sizes)] * len(sizes) if layerwise == "equal" else [size / sum(sizes) for size in sizes]
    return [([i], clip_norm * math.sqrt(share)) for i, share in enumerate(shares)]


def _noise(like: Tensor, std: float, generator: torch.Generator | None) -> Tensor | float:
    """Return Gaussian noise of standard deviation `std` in the shape of `like`."""
    if std == 0:
        return 0.0
    return torch.normal(0.0, std, like.shape, generator=generator, dtype=like.dtype).to(like.device)


def _check(
    method: str,
    clip_norm: float,
    noise_multiplier: float,
    normalizer: float | None,
    micro_batches: int | None,
    layerwise: str,
) -> None:
    """Refuse options that would change or void the guarantee."""
    if method not in SENSITIVITY:
        raise ValueError(f"Expected method={method!r} to be one of {', '.join(map(repr, SENSITIVITY))}.")
    if not 0 < clip_norm < math.inf:
        raise ValueError(f"Expected 0 < clip_norm={clip_norm} < inf. Without a bound on a gradient no noise hides it.")
    if not 0 <= noise_multiplier < math.inf:
        raise ValueError(
            f"Expected 0 <= noise_multiplier={noise_multiplier} < inf. 0 adds no noise and promises nothing."
        )
    if normalizer is not None and not 0 < normalizer < math.inf:
        raise ValueError(f"Expected normalizer={normalizer} > 0. It turns the noisy sum into a mean.")
    if method == "loop" and normalizer is None:
        raise ValueError(
            f"Expected normalizer > 0 with method='loop', got {normalizer}. Use the expected batch size: "
            "dividing by the actual one would publish it."
        )
    if method == "loop" and (micro_batches is not None or layerwise != "flat"):
        raise ValueError(
            "Expected micro_batches=None and layerwise='flat' with method='loop': it clips examples whole."
        )
    if method == "micro-batch" and (micro_batches is None or micro_batches < 1):
        raise ValueError(f"Expected micro_batches={micro_batches} >= 1. It is the number of clipped means per step.")
    if layerwise not in ("flat", "equal", "dimension"):
        raise ValueError(f"Expected layerwise={layerwise!r} to be 'flat', 'equal' or 'dimension'.")
