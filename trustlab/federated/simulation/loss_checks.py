"""Whether a loss trains its model, and its model alone: tried on a few examples before the first round.

Each case would else train and end in a model that is silently wrong: a loss that uses another model than the one it is
given, or layers and losses that keep something which passes from client to client.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext

import numpy as np
import torch
from torch import Tensor, nn

from trustlab.federated.simulation.definitions import Task
from trustlab.federated.simulation.model_state import copied, kept_tensors, left_as_it_is, refusal
from trustlab.models.attributes import attributes_of, differing

EXAMPLES = 8  # tried at once
RATE = 0.01  # of the steps tried


def check_learning(model: nn.Module, task: Task, examples: np.ndarray) -> None:
    """Try a copy of `model` on a few `examples`, and refuse a loss that does not train it or state that it leaves.

    Raises
    ------
    ValueError
        Naming what is wrong.
    """
    few = examples[np.linspace(0, len(examples) - 1, min(EXAMPLES, len(examples))).astype(int)]
    own = copied(model).train()
    keeper = _module_behind(task)
    with ExitStack() as stack:
        stack.enter_context(seeded())
        stack.enter_context(torch.enable_grad())
        stack.enter_context(left_as_it_is(keeper) if keeper is not None else nullcontext())
        before = [_state(each) for each in (own, keeper) if each is not None]
        _check_gradient(own, task, few)
        _check_state(own, task, few, keeper, before)


@contextmanager
def seeded() -> Iterator[None]:
    """Seed the generators of Python, NumPy and torch for the block, and restore their states afterwards."""
    mine, numpys = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        try:
            _reseed()
            yield
        finally:
            random.setstate(mine)
            np.random.set_state(numpys)


def _reseed() -> None:
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)


def _module_behind(task: Task) -> nn.Module | None:
    """Return the module that the loss is, or is a method of."""
    loss = inspect.unwrap(task.per_example_loss)  # of what gives it the tensors as they came
    owner = loss if isinstance(loss, nn.Module) else getattr(loss, "__self__", None)
    return owner if isinstance(owner, nn.Module) else None


def _check_gradient(own: nn.Module, task: Task, few: np.ndarray) -> None:
    """Refuse a loss whose gradient does not reach the model that it is given, or reaches another's weights."""
    first, second = _losses(own, task, few), _losses(own, task, few)
    if not first.requires_grad:
        raise ValueError(
            "Expected a loss that depends on the trained parameters of the model it is given, got one without a "
            "gradient. It may use another model, detach(), no_grad() or argmax: nothing would be trained."
        )
    mine = {id(parameter) for parameter in own.parameters()}
    again = {id(leaf) for leaf in leaves(second)}
    others = [leaf for leaf in leaves(first) if id(leaf) not in mine and id(leaf) in again]
    if others:
        raise ValueError(
            f"Expected a loss of the model it is given, got one that needs the gradient of {len(others)} other "
            f"tensors, the first of shape {list(others[0].shape)}. They belong to another model (per_example_loss must "
            "use its argument) or to the loss, and no client would train or send them. Make them part of the model, "
            "or use detach() or requires_grad_(False) where they are to stay as they are."
        )
    first.mean().backward()
    if all(parameter.grad is None for parameter in own.parameters() if parameter.requires_grad):
        raise ValueError(
            "Expected a loss whose gradient reaches some trained parameter of the model it is given, got none. It may "
            "use another model: nothing would be trained."
        )


def _losses(own: nn.Module, task: Task, indices: np.ndarray) -> Tensor:
    """Return the losses [B], computed with the same random numbers each time."""
    _reseed()
    losses = task.per_example_loss(own, task.train[torch.from_numpy(indices)])
    if not isinstance(losses, Tensor) or losses.shape != (len(indices),):
        got = f"shape {list(losses.shape)}" if isinstance(losses, Tensor) else type(losses).__name__
        raise ValueError(
            f"Expected per_example_loss to return a tensor [B] = [{len(indices)}], got {got}. One number for each "
            "example: reduction='none', and the mean over an example's words or outputs."
        )
    return losses


def leaves(loss: Tensor) -> list[Tensor]:
    """Return the tensors that ``loss.backward()`` would give a gradient.

    Examples
    --------
    >>> w = torch.ones(2, requires_grad=True)
    >>> [leaf is w for leaf in leaves((3 * w).sum())]
    [True]
    """
    found, seen, waiting = [], set(), [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found.append(node.variable)
        waiting.extend(following for following, _ in node.next_functions)
    return found


def _state(model: nn.Module) -> tuple[dict, dict]:
    return kept_tensors(model), attributes_of(model)


def _check_state(
    own: nn.Module, task: Task, few: np.ndarray, keeper: nn.Module | None, before: list[tuple[dict, dict]]
) -> None:
    """Train client B, then A, then B again, from the same weights: refuse what the second time shows of the others.

    State that is the same after B, independent of the client before it, such as a cache or the last activations, is
    harmless where it changes neither B's update nor its losses.
    """
    start = {name: p.detach().clone() for name, p in own.named_parameters() if p.requires_grad}
    a, b = few[: max(1, len(few) // 2)], few[len(few) // 2 :]
    kept = [each for each in (own, keeper) if each is not None]
    heard = [_quiet(own, task, b)]
    updates = [_update(own, task, b, start)]
    middle = [attributes_of(each) for each in kept]
    _update(own, task, a, start)
    updates.append(_update(own, task, b, start))
    later = [attributes_of(each) for each in kept]
    heard.append(_quiet(own, task, b))
    moved = differing(*updates) or differing(*heard)
    for module, (tensors, attributes), once, now in zip(kept, before, middle, later, strict=True):
        written = differing(tensors, kept_tensors(module)) or differing(once, now)
        if written:
            raise ValueError(refusal(module, written, "training changed it"))
        touched = differing(attributes, now)
        if touched and moved:
            raise ValueError(refusal(module, touched, "training changed it, and it moves what comes later"))


def _update(own: nn.Module, task: Task, indices: np.ndarray, start: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take two steps of SGD from `start`, go back there, and return how far they went."""
    weights = {name: parameter for name, parameter in own.named_parameters() if name in start}
    for _ in range(2):
        own.zero_grad(set_to_none=True)
        losses = _losses(own, task, indices)
        if losses.requires_grad:
            losses.mean().backward()
        with torch.no_grad():
            for weight in weights.values():
                if weight.grad is not None:
                    weight -= RATE * weight.grad
    with torch.no_grad():
        gone = {name: weight.detach() - start[name] for name, weight in weights.items()}
        for name, weight in weights.items():
            weight.copy_(start[name])
    return gone


def _quiet(own: nn.Module, task: Task, indices: np.ndarray) -> dict[str, Tensor]:
    """Return the losses as they are measured."""
    own.eval()
    with torch.no_grad():
        losses = _losses(own, task, indices)
    own.train()
    return {"losses": losses}
