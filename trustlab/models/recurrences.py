"""One time of nn.LSTM, nn.GRU and nn.RNN written out, for what torch's fused layers do not show.

With a_t = W_ih x_t + b_ih and u_t = W_hh h_{t-1} + b_hh, the inputs of G gates:

    LSTM  i, f, g, o = a_t + u_t;   c_t = σ(f)·c_{t-1} + σ(i)·tanh(g),   h_t = σ(o)·tanh(c_t)
    GRU   r, z = σ(a_t + u_t);   n = tanh(a_t + r·u_t);   h_t = (1 − z)·n + z·h_{t-1}
    RNN   h_t = tanh(a_t + u_t), or a ReLU
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def _lstm(module: nn.LSTM, a: Tensor, u: Tensor, h: Tensor, c: Tensor) -> tuple[list[Tensor], Tensor | None]:
    i, f, g, o = (a + u).chunk(4, dim=2)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return [o.sigmoid() * c.tanh(), c], None


def _gru(module: nn.GRU, a: Tensor, u: Tensor, h: Tensor, c: Tensor) -> tuple[list[Tensor], Tensor | None]:
    r, z = (a + u)[..., : 2 * h.shape[2]].sigmoid().chunk(2, dim=2)
    n = (a[..., 2 * h.shape[2] :] + r * u[..., 2 * h.shape[2] :]).tanh()
    alike = torch.ones_like(r)
    return [(1 - z) * n + z * h], torch.cat([alike, alike, r], dim=2).detach()


def _rnn(module: nn.RNN, a: Tensor, u: Tensor, h: Tensor, c: Tensor) -> tuple[list[Tensor], Tensor | None]:
    return [(a + u).relu() if module.nonlinearity == "relu" else (a + u).tanh()], None


# One time of a layer, by its forward: from a_t, u_t [dirs, size, G·H] and the states before, those after (h, and c of
# an LSTM) and γ. A subclass with a forward of its own computes something else.
RECURRENCES: dict[Any, Callable[..., tuple[list[Tensor], Tensor | None]]] = {
    nn.LSTM.forward: _lstm,
    nn.GRU.forward: _gru,
    nn.RNN.forward: _rnn,
}
