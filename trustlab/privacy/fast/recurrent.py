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

    def padded(self, rows: Tensor) -> Tensor:
        """Return packed rows [N, D] as [B, T, D] in the batch's own order, zeros where an utterance has ended."""
        rows = single(rows)
        out = rows.new_zeros(len(self.lengths), len(self.sizes), rows.shape[1])
        out[self.example, self.time] = rows
        return out


def _layer(
    name: str, module: nn.RNNBase, layer: int, data: Tensor, order: Order, record: Recording
) -> tuple[Tensor, list[Tensor]]:
    """Run one layer in all its directions over packed `data` [N, I]; return [N, dirs·H] and the last h (and c)."""
    suffixes = [f"_l{layer}{end}" for end in ("", "_reverse")[: 1 + module.bidirectional]]
    weights = [_weights(module, suffix) for suffix in suffixes]
    inputs = [data, data[order.mirror]][: len(suffixes)]  # each [N, I]
    fed = [
        nn.functional.linear(x, own["weight_ih"].detach(), None if own["bias_ih"] is None else own["bias_ih"].detach())
        for x, own in zip(inputs, weights, strict=True)
    ]
    gates = record.tap(name, torch.stack(fed), owner=order.example)  # [dirs, N, G·H]
    turned = torch.stack([own["weight_hh"].detach() for own in weights]).mT.to(gates.dtype)  # [dirs, H, G·H]
    bias = turned.new_zeros(len(weights), 1, turned.shape[2])  # autocast makes gates of half precision
    if weights[0]["bias_hh"] is not None:
        bias = torch.stack([own["bias_hh"].detach()[None] for own in weights]).to(gates.dtype)
    if type(module).forward is nn.LSTM.forward:
        states, *cells = Recurrence.apply(gates + bias, turned, order.sizes)
        before, gains = order.earlier(states.detach()), None
    else:
        step = functools.partial(RECURRENCES[type(module).forward], module)
        (states, *cells), before, gains = _recur(step, gates, turned, bias, order.sizes)

    def parts(delta: Tensor) -> Parts:  # [dirs, N, G·H]
        found: Parts = []
        at_u = delta if gains is None else delta * gains.to(delta)
        for x, own, slopes, of_u, earlier in zip(inputs, weights, delta, at_u, before, strict=True):
            apart = [order.padded(part) for part in (slopes, of_u, x.detach(), earlier)]
            found += _factors(own, *apart)
        return found

    record.note(name, [data], 1, parts)
    last = [each[:, order.last] for each in (states, *cells)]
    outputs = [states[0], states[1][order.mirror]] if module.bidirectional else [states[0]]
    return torch.cat(outputs, dim=1), last


def _recur(
    step: Callable[..., tuple[list[Tensor], Tensor | None]],
    gates: Tensor,
    turned: Tensor,
    bias: Tensor,
    sizes: list[int],
) -> tuple[list[Tensor], Tensor, Tensor | None]:
    """Run the recurrence over `gates` a [dirs, N, G·H], with W_hhᵀ [dirs, H, G·H] and b_hh [dirs, 1, G·H].

    Returns the states after each time and h_{t-1}, each [dirs, N, H], and γ [dirs, N, G·H] where it is not 1.
    """
    h = c = gates.new_zeros(len(gates), sizes[0], turned.shape[1])
    after, before, gains = [], [], []
    for a, size in zip(gates.split(sizes, dim=1), sizes, strict=True):
        h, c = h[:, :size], c[:, :size]  # sorted by length: finished sequences are at the end
        before.append(h.detach())
        found, gain = step(a, torch.baddbmm(bias, h, turned), h, c)
        h, c = found[0], found[-1]
        after.append(found)
        gains.append(gain)
    states = [torch.cat(parts, dim=1) for parts in zip(*after, strict=True)]
    return states, torch.cat(before, dim=1), None if gains[0] is None else torch.cat(gains, dim=1)


def _factors(own: dict[str, nn.Parameter | None], delta: Tensor, of_u: Tensor, x: Tensor, before: Tensor) -> Parts:
    """Return the factors of one direction from δ and γδ [B, T, G·H], x [B, T, I] and h_{t-1} [B, T, H]."""
    factors = {
        "weight_ih": lambda: outer(delta, x),
        "weight_hh": lambda: outer(of_u, before),
        "bias_ih": lambda: Dense(delta.sum(1)),
        "bias_hh": lambda: Dense(of_u.sum(1)),
    }
    return [(own[kind], make()) for kind, make in factors.items() if own[kind] is not None and own[kind].requires_grad]


def _weights(module: nn.RNNBase, suffix: str) -> dict[str, nn.Parameter | None]:
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return {kind: getattr(module, kind + suffix, None) for kind in kinds}


def _pack(input: Tensor, batch_first: bool) -> PackedSequence:
    """Pack [B, T, I] (or [T, B, I]) whose sequences are all T long."""
    examples, times = input.shape[:2] if batch_first else input.shape[1::-1]
    return pack_padded_sequence(input, torch.full((examples,), times), batch_first=batch_first)
