"""Catch, during one forward, what every layer with trainable parameters read, and where its outputs' gradients arrive.

While a recording runs, each such layer computes with its parameters *detached*: the backward then skips the weights'
gradients, which would be sums over all examples, and stops at the layers' outputs, where the examples are still apart.
A parameter that is used outside its layer still has a path to the loss, and is detected by it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge

from trustlab.privacy.fast.factors import Factor
from trustlab.privacy.fast.follow import Follows, Key, Plan

Parts = list[tuple[nn.Parameter, Factor]]
Layer = tuple[str, nn.Module, Callable[..., Any]]


@dataclass
class Tap:
    """Where the gradient of one output arrives.

    Attributes
    ----------
    edge
        The place in the autograd graph.
    shape, kind
        The output's shape, and its dtype and device.
    owner : Tensor [N] or None
        The example that each row of dimension 1 belongs to; None where dimension 0 counts the examples.
    """

    name: str
    edge: Any
    shape: torch.Size
    kind: dict[str, Any]
    owner: Tensor | None = None

    def zeros(self) -> Tensor:
        """Return the gradient of an output that the loss did not use."""
        return torch.zeros(self.shape, **self.kind)

    def weigh(self, gradient: Tensor, weights: Tensor) -> Tensor:
        """Return `gradient` with each example's part times its weight, of `weights` [B]."""
        weights = weights.to(gradient)
        weights = weights if self.owner is None else weights[self.owner][None]
        return gradient * weights.view(*weights.shape, *[1] * (gradient.ndim - weights.ndim))

    def rows(self, gradient: Tensor) -> Tensor:
        """Return `gradient` as [rows, numbers of each], a row being one example's only."""
        apart = gradient if self.owner is None else gradient.movedim(1, 0)
        return apart.reshape(len(apart), -1)


@dataclass
class Recording:
    """What one forward of `examples` examples left behind.

    Attributes
    ----------
    taps
        Where gradients of outputs are to be caught.
    uses
        For each call of a layer: which taps are its own, and how its parameters' factors follow from their gradients.
    read
        The inputs that factors will be made of, and their versions when they were read.
    written
        The outputs that are views, and their versions when they were tapped: changed in place, they would lead around
        the tap.
    widened
        Layers that gave one row for all examples, and now have one for each.
    called, unseen
        Layers that were called where torch builds a graph, and where it builds none.
    plan
        Which tensors follow the batch; None where that is to be found out from what is `met`.
    met
        The tensors of each layer's calls that it depends on.
    complete
        Whether outputs are to be compared number by number with those of each example alone; else some of them are.
    """

    examples: int
    plan: Plan | None = None
    complete: bool = False
    taps: list[Tap] = field(default_factory=list)
    uses: list[tuple[slice, Callable[..., Parts]]] = field(default_factory=list)
    read: list[tuple[str, Tensor, int]] = field(default_factory=list)
    written: list[tuple[str, Tensor, int]] = field(default_factory=list)
    widened: set[str] = field(default_factory=set)
    called: set[str] = field(default_factory=set)
    unseen: set[str] = field(default_factory=set)
    met: dict[Key, Tensor] = field(default_factory=dict)
    turns: dict[str, list[int]] = field(default_factory=dict)

    def enter(self, name: str) -> None:
        """Note that a call of the layer begins."""
        self.turns[name] = [self.turns.get(name, [-1])[0] + 1, 0]

    def follows(self, name: str, tensor: Tensor) -> Follows:
        """Return how the next `tensor` of this call follows the batch; a single example's is its own as a whole."""
        call, place = self.turns.setdefault(name, [0, 0])
        self.turns[name][1] += 1
        key = (name, call, place)
        if self.plan is None:
            self.met[key] = tensor.detach()
        elif self.examples > 1:
            return self.plan.of(key, tensor, self.examples)
        return Follows(0, len(tensor) // self.examples if tensor.ndim else 1)

    def tap(self, name: str, output: Tensor, *, owner: Tensor | None = None) -> Tensor:
        """Note where the gradient of `output` [B, ...] arrives, and return the tensor to go on with.

        Where the rows of all examples are in one dimension [B·T, ...], example by example, that gradient is
        [B, T, ...]. One output for all examples is widened to one for each.
        """
        in_one = False
        if owner is None:
            follows = self.follows(name, output)
            if self.examples > 1 and (output.shape[:1] == (1,) or (self.plan is not None and follows.dim is None)):
                # One for all examples, such as positions: each gets its own, to have its own gradient.
                one = output[0] if output.shape[:1] == (1,) else output
                output = one.expand(self.examples, *one.shape)
                self.widened.add(name)
            elif self.plan is not None and output.ndim > 1 and follows.dim == 0 and follows.each > 1:
                output, in_one = output.unflatten(0, (self.examples, follows.each)), True
            elif self.plan is not None:
                self.check_rows(name, "output", output, follows)
        inner = output.requires_grad
        start = output if inner else output.detach().requires_grad_()
        kind = dict(dtype=output.dtype, device=output.device)
        self.taps.append(Tap(name, get_gradient_edge(start), output.shape, kind, owner))
        if inner and output._is_view():
            self.written.append((name, output, output._version))
        going_on = start if inner else start.clone()  # a leaf of the graph would refuse to be changed in place
        return going_on.flatten(0, 1) if in_one else going_on

    def note(self, name: str, inputs: list[Tensor], taps: int, parts: Callable[..., Parts]) -> None:
        """Note a call: the last `taps` taps are its own, and `parts` turns their gradients into factors."""
        self.read += [(name, tensor, tensor._version) for tensor in inputs]
        self.uses.append((slice(len(self.taps) - taps, len(self.taps)), parts))

    def check_rows(self, name: str, what: str, tensor: Tensor, follows: Follows) -> None:
        """Refuse a tensor whose first dimension does not count the examples, also if by chance there are as many."""
        if tensor.ndim == 0 or len(tensor) != self.examples or follows != Follows(0):
            chance = tensor.ndim and len(tensor) == self.examples
            raise ValueError(
                f"Expected the {what} of {name!r} to have {self.examples} rows, one per example, got shape "
                f"{tuple(tensor.shape)}{', whose rows are not the examples' if chance else ''}. Per-example gradients "
                "need the batch first: give positions and masks the batch's size, or use engine='loop'."
            )

    def check_unchanged(self) -> None:
        """Refuse an input that was changed in place after its layer read it, or an output that is a view."""
        for what, kept in (("input", self.read), ("output", self.written)):
            for name, tensor, version in kept:
                if tensor._version != version:
                    raise ValueError(
                        f"Expected the {what} of {name!r} unchanged after the layer, but an in-place operation changed "
                        "it: its gradient would be wrong. Use the operation that returns a new tensor."
                    )

    def check_reached(self) -> None:
        """Refuse a layer that was called without a graph only, as checkpointing of activations does."""
        for name in sorted(self.unseen - self.called):
            raise ValueError(
                f"Expected {name!r} to be called where torch records gradients, but it was called without only. Turn "
                "checkpointing of activations off, or freeze the layer: its gradient would be zero."
            )


@contextlib.contextmanager
def recording(
    layers: Sequence[Layer], examples: int, plan: Plan | None = None, *, complete: bool = False
) -> Iterator[Recording]:
    """Record every call of the given layers.

    Parameters
    ----------
    layers
        Name, module and rule of each. ``rule(name, module, forward, recording)`` returns the forward that records, and
        meanwhile replaces the module's own.
    examples
        B, the number of examples in the batch that will be read.
    plan, complete
        See :class:`Recording`.
    """
    record, patched = Recording(examples, plan, complete), []
    try:
        for name, module, rule in layers:
            own = module.__dict__.get("forward")
            forward = rule(name, module, module.forward, record)
            patched.append((module, own))
            module.forward = _when_differentiable(name, forward, module.forward, record)
        yield record
    finally:
        for module, own in patched:
            if own is None:
                del module.forward
            else:
                module.forward = own


@contextlib.contextmanager
def detached(module: nn.Module) -> Iterator[None]:
    """Let `module` compute with its own parameters cut off from the graph."""
    own = dict(module._parameters)
    try:
        module._parameters.update({name: p if p is None else p.detach() for name, p in own.items()})
        yield
    finally:
        module._parameters.update(own)


def _when_differentiable(
    name: str, recorded: Callable[..., Any], plain: Callable[..., Any], record: Recording
) -> Callable[..., Any]:
    """Return a forward that records only where torch would build a graph."""

    def forward(*args: Any, **kwargs: Any) -> Any:
        graph = torch.is_grad_enabled()
        (record.called if graph else record.unseen).add(name)
        record.enter(name)
        return (recorded if graph else plain)(*args, **kwargs)

    return forward
