"""What a selected client does in a round: its minibatches in order, how far it gets, its steps, and what it sends back.

Everything random comes from (seed, round, purpose, client) and from nothing else. So a client draws the same
minibatches whichever clients are selected with it and whichever engine trains it, and a training that was interrupted
needs to remember no generator: the round's number is enough.

:func:`train_sequentially` trains one client after another. It is the definition, and what is used where clients cannot
be stacked; :mod:`trustlab.federated.simulation.stacked` takes the same steps for all of them at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trustlab.federated.aggregation import proximal_term, summed_in
from trustlab.federated.simulation.definitions import FederatedConfig, Task
from trustlab.federated.simulation.model_state import copied, unwritten

# Purposes of random numbers, from 1: NumPy pads a seed with zeros, so [seed, 0, 0, 0] is the stream that a partition
# was drawn from, and a first selection by it would lean on the same numbers.
SELECTION, FATE, MINIBATCHES, NOISE, TORCH = range(1, 6)


def rng_of(config: FederatedConfig, round: int, purpose: int, client: int = 0) -> np.random.Generator:
    """Return the generator of one purpose in one round.

    Examples
    --------
    >>> config = FederatedConfig(seed=1)
    >>> rng_of(config, 3, FATE).random() == rng_of(config, 3, FATE).random()
    True
    """
    return np.random.default_rng([config.seed, round, purpose, client])


@dataclass(frozen=True)
class Work:
    """One client's part of a round.

    Attributes
    ----------
    client
        Its number.
    batches
        Index arrays into the task's training examples, one for each local step; none for a client without examples.
    examples
        How many different examples the client holds, n_k.
    arrives
        Whether its update reaches the server.
    """

    client: int
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


def works(config: FederatedConfig, round: int, selected: np.ndarray, clients: Any) -> list[Work]:
    """Return the work of the `selected` clients, each of them once.

    A client is slow with probability ``straggler_rate``. It then gets through a share of its steps that is uniform in
    [0, 1) (as in the experiments of FedProx, Li et al. 2020, §5.2, which draw the number of epochs), at least one step;
    with ``stragglers="drop"`` it misses the deadline instead. Apart from that an update is lost with probability
    ``drop_out``.
    """
    risky = config.straggler_rate > 0 or config.drop_out > 0
    found = []
    for client in selected.tolist():
        # All three together, so that changing one rate leaves the other's draws as they were.
        slow, share, lost = rng_of(config, round, FATE, client).random(3) if risky else (1.0, 1.0, 1.0)
        straggles = slow < config.straggler_rate
        late = straggles and config.stragglers == "drop"
        own = np.asarray(clients[client], dtype=np.int64)
        batches = minibatches(own, config, rng_of(config, round, MINIBATCHES, client))
        if straggles and batches:
            batches = batches[: max(1, int(share * len(batches)))]
        found.append(Work(client, batches, len(own), not (late or lost < config.drop_out)))
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


@dataclass(frozen=True)
class Update:
    """What K clients trained together send back.

    Attributes
    ----------
    members
        Their places in the round's list of work.
    deltas
        By parameter, w_k − w_t, [K, ...], of half-precision weights in single precision.
    losses : Tensor [K]
        Mean loss over the examples that a client trained on, each measured just before its step.
    rows
        By parameter of which only some rows were sent: their numbers [K, U]; deltas are [K, U, ...] there.
    """

    members: Sequence[int]
    deltas: dict[str, Tensor]
    losses: Tensor
    rows: dict[str, Tensor] = field(default_factory=dict)


def train_sequentially(
    model: nn.Module, task: Task, works: Sequence[Work], config: FederatedConfig
) -> Iterator[Update]:
    """Yield the update of every client that takes a step, from the weights of `model`, which stays as it is."""
    start = {name: parameter.detach() for name, parameter in model.named_parameters() if parameter.requires_grad}
    own = copied(model)
    weights = {name: parameter for name, parameter in own.named_parameters() if parameter.requires_grad}
    with unwritten(own):
        for place, work in enumerate(works):
            if work.steps:
                with torch.no_grad():
                    torch._foreach_copy_(list(weights.values()), list(start.values()))
                loss = _train(own, weights, start, task, work, config)
                deltas = {name: _difference(weights[name].detach(), value)[None] for name, value in start.items()}
                yield Update([place], deltas, loss[None])


def _difference(weight: Tensor, start: Tensor) -> Tensor:
    return weight.to(summed_in(weight.dtype)) - start.to(summed_in(start.dtype))


def _train(
    own: nn.Module,
    weights: dict[str, nn.Parameter],
    start: dict[str, Tensor],
    task: Task,
    work: Work,
    config: FederatedConfig,
) -> Tensor:
    """Take one client's steps on `own` and return the mean loss met on the way."""
    optimizer = _optimizer(list(weights.values()), config)
    total = torch.zeros((), device=next(iter(start.values())).device)
    for indices in work.batches:
        loss = task.per_example_loss(own, task.train[torch.from_numpy(indices)]).mean()
        total += loss.detach().to(total) * len(indices)  # ten times a loss may be beyond half precision
        if config.proximal:
            loss = loss + proximal_term(weights, start, config.proximal)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for weight in weights.values():
            if weight.grad is None:  # unused in this step; its momentum carries it on all the same
                weight.grad = torch.zeros_like(weight)
        optimizer.step()
    return total / sum(map(len, work.batches))


def _optimizer(parameters: list[nn.Parameter], config: FederatedConfig) -> torch.optim.Optimizer:
    options: dict[str, Any] = dict(lr=config.learning_rate)
    if config.optimizer == "adam":
        return torch.optim.Adam(parameters, **options)
    return torch.optim.SGD(parameters, momentum=config.momentum, **options)
