"""Can this model be stacked? It is tried on a few examples before the first round, and compared with the definition."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from trustlab.federated.simulation.config import FederatedConfig
from trustlab.federated.simulation.measuring import evaluating
from trustlab.federated.simulation.sequential import Update, train_sequentially
from trustlab.federated.simulation.stacked import train_stacked
from trustlab.federated.simulation.tables import Table, add_rows, find_tables
from trustlab.federated.simulation.task import Task
from trustlab.federated.simulation.work import Work

TOLERANCE = 1e-4  # of a step's length; single precision leaves about 1e-6
SIZES = (8, 3)  # examples of the two devices tried: unequal, so that a mistake in padding shows


@dataclass(frozen=True)
class Verdict:
    """How devices are trained.

    Attributes
    ----------
    engine
        ``"stacked"`` or ``"sequential"``.
    reason
        Why not stacked; empty for ``"stacked"``.
    tables
        Embeddings of which devices get only the rows that they read.
    """

    engine: str
    reason: str = ""
    tables: dict[str, Table] | None = None


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
        tables = find_tables(model, task, task.train[torch.from_numpy(examples[:1])])
        reason = _difference(model, task, examples, tables)
        if reason and tables:  # a table may be read in a way that its first batch did not show
            tables = {}
            reason = _difference(model, task, examples, tables)
    if not reason:
        return Verdict("stacked", tables=tables)
    if config.engine == "stacked":
        raise ValueError(
            f"Expected a model that can be stacked with engine='stacked', got: {reason} Use 'auto', which trains such "
            "a model one device after another."
        )
    return Verdict("sequential", reason)


def _difference(model: nn.Module, task: Task, examples: np.ndarray, tables: dict[str, Table]) -> str:
    """Train two devices by one step in both ways and say how they differ; empty when they agree."""
    config = FederatedConfig(learning_rate=1e3)  # long steps: little is lost when they are read off the weights
    works = [Work(k, (np.resize(examples, size),), size, True) for k, size in enumerate(SIZES)]
    expected = [_whole(model, update) for update in train_sequentially(model, task, works, config)]
    try:
        found = [delta for u in train_stacked(model, task, works, config, tables) for delta in _split(model, u)]
    except (RuntimeError, NotImplementedError, IndexError, TypeError, ValueError) as error:
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
    ordered = sorted(found, key=lambda each: each[0])
    for want, (_, got) in zip(expected, ordered, strict=True):
        distance = (got - want).norm() / want.norm().clamp(min=1e-12)
        if not distance <= TOLERANCE:  # NaN is no agreement either
            return f"stacked steps differ from steps taken alone by {distance:.1g} of their length."
    return ""


def _whole(model: nn.Module, update: Update) -> Tensor:
    return _split(model, update)[0][1]


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
