"""What is trained on a real corpus: small heads on what the frozen encoder reads, as the simulation trains them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trustlab.federated.simulation import Task


@dataclass(frozen=True)
class Read:
    """What the encoder read, one row per unit that is answered: a text or a word.

    Attributes
    ----------
    inputs : Tensor [N, D], float16 or float32
    targets : Tensor [N], int64
    """

    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: Any) -> Read:
        """Return the rows at `index`."""
        return replace(self, inputs=self.inputs[index], targets=self.targets[index])


class LinearHead(nn.Linear):
    """A linear layer that starts at zero: before the first step every label is equally probable."""

    def __init__(self, inputs: int, labels: int) -> None:
        super().__init__(inputs, labels)
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)


def cross_entropy(model: nn.Module, batch: Read) -> Tensor:
    """Return the cross entropy of each row [B]."""
    return F.cross_entropy(model(batch.inputs.float()), batch.targets, reduction="none")
