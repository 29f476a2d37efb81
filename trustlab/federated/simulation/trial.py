"""Can this model be stacked? It is tried on a few examples before the first round, and compared with the definition."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from trustlab.federated.simulation.config import FederatedConfig
from trustlab.federated.simulation.grouped import find_layers
from trustlab.federated.simulation.measuring import evaluating
from trustlab.federated.simulation.sequential import Update, train_sequentially
from trustlab.federated.simulation.stacked import Plan, train_stacked
from trustlab.federated.simulation.tables import add_rows, find_tables
from trustlab.federated.simulation.task import Task
from trustlab.federated.simulation.work import Work

TOLERANCE = 1e-4  # of a step's length; single precision leaves about 1e-6
SIZES = (8, 5, 3)  # examples of the devices tried: unequal in one stack and another, so that a mistake in padding shows
CONFIG = FederatedConfig(learning_rate=1e3)  # long steps: little is lost when they are read off the weights


@dataclass(frozen=True)
class Verdict:
    """How devices are trained.

    Attributes
    ----------
    engine
        ``"stacked"`` or ``"sequential"``.
    reason
        Why not stacked; empty for ``"stacked"``.
    plan
        How stacked.
    """

    engine: str
    reason: str = ""
    plan: Plan | None = None


def choose_engine(model: nn.Module, task: Task, config: FederatedConfig, examples: np.ndarray) -> Verdict:
    """Return how to train, from `examples`, the indices of some that devices hold.

    Raises
    ------
    ValueError
        With ``engine="stacked"``, for a model that cannot be stacked.
    """
    if config.engine == "sequential":
        return Verdict("sequential", "asked for")
    # Dropout's dice fall differently in the two engines: the comparison is about all else.
    with evaluating(model), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="There is a performance drop")  # so it is not stacked, the row says
        expected = _alone(model, task, examples)
        for plan in _plans(model, task, examples):
            reason = _difference(model, task, examples, plan, expected)
            if not reason:
                return Verdict("stacked", plan=plan)
    if config.engine == "stacked":
        raise ValueError(
            f"Expected a model that can be stacked with engine='stacked', got: {reason} Use 'auto', which trains such "
            "a model one device after another."
        )
    return Verdict("sequential", reason)


def _plans(model: nn.Module, task: Task, examples: np.ndarray) -> Iterator[Plan]:
    """Yield ways to stack, the fastest first; a weight may be used in a way that a first look does not show."""
    tables = find_tables(model, task, task.train[torch.from_numpy(examples[:1])])
    layers = find_layers(model, task, examples)
    for kind in [None] if layers is None else [layers, None]:
        if tables:
            yield Plan(kind, tables)
        yield Plan(kind)


def _difference(model: nn.Module, task: Task, examples: np.ndarray, plan: Plan, expected: list[Tensor]) -> str:
    """Train the devices by one step stacked and say how they differ from `expected`; empty when they agree."""
    try:
        updates = list(train_stacked(model, task, _works(examples), CONFIG, plan))
    except (RuntimeError, NotImplementedError, IndexError, TypeError, ValueError) as error:
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
    found = sorted((delta for update in updates for delta in _split(model, update)), key=lambda each: each[0])
    for want, (_, got) in zip(expected, found, strict=True):
        distance = (got - want).norm() / want.norm().clamp(min=1e-12)
        if not distance <= TOLERANCE:  # NaN is no agreement either
            return f"stacked steps differ from steps taken alone by {distance:.1g} of their length."
    return ""


def _alone(model: nn.Module, task: Task, examples: np.ndarray) -> list[Tensor]:
    """Return the updates of the devices tried, by the definition."""
    return [_split(model, update)[0][1] for update in train_sequentially(model, task, _works(examples), CONFIG)]


def _works(examples: np.ndarray) -> list[Work]:
    return [Work(k, (np.resize(examples, size),), size, True) for k, size in enumerate(SIZES)]


def _split(model: nn.Module, update: Update) -> list[tuple[int, Tensor]]:
    """Return each device's place and its update as one vector over all trained parameters."""
    shapes = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    found = []
    for k, place in enumerate(update.members):
        parts = []
        for name, parameter in shapes.items():
            part = update.deltas[name][k]
            if name in update.rows:
                total = torch.zeros_like(parameter)
                add_rows(total, update.rows[name][k], part)
                part = total
            parts.append(part.flatten())
        found.append((place, torch.cat(parts)))
    return found
