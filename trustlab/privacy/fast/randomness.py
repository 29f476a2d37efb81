"""Random numbers that are drawn once and used again: each example alone gets the ones it got in the batch.

torch draws a dropout's mask inside its own functions, where it cannot be set. Here these functions are written out, so
that the mask is an ordinary tensor. Then a module can be computed a second time, example by example, with the numbers
that it drew the first time.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import math
import types
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

_T = torch.Tensor
# Functions that return what they draw; those of the second line overwrite their first argument with it.
DRAWS = {torch.rand, torch.randn, torch.randint, torch.randperm, torch.normal, torch.bernoulli, _T.bernoulli}
DRAWS |= {torch.rand_like, torch.randn_like, torch.randint_like, torch.poisson}
OVERWRITES = {_T.bernoulli_, _T.uniform_, _T.normal_, _T.exponential_, _T.geometric_, _T.random_, _T.log_normal_}
# torch's functions in Python that draw inside.
INSIDE = {F.multi_head_attention_forward, F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.gumbel_softmax}
INSIDE |= {F.alpha_dropout, F.feature_alpha_dropout}
INSIDE |= {torch.autograd.grad}  # of checkpointed activations, which are computed again
CHECKS = ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic")

_without_dropout = contextvars.ContextVar("without_dropout", default=False)


class Draws(TorchFunctionMode):
    """Keep what is drawn while it is active.

    Attributes
    ----------
    drawn : list of Tensor
        In the order of drawing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.drawn: list[Tensor] = []

    def draw(self, make: Callable[[], Tensor], shape: torch.Size | None = None) -> Tensor:
        """Return random numbers, made by `make`."""
        made = make()
        self.drawn.append(made.detach().clone())
        return made

    def __torch_function__(self, func: Any, types_: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Run `func`, with separate random numbers where it draws some."""
        kwargs = kwargs or {}
        if func in WRITTEN_OUT:
            return WRITTEN_OUT[func](self, *args, **kwargs)
        if func in DRAWS:
            like = args[0].shape if args and isinstance(args[0], Tensor) else None
            return self.draw(lambda: func(*args, **kwargs), like)
        if func in OVERWRITES:
            return self.overwrite(func, args, kwargs)
        if func in INSIDE:
            with self:
                return _opened(func)(*args, **kwargs)
        return func(*args, **kwargs)

    def overwrite(self, func: Any, args: tuple, kwargs: dict[str, Any]) -> Tensor:
        """Draw into the first argument."""
        return self.draw(lambda: func(*args, **kwargs))


class Again(Draws):
    """Give back the rows of some examples from what was `drawn` for all.

    Parameters
    ----------
    examples
        How many examples the numbers were drawn for.
    rows : Tensor [R], int64
        The examples that are computed now.
    """

    def __init__(self, drawn: list[Tensor], examples: int, rows: Tensor) -> None:
        super().__init__()
        self.drawn, self.examples, self.rows, self._next = drawn, examples, rows, 0

    def draw(self, make: Callable[[], Tensor], shape: torch.Size | None = None) -> Tensor:
        """Return the next numbers; `make` is called for their shape alone, and not where `shape` is given."""
        if shape is None:
            with torch.random.fork_rng(), torch._C.DisableTorchFunction(), temporarily_clear_interpreter_stack():
                shape = make().shape
        if self._next == len(self.drawn):
            raise ValueError("it draws more random numbers than it drew for the whole batch.")
        self._next += 1
        return self._rows(self.drawn[self._next - 1], shape).clone()

    def overwrite(self, func: Any, args: tuple, kwargs: dict[str, Any]) -> Tensor:
        """Write the next numbers into the first argument, where it can take them, and return them."""
        made = self.draw(lambda: args[0], args[0].shape)
        with contextlib.suppress(RuntimeError):  # one tensor for all cannot hold each example's own
            return args[0].copy_(made)
        return made

    def _rows(self, drawn: Tensor, shape: torch.Size) -> Tensor:
        """Return the part of `drawn` that has `shape`: all, where it is shared, or some rows of one dimension."""
        if drawn.shape == shape:
            return drawn
        count = len(self.rows)
        unlike = [d for d, (all_, some) in enumerate(zip(drawn.shape, shape, strict=False)) if all_ != some]
        if drawn.ndim == len(shape) and len(unlike) == 1:
            (d,) = unlike
            if drawn.shape[d] * count == shape[d] * self.examples and drawn.shape[d] % self.examples == 0:
                apart = drawn.unflatten(d, (self.examples, drawn.shape[d] // self.examples))
                return apart.index_select(d, self.rows.to(drawn.device)).flatten(d, d + 1)
        raise ValueError(
            f"it draws random numbers of shape {tuple(drawn.shape)} for {self.examples} examples and of shape "
            f"{tuple(shape)} for {count}: which belong to which example is unknown."
        )


@contextlib.contextmanager
def without_dropout(model: nn.Module) -> Iterator[None]:
    """Let dropout pass everything in what is computed under :class:`Draws`; all else stays in its mode."""
    recurrent = [(module, module.dropout) for module in model.modules() if isinstance(module, nn.RNNBase)]
    token = _without_dropout.set(True)
    try:
        for module, _ in recurrent:
            module.dropout = 0.0
        yield
    finally:
        _without_dropout.reset(token)
        for module, share in recurrent:
            module.dropout = share


@functools.cache
def _opened(function: types.FunctionType) -> Callable[..., Any]:
    """Return `function` of torch, which does not hand itself to the active mode as a whole."""
    inside = {**function.__globals__, **dict.fromkeys(CHECKS, lambda *tensors: False)}
    copy = types.FunctionType(function.__code__, inside, function.__name__, function.__defaults__, function.__closure__)
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _kept(mode: Draws, like: Tensor, share: float, shape: torch.Size | None = None) -> Tensor:
    """Return a dropout's mask, scaled: 0 for what falls out, 1 / (1 - share) for what stays."""
    shape = like.shape if shape is None else shape
    make = lambda: like.detach().new_empty(shape).bernoulli_(1 - share)  # noqa: E731
    return mode.draw(make, torch.Size(shape)) * (1 / (1 - share) if share < 1 else 0.0)


def _dropout(mode: Draws, input: Tensor, p: float = 0.5, train: bool = True) -> Tensor:
    if not train or p == 0 or _without_dropout.get():
        return input
    return input * _kept(mode, input, p)


def _dropout_in_place(mode: Draws, input: Tensor, p: float = 0.5, train: bool = True) -> Tensor:
    if not train or p == 0 or _without_dropout.get():
        return input
    return input.mul_(_kept(mode, input, p))


def _features(mode: Draws, input: Tensor, p: float = 0.5, train: bool = True) -> Tensor:
    """Drop whole features of [B, C, ...]."""
    if not train or p == 0 or _without_dropout.get():
        return input
    return input * _kept(mode, input, p, torch.Size([*input.shape[:2], *[1] * (input.ndim - 2)]))


def _other_dropout(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def written_out(mode: Draws, input: Tensor, p: float = 0.5, train: bool = True) -> Tensor:
        return input if _without_dropout.get() else function(input, p, train)

    return written_out


def _attention(
    mode: Draws,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Attend with dropout; without it torch's own function does the same."""
    if dropout_p == 0 or _without_dropout.get():
        options = dict(attn_mask=attn_mask, is_causal=is_causal, scale=scale, enable_gqa=enable_gqa)
        return F.scaled_dot_product_attention(query, key, value, **options)
    if enable_gqa:
        key, value = (part.repeat_interleave(query.shape[-3] // part.shape[-3], -3) for part in (key, value))
    scores = query @ key.mT * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, -math.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    return _dropout(mode, scores.softmax(-1).to(value.dtype), dropout_p) @ value


WRITTEN_OUT: dict[Any, Callable[..., Tensor]] = {
    torch.dropout: _dropout,
    torch.dropout_: _dropout_in_place,
    torch.feature_dropout: _features,
    torch.alpha_dropout: _other_dropout(torch.alpha_dropout),
    torch.feature_alpha_dropout: _other_dropout(torch.feature_alpha_dropout),
    F.scaled_dot_product_attention: _attention,
}
