"""The engines of this package and of Opacus as steps that can be audited."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from trustlab.privacy.auditing.probe import Step
from trustlab.privacy.clipping import OWN_ENGINES, private_gradients
from trustlab.privacy.methods import SENSITIVITY

# name: method and engine; the last three are Opacus' own code
ENGINES = {
    "loop": ("dp-sgd", "loop"),
    "fast": ("dp-sgd", "fast"),
    "eDP, loop": ("edp-sgd", "loop"),
    "eDP, fast": ("edp-sgd", "fast"),
    "Opacus hooks": ("dp-sgd", "hooks"),
    "Opacus ghost": ("dp-sgd", "ghost"),
    "Opacus functorch": ("dp-sgd", "functorch"),
}


def engine_step(
    name: str, *, clip_norm: float, noise_multiplier: float, expected_batch_size: int, **options: Any
) -> tuple[Step, dict[str, float]]:
    """Return a step of an engine, and what it declares: both are given to :func:`trustlab.privacy.auditing.audit`.

    Parameters
    ----------
    name
        A key of :data:`ENGINES`. eDP-SGD has as many micro-batches as `expected_batch_size`, its divisor.
    options
        More of :func:`trustlab.privacy.private_gradients`, as ``layerwise="equal"``; Opacus takes none.

    Raises
    ------
    ValueError
        For another name.

    Examples
    --------
    >>> step, declared = engine_step("eDP, fast", clip_norm=0.5, noise_multiplier=1.0, expected_batch_size=8)
    >>> declared
    {'clip_norm': 0.5, 'noise_multiplier': 1.0, 'expected_batch_size': 8, 'sensitivity': 2.0}
    """
    if name not in ENGINES:
        raise ValueError(f"Expected engine={name!r} to be one of {', '.join(map(repr, ENGINES))}.")
    method, engine = ENGINES[name]
    alike = dict(clip_norm=clip_norm, expected_batch_size=expected_batch_size)
    declared = dict(clip_norm=clip_norm, noise_multiplier=noise_multiplier, expected_batch_size=expected_batch_size)
    declared["sensitivity"] = SENSITIVITY[method]
    if engine not in OWN_ENGINES:
        return _opacus(engine, noise_multiplier, **alike), declared
    if method == "edp-sgd":
        options["micro_batches"] = expected_batch_size
    options |= dict(method=method, engine=engine, noise_multiplier=noise_multiplier, **alike)

    def step(model: nn.Module, loss: Callable[..., Tensor], batch: Tensor) -> None:
        private_gradients(model, loss, batch, **options)

    return step, declared


def _opacus(engine: str, noise_multiplier: float, **options: Any) -> Step:
    """Return Opacus' step; it wraps a copy of each model once."""
    from trustlab.privacy.reference import opacus_gradients

    wrapped: weakref.WeakKeyDictionary[nn.Module, Any] = weakref.WeakKeyDictionary()

    def step(model: nn.Module, loss: Callable[..., Tensor], batch: Tensor) -> None:
        if model not in wrapped:
            wrapped[model] = opacus_gradients(model, loss, engine=engine, **options)
        wrapped[model](batch, noise_multiplier=noise_multiplier)

    return step
