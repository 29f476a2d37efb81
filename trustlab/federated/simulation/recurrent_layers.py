"""nn.LSTM, nn.GRU and nn.RNN with each client's own weights, over the sequences of all clients at once.

torch's fused layers know one set of weights. Written out, one time of K clients is one product by client
(``torch.baddbmm``) and a few operations on all of their gates; the backward direction is the same recurrence over each
sequence reversed, so both directions run as one. A sequence that has ended runs on over zeros; what comes of it is not
used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from trustlab.models.recurrences import RECURRENCES

Own = Callable[[nn.Parameter], Tensor]  # a parameter's values of all K clients, [K, ...]
KINDS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def known_recurrence(layer: nn.RNNBase) -> bool:
    """Say whether `layer` is written out here: torch's own, without a projection of the state."""
    return type(layer) in (nn.LSTM, nn.GRU, nn.RNN) and not layer.proj_size


def sequences(layer: nn.Module, x: Tensor | PackedSequence) -> int:
    """Return how many examples there are in a layer's input.

    Examples
    --------
    >>> sequences(nn.LSTM(3, 2), torch.zeros(7, 5, 3)), sequences(nn.Linear(3, 2), torch.zeros(7, 5, 3))
    (5, 7)
    """
    if isinstance(x, PackedSequence):
        return int(x.batch_sizes[0])
    if isinstance(layer, nn.RNNBase) and not layer.batch_first and x.ndim == 3:
        return x.shape[1]
    return len(x) if x.ndim else 0


def run_recurrent(layer: nn.RNNBase, own: Own, x: Tensor | PackedSequence) -> Any:
    """Return what `layer` returns of the sequences `x` of K clients, in order, each by its client's weights.

    Examples
    --------
    >>> layer = nn.GRU(3, 2, bidirectional=True, batch_first=True)
    >>> x = torch.randn(4, 5, 3)  # two clients
    >>> output, last = run_recurrent(layer, lambda weight: weight.expand(2, *weight.shape), x)
    >>> torch.allclose(output, layer(x)[0], atol=1e-6), torch.allclose(last, layer(x)[1], atol=1e-6)
    (True, True)
    """
    if isinstance(x, PackedSequence):
        data, lengths = pad_packed_sequence(x, batch_first=True)
    else:
        data = x if layer.batch_first else x.transpose(0, 1)  # [N, T, I]
        lengths = torch.full((len(data),), data.shape[1])
    times = torch.arange(data.shape[1])
    back = torch.where(times < lengths[:, None], lengths[:, None] - 1 - times, times).to(data.device)  # [N, T]
    lasts = []
    for number in range(layer.num_layers):
        if number:
            data = F.dropout(data, layer.dropout, layer.training)
        data, last = _one_layer(layer, own, number, data, lengths.to(data.device), back)
        lasts.append(last)
    ends = [torch.cat(parts) for parts in zip(*lasts, strict=True)]  # each [layers · directions, N, H]
    state = tuple(ends) if isinstance(layer, nn.LSTM) else ends[0]
    if isinstance(x, PackedSequence):
        order = torch.arange(len(data)) if x.sorted_indices is None else x.sorted_indices
        rows = pack_padded_sequence(data[order], lengths[order.cpu()], batch_first=True).data
        return PackedSequence(rows, x.batch_sizes, x.sorted_indices, x.unsorted_indices), state
    return (data if layer.batch_first else data.transpose(0, 1)), state


def _one_layer(
    layer: nn.RNNBase, own: Own, number: int, data: Tensor, lengths: Tensor, back: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Run one layer in all its directions over `data` [N, T, I]; return [N, T, dirs · H] and the last h (and c)."""
    ends = [f"_l{number}{end}" for end in ("", "_reverse")[: 1 + layer.bidirectional]]
    weights = {kind: _stacked(layer, own, kind, ends) for kind in KINDS}  # each [dirs · K, ...]
    reversed_ = [data, _turned(data, back)][: len(ends)]
    clients = len(weights["weight_ih"]) // len(ends)
    count, length = len(data) // clients, data.shape[1]
    fed = torch.cat([part.view(clients, count, length, -1).transpose(1, 2) for part in reversed_])  # [dirs·K, T, B, I]
    gates = _times(fed.flatten(1, 2), weights["weight_ih"], weights["bias_ih"]).view(len(fed), length, count, -1)
    states = _recur(layer, gates, weights["weight_hh"], weights["bias_hh"])  # each [dirs, N, T, H]
    outputs = list(states[0].view(len(ends), len(data), length, -1))
    at = (lengths - 1).view(1, -1, 1, 1).expand(len(ends), -1, 1, layer.hidden_size)
    last = [each.view(len(ends), len(data), length, -1).gather(2, at)[:, :, 0] for each in states]
    if layer.bidirectional:
        outputs[1] = _turned(outputs[1], back)
    return torch.cat(outputs, dim=2), last


def _recur(layer: nn.RNNBase, gates: Tensor, weight: Tensor, bias: Tensor | None) -> list[Tensor]:
    """Return h (and c of an LSTM) after each time, [dirs · K, B, T, H], of the gates a [dirs · K, T, B, G · H]."""
    step = RECURRENCES[type(layer).forward]
    h = c = gates.new_zeros(len(gates), gates.shape[2], layer.hidden_size)
    after = []
    for a in gates.unbind(1):
        found, _ = step(layer, a, _times(h, weight, bias), h, c)
        h, c = found[0], found[-1]
        after.append(found)
    return [torch.stack(parts, dim=2) for parts in zip(*after, strict=True)]


def _times(rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return rows [K, R, I] times each client's weight [K, O, I], plus its bias [K, O]: [K, R, O]."""
    return torch.bmm(rows, weight.mT) if bias is None else torch.baddbmm(bias[:, None], rows, weight.mT)


def _turned(data: Tensor, back: Tensor) -> Tensor:
    """Return each sequence of `data` [N, T, D] reversed."""
    return data.gather(1, back[..., None].expand_as(data))


def _stacked(layer: nn.RNNBase, own: Own, kind: str, ends: list[str]) -> Tensor | None:
    """Return one kind of weight of all directions and clients, [dirs · K, ...]; None for a bias that is not there."""
    found = [getattr(layer, kind + end, None) for end in ends]
    return None if found[0] is None else torch.cat([own(parameter) for parameter in found])
