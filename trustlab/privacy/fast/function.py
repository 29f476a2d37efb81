"""Any other module: its per-example gradients by torch.func, from its inputs and its outputs' gradients.

The module is computed a second time, for each example alone and with the random numbers that it drew for this example,
and differentiated with respect to its own parameters: vectorised, or one example after another where torch.func cannot.
That is exact, slower than a special rule, and keeps the module's gradients of all examples in memory.
"""

from __future__ import annotations

import contextlib
import functools
import weakref
from collections.abc import Callable, Collection, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import parametrize
from torch.nn.utils.weight_norm import WeightNorm
from torch.utils._pytree import tree_flatten, tree_unflatten

from trustlab.privacy.fast.factors import Dense, single
from trustlab.privacy.fast.follow import Follows
from trustlab.privacy.fast.randomness import Again, Draws
from trustlab.privacy.fast.recording import Parts, Recording, detached
from trustlab.privacy.fast.widened import plain

# Modules that use their children's parameters without calling the children: computed as one.
WHOLE = (nn.MultiheadAttention,)
# Others of which this was found out.
_as_one: weakref.WeakSet[nn.Module] = weakref.WeakSet()
# Modules that torch.func cannot vectorise.
_not_vectorised: weakref.WeakSet[nn.Module] = weakref.WeakSet()


class Inside(ValueError):
    """Layers `names` cannot be recorded by themselves, perhaps as a part of the modules that they are in."""

    def __init__(self, message: str, names: Collection[str]) -> None:
        super().__init__(message)
        self.names = names


def compute_around(model: nn.Module, names: Collection[str]) -> bool:
    """Let the modules that hold the layers `names` be computed as one; False where that would be the whole model."""
    outer = {_caller(model, name) for name in names}
    if "" in outer or any(is_whole(model.get_submodule(name)) for name in outer):
        return False
    _as_one.update(model.get_submodule(name) for name in outer)
    return True


def _caller(model: nn.Module, name: str) -> str:
    """Return the name of the module whose forward calls the layer `name`: containers have none."""
    outer = name.rpartition(".")[0]
    while outer and type(model.get_submodule(outer)).forward is nn.Module.forward:
        outer = outer.rpartition(".")[0]
    return outer


def forget_around(model: nn.Module) -> None:
    """Record the layers of `model` by themselves again: as one they cannot be computed either."""
    for module in model.modules():
        _as_one.discard(module)


def is_whole(module: nn.Module) -> bool:
    """Return whether `module` computes with its children's parameters, or with functions of parameters.

    A weight normalised by ``torch.nn.utils.parametrizations``, for instance, or before each call by the older
    ``torch.nn.utils.weight_norm``: that function has no examples.
    """
    normalised = any(isinstance(hook, WeightNorm) for hook in module._forward_pre_hooks.values())
    return isinstance(module, WHOLE) or module in _as_one or parametrize.is_parametrized(module) or normalised


def own_parameters(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return the trainable parameters that `module` computes with itself, under all their names.

    A use under another name is another use, and their gradients add up.
    """
    owned = module._parameters.items()  # at each step, and named_parameters() takes twenty times as long
    parameters = module.named_parameters(remove_duplicate=False) if is_whole(module) else owned
    return {name: parameter for name, parameter in parameters if parameter is not None and parameter.requires_grad}


ALIKE = 0.02  # of the largest number: another example's row is farther away, half precision is nearer
COMPARED = 256  # numbers of an example's output, evenly spread, that are kept for that


def rule(name: str, module: nn.Module, forward: Callable[..., Any], record: Recording) -> Callable[..., Any]:
    """Return a forward that keeps its inputs and taps every output."""
    trained = own_parameters(module)

    def recorded(*args: Any, **kwargs: Any) -> Any:
        leaves, call = tree_flatten((args, kwargs))
        inputs = [plain(value) for value in leaves]
        follow = [record.follows(name, value) if isinstance(value, Tensor) else None for value in inputs]
        if record.plan is not None:
            _check_follow(name, module, inputs, follow)
        with contextlib.ExitStack() as stack:
            for part in module.modules() if is_whole(module) else [module]:
                stack.enter_context(_cut_off(part))
            stack.enter_context(_plain_attention())
            draws = stack.enter_context(Draws())
            values, shape = tree_flatten(forward(*args, **kwargs))
        differentiable = [i for i, v in enumerate(values) if isinstance(v, Tensor) and v.is_floating_point()]
        if not differentiable:
            raise ValueError(
                f"Expected {name!r} ({type(module).__name__}) to return tensors, alone or in tuples, lists and dicts, "
                f"got {type(values[0]).__name__}. Gradients arrive at tensors: return them, or use engine='loop'."
            )
        device = values[differentiable[0]].device.type
        places, outputs = _tapped(name, values, differentiable, record)
        mixed, around = torch.is_autocast_enabled(device), _autocast_here(device)

        def parts(*deltas: Tensor) -> Parts:
            rows = list(zip(map(_single, inputs) if mixed else inputs, follow, strict=True))
            compute = functools.partial(_per_example, name, module, trained, (rows, call), places)
            try:
                with around(), _computed_before(module):
                    found, again = compute(deltas, draws.drawn)
            except ValueError:  # some functions cannot be vectorised where autocast mixes precisions
                if not mixed:
                    raise
                found, again = compute(tuple(map(single, deltas)), draws.drawn)
            for own, value in zip(again, outputs, strict=True):
                _check_alike(name, module, _some(own, record.complete), value)
            # A parameter may be a single number of no dimension: each example's gradient is one number then.
            return [(trained[own], Dense(single(g.detach().reshape(len(g), -1)))) for own, g in found.items()]

        record.note(name, [v for v in inputs if isinstance(v, Tensor)], len(differentiable), parts)
        return tree_unflatten(values, shape)

    return recorded


@contextlib.contextmanager
def _cut_off(module: nn.Module) -> Iterator[None]:
    """Let `module` compute with its parameters, and what a hook computed of them, cut off from the graph."""
    with detached(module), _computed_before(module):
        yield


@contextlib.contextmanager
def _computed_before(module: nn.Module) -> Iterator[None]:
    """Cut what a hook computed of the parameters off from the graph; what it computes meanwhile is not kept."""
    own = {name: value for name, value in vars(module).items() if isinstance(value, Tensor)}
    try:
        vars(module).update({name: value.detach() for name, value in own.items()})
        yield
    finally:
        vars(module).update(own)


def _tapped(
    name: str, values: list[Any], differentiable: list[int], record: Recording
) -> tuple[list[tuple[int, int | None]], list[Tensor]]:
    """Tap the outputs among `values`, in place; return where they are, and enough of their numbers to compare.

    With each place goes the dimension in which an example alone has one row; None where its output is the whole of its
    own: it has no dimension of examples, or their rows are in one.
    """
    places, outputs = [], []
    for i in differentiable:
        dims = values[i].ndim
        values[i] = record.tap(name, values[i])
        shape, dim = record.taps[-1].shape, record.taps[-1].dim
        places.append((i, None if len(shape) > dims else dim))
        # A copy: changing an output in place later does not change the numbers compared.
        outputs.append(_some(plain(values[i]).detach().movedim(dim, 0).reshape(shape), record.complete).clone())
    return places, outputs


def _single(value: Any) -> Any:
    return single(value.detach()) if isinstance(value, Tensor) and value.is_floating_point() else value


def _autocast_here(device: str) -> Callable[[], torch.autocast]:
    """Return what switches autocast as it is now: what a layer was given in half precision it takes there only."""
    # Without the cache, which would keep weights of the vectorised computation for others.
    state = dict(dtype=torch.get_autocast_dtype(device), enabled=torch.is_autocast_enabled(device), cache_enabled=False)
    return functools.partial(torch.autocast, device, **state)


def _check_follow(name: str, module: nn.Module, values: list[Any], follow: list[Follows | None]) -> None:
    """Refuse an input that is neither the same for all examples nor divided among them."""
    for value, own in zip(values, follow, strict=True):
        if own is not None and own.dim is not None and value.ndim and not own.each:
            raise ValueError(
                f"Expected each input of {name!r} ({type(module).__name__}) to follow the batch in one dimension, or "
                f"not at all, got one of shape {tuple(value.shape)} that does neither. Which of its rows belong to an "
                "example is unknown: use engine='loop'."
            )


def _some(output: Tensor, complete: bool) -> Tensor:
    """Return numbers [B, N] of an output that are enough to tell whether it is another one's."""
    rows = output.detach().reshape(len(output), -1)
    return rows if complete else rows[:, :: 1 + (rows.shape[1] - 1) // COMPARED]


@contextlib.contextmanager
def _plain_attention() -> Iterator[None]:
    """Use torch's attention that can be vectorised over examples, and draws its dropout where it is seen."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _per_example(
    name: str,
    module: nn.Module,
    trained: dict[str, nn.Parameter],
    inputs: tuple[list[tuple[Any, Follows | None]], Any],
    places: list[tuple[int, int | None]],
    deltas: tuple[Tensor, ...],
    drawn: list[Tensor],
) -> tuple[dict[str, Tensor], list[Tensor]]:
    """Return each trained parameter's gradients [B, ...] of Σ ⟨output, δ⟩, and the outputs, one example at a time."""
    values, call = inputs
    examples = len(deltas[0])
    # What follows the batch is passed row by row; anything else is the same for all examples.
    found = {i: _apart(value, own, examples) for i, (value, own) in enumerate(values) if own and own.dim is not None}
    apart = {i: row for i, row in found.items() if row is not None}

    def inner(
        weights: dict[str, Tensor], rows: dict[int, Tensor], example: Tensor, deltas: tuple[Tensor, ...]
    ) -> tuple[Tensor, Any]:
        own = [value.detach() if isinstance(value, Tensor) else value for value, _ in values]
        for i, row in rows.items():
            own[i] = row
        args, kwargs = tree_unflatten(own, call)
        with Again(drawn, examples, example[None]):
            # Weights that are tied to a child's are the child's there: it is recorded on its own.
            outputs, _ = tree_flatten(functional_call(module, weights, args, kwargs, tie_weights=False))
        own = [outputs[i] if dim is None else outputs[i].select(dim, 0) for i, dim in places]
        return sum((one * delta).sum() for one, delta in zip(own, deltas, strict=True)), own

    weights = {own: parameter.detach() for own, parameter in trained.items()}
    which = torch.arange(examples, device=deltas[0].device)
    return _first_that_can(name, module, inner, weights, apart, which, deltas)


def _first_that_can(name: str, module: nn.Module, *how: Any) -> tuple[dict[str, Tensor], list[Tensor]]:
    """Compute all examples at once, or else one after another; remember of a module that it cannot be vectorised."""
    for compute in (_one_by_one,) if module in _not_vectorised else (_vectorised, _one_by_one):
        try:
            # Plain attention: torch's fused one cannot be vectorised over examples.
            with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), _plain_attention():
                found = compute(*how)
        except (RuntimeError, NotImplementedError, IndexError, ValueError) as error:
            failure = error
        else:
            if compute is _one_by_one:
                _not_vectorised.add(module)
            return found
    raise ValueError(
        f"Expected {name!r} ({type(module).__name__}) to be computed example by example, got: "
        f"{str(failure).splitlines()[0]} There is no special rule for it: build it from known layers, or use "
        "engine='loop'."
    ) from failure


def _vectorised(inner: Callable[..., Any], weights: dict[str, Tensor], *rows: Any) -> tuple[Any, list[Tensor]]:
    return vmap(grad(inner, has_aux=True), in_dims=(None, 0, 0, 0))(weights, *rows)


def _one_by_one(
    inner: Callable[..., Any],
    weights: dict[str, Tensor],
    apart: dict[int, Tensor],
    which: Tensor,
    deltas: tuple[Tensor, ...],
) -> tuple[dict[str, Tensor], list[Tensor]]:
    """Compute one example after another: shapes that depend on numbers, functions with a gradient of their own."""
    gradients, outputs = [], []
    for b, example in enumerate(which):
        own = {name: weight.detach().requires_grad_() for name, weight in weights.items()}
        value, output = inner(own, {i: row[b] for i, row in apart.items()}, example, tuple(d[b] for d in deltas))
        gradients.append(torch.autograd.grad(value, list(own.values()), allow_unused=True, materialize_grads=True))
        outputs.append([part.detach() for part in output])
    found = {name: torch.stack(parts) for name, parts in zip(weights, zip(*gradients, strict=True), strict=True)}
    return found, [torch.stack(parts) for parts in zip(*outputs, strict=True)]


def _apart(value: Tensor, own: Follows, examples: int) -> Tensor | None:
    """Return a tensor that follows the batch with its examples as a separate dimension, the first."""
    if not value.ndim or value.shape[own.dim] != own.each * examples:
        return None  # a single example's: its own as a whole
    return value.detach().unflatten(own.dim, (examples, own.each)).movedim(own.dim, 0)


def _check_alike(name: str, module: nn.Module, alone: Tensor, together: Tensor) -> None:
    """Refuse outputs [B, N] that an example alone does not have: then what is computed is not its gradient either."""
    difference = (single(alone) - single(together)).abs()
    if (difference > ALIKE * single(together).abs().max()).any():
        raise ValueError(
            f"Expected {name!r} ({type(module).__name__}) to give every example the output that it gets alone, but "
            "its rows differ. It takes an input that is not a tensor with a row for each example, or only looks like "
            "one: pass such tensors, or use engine='loop'."
        )
