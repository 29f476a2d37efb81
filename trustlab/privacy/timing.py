"""Seconds per training step by each mechanism, side by side on the same model and batch."""

from __future__ import annotations

import functools
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from trustlab.intervals import mean_interval
from trustlab.models import Examples, tagging_loss
from trustlab.privacy.clipping import PerExampleLoss, private_gradients
from trustlab.privacy.noise import NoisySum
from trustlab.privacy.plain_step import plain_gradients
from trustlab.privacy.reference import OpacusCopy

NOISE = dict(clip_norm=1.0, noise_multiplier=1.0)
PLAIN, FLOOR, LOOP, FAST = "SGD", "SGD + noise alone", "DP-SGD, loop", "DP-SGD, fast"
FEWEST_ROUNDS = 3  # from two rounds, a 95 % interval reaches 12.7 standard errors to each side; from three, 4.3


@dataclass(frozen=True)
class TrainingStep:
    """One whole step: ``gradients()`` fills ``.grad``, then the optimizer moves the weights."""

    gradients: Callable[[], Any]
    optimizer: torch.optim.Optimizer

    def __call__(self) -> None:
        """Take the step."""
        self.gradients()
        self.optimizer.step()


# A method, given a model, its loss and a batch, makes its step.
Method = Callable[[nn.Module, PerExampleLoss, Examples], TrainingStep]


def methods(
    micro_batches: Sequence[int] = (4, 16),
    opacus: Sequence[str] = (),
    *,
    passes: Sequence[int] = (),
    physical_batch: int | None = None,
) -> dict[str, Method]:
    """Return every method under its name.

    Parameters
    ----------
    micro_batches
        The K of eDP-SGD, all micro-batches in one backward pass.
    opacus
        Opacus' engines, from :data:`trustlab.privacy.reference.ENGINES`.
    passes
        The K of eDP-SGD as it is usually told: a backward pass for each micro-batch.
    physical_batch
        At most that many examples at once, for all but Opacus.

    Examples
    --------
    >>> list(methods(micro_batches=[4], opacus=["ghost"]))
    ['SGD', 'SGD + noise alone', 'eDP-SGD, K = 4', 'DP-SGD, loop', 'DP-SGD, fast', 'DP-SGD, Opacus ghost']
    """
    alike = {"physical_batch": physical_batch} if physical_batch else {}
    return {
        PLAIN: functools.partial(_plain, **alike),
        FLOOR: functools.partial(_floor, **alike),
        **{f"eDP-SGD, K = {k}": _private(method="edp-sgd", micro_batches=k, **alike) for k in micro_batches},
        **{f"eDP-SGD, K = {k}, K passes": _private(method="edp-sgd", engine="loop", micro_batches=k) for k in passes},
        LOOP: _private(method="dp-sgd", engine="loop"),
        FAST: _private(method="dp-sgd", engine="fast", **alike),
        **{f"DP-SGD, Opacus {engine}": _opacus(engine) for engine in opacus},
    }


def seconds_per_step(
    model: nn.Module,
    batch: Examples,
    *,
    per_example_loss: PerExampleLoss = tagging_loss,
    micro_batches: Sequence[int] = (4, 16),
    opacus: Sequence[str] = (),
    passes: Sequence[int] = (),
    physical_batch: int | None = None,
    repetitions: int = 3,
    patience: float = math.inf,
    clock: Callable[[], float] | None = None,
) -> list[dict[str, Any]]:
    """Time one whole step (gradients, noise, AdamW) of each method, interleaved.

    A busy moment of the machine affects all methods equally, and each is divided by the plain step of the same round.

    Parameters
    ----------
    model, batch
        What to train, and the one batch that every step uses. The weights move.
    per_example_loss
        As in :func:`trustlab.privacy.private_gradients`.
    micro_batches, opacus, passes, physical_batch
        See :func:`methods`.
    repetitions
        Rounds, after one that is not counted. At least 1; 2 give an interval.
    patience
        Seconds that one method may take over all rounds. A slower one sits out the last rounds, never the first three;
        the plain step takes part in all.
    clock
        What tells the seconds; None: the time that passes. ``time.process_time`` counts what the processor did for this
        process alone: the same on an idle machine with one thread, and a fair measure on a busy one.

    Returns
    -------
    list of dict
        Per method ``seconds`` (median), ``times SGD`` (geometric mean over rounds) with its 95 % interval ``low`` and
        ``high``, and ``rounds``. An engine of Opacus that cannot train the model has a ``note`` with its own words.
    """
    if repetitions < 1:
        raise ValueError(f"Expected repetitions={repetitions} >= 1. Each round times every method once.")
    refused, steps, rounds = {}, {}, {}
    for name, method in methods(micro_batches, opacus, passes=passes, physical_batch=physical_batch).items():
        try:
            step = method(model, per_example_loss, batch)
            first = _seconds(step, clock)  # which allocates: not counted
            rounds[name] = _affordable(first, repetitions, patience)
        except NotImplementedError as error:
            refused[name] = f"not supported: {error}"
            continue
        steps[name] = step
    rounds[PLAIN] = max(rounds.values())  # the others are divided by it
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for repetition in range(rounds[PLAIN]):
        for name, step in steps.items():
            if repetition < rounds[name]:
                seconds[name].append(_seconds(step, clock))
    measured = [_row(name, times, seconds[PLAIN]) for name, times in seconds.items()]
    return measured + [{"method": name, "note": note} for name, note in refused.items()]


def _affordable(seconds: float, repetitions: int, patience: float) -> int:
    """Return how many rounds a method that took `seconds` once may take."""
    if seconds * repetitions <= patience:
        return repetitions
    return min(repetitions, max(FEWEST_ROUNDS, int(patience / seconds)))


def _seconds(step: Callable[[], Any], clock: Callable[[], float] | None) -> float:
    now = clock or time.perf_counter
    started = now()
    step()
    if torch.cuda.is_available():
        torch.cuda.synchronize()  # a GPU is still at work when the call returns
    return now() - started


def _row(name: str, times: list[float], plain: list[float]) -> dict[str, Any]:
    """Compare a method's `times` with the plain step's of the same rounds."""
    # On the logarithm: a ratio that is off by a busy moment is as often too large as too small, and never negative.
    logs = mean_interval([math.log(own / other) for own, other in zip(times, plain[: len(times)], strict=True)])
    times_sgd, low, high = (math.exp(value) for value in logs[:3])
    return {
        "method": name,
        "seconds": statistics.median(times),
        "times SGD": times_sgd,
        "low": low,
        "high": high,
        "rounds": len(times),
    }


def _adamw(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    # Fused for every method: the usual one reads and writes all weights some ten times, which hides the rest.
    return torch.optim.AdamW(parameters, lr=1e-4, fused=True)


def _trained(model: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def _plain(
    model: nn.Module, per_example_loss: PerExampleLoss, batch: Examples, physical_batch: int | None = None
) -> TrainingStep:
    """Take one backward of the mean loss: nothing clipped, no noise."""

    def gradients() -> None:
        plain_gradients(model, batch, per_example_loss=per_example_loss, physical_batch=physical_batch)

    return TrainingStep(gradients, _adamw(_trained(model)))


def _floor(
    model: nn.Module, per_example_loss: PerExampleLoss, batch: Examples, physical_batch: int | None = None
) -> TrainingStep:
    """Take the plain step with noise drawn over its gradient: what every private method has to do."""
    plain = _plain(model, per_example_loss, batch, physical_batch)

    def gradients() -> None:
        plain.gradients()
        trained = _trained(model)
        drawn = NoisySum(trained, NOISE["noise_multiplier"] * NOISE["clip_norm"]).tensors
        for parameter, noise in zip(trained, drawn, strict=True):
            parameter.grad = noise

    return TrainingStep(gradients, plain.optimizer)


def _private(**mechanism: Any) -> Method:
    """Return a method of :func:`private_gradients`."""

    def method(model: nn.Module, per_example_loss: PerExampleLoss, batch: Examples) -> TrainingStep:
        options = dict(mechanism, **NOISE)
        if "micro_batches" not in options:
            options["expected_batch_size"] = len(batch)  # one batch of fixed size: its expected size is its size

        def gradients() -> None:
            private_gradients(model, per_example_loss, batch, **options)

        return TrainingStep(gradients, _adamw(_trained(model)))

    return method


def _opacus(engine: str) -> Method:
    """Return the method of one of Opacus' engines, which trains Opacus' own copy of the model."""

    def method(model: nn.Module, per_example_loss: PerExampleLoss, batch: Examples) -> TrainingStep:
        settings = dict(clip_norm=NOISE["clip_norm"], expected_batch_size=len(batch), engine=engine)
        copy = OpacusCopy(model, per_example_loss, **settings)

        def gradients() -> None:
            copy.backward(batch)
            copy.release(noise_multiplier=NOISE["noise_multiplier"])

        return TrainingStep(gradients, _adamw(copy.trained))

    return method
