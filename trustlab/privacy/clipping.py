"""One private step's gradient: clip, add noise, divide.

Two methods. ``"dp-sgd"`` (Abadi et al. 2016, Algorithm 1) clips the gradient of every example to C. ``"edp-sgd"`` is
our reading of Dupuy et al. 2022, of which the summaries name the ingredients and not the details: the batch is divided
into K micro-batches, and the gradient of each one's *mean* loss is clipped.

Two engines compute either. ``"loop"`` is the definition, readable below: one backward for each example or micro-batch.
``"fast"`` gives the same sum from one forward and one backward, see :mod:`trustlab.privacy.fast`.

One example moves the sum of clipped examples by at most C. It moves a micro-batch's clipped mean by up to **2C**, from
any vector of length C to any other, so the same noise buys half the noise multiplier: see :data:`SENSITIVITY`.
"""

from __future__ import annotations

import bisect
import math
import numbers
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trustlab.batch_tensors import hashed
from trustlab.batches import Collate, with_loss
from trustlab.deprecation import old_arguments
from trustlab.privacy import fast
from trustlab.privacy.distributed import Workers, named_batch
from trustlab.privacy.losses import UNREACHED, PerExampleLoss, checked
from trustlab.privacy.methods import SENSITIVITY, in_new_words
from trustlab.privacy.mixers import refuse_mixers
from trustlab.privacy.noise import NoisySum
from trustlab.privacy.recomputation import not_reentrant
from trustlab.privacy.refusals import refuse_compiled, refuse_frozen, refuse_unfit
from trustlab.privacy.thresholds import Thresholds
from trustlab.privacy.writers import refuse_writers

OWN_ENGINES = ("fast", "loop")


@dataclass(frozen=True)
class Norms:
    """What was clipped in one step. It is computed from private gradients before noise, so ε does not cover it.

    Attributes
    ----------
    norms : Tensor [U]
        L2 norm of each unit's gradient before clipping; a unit is an example or a non-empty micro-batch.
    clipped : float
        Share of units that clipping shortened, in [0, 1]; NaN for an empty batch.
    dropped : int
        Units left out of the sum because their norm is not finite; `norms` lists them too.
    """

    norms: Tensor
    clipped: float
    dropped: int = 0


@old_arguments(normalizer="expected_batch_size")
def private_gradients(
    model: nn.Module,
    per_example_loss: PerExampleLoss,
    batch: Any,
    *,
    method: str,
    engine: str = "fast",
    clip_norm: float,
    noise_multiplier: float = 0.0,
    expected_batch_size: float | None = None,
    micro_batches: int | None = None,
    layerwise: str | Mapping[str, float] = "flat",
    automatic: bool = False,
    noise_by: str = "sum",
    physical_batch: int | None = None,
    generator: torch.Generator | None = None,
    secure: bool = False,
    collate_fn: Collate | None = None,
    workers: Workers | None = None,
) -> Norms:
    """Leave ``(Σ clipped gradients + noise) / expected_batch_size`` in ``.grad`` of the trainable parameters.

    Parameters
    ----------
    model
        Its parameters with ``requires_grad`` are trained. ``.grad`` is replaced: ``zero_grad()`` is not needed, and a
        gradient kept from an earlier step does not change. That of a frozen parameter becomes None, or an optimizer
        would go on stepping on its last one. After an error ``.grad`` is None, or untouched.
    per_example_loss
        ``per_example_loss(model, batch) -> Tensor [B]``, each entry depends only on its own example.
    batch
        B examples, possibly none: a tensor; dicts, a ``BatchEncoding`` or tuples of tensors; a map-style dataset; or a
        class with ``__len__`` and ``__getitem__`` for a tensor of indices. The loss gets parts of the same kind.
    method
        ``"dp-sgd"`` clips every example, ``"edp-sgd"`` every micro-batch; see :mod:`trustlab.privacy.methods`.
    engine
        ``"fast"`` or ``"loop"``: the same sum in one backward, or in one for each unit.
    clip_norm
        C > 0, the largest L2 norm a unit keeps.
    noise_multiplier
        σ ≥ 0; the noise added to the sum has standard deviation σ·C in every coordinate.
    expected_batch_size
        What the noisy sum is divided by, fixed without looking at the batch: q·N for clipped examples (required). For
        clipped micro-batches it is how many of them a step expects, K (the default).
    micro_batches
        K ≥ 1. Each example of the batch goes to one of K micro-batches, drawn independently, so that removing it
        leaves every other example where it was. Cutting the batch into K pieces in order would move them all: one
        example could then change every micro-batch, by 2C each.
    layerwise
        How C is divided over the parameter tensors, see :meth:`Thresholds.divide`: ``"flat"``, ``"equal"``,
        ``"dimension"`` or a weight for each name. The limits' squares sum to C² in each case, so Δ is the same.
    automatic
        Scale every unit's gradient to C / (norm + 0.01) of its length instead of shortening the long ones only.
    noise_by
        ``"sum"``, or for micro-batches ``"worker"``: each of K workers adds its share, of standard deviation σ·C/√K,
        so that no process holds the sum without noise.
    physical_batch
        Compute at most that many examples at once (one micro-batch at least) and add up: less memory, the same result.
    generator
        Source of the noise and of the random micro-batches. A seeded one makes a run repeatable, and makes its noise
        predictable for anyone who knows the seed.
    secure
        Draw the noise from the operating system's generator; takes no `generator`. See :mod:`trustlab.privacy.noise`.
    collate_fn
        Makes a batch of a list of a dataset's rows, as in ``torch.utils.data.DataLoader``.
    workers
        Take this step together with other processes, see :mod:`trustlab.privacy.distributed`: each is given the same
        batch and a generator in the same state, computes its part, and is left with the gradient of all.

    Raises
    ------
    ValueError
        For options outside these ranges, before any gradient is computed; and for a model in which the examples cannot
        be separated.

    Examples
    --------
    >>> model = nn.Linear(2, 1, bias=False)
    >>> loss = lambda model, x: model(x).squeeze(-1)  # the gradient of example i is x_i itself
    >>> norms = private_gradients(model, loss, torch.tensor([[3.0, 4.0], [0.0, 0.5]]),
    ...                           method="dp-sgd", clip_norm=1.0, expected_batch_size=1.0)
    >>> norms.norms, norms.clipped
    (tensor([5.0000, 0.5000]), 0.5)
    >>> model.weight.grad
    tensor([[0.6000, 1.3000]])
    """
    if not torch.is_grad_enabled():
        raise ValueError("Expected a step outside no_grad() and inference_mode(), got one inside: it needs gradients.")
    method, engine = in_new_words(method, engine, depth=2)
    if engine not in OWN_ENGINES:
        raise ValueError(f"Expected engine={engine!r} to be one of {', '.join(map(repr, OWN_ENGINES))}.")
    _check(method, clip_norm, noise_multiplier, expected_batch_size, micro_batches, noise_by, physical_batch)
    clip_norm, noise_multiplier = float(clip_norm), float(noise_multiplier)  # NumPy's and torch's are numbers too
    refuse_frozen(model)
    if engine == "fast":
        refuse_compiled(model, per_example_loss)
    batch, per_example_loss = with_loss(batch, per_example_loss, collate_fn)
    refuse_mixers(model)
    refuse_unfit(model)
    parameters = dict(model.named_parameters())
    trained = {name: parameter for name, parameter in parameters.items() if parameter.requires_grad}
    thresholds = Thresholds.divide(clip_norm, trained, layerwise=layerwise, automatic=automatic)
    workers = workers or Workers()
    members, sizes = _units(len(batch), micro_batches, generator)  # drawn before the noise
    divisor = float(expected_batch_size or micro_batches)
    std, shares = noise_multiplier * clip_norm / divisor, micro_batches if noise_by == "worker" else 1
    losses = checked(model, per_example_loss)
    with not_reentrant():
        refuse_writers(model, losses, batch)
    part = (workers.rank, workers.count)
    total = NoisySum(list(trained.values()), std, workers=shares, generator=generator, secure=secure, part=part)
    add = _one_by_one if engine == "loop" else fast.add_clipped
    norms, clipped = [torch.zeros(0)], [torch.zeros(0)]

    def seen() -> dict[str, str]:
        options = (method, clip_norm, std, divisor, shares, layerwise, automatic)
        return {"batch": named_batch(batch), "micro-batches": hashed(members), "options": repr(options)}

    with workers.together(seen), not_reentrant():
        for some, own_sizes in _parts(members, sizes, workers, physical_batch):
            options = dict(sizes=own_sizes, trained=trained, thresholds=thresholds, total=total, scale=1 / divisor)
            found, kept = add(model, losses, batch[some], **options)
            norms.append(found.float())
            clipped.append((found.isfinite() & (kept < 1).any(1)).float())
    results = torch.zeros(2, len(sizes))
    workers.own(results.mT).copy_(torch.stack([torch.cat(norms), torch.cat(clipped)], dim=1))
    workers.add([*total.tensors, results])
    summed = dict(zip(trained.values(), total.tensors, strict=True))
    for parameter in parameters.values():
        parameter.grad = summed[parameter].to(parameter.dtype) if parameter in summed else None
    return _summary(*results)


def _one_by_one(
    model: nn.Module,
    per_example_loss: PerExampleLoss,
    batch: Any,
    *,
    sizes: Tensor,
    trained: dict[str, nn.Parameter],
    thresholds: Thresholds,
    total: NoisySum,
    scale: float,
) -> tuple[Tensor, Tensor]:
    """Add each unit's clipped gradient to `total`: the definition, one backward for each. See ``fast.add_clipped``."""
    norms, shares, summed, reached = [], [], total.tensors, False
    for members in torch.arange(len(batch)).split(sizes.tolist()):
        loss = per_example_loss(model, batch[members]).mean()
        found = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)
        reached |= any(part is not None for part in found)
        gradient = [_dense(part, into) for part, into in zip(found, summed, strict=True)]
        squares = torch.stack(torch._foreach_norm(gradient)).double().square()  # [P]
        norm, share = thresholds.kept(squares[None])
        norms.append(norm)
        shares.append(share)
        if norm.isfinite():  # an example whose gradient overflows adds nothing, or the whole sum would be NaN
            torch._foreach_add_(summed, torch._foreach_mul(gradient, (scale * share[0]).tolist()))
    if not reached:
        raise ValueError(UNREACHED)
    return torch.cat(norms), torch.cat(shares)


def _dense(part: Tensor | None, into: Tensor) -> Tensor:
    """Return a gradient in the form and the precision of its sum: zeros for none, all rows of a sparse one."""
    if part is None:
        return torch.zeros_like(into)
    return (part.to_dense() if part.is_sparse else part).to(into.dtype)


def _units(examples: int, micro_batches: int | None, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
    """Return the examples of a batch, unit by unit [B], and the sizes of the units [U]."""
    if micro_batches is None:
        return torch.arange(examples), torch.ones(examples, dtype=torch.long)
    home = generator.device if generator is not None else None  # a generator draws on its own device only
    drawn = torch.randint(int(micro_batches), (examples,), generator=generator, device=home).cpu()
    _, units, sizes = drawn.unique(return_inverse=True, return_counts=True)  # micro-batches that are not empty
    order = sizes.argsort(stable=True)  # those of equal size together
    return order.argsort()[units].argsort(stable=True), sizes[order]


def _parts(
    members: Tensor, sizes: Tensor, workers: Workers, physical_batch: int | None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the examples that this worker computes at once, and the sizes of their units; no unit is split."""
    if workers.count > 1:
        whose = torch.arange(len(sizes)).repeat_interleave(sizes) % workers.count  # [B]
        members, sizes = members[whose == workers.rank], workers.own(sizes)
    ends = sizes.cumsum(0).tolist()
    start = 0
    while start < len(sizes):
        first, stop = ends[start] - int(sizes[start]), len(sizes)
        if physical_batch is not None:
            stop = max(start + 1, bisect.bisect_right(ends, first + physical_batch))
        yield members[first : ends[stop - 1]], sizes[start:stop]
        start = stop


def _summary(norms: Tensor, clipped: Tensor) -> Norms:
    """Return what was clipped, from each unit's norm [U] and whether it was shortened [U]."""
    share = clipped.sum().item() / len(norms) if len(norms) else math.nan
    return Norms(norms, share, int((~norms.isfinite()).sum()))


def _check(
    method: str,
    clip_norm: float,
    noise_multiplier: float,
    expected_batch_size: float | None,
    micro_batches: int | None,
    noise_by: str,
    physical_batch: int | None,
) -> None:
    """Refuse options that would change or break the guarantee."""
    if method not in SENSITIVITY:
        raise ValueError(f"Expected method={method!r} to be one of {', '.join(map(repr, SENSITIVITY))}.")
    if not 0 < clip_norm < math.inf:
        raise ValueError(f"Expected 0 < clip_norm={clip_norm} < inf. Noise can only hide a gradient of bounded length.")
    if not 0 <= noise_multiplier < math.inf:
        raise ValueError(
            f"Expected 0 <= noise_multiplier={noise_multiplier} < inf. 0 adds no noise and guarantees nothing."
        )
    if expected_batch_size is not None and not 0 < expected_batch_size < math.inf:
        raise ValueError(f"Expected expected_batch_size={expected_batch_size} > 0. It turns the noisy sum into a mean.")
    for name, count in (("physical_batch", physical_batch), ("micro_batches", micro_batches)):
        if count is not None and not isinstance(count, numbers.Integral):
            raise ValueError(f"Expected {name}={count!r} to be a whole number. It counts examples or micro-batches.")
    if physical_batch is not None and physical_batch < 1:
        raise ValueError(f"Expected physical_batch={physical_batch} >= 1. That many are computed at once.")
    if method == "edp-sgd":
        if micro_batches is None or micro_batches < 1:
            raise ValueError(
                f"Expected micro_batches={micro_batches} >= 1. It is the number of clipped means per step."
            )
        if noise_by not in ("sum", "worker"):
            raise ValueError(f"Expected noise_by={noise_by!r} to be 'sum' or 'worker'.")
    elif expected_batch_size is None:
        raise ValueError(
            f"Expected expected_batch_size > 0 with method={method!r}, got {expected_batch_size}. Give q·N: dividing "
            "by the size of the batch drawn would publish it."
        )
    elif micro_batches is not None or noise_by != "sum":
        raise ValueError(
            f"Expected micro_batches=None and noise_by='sum' with method={method!r}: it has no micro-batches."
        )
