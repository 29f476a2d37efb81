"""What each known layer's per-example gradient is made of.

A rule knows one kind of layer. Given the layer's input x and the gradient δ that arrived at its output, both with the
examples first, it returns a factor for each trainable parameter. B examples, S rows of each (its tokens), I inputs,
O outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trustlab.privacy.fast import calls, function, recurrent
from trustlab.privacy.fast.factors import Dense, Rows, outer, single
from trustlab.privacy.fast.recording import Layer, Parts, Recording, detached


def trained_layers(model: nn.Module) -> list[Layer]:
    """Return every module with trainable parameters that it owns itself, with its name and its rule."""
    layers, inside = [], set()
    for name, module in model.named_modules():
        if function.is_whole(module):
            inside.update(list(module.modules())[1:])
        if module not in inside and function.own_parameters(module):
            layers.append((name or type(module).__name__, module, _rule_of(module)))
    return layers


def _rule_of(module: nn.Module) -> Callable[..., Any]:
    """Return how to record `module`: by its special rule, or else as any function of its inputs."""
    if function.is_whole(module):
        return function.rule
    if "forward" not in vars(module):  # else the user replaced the class's forward
        if isinstance(module, nn.RNNBase):
            return recurrent.rule
        for forward, knows, parts in RULES:
            if type(module).forward is forward and knows(module):
                return _simple(parts)
        if type(module).__name__ == "Conv1D" and type(module).__module__.startswith("transformers."):
            return _simple(conv1d_of_transformers)
    return calls.rule if calls.may_apply(module) else function.rule


def _simple(parts: Callable[[nn.Module, Tensor, Tensor], Parts]) -> Callable[..., Any]:
    """Return the rule of a layer with one input and one output, both with the examples first."""

    def rule(name: str, module: nn.Module, forward: Callable[..., Tensor], record: Recording) -> Callable[..., Tensor]:
        def recorded(*args: Tensor, **kwargs: Tensor) -> Tensor:
            (x,) = (*args, *kwargs.values())
            with detached(module):
                plain = forward(x)
            output, more = record.tap(name, plain), plain.ndim - x.ndim
            dim = record.taps[-1].dim
            record.note(name, [x], 1, lambda delta: _trainable(parts(module, _as_rows_of(x, delta, more, dim), delta)))
            return output

        return recorded

    return rule


def _as_rows_of(x: Tensor, delta: Tensor, more: int, dim: int) -> Tensor:
    """Return the input with the examples first, as the gradient of its output has them: these layers keep their rows.

    The output has `more` dimensions than the input, and counts its examples in dimension `dim`. One row for all
    examples is their common input, and so is what does not follow the batch; tokens of all examples in one dimension
    are divided. Anything else was refused by ``tap``.
    """
    x = x.detach()
    if dim:
        return x.movedim(dim, 0)
    if x.shape[:1] == (1,):
        return x.expand(len(delta), *x.shape[1:])
    if delta.ndim == x.ndim + more:
        return x
    return x.expand(len(delta), *x.shape) if len(x) == delta.shape[1] else x.unflatten(0, delta.shape[:2])


def _trainable(parts: Parts) -> Parts:
    return [(parameter, factor()) for parameter, factor in parts if parameter is not None and parameter.requires_grad]


def _rows(tensor: Tensor) -> Tensor:
    """Return [B, ..., D] as [B, S, D] in at least single precision."""
    return single(tensor.reshape(len(tensor), -1, tensor.shape[-1]))


def linear(module: nn.Linear, x: Tensor, delta: Tensor) -> Parts:
    """Return the factors of y = W x + b: Σ_s δ_s x_sᵀ, and Σ_s δ_s for the bias."""
    x, delta = _rows(x), _rows(delta)  # [B, S, I], [B, S, O]
    return [(module.weight, lambda: outer(delta, x)), (module.bias, lambda: Dense(delta.sum(1)))]


def conv1d_of_transformers(module: Any, x: Tensor, delta: Tensor) -> Parts:
    """Return the factors of GPT-2's linear layer, whose weight is stored as [I, O]."""
    x, delta = _rows(x), _rows(delta)
    return [(module.weight, lambda: outer(x, delta)), (module.bias, lambda: Dense(delta.sum(1)))]


def embedding(module: nn.Embedding, ids: Tensor, delta: Tensor) -> Parts:
    """Return the factor of y_s = W[id_s]: δ_s is added to row id_s. The padding's row is never trained."""
    delta = _rows(delta)  # [B, S, I]
    ids = ids.reshape(len(ids), -1)  # [B, S]
    if module.padding_idx is not None:
        delta = delta.masked_fill((ids == module.padding_idx)[..., None], 0.0)
    return [(module.weight, lambda: Rows(ids, delta, module.num_embeddings))]


def layer_norm(module: nn.LayerNorm, x: Tensor, delta: Tensor) -> Parts:
    """Return the factors of y = g·x̂ + b with x̂ the normalised input: Σ_s δ_s x̂_s and Σ_s δ_s."""
    normalised = F.layer_norm(single(x), module.normalized_shape, eps=module.eps)
    return [
        (module.weight, lambda: _gain(module, normalised * delta)),
        (module.bias, lambda: _gain(module, delta)),
    ]


def rms_norm(module: nn.RMSNorm, x: Tensor, delta: Tensor) -> Parts:
    """Return the factor of y = g·x̂ with x̂ = x / √mean(x²): Σ_s δ_s x̂_s."""
    eps = torch.finfo(x.dtype).eps if module.eps is None else module.eps  # None: of the precision that it computed in
    normalised = F.rms_norm(single(x), module.normalized_shape, eps=eps)
    return [(module.weight, lambda: _gain(module, normalised * delta))]


def _gain(module: Any, products: Tensor) -> Dense:
    """Sum [B, ..., *normalized_shape] over the dimensions between."""
    return Dense(_rows(products.flatten(-len(module.normalized_shape))).sum(1))


def convolution(module: nn.Conv1d, x: Tensor, delta: Tensor) -> Parts:
    """Return the factors of a linear layer over windows: x_s is what output s sees. x [B, I, T], δ [B, O, S]."""
    # unfold() knows images only: time becomes their width.
    windows = F.unfold(
        x.unsqueeze(2),
        (1, module.kernel_size[0]),
        dilation=(1, module.dilation[0]),
        padding=(0, module.padding[0]),
        stride=(1, module.stride[0]),
    )  # [B, I·k, S]
    x, delta = _rows(windows.mT), _rows(delta.mT)
    return [(module.weight, lambda: outer(delta, x)), (module.bias, lambda: Dense(delta.sum(1)))]


def _usual_embedding(module: nn.Embedding) -> bool:
    return module.max_norm is None and not module.scale_grad_by_freq


def _usual_convolution(module: nn.Conv1d) -> bool:
    own = type(module)._conv_forward is not nn.Conv1d._conv_forward
    return not own and module.groups == 1 and module.padding_mode == "zeros" and not isinstance(module.padding, str)


# A subclass keeps its parent's rule as long as it keeps its parent's forward.
RULES: list[tuple[Callable[..., Any], Callable[[Any], bool], Callable[..., Parts]]] = [
    (nn.Linear.forward, lambda module: True, linear),
    (nn.Embedding.forward, _usual_embedding, embedding),
    (nn.LayerNorm.forward, lambda module: True, layer_norm),
    (nn.RMSNorm.forward, lambda module: True, rms_norm),
    (nn.Conv1d.forward, _usual_convolution, convolution),
]
