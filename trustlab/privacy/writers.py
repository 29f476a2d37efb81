"""Models that write down what they read, refused by name: no clipping bounds what an example does there.

A moving average or a code book that a forward updates carries the examples out of the step, whatever noise the
gradients get: as BatchNorm's statistics do. Who writes is found by looking before and after.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from trustlab.privacy.names import named

DEPTH = 3  # containers within containers that are looked into
KEPT = 32  # looks at one model that are remembered

# Modes and losses in which a model was looked at.
_looked: weakref.WeakKeyDictionary[nn.Module, set[Any]] = weakref.WeakKeyDictionary()


def refuse_writers(model: nn.Module, per_example_loss: Callable[..., Tensor], batch: Any) -> None:
    """Refuse a `model` whose forward leaves something of the examples in its buffers or tensor attributes.

    Once for a model in a mode with a loss. What it writes may change with the step (a counter, spectral normalisation),
    not with the examples: two of the batch must leave the same. Of a batch of one, any change is refused. The model is
    left as it was. An example that cannot be computed alone is the method's to refuse, which computes it too.

    Raises
    ------
    ValueError
        Naming the buffer or the attribute.

    Examples
    --------
    >>> refuse_writers(nn.Linear(2, 1), lambda model, batch: model(batch).squeeze(1), torch.zeros(2, 2))
    """
    modes, looked = tuple(module.training for module in model.modules()), _looked.setdefault(model, set())
    seen = (modes, named(per_example_loss))
    if not len(batch) or seen in looked:
        return
    subsets = [torch.tensor([i]) for i in range(min(len(batch), 3))]
    before = _state(model)
    with _as_it_was(model):
        after = []
        for rows in subsets:
            with _as_it_was(model):
                try:
                    per_example_loss(model, batch[rows])
                except Exception:  # whatever somebody's model raises, the method raises it again and says why
                    return
                after.append(_state(model))
            if len(after) == 1 and not _unlike(before, after[0]):
                break
    one = after[1:] or [before]
    for other in one:
        for name in _unlike(after[0], other):
            raise ValueError(
                f"Expected a forward that keeps nothing of its examples, but it writes into {name!r} what depends on "
                "them. No clipping bounds that and no noise covers it: do not update it while training, or call eval() "
                "on its layer."
            )
    if len(looked) >= KEPT:
        looked.clear()
    looked.add(seen)


def _places(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield buffers and tensors (floating-point numbers too) in attributes, lists and dicts of every module."""
    for name, module in model.named_modules():
        prefix = f"{name}." if name else ""
        for key, value in {**module._buffers, **vars(module)}.items():
            if not key.startswith("_") or key not in vars(nn.Module()):
                yield from _leaves(prefix + key, value)


def _leaves(name: str, value: Any, depth: int = 0) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors and floats in `value`, down to `DEPTH` containers."""
    if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
        yield name, value.detach()
    elif isinstance(value, float):
        yield name, torch.tensor(value, dtype=torch.float64)
    elif isinstance(value, dict) and depth < DEPTH:
        for key, inner in list(value.items()):
            yield from _leaves(f"{name}[{key!r}]", inner, depth + 1)
    elif isinstance(value, list | tuple) and depth < DEPTH:
        for i, inner in enumerate(value):
            yield from _leaves(f"{name}[{i}]", inner, depth + 1)


def _state(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in _places(model)}


def _unlike(one: dict[str, Tensor], other: dict[str, Tensor]) -> list[str]:
    """Return the names of what differs or is in one only. Of two lengths the common part counts: caches grow."""
    return [name for name in {**one, **other} if not _alike(one.get(name), other.get(name))]


def _alike(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None or one.ndim != other.ndim or one.dtype != other.dtype:
        return False
    common = tuple(slice(min(sizes)) for sizes in zip(one.shape, other.shape, strict=True))
    return torch.equal(one[common].nan_to_num(), other[common].nan_to_num())


@contextlib.contextmanager
def _as_it_was(model: nn.Module) -> Iterator[None]:
    """Put buffers, attributes and torch's random numbers back."""
    tensors = [(tensor, tensor.clone()) for _, tensor in _places(model)]
    own = [(m, dict(m._buffers), {key: _copied(value) for key, value in vars(m).items()}) for m in model.modules()]
    devices = list({p.device for p in model.parameters() if p.device.type == "cuda"})
    with torch.random.fork_rng(devices=devices):
        try:
            yield
        finally:
            for module, buffers, attributes in own:
                module._buffers.clear()
                module._buffers.update(buffers)
                for key in vars(module).keys() - attributes.keys():
                    del vars(module)[key]
                for key, value in attributes.items():
                    if key not in vars(nn.Module()):
                        vars(module)[key] = value
            with torch.no_grad():
                for tensor, value in tensors:
                    if not torch.equal(tensor, value):
                        tensor.data.copy_(value)


def _copied(value: Any) -> Any:
    return value.copy() if type(value) in (list, dict) else value
