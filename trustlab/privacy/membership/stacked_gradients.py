"""Gradients of many models in one forward and one backward: weights stacked [K, …], a batch for each [K, B].

Without privacy the gradient of each model's mean loss is wanted, and no example's own. With it, for every model k, the
sum Σ_b c_kb · ∇ loss(w_k, x_kb) is, where c is what clipping leaves of an example or a micro-batch. A linear layer with
inputs a_b and gradients g_b of its outputs has Σ_b c_b g_b a_bᵀ, one matrix product, and two examples' gradients have
the inner product (g_b·g_c)(a_b·a_c): norms of examples and of micro-batches need no gradient of the size of the model.
Other layers get one gradient an example.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.utils._pytree import tree_map

from trustlab.privacy.thresholds import Thresholds

Weights = dict[str, Tensor]
Loss = Callable[[Any, Any], Tensor]  # of a model and a batch: [B]


def mean_gradients(base: nn.Module, weights: Weights, loss: Loss, batch: Any, valid: Tensor) -> Weights:
    """Return the gradient of every model's mean loss over those examples of `batch` that are `valid`, bool [K, B]."""
    own = {name: part.detach().requires_grad_() for name, part in weights.items()}
    with torch.enable_grad():
        losses = vmap(lambda each, part: loss(_Called(base, each), part))(own, batch)  # [K, B]
        total = (torch.where(valid, losses, 0.0).sum(1) / valid.sum(1).clamp(min=1)).sum()
    found = torch.autograd.grad(total, list(own.values()), materialize_grads=True)
    return {name: part.contiguous() for name, part in zip(own, found, strict=True)}  # a layer's comes transposed


class Products:
    """Gradients of the examples of a batch of every model, as products that are only multiplied out when summed.

    Attributes
    ----------
    names
        Of the parameters, P of them.
    losses : [K, B]
    """

    def __init__(self, factors: Mapping[str, tuple[Tensor, Tensor | None]], losses: Tensor) -> None:
        """Take by parameter g [K, B, …] and a [K, B, i]: the gradient g aᵀ, or g itself where a is None."""
        self.factors, self.losses, self.names = factors, losses, tuple(factors)

    def squares(self, units: Tensor | None = None) -> Tensor:
        """Return the squared norm of each example's gradient, [K, B, P]; with `units` of its unit's mean gradient.

        Parameters
        ----------
        units : [K, B]
            The number of each example's micro-batch; −1 for what is no example.
        """
        if units is None:
            return torch.stack([_length(g) * (1 if a is None else _length(a)) for g, a in self.factors.values()], -1)
        grid, sizes = _grid(units)  # [K, U, R], [K, U]
        found = []
        for g, a in self.factors.values():
            # ‖Σ_b g_b‖² over a unit is the sum of all inner products of two of its examples.
            products = _inner(g.flatten(2), grid) if a is None else _inner(g, grid) * _inner(a, grid)
            of_unit = products.sum((2, 3)) / sizes.clamp(min=1).square()
            found.append(of_unit.gather(1, units.clamp(min=0)))
        return torch.stack(found, -1).clamp(min=0)

    def sums(self, coefficients: Tensor) -> Weights:
        """Return Σ_b c_kb · gradient for every parameter; `coefficients` are [K, B, P]."""
        found = {}
        for i, (name, (g, a)) in enumerate(self.factors.items()):
            c = coefficients[..., i].to(g.dtype)
            kept = torch.where(c.reshape(*c.shape, *[1] * (g.ndim - 2)) > 0, g, 0)  # 0 · NaN is no 0
            if a is None:
                found[name] = torch.bmm(c[:, None], kept.flatten(2)).reshape(len(g), *g.shape[2:])
            else:
                found[name] = torch.bmm((c[..., None] * kept).mT, a)
        return found


def _length(part: Tensor) -> Tensor:
    return part.flatten(2).square().sum(2)


def _grid(units: Tensor) -> tuple[Tensor, Tensor]:
    """Return the examples of each unit, [K, U, R], filled up with B, and how many they are, [K, U]."""
    models, size = units.shape
    members = nn.functional.one_hot(units.clamp(min=0), int(units.max()) + 1) * (units >= 0)[..., None]  # [K, B, U]
    sizes = members.sum(1)
    rank = (members.cumsum(1) * members).sum(2) - 1  # of an example in its unit; −1 for what is none
    grid = units.new_full((models, sizes.shape[1], int(sizes.max())), size)
    k, b = (units >= 0).nonzero(as_tuple=True)
    grid[k, units[k, b], rank[k, b]] = b
    return grid, sizes


def _inner(vectors: Tensor, grid: Tensor) -> Tensor:
    """Return the inner products of any two examples of a unit, [K, U, R, R]; 0 with what fills a unit up."""
    models, _, wide = vectors.shape
    filled = torch.cat([vectors, vectors.new_zeros(models, 1, wide)], 1)
    own = filled[torch.arange(models)[:, None, None], grid].flatten(0, 1)  # [K · U, R, D]
    return torch.bmm(own, own.mT).unflatten(0, grid.shape[:2])


def product_gradients(base: nn.Module, weights: Weights, loss: Loss, batch: Any) -> Products | None:
    """Return every example's gradients as products, or None where `base` is more than linear layers, each used once.

    Parameters
    ----------
    base
        The module whose shape all models have; its own weights are not used.
    weights
        By name [K, …].
    batch
        A tensor or a tuple of tensors, each [K, B, …].
    """
    layers = {name: module for name, module in base.named_modules() if type(module) is nn.Linear}
    whole = {f"{name}.{part}" if name else part for name, m in layers.items() for part, _ in m.named_parameters()}
    if whole != set(weights):
        return None
    examples = tree_map(lambda part: part.shape[1], batch)
    size = examples if isinstance(examples, int) else examples[0]

    def one(own: Weights, part: Any) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
        taps = {name: own[f"{name}.weight" if name else "weight"].new_zeros(size, m.out_features)
                for name, m in layers.items()}  # fmt: skip
        found, (losses, inputs) = grad(lambda t: _tapped(base, layers, own, t, loss, part), has_aux=True)(taps)
        return found, inputs, losses

    try:
        g, a, losses = vmap(one)(weights, batch)
    except _NotOnceError:
        return None
    factors: dict[str, tuple[Tensor, Tensor | None]] = {}
    for name in weights:
        layer, _, kind = name.rpartition(".")
        factors[name] = (g[layer], a[layer] if kind == "weight" else None)
    return Products(factors, losses)


class _NotOnceError(Exception):
    """A layer is used twice, or on more than one row an example."""


def _tapped(
    base: nn.Module, layers: Mapping[str, nn.Linear], own: Weights, taps: Weights, loss: Loss, part: Any
) -> tuple[Tensor, tuple[Tensor, Weights]]:
    """Return Σ losses, whose gradient by what is added to a layer's outputs is g; the losses, and each layer's a."""
    inputs: Weights = {}

    def watch(name: str) -> Callable[..., Tensor]:
        def hook(module: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> Tensor:
            if name in inputs or given[0].ndim != 2:
                raise _NotOnceError
            inputs[name] = given[0]
            return out + taps[name]

        return hook

    handles = [module.register_forward_hook(watch(name)) for name, module in layers.items()]
    try:
        losses = loss(_Called(base, own), part)
    finally:
        for handle in handles:
            handle.remove()
    if set(inputs) != set(layers):
        raise _NotOnceError
    return losses.sum(), (losses, inputs)


def example_gradients(base: nn.Module, weights: Weights, loss: Loss, batch: Any) -> Products:
    """Return the gradients of any module, one an example: K · B times the memory of a model."""

    def one(own: Weights, example: Any) -> tuple[Tensor, Tensor]:
        value = loss(_Called(base, own), tree_map(lambda part: part[None], example))[0]
        return value, value

    found, losses = vmap(vmap(grad(one, has_aux=True), in_dims=(None, 0)))(weights, batch)
    return Products({name: (found[name], None) for name in weights}, losses)


class _Called:
    """A module that is called with other weights: what a loss gets as its model."""

    def __init__(self, base: nn.Module, weights: Weights) -> None:
        self.base, self.weights = base, weights

    def __call__(self, *inputs: Any) -> Any:
        """Return what the module gives for `inputs`."""
        return functional_call(self.base, self.weights, inputs)


def all_losses(base: nn.Module, weights: Weights, loss: Loss, examples: Any) -> Tensor:
    """Return the loss of every example by every model, [N, K]."""
    return vmap(lambda own: loss(_Called(base, own), examples), out_dims=1)(weights)


def kept_shares(found: Products, valid: Tensor, thresholds: Thresholds, units: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return what clipping leaves of each example's gradient, [K, B, P], and whether it was shortened, [K, B].

    Parameters
    ----------
    valid : bool [K, B]
        False where a smaller batch was filled up.
    thresholds
        Of one example or one micro-batch.
    units : [K, B] or None
        Micro-batches; an example's share is then over the size of its own.
    """
    squares = found.squares(units)
    _, shares = thresholds.kept(squares.flatten(0, 1).double())
    shares = shares.reshape(squares.shape)
    shortened = (shares < 1).any(2) & valid
    shares = torch.where(valid[..., None], shares, 0.0)
    if units is not None:
        sizes = ((units[:, :, None] == units[:, None]) & valid[:, None]).sum(2)
        shares = shares / sizes.clamp(min=1)[..., None]
    return shares, shortened
