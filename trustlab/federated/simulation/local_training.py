"""What a selected device does in a round: its minibatches in order, how far it gets, and whether it is heard.

Everything random comes from (seed, round, purpose, device) and from nothing else. So a device draws the same
minibatches whoever else is selected and whichever engine trains it, and a training that was interrupted needs to
remember no generator: the round's number is enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.federated.simulation.definitions import FederatedConfig

# Purposes of random numbers, from 1: NumPy pads a seed with zeros, so [seed, 0, 0, 0] is the stream that a partition
# was drawn from, and a first selection by it would lean on the same numbers.
SELECTION, FATE, MINIBATCHES, NOISE, DICE = range(1, 6)


def source(config: FederatedConfig, round: int, purpose: int, device: int = 0) -> np.random.Generator:
    """Return the generator of one purpose in one round.

    Examples
    --------
    >>> config = FederatedConfig(seed=1)
    >>> source(config, 3, FATE).random() == source(config, 3, FATE).random()
    True
    """
    return np.random.default_rng([config.seed, round, purpose, device])


@dataclass(frozen=True)
class Work:
    """One device's part of a round.

    Attributes
    ----------
    device
        Its number.
    batches
        Index arrays into the task's training examples, one for each local step; none for a device without examples.
    examples
        How many different examples the device holds, n_k.
    arrives
        Whether its update reaches the server.
    """

    device: int
    batches: tuple[np.ndarray, ...]
    examples: int
    arrives: bool

    @property
    def steps(self) -> int:
        """Number of local steps."""
        return len(self.batches)

    @property
    def width(self) -> int:
        """Size of the largest minibatch, 0 without any."""
        return max(map(len, self.batches), default=0)


def works(config: FederatedConfig, round: int, devices: np.ndarray, clients: Any) -> list[Work]:
    """Return the work of the selected `devices`, each of them once.

    A device is slow with probability ``straggler_rate``. It then gets through a share of its steps that is uniform in
    [0, 1) (as in the experiments of FedProx, Li et al. 2020, §5.2, which draw the number of epochs), at least one step;
    with ``stragglers="drop"`` it misses the deadline instead. Apart from that an update is lost with probability
    ``drop_out``.
    """
    risky = config.straggler_rate > 0 or config.drop_out > 0
    found = []
    for device in devices.tolist():
        # All three together, so that moving one dial leaves the other's coins as they fell.
        slow, share, lost = source(config, round, FATE, device).random(3) if risky else (1.0, 1.0, 1.0)
        straggles = slow < config.straggler_rate
        late = straggles and config.stragglers == "drop"
        own = np.asarray(clients[device], dtype=np.int64)
        batches = minibatches(own, config, source(config, round, MINIBATCHES, device))
        if straggles and batches:
            batches = batches[: max(1, int(share * len(batches)))]
        found.append(Work(device, batches, len(own), not (late or lost < config.drop_out)))
    return found


def minibatches(indices: np.ndarray, config: FederatedConfig, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Return the minibatches of all local epochs: each epoch a new order, its last minibatch short where it must be.

    Examples
    --------
    >>> config = FederatedConfig(local_epochs=2, batch_size=2)
    >>> [batch.size for batch in minibatches(np.arange(5), config, np.random.default_rng(0))]
    [2, 2, 1, 2, 2, 1]
    """
    size = config.batch_size
    epochs = [rng.permutation(indices) for _ in range(config.local_epochs)]
    return tuple(order[start : start + size] for order in epochs for start in range(0, len(order), size))
