"""nn.LSTM, written out so that the gradients at its gates can be seen.

torch's own LSTM hands out gradients of whole weights only, summed over the examples. The recurrence itself is short:

    a_t = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh          the gates' inputs, four of them: i, f, g, o
    c_t = σ(f)·c_{t-1} + σ(i)·tanh(g),   h_t = σ(o)·tanh(c_t)

With δ_t the loss's gradient at a_t, both weights are linear layers: Σ_t δ_t x_tᵀ and Σ_t δ_t h_{t-1}ᵀ. Utterances are
packed: sorted by length, time first, without padding (as torch packs them). The backward direction is the same
recurrence over each utterance reversed, so both directions run as one. N = Σ lengths, H hidden, B examples.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from trustlab.privacy.fast.factors import Dense, outer, single
from trustlab.privacy.fast.recording import Parts, Recording


def rule(name: str, module: nn.LSTM, forward: Callable[..., Any], record: Recording) -> Callable[..., Any]:
    """Return a forward with the inputs and outputs of nn.LSTM, which records its gates."""
    if type(module).forward is not nn.LSTM.forward or module.proj_size:
        kind = type(module).__name__ + (" with proj_size" if getattr(module, "proj_size", 0) else "")
        raise ValueError(
            f"Expected {name!r} to be an nn.LSTM without proj_size, got {kind}. Its gates are not written out here: "
            "use an LSTM, or engine='loop'."
        )

    def recorded(input: Tensor | PackedSequence, hx: tuple[Tensor, Tensor] | None = None) -> Any:
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
        states, cells = (torch.cat(parts)[:, order.unsorted] for parts in zip(*finals, strict=True))  # [L·dirs, B, H]
        return output, (states, cells)

    return recorded


class Order:
    """Where each packed row stands: its example, its time, and its mirror image in time."""

    def __init__(self, packed: PackedSequence, examples: int, name: str) -> None:
        sizes = packed.batch_sizes
        if sizes[0] != examples:
            raise ValueError(
                f"Expected the input of {name!r} to hold {examples} sequences, one per example, got {int(sizes[0])}. "
                "Is batch_first set as the model's other layers have it?"
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
    name: str, module: nn.LSTM, layer: int, data: Tensor, order: Order, record: Recording
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Run one layer in all its directions over packed `data` [N, I]; return [N, dirs·H] and the last (h, c)."""
    suffixes = [f"_l{layer}{end}" for end in ("", "_reverse")[: 1 + module.bidirectional]]
    weights = [_weights(module, suffix) for suffix in suffixes]
    inputs = [data, data[order.mirror]][: len(suffixes)]  # each [N, I]
    gates = []
    for x, own in zip(inputs, weights, strict=True):
        bias = None if own["bias_ih"] is None else own["bias_ih"].detach() + own["bias_hh"].detach()
        gates.append(nn.functional.linear(x, own["weight_ih"].detach(), bias))
    gates = record.tap(name, torch.stack(gates), owner=order.example)  # [dirs, N, 4H]
    recurrent = torch.stack([own["weight_hh"].detach() for own in weights])  # [dirs, 4H, H]
    states, cells, before = _recur(gates, recurrent, order.sizes)  # each [dirs, N, H]

    def parts(delta: Tensor) -> Parts:  # [dirs, N, 4H]
        found: Parts = []
        for x, own, slopes, earlier in zip(inputs, weights, delta, before, strict=True):
            found += _factors(own, order.padded(slopes), order.padded(x.detach()), order.padded(earlier))
        return found

    record.note(name, [data], 1, parts)
    last = (states[:, order.last], cells[:, order.last])
    outputs = [states[0], states[1][order.mirror]] if module.bidirectional else [states[0]]
    return torch.cat(outputs, dim=1), last


def _recur(gates: Tensor, recurrent: Tensor, sizes: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Run the recurrence over `gates` [dirs, N, 4H]; return h_t, c_t and h_{t-1}, each [dirs, N, H]."""
    hidden = recurrent.shape[2]
    h = c = gates.new_zeros(len(gates), sizes[0], hidden)
    turned, states, cells, before = recurrent.mT.to(gates.dtype), [], [], []  # autocast makes gates of half precision
    for step, size in zip(gates.split(sizes, dim=1), sizes, strict=True):
        h, c = h[:, :size], c[:, :size]  # sorted by length: who has ended is at the end
        before.append(h.detach())
        i, f, g, o = torch.baddbmm(step, h, turned).chunk(4, dim=2)  # each [dirs, size, H]
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        states.append(h)
        cells.append(c)
    return torch.cat(states, dim=1), torch.cat(cells, dim=1), torch.cat(before, dim=1)


def _factors(own: dict[str, nn.Parameter | None], delta: Tensor, x: Tensor, before: Tensor) -> Parts:
    """Return the factors of one direction from δ [B, T, 4H], x [B, T, I] and h_{t-1} [B, T, H]."""
    biases = delta.sum(1)  # [B, 4H], for both
    factors = {
        "weight_ih": lambda: outer(delta, x),
        "weight_hh": lambda: outer(delta, before),
        "bias_ih": lambda: Dense(biases),
        "bias_hh": lambda: Dense(biases),
    }
    return [(own[kind], make()) for kind, make in factors.items() if own[kind] is not None and own[kind].requires_grad]


def _weights(module: nn.LSTM, suffix: str) -> dict[str, nn.Parameter | None]:
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return {kind: getattr(module, kind + suffix, None) for kind in kinds}


def _pack(input: Tensor, batch_first: bool) -> PackedSequence:
    """Pack [B, T, I] (or [T, B, I]) whose sequences are all T long."""
    examples, times = input.shape[:2] if batch_first else input.shape[1::-1]
    return pack_padded_sequence(input, torch.full((examples,), times), batch_first=batch_first)
