"""Catch, during one forward, what every layer with trainable parameters read, and where its outputs' gradients arrive.

While a recording runs, each such layer computes with its parameters *detached*: the backward then skips the weights'
gradients, which would be sums over all examples, and stops at the layers' outputs, where the examples are still apart.
A parameter that is used outside its layer still has a path to the loss, and is detected by it.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge

from trustlab.privacy.fast.factors import Factor
from trustlab.privacy.fast.follow import Follows, Key, Plan, look
from trustlab.privacy.fast.widened import Widened, as_input, plain, widened

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
    dim
        The dimension that counted the examples in the output itself, before it was made the first.
    """

    name: str
    edge: Any
    shape: torch.Size
    kind: dict[str, Any]
    owner: Tensor | None = None
    dim: int = 0

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
    layers
        The recorded layers and the forwards that record them.
    is_again
        Whether layers compute their activations again, in the backward: what is recorded then is dropped.
    known
        Without a plan, what was found out so far: with it, the next layers meet what they will meet.
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
    layers: list[tuple[nn.Module, Callable[..., Any]]] = field(default_factory=list)
    is_again: bool = False
    known: Plan | None = None

    def enter(self, name: str) -> None:
        """Note that a call of the layer begins."""
        call = self.turns.get(name, [-1])[0] + 1
        if self.is_again:
            call = 0  # of a layer that is called several times, all calls have the shapes of the first
            for notes in (self.taps, self.uses, self.read, self.written):
                notes.clear()
        self.turns[name] = [call, 0]

    @contextlib.contextmanager
    def again(self) -> Iterator[None]:
        """Let the layers compute as they did while they were recorded, and keep the recording as it is."""
        kept = self.taps, self.uses, self.read, self.written, self.turns
        self.taps, self.uses, self.read, self.written, self.turns = [], [], [], [], {}
        self.is_again = True
        try:
            with _replaced(self.layers):
                yield
        finally:
            self.taps, self.uses, self.read, self.written, self.turns = kept
            self.is_again = False

    def follows(self, name: str, tensor: Tensor) -> Follows:
        """Return how the next `tensor` of this call follows the batch; a single example's is its own as a whole."""
        call, place = self.turns.setdefault(name, [0, 0])
        self.turns[name][1] += 1
        key = (name, call, place)
        if self.plan is None:
            self.met[key] = tensor.detach()
            if self.known is not None and self.known.known.get((key, look(tensor))) == Follows(None):
                return Follows(None)
        elif self.examples > 1:
            return self.plan.of(key, tensor, self.examples)
        return Follows(0, len(tensor) // self.examples if tensor.ndim else 1)

    def tap(self, name: str, output: Tensor, *, owner: Tensor | None = None) -> Tensor:
        """Note where the gradient of `output` [B, ...] arrives, and return the tensor to go on with.

        Where the rows of all examples are in one dimension [B·T, ...], example by example, that gradient is
        [B, T, ...]; where the examples are counted by another dimension, it is the first one's. One output for all
        examples is widened to one for each.
        """
        rows, dim, back = output, 0, None
        if owner is None:
            rows, dim, back = self._rows_of(name, output)
        inner = rows.requires_grad
        start = rows if inner else rows.detach().requires_grad_()
        kind = dict(dtype=rows.dtype, device=rows.device)
        self.taps.append(Tap(name, get_gradient_edge(start), rows.shape, kind, owner, dim))
        if inner and rows._is_view():
            self.written.append((name, rows, rows._version))
        # A leaf of the graph would refuse to be changed in place, and a view would then lead around the tap.
        going_on = start if inner and not dim else start.clone()
        return going_on if back is None else back(going_on)

    def _rows_of(self, name: str, output: Tensor) -> tuple[Tensor, int, Callable[[Tensor], Tensor] | None]:
        """Return an output as [B, ...], the dimension that counted its examples, and what turns it back."""
        follows = self.follows(name, output)
        if self.examples > 1 and follows.dim is None:
            # One for all examples, such as positions: each gets its own, to have its own gradient.
            self.widened.add(name)
            one_row = output.shape[:1] == (1,)
            one = output[0] if one_row else output
            made = functools.partial(widened, inner=not one_row, counts=functools.partial(self._counts, name))
            return one.expand(self.examples, *one.shape), 0, made
        if self.plan is None:
            return output, 0, None
        if output.ndim > 1 and follows.dim == 0 and follows.each > 1:
            return output.unflatten(0, (self.examples, follows.each)), 0, lambda rows: rows.flatten(0, 1)
        if follows.dim and follows.each == 1:
            dim = follows.dim
            return output.movedim(dim, 0), dim, lambda rows: rows.movedim(0, dim)
        self.check_rows(name, "output", output, follows)
        return output, 0, None

    def _counts(self, name: str, copies: Tensor) -> bool:
        """Say whether the first dimension of `copies` of one row counts the examples."""
        follows = self.follows(name, copies)
        return len(copies) == self.examples and follows.dim == 0

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
        """Refuse an input that was changed in place after its layer read it, or an output that is a view; drop both."""
        for what, kept in (("input", self.read), ("output", self.written)):
            for name, tensor, version in kept:
                if tensor._version != version:
                    raise ValueError(
                        f"Expected the {what} of {name!r} unchanged after the layer, but an in-place operation changed "
                        "it: its gradient would be wrong. Use the operation that returns a new tensor."
                    )
            kept.clear()  # factors that are made give their memory back

    def check_reached(self) -> None:
        """Refuse a layer that was called without a graph only, as checkpointing of activations does."""
        for name in sorted(self.unseen - self.called):
            raise ValueError(
                f"Expected {name!r} to be called where torch records gradients, but it was called without only. Turn "
                "checkpointing of activations off, or freeze the layer: its gradient would be zero."
            )


@contextlib.contextmanager
def recording(
    layers: Sequence[Layer],
    examples: int,
    plan: Plan | None = None,
    *,
    complete: bool = False,
    known: Plan | None = None,
) -> Iterator[Recording]:
    """Record every call of the given layers.

    Parameters
    ----------
    layers
        Name, module and rule of each. ``rule(name, module, forward, recording)`` returns the forward that records, and
        meanwhile replaces the module's own.
    examples
        B, the number of examples in the batch that will be read.
    plan, complete, known
        See :class:`Recording`.
    """
    record = Recording(examples, plan, complete, known=known)
    for name, module, rule in layers:
        forward = rule(name, module, module.forward, record)
        record.layers.append((module, _when_differentiable(name, forward, module.forward, record)))
    with _replaced(record.layers):
        yield record


@contextlib.contextmanager
def _replaced(forwards: Sequence[tuple[nn.Module, Callable[..., Any]]]) -> Iterator[None]:
    """Give modules other forwards, and their own back at the end."""
    before = []
    try:
        for module, forward in forwards:
            before.append((module, module.__dict__.get("forward")))
            module.forward = forward
        yield
    finally:
        for module, own in before:
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
    name: str, recorded: Callable[..., Any], unrecorded: Callable[..., Any], record: Recording
) -> Callable[..., Any]:
    """Return a forward that records only where torch would build a graph."""

    def forward(*args: Any, **kwargs: Any) -> Any:
        graph = torch.is_grad_enabled()
        (record.called if graph else record.unseen).add(name)
        record.enter(name)
        compute = recorded if graph else unrecorded
        if not any(type(value) is Widened for value in (*args, *kwargs.values())):
            return compute(*args, **kwargs)
        given = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
        output = compute(*map(plain, args), **{key: plain(value) for key, value in kwargs.items()})
        return as_input(output, given)

    return forward
