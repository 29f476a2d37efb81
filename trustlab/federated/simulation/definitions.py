"""What is to be trained, and how: the problem, its batches, and every option.

Which clients take part is neither: it is a rule over their activity, given to ``simulate`` as a selector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from trustlab.batches import Collate, Columns, Rows, as_examples, reads_content
from trustlab.config import check, option
from trustlab.deprecation import old_arguments, old_attribute
from trustlab.federated.aggregation import AGGREGATIONS, ServerConfig
from trustlab.federated.simulation.model_state import check_model


class Batches(Protocol):
    """Examples that can be counted, and taken by a tensor of indices: :class:`trustlab.models.Examples`, a tensor."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any) -> Any: ...


@dataclass(frozen=True)
class Task:
    """A problem that clients learn together.

    Attributes
    ----------
    model
        The server's first model. Only parameters with ``requires_grad`` are trained and sent; the others, and
        buffers, are assumed to be on every client already. A layer that writes to these, a count of batches among them,
        is refused: it would pass from one simulated client to the next.
    train, test
        All clients' examples in one place; index arrays say which client holds which. Tensors, also in dicts,
        ``BatchEncoding`` and tuples, map-style datasets, or a class of your own, see :mod:`trustlab.batches`.
    per_example_loss
        ``per_example_loss(model, batch) -> Tensor [B]``. Each entry depends on its own example only, neither on the
        others nor on the padding next to it: clients are trained in common batches.
    evaluate
        ``evaluate(model, examples) -> {"accuracy": ...}``, flat numbers, of all test examples or of a client's part:
        both of the kind that `test` is, of a dataset what ``collate_fn`` makes of those rows.
    per_example_scores
        ``per_example_scores(model, batch) -> {"accuracy": (score [B], weight [B])}``, with which thousands of clients
        are measured in one pass. What ``evaluate`` returns for any examples must be the sum of their scores over
        the sum of their weights: right or wrong over 1, right words of a text over its words. None: there is no such
        measure.
    collate_fn
        Makes a batch of a list of rows, where `train` and `test` are datasets; None stacks their numbers.

    Examples
    --------
    >>> import torch
    >>> x = torch.arange(6.0)[:, None]
    >>> def loss(model, batch):
    ...     return (model(batch) - 2 * batch).square().sum(1)
    >>> task = Task(nn.Linear(1, 1), x, x, loss, lambda model, batch: {"loss": loss(model, batch).mean().item()})
    >>> task.per_example_loss(task.model, task.train[torch.tensor([0, 3])]).shape
    torch.Size([2])
    """

    model: nn.Module
    train: Batches
    test: Batches
    per_example_loss: Callable[[nn.Module, Any], Tensor]
    evaluate: Callable[[nn.Module, Any], dict[str, float]]
    per_example_scores: Callable[[nn.Module, Any], dict[str, tuple[Tensor, Tensor]]] | None = None
    collate_fn: Collate | None = None

    def __post_init__(self) -> None:
        check_model(self.model)
        for name in ("train", "test"):
            given = getattr(self, name)
            known = isinstance(given, Columns | Rows)  # a task that another one was made of
            read = given if known else as_examples(given, self.collate_fn, what=f"{name} examples")
            object.__setattr__(self, name, read)
        if isinstance(self.train, Columns | Rows):
            for name in ("per_example_loss", "evaluate", "per_example_scores"):
                if (function := getattr(self, name)) is not None:
                    object.__setattr__(self, name, reads_content(function))


@dataclass(frozen=True)
class FederatedConfig:
    """How to train on many clients. The defaults are FedAvg (McMahan et al. 2017, Algorithm 1).

    Which clients are selected is no option here: it is a rule over the clients' activity, given to
    :func:`trustlab.federated.simulation.simulate` as a selector. ``server`` says how the server steps along the
    average.
    """

    rounds: int = option(50, label="Rounds", help="How often the server averages.", unit="rounds", low=1)
    clients_per_round: int = option(
        10, label="Clients", help="Clients selected per round; with Poisson selection their expected number.", low=1
    )
    local_epochs: int = option(1, label="Local epochs", help="Passes of a client over its own examples.", low=1)
    batch_size: int = option(
        10, label="Batch size", help="Examples per local step; a client with fewer uses all of them.", low=1
    )
    optimizer: str = option(
        "sgd",
        label="Client optimizer",
        help="The clients' optimizer. Its state is reset in every round: clients keep nothing between rounds.",
        values=("sgd", "adam"),
    )
    learning_rate: float = option(0.1, label="Learning rate", help="Step size of the clients.", above=0)
    momentum: float = option(0.0, label="Momentum", help="Momentum of the clients' SGD.", low=0, high=1)
    proximal: float = option(
        0.0, label="μ", help="FedProx: (μ/2)‖w − w_t‖² is added to every client's loss; 0 is FedAvg.", low=0
    )
    aggregation: str = option(
        "examples",
        label="Weights",
        help="Weight of a client's update: its examples, the same for all, or examples over its probability to be "
        "selected, as they are (Horvitz–Thompson) or summing to 1 (Hájek).",
        values=AGGREGATIONS,
    )
    server: ServerConfig = field(default_factory=ServerConfig)
    drop_out: float = option(0.0, label="Drop-outs", help="Probability that a client's update is lost.", low=0, high=1)
    straggler_rate: float = option(
        0.0, label="Stragglers", help="Probability that a client is slow in a round.", low=0, high=1
    )
    stragglers: str = option(
        "partial",
        label="Slow clients",
        help="partial: a slow client sends what it has after a random share of its steps. drop: it is too late.",
        values=("partial", "drop"),
    )
    clip_norm: float | None = option(
        None, label="C", help="DP-FedAvg: largest L2 norm that a client's update keeps; None clips nothing.", above=0
    )
    noise_multiplier: float = option(
        0.0, label="σ", help="DP-FedAvg: noise of σ·C on the sum of updates; 0 gives no guarantee.", low=0
    )
    delta: float = option(1e-5, label="δ", help="Probability that the guarantee fails; well below 1/clients.", above=0)
    evaluate_every: int = option(1, label="Measure every", help="Rounds between measurements.", unit="rounds", low=1)
    engine: str = option(
        "auto",
        label="Engine",
        help="stacked trains all clients of a round at once, sequential one by one; auto stacks where that is exact.",
        values=("auto", "stacked", "sequential"),
    )
    seed: int = option(0, label="Seed", help="Seed of selection, minibatches, drop-outs and noise.", low=0)
    weighting = old_attribute("aggregation")


FederatedConfig.__init__ = old_arguments(weighting="aggregation")(FederatedConfig.__init__)  # type: ignore[method-assign]


def check_config(config: FederatedConfig, clients: int) -> None:
    """Refuse options outside their range, and combinations without meaning or with an unknown guarantee.

    Raises
    ------
    ValueError
        At once, before any work.
    """
    check(config)
    check(config.server)
    if config.momentum and config.optimizer != "sgd":
        raise ValueError(
            f"Expected momentum=0 with optimizer={config.optimizer!r}, got {config.momentum:g}. It is an option of "
            "'sgd'; Adam has its own averages."
        )
    if config.noise_multiplier and config.clip_norm is None:
        raise ValueError(
            f"Expected clip_norm with noise_multiplier={config.noise_multiplier:g}, got None. Noise is measured "
            "against the largest update a client can send: without a bound there is none."
        )
    if config.clip_norm is not None and config.aggregation != "equal":
        raise ValueError(
            f"Expected aggregation='equal' with clip_norm={config.clip_norm:g}, got {config.aggregation!r}. Other "
            "weights let a client move the sum by more than C, or publish how much it has: no ε is known for them."
        )
    if config.clip_norm is not None and config.delta >= 1 / clients:
        raise ValueError(
            f"Expected delta={config.delta:g} < 1/clients = {1 / clients:.2g}. With δ ≥ 1/N, publishing one whole "
            "client at random would count as private."
        )


def rectangle(batches: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Return K minibatches as one rectangle of indices [K, B], and each place's share of its client's mean [K, B].

    Examples
    --------
    >>> indices, shares = rectangle([np.array([7, 8]), np.array([5])])
    >>> indices.tolist(), shares.tolist()
    ([[7, 8], [5, 5]], [[0.5, 0.5], [1.0, 0.0]])
    """
    sizes = np.array([len(batch) for batch in batches])
    real = np.arange(sizes.max()) < sizes[:, None]
    flat = np.concatenate(batches)
    indices = np.repeat(flat[np.cumsum(sizes) - sizes], len(real[0])).reshape(real.shape)
    indices[real] = flat
    return torch.from_numpy(indices), torch.from_numpy(real / sizes[:, None])
