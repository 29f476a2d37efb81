"""Models that record what they read, refused by name: clipping does not bound what an example does there.

A moving average, a code book or a set of words seen that a forward updates leaks the examples out of the step,
independent of the gradients' noise, as BatchNorm's statistics do. A writer is found by comparing buffers and
attributes after two examples. What a forward keeps outside its modules (a global, a file, a variable of a hook) is not
checked.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from trustlab.models.attributes import attributes_of, attributes_put_back, differing, same
from trustlab.privacy.names import named, named_model

LOOKS = 3  # examples computed alone
KEPT = 32  # looks at one model that are remembered

# Modes and losses in which a model was looked at.
_looked: weakref.WeakKeyDictionary[nn.Module, set[Any]] = weakref.WeakKeyDictionary()


def refuse_writers(model: nn.Module, per_example_loss: Callable[..., Tensor], batch: Any) -> None:
    """Refuse a `model` whose forward leaves something of the examples in its buffers or attributes.

    Numbers, texts, tensors and arrays are compared, in containers and objects too, once for a model in a mode with a
    loss. What a forward writes may change with the step (a counter, spectral normalisation), not with the examples:
    each of up to three must leave the same. Of a batch of one, any change is refused, except of a whole number: it may
    be the length of a cache, and is compared at the first larger batch. The model is left as it was. An example that
    cannot be computed alone is refused by the method, which computes it too.

    Raises
    ------
    ValueError
        Naming the buffer or the attribute.

    Examples
    --------
    >>> refuse_writers(nn.Linear(2, 1), lambda model, batch: model(batch).squeeze(1), torch.zeros(2, 2))
    """
    looked, seen = _looked.setdefault(model, set()), (named_model(model), named(per_example_loss))
    if not len(batch) or seen in looked:
        return
    alone = len(batch) == 1
    states = [_state(model)] if alone else []  # an example by itself is compared with what was there before
    for i in range(min(len(batch), LOOKS)):
        with _as_it_was(model):
            try:
                per_example_loss(model, batch[torch.tensor([i])])
            except Exception:  # whatever the model raises, the engine raises again and explains
                return
            states.append(_state(model))
    first, *others = states
    written = [name for other in others for name in differing(first, other, _alike)]
    for name in written:
        if not alone or type({**first, **others[-1]}[name]) is not int:
            raise ValueError(
                f"Expected a forward that keeps nothing of its examples, but it writes into {name!r} what depends on "
                "them. Clipping does not bound that and noise does not hide it: do not update it while training, "
                "or call eval() on its layer."
            )
    if written:
        return
    if len(looked) >= KEPT:
        looked.clear()
    looked.add(seen)


def _state(model: nn.Module) -> dict[str, Any]:
    buffers = {name: buffer.detach().clone() for name, buffer in model.named_buffers()}
    return {**buffers, **attributes_of(model)}


def _alike(one: Any, other: Any) -> bool:
    """Compare two states of a thing. Of tensors of two lengths the common part counts: caches grow."""
    if isinstance(one, Tensor) and isinstance(other, Tensor) and one.ndim == other.ndim:
        common = tuple(slice(min(sizes)) for sizes in zip(one.shape, other.shape, strict=True))
        one, other = one[common], other[common]
    return same(one, other)


@contextlib.contextmanager
def _as_it_was(model: nn.Module) -> Iterator[None]:
    """Put buffers, attributes and torch's random numbers back."""
    devices = list({p.device for p in model.parameters() if p.device.type == "cuda"})
    with torch.random.fork_rng(devices=devices), attributes_put_back(model):
        yield
