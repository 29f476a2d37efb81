"""The recurrence of nn.LSTM with a backward of its own: what autograd would do, in fewer calls and without a graph.

The small matrices of an LSTM take less time than the calls that handle them. So whatever does not depend on the next
time is computed for all times at once, and the states are written into memory that is taken once. With i, f, g, o the
gates and ĉ_t = tanh(c_t):

    δh_t = ∂h_t + W_hhᵀ δ_{t+1},   δc_t = ∂c_t + f_{t+1}·δc_{t+1} + δh_t·o_t(1 − ĉ_t²)
    δ_t = [δc_t·g_t·i_t(1 − i_t),  δc_t·c_{t-1}·f_t(1 − f_t),  δc_t·i_t(1 − g_t²),  δh_t·ĉ_t·o_t(1 − o_t)]

(Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000.) Rows are packed, see :mod:`.recurrent`;
inside, the rows of both directions at one time are a block [dirs·size, …], so that a block is contiguous.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class Recurrence(torch.autograd.Function):
    """From what the inputs and the biases give the gates, all states and each sequence's last cell.

    Its arguments are the gates [dirs, N, 4·H]; W_hhᵀ [dirs, H, 4·H], which gets no gradient; and how many sequences go
    on at each time, sorted by length. It returns h [dirs, N, H] and c [dirs, B, H].
    """

    @staticmethod
    def forward(ctx: Any, gates: Tensor, turned: Tensor, sizes: list[int]) -> tuple[Tensor, Tensor]:
        """Run over all times."""
        directions, hidden = len(gates), turned.shape[1]
        rows = [directions * size for size in sizes]
        activations = gates.new_empty(sum(rows), 4 * hidden)
        states, cells = (gates.new_empty(sum(rows), hidden) for _ in range(2))
        i, f, g, o = activations.chunk(4, dim=1)
        blocks = (activations, activations[:, : 2 * hidden], i, f, g, o, states, cells)
        h = c = gates.new_zeros(directions, sizes[0], hidden)
        before, all_states, ends, after = [], [], [], [*sizes[1:], 0]
        for a, size, later, *own in zip(
            gates.split(sizes, dim=1), sizes, after, *(each.split(rows) for each in blocks), strict=True
        ):
            inputs, i_and_f, i, f, g, o, state, cell = own
            h, c = h[:, :size], c[:, :size]  # sorted by length: finished sequences are at the end
            before.append(c.reshape(cell.shape))
            torch.baddbmm(a, h, turned, out=inputs.view(directions, size, -1))
            i_and_f.sigmoid_()
            torch.mul(f, before[-1], out=cell).addcmul_(i, g.tanh_())
            torch.tanh(cell, out=state).mul_(o.sigmoid_())
            h, c = (each.view(directions, size, hidden) for each in (state, cell))
            all_states.append(h)
            ends.append(c[:, later:])
        ctx.save_for_backward(activations, cells, torch.cat(before), turned)
        ctx.sizes = sizes
        ctx.set_materialize_grads(False)
        return torch.cat(all_states, dim=1), torch.cat(ends[::-1], dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_states: Tensor | None, of_cells: Tensor | None) -> tuple[Tensor | None, None, None]:
        """Return the gradient of the gates, from those of the states and the last cells."""
        activations, cells, before, turned = ctx.saved_tensors
        directions, hidden = turned.shape[:2]
        rows = [directions * size for size in ctx.sizes]
        i, f, g, o = activations.chunk(4, dim=1)
        squashed = cells.tanh()
        through = torch.addcmul(o, o * squashed, squashed, value=-1)  # o(1 − ĉ²) = ∂h/∂c
        deltas = torch.addcmul(activations, activations, activations, value=-1)  # s(1 − s), and for g:
        torch.mul(g, g, out=deltas[:, 2 * hidden : 3 * hidden]).neg_().add_(1)
        for part, other in zip(deltas.chunk(4, dim=1), (g, before, i, squashed), strict=True):
            part.mul_(other)  # what follows multiplies them by δc, δc, δc and δh
        gates = deltas.view(-1, 4, hidden)
        blocks = (each.split(rows) for each in (deltas, gates[:, :3], gates[:, 3], f, through))
        nothing = cells.new_zeros(()).expand(directions, sum(ctx.sizes), hidden)
        if of_cells is None:
            of_cells = nothing[:, : ctx.sizes[0]]
        of_states = (nothing if of_states is None else of_states).split(ctx.sizes, dim=1)
        recurrent, going_on, dc, found = turned.mT, 0, of_cells[:, :0], []
        for size, dh, (delta, of_c, of_h, forget, slope) in zip(
            reversed(ctx.sizes), reversed(of_states), reversed(list(zip(*blocks, strict=True))), strict=True
        ):
            if going_on == size:
                dh = torch.baddbmm(dh, found[-1], recurrent)
            else:
                dh = dh.clone()
                dc = torch.cat([dc, of_cells[:, going_on:size]], dim=1)
                if going_on:
                    dh[:, :going_on].baddbmm_(found[-1], recurrent)
            dh = dh.reshape(-1, hidden)
            dc = dc.view(-1, hidden).addcmul_(dh, slope)
            of_c.mul_(dc[:, None])
            of_h.mul_(dh)
            found.append(delta.view(directions, size, -1))
            dc, going_on = (dc * forget).view(directions, size, -1), size
        return torch.cat(found[::-1], dim=1), None, None
