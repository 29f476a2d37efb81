"""Any other module: its per-example gradients by torch.func, from its inputs and its outputs' gradients.

The module is computed a second time, for each example alone (vectorised), and differentiated with respect to its own
parameters. That is exact, slower than a rule of its own, and keeps the module's gradients of all examples in memory.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import parametrize
from torch.utils._pytree import tree_flatten, tree_unflatten

from trustlab.privacy.fast.factors import Dense, single
from trustlab.privacy.fast.recording import Parts, Recording, detached

# Modules that use their children's parameters without calling the children: computed as one.
WHOLE = (nn.MultiheadAttention,)


def is_whole(module: nn.Module) -> bool:
    """Return whether `module` computes with its children's parameters: so do layers whose weight is a function of some.

    A weight normalised by ``torch.nn.utils.parametrizations``, for instance: that function has no examples of its own.
    """
    return isinstance(module, WHOLE) or parametrize.is_parametrized(module)


def own_parameters(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return the trainable parameters that `module` computes with itself."""
    parameters = module.named_parameters(recurse=is_whole(module))
    return {name: parameter for name, parameter in parameters if parameter.requires_grad}


ALIKE = 0.02  # of the largest number: another example's row is farther away, half precision is nearer


def rule(name: str, module: nn.Module, forward: Callable[..., Any], record: Recording) -> Callable[..., Any]:
    """Return a forward that keeps its inputs and taps every output."""
    trained = own_parameters(module)

    def recorded(*args: Any, **kwargs: Any) -> Any:
        with contextlib.ExitStack() as stack:
            for part in module.modules() if is_whole(module) else [module]:
                stack.enter_context(detached(part))
            values, shape = tree_flatten(forward(*args, **kwargs))
        differentiable = [i for i, v in enumerate(values) if isinstance(v, Tensor) and v.is_floating_point()]
        if not differentiable:
            raise ValueError(
                f"Expected {name!r} ({type(module).__name__}) to return tensors, alone or in tuples, lists and dicts, "
                f"got {type(values[0]).__name__}. Gradients arrive at tensors: return them, or use method='loop'."
            )
        device = values[differentiable[0]].device.type
        for i in differentiable:
            values[i] = record.tap(name, values[i])
        inputs, call = tree_flatten((args, kwargs))
        given = [value for value in inputs if isinstance(value, Tensor)]
        outputs = [(values[i].detach(), values[i]._version) for i in differentiable]
        mixed, around = torch.is_autocast_enabled(device), _autocast_here(device)

        def parts(*deltas: Tensor) -> Parts:
            kept = (list(map(_single, inputs)), call) if mixed else (inputs, call)
            try:
                with around():
                    found, again = _per_example(name, module, trained, kept, differentiable, deltas)
            except ValueError:  # some functions cannot be vectorised where autocast mixes precisions
                if not mixed:
                    raise
                deltas = tuple(map(single, deltas))
                found, again = _per_example(name, module, trained, kept, differentiable, deltas)
            for own, (value, made) in zip(again, outputs, strict=True):
                if value._version == made:  # changed in place since, it is another number
                    _check_alike(name, module, own, value)
            # A parameter may be a single number of no dimension: each example's gradient is one number then.
            return [(trained[own], Dense(single(g.detach().reshape(len(g), -1)))) for own, g in found.items()]

        record.note(name, given, len(differentiable), parts)
        return tree_unflatten(values, shape)

    return recorded


def _single(value: Any) -> Any:
    return single(value.detach()) if isinstance(value, Tensor) and value.is_floating_point() else value


def _autocast_here(device: str) -> Callable[[], torch.autocast]:
    """Return what switches autocast as it is now: what a layer was given in half precision it takes there only."""
    # Without the cache, which would keep weights of the vectorised computation for others.
    state = dict(dtype=torch.get_autocast_dtype(device), enabled=torch.is_autocast_enabled(device), cache_enabled=False)
    return functools.partial(torch.autocast, device, **state)


def _per_example(
    name: str,
    module: nn.Module,
    trained: dict[str, nn.Parameter],
    inputs: tuple[list[Any], Any],
    differentiable: list[int],
    deltas: tuple[Tensor, ...],
) -> tuple[dict[str, Tensor], list[Tensor]]:
    """Return each trained parameter's gradients [B, ...] of Σ ⟨output, δ⟩, and the outputs, one example at a time."""
    values, call = inputs
    examples = len(deltas[0])
    # An input with a row per example, or one row for all, goes row by row; anything else is the same for everybody.
    mapped = [i for i, v in enumerate(values) if isinstance(v, Tensor) and v.ndim and len(v) in (1, examples)]
    rows = [values[i].detach().expand(examples, *values[i].shape[1:]) for i in mapped]

    def inner(weights: dict[str, Tensor], rows: list[Tensor], deltas: tuple[Tensor, ...]) -> tuple[Tensor, Any]:
        own = [value.detach() if isinstance(value, Tensor) else value for value in values]
        for i, row in zip(mapped, rows, strict=True):
            own[i] = row[None]
        args, kwargs = tree_unflatten(own, call)
        outputs, _ = tree_flatten(functional_call(module, weights, args, kwargs))
        own = [outputs[i][0] for i in differentiable]
        return sum((one * delta).sum() for one, delta in zip(own, deltas, strict=True)), own

    weights = {own: parameter.detach() for own, parameter in trained.items()}
    try:
        # Plain attention: torch's fused one cannot be vectorised over examples.
        with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
            return vmap(grad(inner, has_aux=True), in_dims=(None, 0, 0))(weights, rows, deltas)
    except (RuntimeError, NotImplementedError, IndexError) as error:
        raise ValueError(
            f"Expected {name!r} ({type(module).__name__}) to be computed example by example, got: "
            f"{str(error).splitlines()[0]} No rule of its own is known: build it from known layers, or use "
            "method='loop'."
        ) from error


def _check_alike(name: str, module: nn.Module, alone: Tensor, together: Tensor) -> None:
    """Refuse outputs [B, ...] that an example alone does not have: then what is computed is not its gradient either."""
    difference = (single(alone) - single(together.expand(alone.shape))).abs()
    if (difference > ALIKE * single(together).abs().max()).any():
        raise ValueError(
            f"Expected {name!r} ({type(module).__name__}) to give every example what it gives it alone, but its rows "
            "differ. It takes an input that is no tensor with a row for each example, or one that only looks like it: "
            "pass such tensors, or use method='loop'."
        )
