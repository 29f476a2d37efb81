"""The registered devices: what each holds, how they are selected, and what they are measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.federated.selection import Selector


@dataclass(frozen=True)
class Fleet:
    """All registered devices.

    Attributes
    ----------
    clients
        Indices of each device's training examples; looked at for selected devices only.
    sizes : int64 [N]
        How many there are of each.
    selector
        Who takes part in a round.
    test_clients
        Indices of each device's test examples, if devices are to be measured by themselves.
    """

    clients: Sequence[Any]
    sizes: np.ndarray
    selector: Selector
    test_clients: Sequence[Any] | None = None

    @classmethod
    def of(cls, clients: Sequence[Any], selector: Selector | None, test_clients: Sequence[Any] | None) -> Fleet:
        """Count the examples of every device.

        Raises
        ------
        ValueError
            Where no device holds an example, or for test examples or a selector of another number of devices.
        """
        sizes = counts(clients)
        if not sizes.any():
            raise ValueError(
                f"Expected at least one device that holds examples, got {len(sizes)} without any. Pass an array of "
                "indices for each."
            )
        if test_clients is not None and len(test_clients) != len(clients):
            raise ValueError(
                f"Expected test_clients for {len(clients)} devices, got {len(test_clients)}. An empty array stands for "
                "a device without test examples."
            )
        selector = selector or Selector(sizes, strategy="uniform")
        if len(selector) != len(sizes):
            raise ValueError(f"Expected a selector of {len(sizes)} devices, got one of {len(selector)}.")
        return cls(clients, sizes, selector, test_clients)

    def __len__(self) -> int:
        return len(self.sizes)

    def some_examples(self) -> np.ndarray:
        """Return the indices of a few examples of a few devices, the smallest and the largest among them."""
        holders = np.flatnonzero(self.sizes)
        some = holders[np.linspace(0, len(holders) - 1, 6).astype(int)]
        ends = holders[[self.sizes[holders].argmin(), self.sizes[holders].argmax()]]
        chosen = np.unique(np.concatenate([some, ends])).tolist()
        return np.concatenate([np.asarray(self.clients[k], dtype=np.int64)[:4] for k in chosen])


def counts(clients: Sequence[Any]) -> np.ndarray:
    """Return the number of examples of each device, int64 [N]; of a Partition without looking at any."""
    sizes = clients.sizes if hasattr(clients, "sizes") else [len(indices) for indices in clients]
    return np.asarray(sizes, dtype=np.int64)
