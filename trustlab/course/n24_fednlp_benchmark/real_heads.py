"""What is trained on a real corpus: heads on what the frozen encoder reads, as the simulation trains them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trustlab.federated.simulation import Task


@dataclass(frozen=True)
class Problem:
    """A task of the simulation, and which of its rows each training example has.

    Attributes
    ----------
    task
        Its rows are what is answered: a text, a word or a question.
    rows
        For each training example the places of its rows in ``task.train``; a client holds examples, and trains on
        their rows. None where an example is one row.
    """

    task: Task
    rows: list[np.ndarray] | None = None

    def held(self, examples: Sequence[int]) -> np.ndarray:
        """Return the rows of some training examples, such as those of a client."""
        if self.rows is None or not len(examples):
            return np.asarray(examples, dtype=np.int64)
        return np.concatenate([self.rows[i] for i in examples])


@dataclass(frozen=True)
class Vectors:
    """One vector per row, and what is to be answered.

    Attributes
    ----------
    inputs : Tensor [N, D], float16 or float32
    targets : Tensor [N], int64
    """

    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: Any) -> Vectors:
        """Return the rows at `index`."""
        return replace(self, inputs=self.inputs[index], targets=self.targets[index])


def _head(inputs: int, labels: int) -> nn.Linear:
    """Return a linear layer that starts at zero: before the first step every label is equally probable.

    No class of its own: the simulation stacks an ordinary layer without ``vmap``, in half the time.
    """
    head = nn.Linear(inputs, labels)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head


def linear(train: Vectors, test: Vectors, labels: int, scores: Callable[[Tensor], dict[str, float]]) -> Task:
    """Return the task of a linear head that chooses one of `labels` for each row.

    Parameters
    ----------
    scores
        From the head's scores of all test rows [N, labels] to the measures of a row.
    """

    def per_example_loss(model: nn.Module, batch: Vectors) -> Tensor:
        return F.cross_entropy(model(batch.inputs.float()), batch.targets, reduction="none")

    @torch.no_grad()
    def evaluate(model: nn.Module, batch: Vectors) -> dict[str, float]:
        return scores(torch.cat([model(part.float()) for part in batch.inputs.split(4096)]))

    return Task(_head(train.inputs.shape[1], labels), train, test, per_example_loss, evaluate)
