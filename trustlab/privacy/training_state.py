"""All that changes while a training runs: exactly what a checkpoint has to hold."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from trustlab.privacy.distributed import Workers
from trustlab.privacy.noise_schedules import Schedule

COUNTERS = ("schedule", "step", "seconds", "clipped", "dropped", "rows")


@dataclass
class TrainingState:
    """A training at one moment.

    Attributes
    ----------
    model, optimizer, scheduler
        What is trained, and what trains it.
    seed
        Seed of `generator` and of dropout.
    schedule
        [(σ, steps), ...]: the noise planned for the whole training. With `step` it is what an accountant has to know.
    step
        Steps taken.
    seconds
        Spent on them.
    clipped, dropped
        Share of units clipped, and number of units left out, in each step since the last row.
    rows
        All rows shown, so that a resumed training yields the whole table.
    generator
        Where batches, micro-batches and noise are drawn.
    """

    model: nn.Module
    optimizer: Optimizer
    scheduler: LRScheduler | None
    seed: int
    schedule: Schedule
    step: int = 0
    seconds: float = 0.0
    clipped: list[float] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.generator = torch.Generator().manual_seed(self.seed)
        device = next(self.model.parameters()).device
        self.devices = [device] if device.type == "cuda" else []
        # Seeded apart from the generator: dropout must not draw the very numbers that the noise is made of.
        with torch.random.fork_rng(self.devices):
            torch.manual_seed(int(torch.randint(2**62, (), generator=self.generator)))
            self._states = self._global_states()

    @property
    def steps(self) -> int:
        """Number of steps planned."""
        return sum(count for _, count in self.schedule)

    @contextlib.contextmanager
    def own_random_state(self, workers: Workers) -> Iterator[None]:
        """Run dropout, and all that draws from torch's global generators, on the training's own random state.

        Several workers continue it alike, and each draws dropout from a seed of its own, of this step.
        """
        with torch.random.fork_rng(self.devices):
            torch.set_rng_state(self._states[0])
            for device, state in zip(self.devices, self._states[1:], strict=True):
                torch.cuda.set_rng_state(state, device)
            if workers.count > 1:
                seed = int(torch.randint(2**62, ()))
                self._states = self._global_states()
                torch.manual_seed(seed + workers.rank)
                yield
            else:
                yield
                self._states = self._global_states()

    def to_dict(self) -> dict[str, Any]:
        """Return tensors, numbers and strings in dicts and lists: what :meth:`restore` needs."""
        return {
            "parts": {name: part.state_dict() for name, part in self._parts()},
            "generator": self.generator.get_state(),
            "random_states": self._states,
            "counters": {name: getattr(self, name) for name in COUNTERS},
        }

    def restore(self, content: Mapping[str, Any]) -> None:
        """Become the training that :meth:`to_dict` described."""
        for name, part in self._parts():
            part.load_state_dict(content["parts"][name])
        self.generator.set_state(content["generator"])
        self._states = content["random_states"]
        for name in COUNTERS:
            setattr(self, name, content["counters"][name])

    @property
    def sigma(self) -> float:
        """The noise multiplier of the next step."""
        left = self.step
        for sigma, count in self.schedule:
            if left < count:
                return sigma
            left -= count
        raise IndexError(f"Expected one of {self.steps} planned steps, got step {self.step}, after the last one.")

    def _parts(self) -> Iterator[tuple[str, Any]]:
        yield from [("model", self.model), ("optimizer", self.optimizer)]
        if self.scheduler is not None:
            yield "scheduler", self.scheduler

    def _global_states(self) -> list[torch.Tensor]:
        """Return the states of the global generators that the model's operations draw from."""
        return [torch.get_rng_state(), *(torch.cuda.get_rng_state(device) for device in self.devices)]
