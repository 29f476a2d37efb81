"""nn.LSTM, nn.GRU and nn.RNN, written out so that the gradients at their gates can be seen.

torch's own layers hand out gradients of whole weights only, summed over the examples. The recurrences are short:

    a_t = W_ih x_t + b_ih,   u_t = W_hh h_{t-1} + b_hh            the inputs of G gates
    LSTM  i, f, g, o = a_t + u_t;   c_t = σ(f)·c_{t-1} + σ(i)·tanh(g),   h_t = σ(o)·tanh(c_t)
    GRU   r, z = σ(a_t + u_t);   n = tanh(a_t + r·u_t);   h_t = (1 − z)·n + z·h_{t-1}
    RNN   h_t = tanh(a_t + u_t), or a ReLU

With δ_t the loss's gradient at a_t, and γ_t·δ_t at u_t (γ is r in the third gate of a GRU, else 1), both weights are
linear layers: Σ_t δ_t x_tᵀ and Σ_t γ_t δ_t h_{t-1}ᵀ. Utterances are packed: sorted by length, time first, without
padding (as torch packs them). The backward direction is the same recurrence over each utterance reversed, so both
directions run as one. N = Σ lengths, H hidden, B examples.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from trustlab.models.recurrences import RECURRENCES
from trustlab.privacy.fast.factors import Dense, outer, single
from trustlab.privacy.fast.function import Inside
from trustlab.privacy.fast.lstm import Recurrence
from trustlab.privacy.fast.recording import Parts, Recording


def rule(name: str, module: nn.RNNBase, forward: Callable[..., Any], record: Recording) -> Callable[..., Any]:
    """Return a forward with the inputs and outputs of the layer, which records its gates."""
    if type(module).forward not in RECURRENCES or module.proj_size:
        kind = type(module).__name__ + (" with proj_size" if getattr(module, "proj_size", 0) else "")
        raise ValueError(
            f"Expected {name!r} to be an nn.LSTM without proj_size, an nn.GRU or an nn.RNN, got {kind}. Its gates are "
            "not written out here: use one of these, or engine='loop'."
        )

    def recorded(input: Tensor | PackedSequence, hx: Any = None) -> Any:
        if hx is not None:
            raise ValueError(f"Expected no first state for {name!r}, got one. Start from zeros, or use engine='loop'.")
        packed = input if isinstance(input, PackedSequence) else _pack(input, module.batch_first)
        order = Order(packed, record.examples, name)
        data, finals = packed.data, []
        for layer in range(module.num_layers):
            if layer:
                data = nn.functional.dropout(data, module.dropout, module.training)
            data, final = _layer(name, module, layer, data, order, record)
            finals.append(final)
        output = PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
        if not isinstance(input, PackedSequence):
            output, _ = pad_packed_sequence(output, batch_first=module.batch_first)
        last = [torch.cat(parts)[:, order.unsorted] for parts in zip(*finals, strict=True)]  # each [L·dirs, B, H]
        return output, (tuple(last) if isinstance(module, nn.LSTM) else last[0])

    return recorded


class Order:
    """Where each packed row is: its example, its time, and its mirror image in time."""

    def __init__(self, packed: PackedSequence, examples: int, name: str) -> None:
        sizes = packed.batch_sizes
        if sizes[0] != examples:
            raise Inside(
                f"Expected the input of {name!r} to hold {examples} sequences, one per example, got {int(sizes[0])}. "
                "Is batch_first set as the model's other layers have it?",
                {name},
            )
        device = packed.data.device
        self.sizes = sizes.tolist()  # utterances still going on at each time
        times = torch.arange(len(sizes))
        self.time = times.repeat_interleave(sizes)  # [N]
        starts = sizes.cumsum(0) - sizes
        place = torch.arange(len(self.time)) - starts[self.time]  # [N], place among the sorted examples
        self.lengths = place.bincount()  # [B], sorted
        self.mirror = (starts[self.lengths[place] - 1 - self.time] + place).to(device)  # [N]
        self.last = (starts[self.lengths - 1] + torch.arange(examples)).to(device)  # [B], each one's last row
        identity = torch.arange(examples, device=device)
        self.unsorted = identity if packed.unsorted_indices is None else packed.unsorted_indices  # [B]
        own = identity if packed.sorted_indices is None else packed.sorted_indices
        self.example, self.time = own[place.to(device)], self.time.to(device)
        self.as_they_come = len(self.time) == len(sizes) * examples and bool((own == identity).all())

    def padded(self, rows: Tensor) -> Tensor:
        """Return packed rows [dirs, N, D] as [dirs, B, T, D] in the batch's own order, zeros after an utterance."""
        rows, times = single(rows), len(self.sizes)
        if self.as_they_come:
            return rows.view(len(rows), times, -1, rows.shape[2]).transpose(1, 2)
        out = rows.new_zeros(len(rows), len(self.lengths), times, rows.shape[2])
        out[:, self.example, self.time] = rows
        return out

    def padded_before(self, states: Tensor) -> Tensor:
        """Return the states [dirs, B, T, H] that each time began with, from those after it [dirs, N, H]."""
        return nn.functional.pad(self.padded(states)[:, :, :-1], (0, 0, 1, 0))


def _layer(
    name: str, module: nn.RNNBase, layer: int, data: Tensor, order: Order, record: Recording
) -> tuple[Tensor, list[Tensor]]:
    """Run one layer in all its directions over packed `data` [N, I]; return [N, dirs·H] and the last h (and c)."""
    suffixes = [f"_l{layer}{end}" for end in ("", "_reverse")[: 1 + module.bidirectional]]
    weights = [_weights(module, suffix) for suffix in suffixes]
    whole = {kind: torch.stack([own[kind].detach() for own in weights]) for kind in weights[0]}  # [dirs, G·H, …]
    at_a, at_u = (whole[kind][:, None] if module.bias else None for kind in ("bias_ih", "bias_hh"))
    is_lstm = type(module).forward is nn.LSTM.forward
    if is_lstm and module.bias:
        at_a = at_a + at_u
    inputs = torch.stack([data, data[order.mirror]][: len(weights)])  # [dirs, N, I]
    turned = whole["weight_ih"].mT
    fed = inputs @ turned if at_a is None else torch.baddbmm(at_a, inputs, turned)
    gates = record.tap(name, fed, owner=order.example)  # [dirs, N, G·H]; autocast makes them of half precision
    recurrent = whole["weight_hh"].mT.to(gates.dtype)  # [dirs, H, G·H]
    if is_lstm:
        (states, *cells), gains = Recurrence.apply(gates, recurrent, order.sizes), None
    else:
        step = functools.partial(RECURRENCES[type(module).forward], module)
        states, gains = _recur(step, gates, recurrent, at_u, order.sizes)
        cells = []
    after = states.detach()

    def parts(delta: Tensor) -> Parts:  # [dirs, N, G·H]
        slopes = order.padded(delta)
        at_u = slopes if gains is None else order.padded(delta * gains.to(delta))
        read, before = order.padded(inputs.detach()), order.padded_before(after)
        apart = (slopes, at_u, read, before, slopes.sum(2), at_u.sum(2))
        return [factor for own, *given in zip(weights, *apart, strict=True) for factor in _factors(own, *given)]

    record.note(name, [data], 1, parts)
    last = [states[:, order.last], *cells]
    outputs = [states[0], states[1][order.mirror]] if module.bidirectional else [states[0]]
    return torch.cat(outputs, dim=1), last


def _recur(
    step: Callable[..., tuple[list[Tensor], Tensor | None]],
    gates: Tensor,
    turned: Tensor,
    bias: Tensor | None,
    sizes: list[int],
) -> tuple[Tensor, Tensor | None]:
    """Run a GRU or an RNN over `gates` a [dirs, N, G·H], with W_hhᵀ [dirs, H, G·H] and b_hh [dirs, 1, G·H] or none.

    Returns the states after each time [dirs, N, H], and γ [dirs, N, G·H] where it is not 1.
    """
    h = gates.new_zeros(len(gates), sizes[0], turned.shape[1])
    bias = gates.new_zeros(()) if bias is None else bias.to(gates.dtype)
    states, gains = [], []
    for a, size in zip(gates.split(sizes, dim=1), sizes, strict=True):
        h = h[:, :size]  # sorted by length: finished sequences are at the end
        (h,), gain = step(a, torch.baddbmm(bias, h, turned), h, h)
        states.append(h)
        gains.append(gain)
    return torch.cat(states, dim=1), None if gains[0] is None else torch.cat(gains, dim=1)


def _factors(
    own: dict[str, nn.Parameter], delta: Tensor, of_u: Tensor, x: Tensor, before: Tensor, *sums: Tensor
) -> Parts:
    """Return the factors of one direction from δ and γδ [B, T, G·H], x [B, T, I], h_{t-1} [B, T, H], and both Σ_t."""
    factors = {
        "weight_ih": lambda: outer(delta, x),
        "weight_hh": lambda: outer(of_u, before),
        "bias_ih": lambda: Dense(sums[0]),
        "bias_hh": lambda: Dense(sums[1]),
    }
    return [(parameter, factors[kind]()) for kind, parameter in own.items() if parameter.requires_grad]


def _weights(module: nn.RNNBase, suffix: str) -> dict[str, nn.Parameter]:
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")[: 4 if module.bias else 2]
    return {kind: getattr(module, kind + suffix) for kind in kinds}


def _pack(input: Tensor, batch_first: bool) -> PackedSequence:
    """Pack [B, T, I] (or [T, B, I]) whose sequences are all T long."""
    examples, times = input.shape[:2] if batch_first else input.shape[1::-1]
    return pack_padded_sequence(input, torch.full((examples,), times), batch_first=batch_first)
