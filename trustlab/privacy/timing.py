"""Seconds per training step by each mechanism, side by side on the same model and batch."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from trustlab.intervals import mean_interval
from trustlab.models import Examples, tagging_loss
from trustlab.privacy.clipping import private_gradients
from trustlab.privacy.reference import opacus_gradients
from trustlab.privacy.training import plain_gradients

NOISE = dict(clip_norm=1.0, noise_multiplier=1.0)


def seconds_per_step(
    model: nn.Module,
    batch: Examples,
    *,
    micro_batches: Sequence[int] = (4, 16),
    repetitions: int = 3,
    opacus: bool = False,
) -> list[dict[str, Any]]:
    """Time one whole step (gradients, noise, AdamW) of each method, interleaved.

    A busy moment of the machine falls on all methods alike, and each is divided by the plain step of its own round.

    Parameters
    ----------
    model, batch
        What to train, and the one batch that every step uses. The weights move.
    micro_batches
        The K to time for eDP-SGD.
    repetitions
        Rounds, after one that is not counted.
    opacus
        Also time Opacus' hooks.

    Returns
    -------
    list of dict
        Per method ``seconds`` (median) and ``times SGD`` (geometric mean over rounds) with its 95 % interval.
    """
    steps = _steps(model, batch, micro_batches, opacus)
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for repetition in range(repetitions + 1):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            if repetition:  # the first round allocates
                seconds[name].append(time.perf_counter() - started)
    rows = []
    for name, times in seconds.items():
        # On the logarithm: a ratio that is off by a busy moment is as often too large as too small, and never negative.
        logs = mean_interval([math.log(own / plain) for own, plain in zip(times, seconds["SGD"], strict=True)])
        times_sgd, low, high = (math.exp(value) for value in logs[:3])
        row = {"method": name, "seconds": statistics.median(times), "times SGD": times_sgd, "low": low, "high": high}
        rows.append(row)
    return rows


def _steps(
    model: nn.Module, batch: Examples, micro_batches: Sequence[int], opacus: bool
) -> dict[str, Callable[[], Any]]:
    """Return one whole training step per method."""
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)

    def private(**method: Any) -> Callable[[], Any]:
        return lambda: private_gradients(model, tagging_loss, batch, **method, **NOISE)

    gradients: dict[str, Callable[[], Any]] = {"SGD": lambda: plain_gradients(model, batch)}
    for k in micro_batches:
        gradients[f"eDP-SGD, K = {k}"] = private(method="micro-batch", micro_batches=k)
    gradients["DP-SGD, loop"] = private(method="loop", normalizer=len(batch))
    if opacus:
        hooks = opacus_gradients(model, tagging_loss, clip_norm=NOISE["clip_norm"], normalizer=len(batch))
        gradients["DP-SGD, Opacus hooks"] = lambda: hooks(batch, noise_multiplier=NOISE["noise_multiplier"])
    return {name: lambda fill=fill: (fill(), optimizer.step()) for name, fill in gradients.items()}
