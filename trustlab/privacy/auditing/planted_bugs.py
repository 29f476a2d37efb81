"""DP-SGD written out, and the same step with one bug each: what an audit has to find, and a reader of its report.

All of them declare E = 8 expected examples, C = 0.5 and σ = 1. The bugs are those of real code: noise by the batch that
was drawn, noise missing in a part of a model, micro-batches whose sensitivity is taken for C (Ponomareva et al. 2023,
§5.6), gradients that are not reset (Opacus, issues 54 and 143), one key for several shards (JAX, pull request 3646).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from trustlab.privacy.auditing.probe import Step

E, C, SIGMA = 8, 0.5, 1.0
DECLARED = dict(clip_norm=C, noise_multiplier=SIGMA, expected_batch_size=E)
Loss = Callable[..., Tensor]


def gradients(model: nn.Module, loss: Loss, batch: Any) -> list[Tensor]:
    """Return every example's gradient of each parameter: a list of [B, ...] tensors."""
    parameters = list(model.parameters())
    rows = [torch.autograd.grad(loss(model, batch[i : i + 1]).sum(), parameters) for i in range(len(batch))]
    if not rows:
        return [torch.zeros(0, *p.shape) for p in parameters]
    return [torch.stack(column) for column in zip(*rows, strict=True)]


def clip(each: Sequence[Tensor], limit: float = C) -> list[Tensor]:
    """Shorten vectors [B, ...] in several tensors to `limit` all together; leave out what is not finite.

    Examples
    --------
    >>> clip([torch.tensor([[3.0], [0.1], [torch.nan]]), torch.tensor([[4.0], [0.0], [1.0]])])[0].ravel()
    tensor([0.3000, 0.1000, 0.0000])
    """
    norms = sum((g.flatten(1).double().square().sum(1) for g in each), torch.zeros(())).sqrt()
    kept = (limit / norms.clamp(min=1e-12)).clamp(max=1).float()

    def along(g: Tensor, values: Tensor) -> Tensor:
        return values.view(-1, *[1] * (g.dim() - 1))

    return [torch.where(along(g, norms.isfinite()), g, 0.0) * along(g, kept.nan_to_num()) for g in each]


def clipped_sum(model: nn.Module, loss: Loss, batch: Any) -> list[Tensor]:
    """Return the sum of the clipped gradients for each parameter."""
    return [g.sum(0) for g in clip(gradients(model, loss, batch))]


def leave(
    model: nn.Module,
    sums: Sequence[Tensor],
    std: float = SIGMA * C,
    divisor: float = E,
    draw: Callable[[Tensor], Tensor] = torch.randn_like,
) -> None:
    """Add noise of standard deviation `std` to `sums`, divide, and leave the result in ``.grad``."""
    for parameter, total in zip(model.parameters(), sums, strict=True):
        parameter.grad = (total + std * draw(total)) / divisor


def honest(model: nn.Module, loss: Loss, batch: Any) -> None:
    """Take a step without a bug.

    Examples
    --------
    >>> from trustlab.privacy.auditing import audit
    >>> audit(honest, **DECLARED).holds
    True
    """
    leave(model, clipped_sum(model, loss, batch))


def noise_scaled_by_the_batch(model: nn.Module, loss: Loss, batch: Any) -> None:
    """Divide the noise's standard deviation by the batch that was drawn: a large batch gets less than declared."""
    leave(model, clipped_sum(model, loss, batch), std=SIGMA * C * E / max(len(batch), 1))


def noise_missing_on_one_group(model: nn.Module, loss: Loss, batch: Any) -> None:
    """Forget the noise of the last parameter."""
    leave(model, clipped_sum(model, loss, batch))
    *_, (_, last) = model.named_parameters()
    if len(list(model.parameters())) > 1:
        last.grad = clipped_sum(model, loss, batch)[-1] / E


def micro_batches_of_sensitivity_1(model: nn.Module, loss: Loss, batch: Any) -> None:
    """Clip the mean of each micro-batch, and declare C: one example can turn a mean from one side to the other."""
    each = gradients(model, loss, batch)
    home = torch.randint(E, (len(batch),))
    means = [[g[home == k].mean(0) for g in each] for k in home.unique()]
    sums = [torch.stack(parts) for parts in zip(*means, strict=True)] if means else each
    leave(model, [g.sum(0) for g in clip(sums)])


class StepBeforeAgain:
    """Keep the clipped sum of the batch before, as where no gradient is reset, and release it again."""

    def __init__(self) -> None:
        self.kept: list[Tensor] = []

    def __call__(self, model: nn.Module, loss: Loss, batch: Any) -> None:
        """Take a step on this batch and the one before."""
        own = clipped_sum(model, loss, batch)
        same = len(self.kept) == len(own) and all(a.shape == b.shape for a, b in zip(self.kept, own, strict=True))
        leave(model, [a + b for a, b in zip(own, self.kept, strict=True)] if same else own)
        self.kept = own


def same_seed_on_every_shard(model: nn.Module, loss: Loss, batch: Any) -> None:
    """Divide the parameters among shards, and let each one's noise begin with the step's seed."""
    seed = int(torch.randint(2**31, ()))
    draw = lambda g: torch.randn(g.shape, generator=torch.Generator().manual_seed(seed))  # noqa: E731
    leave(model, clipped_sum(model, loss, batch), draw=draw)


PLANTED: dict[str, Callable[[], Step]] = {
    "noise scaled by the batch": lambda: noise_scaled_by_the_batch,
    "noise missing on one group": lambda: noise_missing_on_one_group,
    "micro-batches of sensitivity 1": lambda: micro_batches_of_sensitivity_1,
    "the step before again": StepBeforeAgain,
    "same seed on every shard": lambda: same_seed_on_every_shard,
}
