"""What one parameter's per-example gradients are made of, how long each is, and their weighted sum.

Three forms, none of which holds a gradient of every example in memory unless it is as small as what it is made of. B
examples (or other units), S rows of each (its tokens), a weight of shape [O, I].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

DENSE_NUMBERS = 1 << 22  # at most this many numbers of per-example gradients are formed at once
# Below this ratio between a squared norm and what its terms could add up to, they cancel: float32 rounding of the
# terms could then pass for the norm, so the gradient is formed and measured directly.
CANCELS = 1e-3


def single(tensor: Tensor) -> Tensor:
    """Return `tensor` in at least single precision: half of it would let norms slip past C."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


@dataclass
class Outer:
    """Example b's gradient is Σ_s left[b, s] ⊗ right[b, s]: linear layers, convolutions, recurrent gates.

    Attributes
    ----------
    left : Tensor [B, S, O]
    right : Tensor [B, S, I]
    """

    left: Tensor
    right: Tensor

    def __len__(self) -> int:
        return len(self.left)

    @property
    def size(self) -> int:
        """Return how many numbers one gradient has."""
        return self.left.shape[2] * self.right.shape[2]

    def __getitem__(self, examples: Tensor | slice) -> Outer:
        return Outer(self.left[examples], self.right[examples])

    def summed(self, size: int) -> Outer:
        """Return each `size` consecutive examples as one, whose gradient is their sum."""
        left, right = (rows.reshape(-1, size * rows.shape[1], rows.shape[2]) for rows in (self.left, self.right))
        return Outer(left, right)

    def finite(self, kept: Tensor) -> Outer:
        """Return the same with zeros for the examples that `kept` [B] leaves out."""
        kept = kept[:, None, None]
        return Outer(self.left.where(kept, 0.0), self.right.where(kept, 0.0))

    def square_norms(self) -> Tensor:
        """Return ‖G_b‖² [B], by the ghost norm where that is less work than the gradient."""
        rows, outputs, inputs = *self.left.shape[1:], self.right.shape[2]
        if rows == 1:
            return self.left.square().sum((1, 2)) * self.right.square().sum((1, 2))
        if rows * (outputs + inputs) >= outputs * inputs:
            return _dense_square_norms([self])
        left = self.left @ self.left.mT  # [B, S, S], δ_t·δ_s
        right = self.right @ self.right.mT  # [B, S, S], x_t·x_s
        squares = torch.linalg.vecdot(left.flatten(1), right.flatten(1))  # [B]
        scale = torch.linalg.matrix_norm(left) * torch.linalg.matrix_norm(right)  # what the terms could add up to
        return _measured_again(squares, CANCELS * scale, [self])

    def add_to(self, total: Tensor, weights: Tensor) -> None:
        """Add Σ_b weights[b] G_b to `total`, of O·I numbers."""
        left, right, weights = self.left, self.right, weights[:, None, None]
        left, right = (left * weights, right) if left.shape[2] <= right.shape[2] else (left, right * weights)
        left, right = left.flatten(0, 1), right.flatten(0, 1)
        total.view(left.shape[1], right.shape[1]).addmm_(left.mT, right)

    def dense(self) -> Tensor:
        """Form the gradients [B, O·I]."""
        return (self.left.mT @ self.right).flatten(1)


@dataclass
class Rows:
    """Example b's gradient has values[b, s] added to row ids[b, s]: embeddings.

    Attributes
    ----------
    ids : Tensor [B, S], int64
    values : Tensor [B, S, I]
    height : int
        Number of rows O of the whole weight.
    """

    ids: Tensor
    values: Tensor
    height: int

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def size(self) -> int:
        """Return how many numbers one gradient has."""
        return self.height * self.values.shape[2]

    def __getitem__(self, examples: Tensor | slice) -> Rows:
        return Rows(self.ids[examples], self.values[examples], self.height)

    def summed(self, size: int) -> Rows:
        """Return each `size` consecutive examples as one, whose gradient is their sum."""
        rows = size * self.ids.shape[1]
        return Rows(self.ids.reshape(-1, rows), self.values.reshape(-1, rows, self.values.shape[2]), self.height)

    def finite(self, kept: Tensor) -> Rows:
        """Return the same with zeros for the examples that `kept` [B] leaves out."""
        return Rows(self.ids, self.values.where(kept[:, None, None], 0.0), self.height)

    def square_norms(self) -> Tensor:
        """Return ‖G_b‖² [B]: a word said twice adds its two values before they are squared."""
        example = torch.arange(len(self.ids), device=self.ids.device)[:, None]
        touched, place = torch.unique(self.ids + self.height * example, return_inverse=True)  # [R], [B, S]
        sums = self.values.new_zeros(len(touched), self.values.shape[2])
        sums.index_add_(0, place.flatten(), self.values.flatten(0, 1))
        squares = self.values.new_zeros(len(self.ids))
        return squares.index_add_(0, touched // self.height, sums.square().sum(1))

    def add_to(self, total: Tensor, weights: Tensor) -> None:
        """Add Σ_b weights[b] G_b to `total` [O, I]."""
        total.index_add_(0, self.ids.flatten(), (self.values * weights[:, None, None]).flatten(0, 1))

    def dense(self) -> Tensor:
        """Form the gradients [B, O·I]."""
        gradients = self.values.new_zeros(len(self.ids), self.height, self.values.shape[2])
        for gradient, ids, values in zip(gradients, self.ids, self.values, strict=True):
            gradient.index_add_(0, ids, values)
        return gradients.flatten(1)


@dataclass
class Dense:
    """Example b's gradient is gradients[b] itself: biases, gains of norms and other small parameters.

    Attributes
    ----------
    gradients : Tensor [B, P]
    """

    gradients: Tensor

    def __len__(self) -> int:
        return len(self.gradients)

    @property
    def size(self) -> int:
        """Return how many numbers one gradient has."""
        return self.gradients.shape[1]

    def __getitem__(self, examples: Tensor | slice) -> Dense:
        return Dense(self.gradients[examples])

    def summed(self, size: int) -> Dense:
        """Return each `size` consecutive examples as one, whose gradient is their sum."""
        return Dense(self.gradients.view(-1, size, self.gradients.shape[1]).sum(1))

    def finite(self, kept: Tensor) -> Dense:
        """Return the same with zeros for the examples that `kept` [B] leaves out."""
        return Dense(self.gradients.where(kept[:, None], 0.0))

    def square_norms(self) -> Tensor:
        """Return ‖G_b‖² [B]."""
        return self.gradients.square().sum(1)

    def add_to(self, total: Tensor, weights: Tensor) -> None:
        """Add Σ_b weights[b] G_b to `total`, of P numbers."""
        total.view(-1).addmv_(self.gradients.mT, weights)

    def dense(self) -> Tensor:
        """Return the gradients [B, P]."""
        return self.gradients


Factor = Outer | Rows | Dense


def outer(left: Tensor, right: Tensor) -> Outer | Dense:
    """Return the factor of Σ_s left[b, s] ⊗ right[b, s]: the gradient itself, if it is no larger than its two parts.

    It is then formed once, for its norm and for the sum, in memory that the parts give back.
    """
    rows, outputs, inputs = *left.shape[1:], right.shape[2]
    factor = Outer(left, right)
    return Dense(factor.dense()) if outputs * inputs <= rows * (outputs + inputs) else factor


def square_norms(factors: Sequence[Factor]) -> Tensor:
    """Return the squared norms [B] of one parameter's gradients, which are the sums of all its `factors`.

    A parameter has several factors when it is used several times: a shared layer, or GPT-2's tied embedding. The norm
    of a sum is not the sum of the norms: what the uses have in common counts as well.
    """
    kinds = {type(factor) for factor in factors}
    if len(factors) == 1:
        return factors[0].square_norms()
    if kinds == {Outer}:
        return _joined(factors, Outer, "left", "right").square_norms()
    if kinds == {Rows}:
        return _joined(factors, Rows, "ids", "values", height=factors[0].height).square_norms()
    if kinds == {Outer, Rows}:
        outer = _joined([f for f in factors if type(f) is Outer], Outer, "left", "right")
        rows = _joined([f for f in factors if type(f) is Rows], Rows, "ids", "values", height=outer.left.shape[2])
        return _tied_square_norms(outer, rows)
    return _dense_square_norms(factors)


def _tied_square_norms(outer: Outer, rows: Rows) -> Tensor:
    """Return the squared norms of Σ_s left_s ⊗ right_s + Σ_t e(id_t) ⊗ value_t: an embedding tied to the output."""
    where = rows.ids[:, None, :].expand(-1, outer.left.shape[1], -1)  # [B, S, T]
    picked = outer.left.gather(2, where)  # [B, S, T], left_s at id_t
    common = (picked * (outer.right @ rows.values.mT)).sum((1, 2))
    one, other = outer.square_norms(), rows.square_norms()
    limit = CANCELS * (one.sqrt() + other.sqrt()).square()
    return _measured_again(one + other + 2 * common, limit, [outer, rows])


def _measured_again(squares: Tensor, limit: Tensor, factors: Sequence[Factor]) -> Tensor:
    """Return `squares` [B], measured on the gradient itself where they are below `limit` [B]."""
    doubtful = (squares < limit).nonzero()[:, 0]
    if len(doubtful):
        squares[doubtful] = _dense_square_norms([factor[doubtful] for factor in factors])
    return squares


def _dense_square_norms(factors: Sequence[Factor]) -> Tensor:
    """Return the squared norms [B], forming the gradients of a few examples at a time."""
    at_once = max(1, DENSE_NUMBERS // factors[0].size)
    chunks = [slice(start, start + at_once) for start in range(0, len(factors[0]), at_once)]
    return torch.cat([sum(factor[chunk].dense() for factor in factors).square().sum(1) for chunk in chunks])


def _joined(factors: Sequence[Factor], kind: type, *fields: str, **rest: int) -> Factor:
    """Return factors of one `kind` as one: their rows side by side."""
    return kind(*(torch.cat([getattr(factor, field) for factor in factors], dim=1) for field in fields), **rest)
