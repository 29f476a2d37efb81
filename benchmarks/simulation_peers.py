"""The same federated training by three simulators, each the way its own documentation shows it.

All train the classifier of notebook 21 by FedAvg, every device in every round, and see the same minibatches in the same
order: the peers are handed those that :func:`trustlab.federated.simulation.local_training.minibatches` draws, so that
the final weights can be compared. Drawing them is a thing that every simulator has to do in some way, and counts for
all.

A peer's function takes a :class:`Fleet` and a number of rounds, and returns the seconds between the ends of its rounds
and the final weights. So starting Ray, inspecting the model and the overhead of a first round count for none of them.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import itertools
import logging
import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trustlab.batches import of_content
from trustlab.federated.simulation import FederatedConfig, Task, simulate
from trustlab.federated.simulation.local_training import MINIBATCHES, minibatches, rng_of
from trustlab.models.taggers import masked_mean

WORDS, WIDTH, LABELS, TOKENS = 2048, 32, 20, 12  # words, width: notebook 21's model
PATIENCE = 600.0  # seconds
Result = tuple[list[float], dict[str, Tensor]]


class Bag(nn.Module):
    """Embedding-bag classifier, with the two methods that pfl asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, WIDTH, padding_idx=0)
        self.intents = nn.Linear(WIDTH, LABELS)

    def forward(self, ids: Tensor) -> Tensor:
        """Return logits [B, LABELS]."""
        return self.intents(masked_mean(self.embedding(ids), ids != 0))

    def loss(self, ids: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss."""
        return F.cross_entropy(self(ids), labels)

    def metrics(self, ids: Tensor, labels: Tensor) -> dict[str, Any]:
        """Return nothing: measuring is not what is timed."""
        return {}


class Pairs:
    """Word ids [n, TOKENS] and labels [n], taken together."""

    def __init__(self, ids: Tensor, labels: Tensor) -> None:
        self.ids, self.labels = ids, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Any) -> tuple[Tensor, Tensor]:
        return self.ids[index], self.labels[index]


@dataclass(frozen=True)
class Fleet:
    """So many devices with examples of random words; what they learn does not matter for how long it takes."""

    name: str
    sizes: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def config(self) -> FederatedConfig:
        """Return FedAvg with every device in every round, four steps of ten where a device holds forty."""
        return FederatedConfig(clients_per_round=len(self), batch_size=10, learning_rate=0.5)

    def task(self, *, scores: bool = False) -> Task:
        """Return the model, seed 0, and everybody's examples; with `scores`, devices are measured in one pass."""
        generator = torch.Generator().manual_seed(0)
        shape = (sum(self.sizes), TOKENS)
        # Words are drawn from a Zipf-like distribution; a fifth of the places at the end of texts is padding.
        ids = (WORDS ** torch.rand(shape, generator=generator)).long().clamp(max=WORDS - 1)
        ids[:, 1:][torch.rand(shape[0], generator=generator)[:, None] * 1.25 * TOKENS < torch.arange(1, TOKENS)] = 0
        pairs = Pairs(ids, torch.randint(LABELS, shape[:1], generator=generator))
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(0)
            model = Bag()
        return Task(model, pairs, pairs, _losses, _accuracy, _right if scores else None)

    def clients(self) -> list[np.ndarray]:
        """Return the indices of each device's examples."""
        return np.split(np.arange(sum(self.sizes)), np.cumsum(self.sizes)[:-1])

    def batch_order(self, round: int, device: int, indices: np.ndarray) -> np.ndarray:
        """Return `indices` in the order of the minibatches that we draw for `device`."""
        return np.concatenate(minibatches(indices, self.config, rng_of(self.config, round, MINIBATCHES, device)))


def _losses(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    ids, labels = batch
    return F.cross_entropy(model(ids), labels, reduction="none")


def _accuracy(model: nn.Module, examples: Any) -> dict[str, float]:
    ids, labels = examples if isinstance(examples, tuple) else (examples.ids, examples.labels)
    return {"accuracy": (model(ids).argmax(1) == labels).float().mean().item()}


def _right(model: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    right = (model(batch[0]).argmax(1) == batch[1]).float()
    return {"accuracy": (right, torch.ones_like(right))}


def ours(fleet: Fleet, rounds: int, *, engine: str = "stacked") -> Result:
    """Train with :func:`trustlab.federated.simulation.simulate`."""
    task, model = fleet.task(), Bag()
    model.load_state_dict(task.model.state_dict())
    config = dataclasses.replace(fleet.config, rounds=rounds, evaluate_every=rounds, engine=engine)
    ends = [time.perf_counter() for _ in simulate(task, fleet.clients(), config, model=model)]
    return _between(ends), model.state_dict()


def _between(ends: list[float]) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(ends)]


def pfl(fleet: Fleet, rounds: int) -> Result:
    """Train with pfl-research: SimulatedBackend, FederatedAveraging, weights by examples."""
    from pfl.aggregate.simulate import SimulatedBackend
    from pfl.aggregate.weighting import WeightByDatapoints
    from pfl.algorithm.base import NNAlgorithmParams
    from pfl.algorithm.federated_averaging import FederatedAveraging
    from pfl.callback.base import TrainingProcessCallback
    from pfl.data.federated_dataset import FederatedDataset
    from pfl.data.pytorch import PyTorchTensorDataset
    from pfl.hyperparam import NNTrainHyperParams
    from pfl.metrics import Metrics
    from pfl.model.pytorch import PyTorchModel

    task, clients, served, ends = fleet.task(), fleet.clients(), itertools.count(), []

    class Clock(TrainingProcessCallback):
        def after_central_iteration(self, *args: Any, **options: Any) -> tuple[bool, Metrics]:
            ends.append(time.perf_counter())
            return False, Metrics()

    def dataset(device: int) -> PyTorchTensorDataset:
        order = fleet.batch_order(next(served) // len(fleet), device, clients[device])
        return PyTorchTensorDataset(of_content(task.train[torch.from_numpy(order)]), user_id=str(device))

    network = copy.deepcopy(task.model)
    devices = itertools.cycle(range(len(fleet)))
    data = FederatedDataset(dataset, lambda: next(devices))
    config = fleet.config
    FederatedAveraging().run(
        # It measures in its first round, which is not timed, and never again.
        NNAlgorithmParams(rounds, evaluation_frequency=rounds, train_cohort_size=len(fleet), val_cohort_size=0),
        SimulatedBackend(data, data, postprocessors=[WeightByDatapoints()]),
        PyTorchModel(network, torch.optim.SGD, torch.optim.SGD(network.parameters(), lr=1.0)),
        NNTrainHyperParams(
            local_num_epochs=config.local_epochs,
            local_learning_rate=config.learning_rate,
            local_batch_size=config.batch_size,
        ),
        callbacks=[Clock()],
        send_metrics_to_platform=False,
    )
    return _between(ends), network.state_dict()


def flower(fleet: Fleet, rounds: int) -> Result:
    """Train with Flower's simulation on Ray: a process for each of two cores, FedAvg without federated evaluation."""
    os.environ["FLWR_TELEMETRY_ENABLED"] = "0"  # it would report the run to its makers
    # On a busy machine the 30 seconds that Ray gives itself to start are not enough; it reads these names as they are.
    os.environ.update(RAY_raylet_start_wait_time_s="180", RAY_agent_register_timeout_ms="180000")
    from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
    from flwr.clientapp import ClientApp
    from flwr.serverapp import Grid, ServerApp
    from flwr.serverapp.strategy import FedAvg
    from flwr.simulation import run_simulation

    logging.getLogger("flwr").setLevel(logging.ERROR)
    ends, final = [], {}
    client, server = ClientApp(), ServerApp()

    @client.train()
    def train(message: Message, context: Context) -> Message:
        device = int(context.node_config["partition-id"])
        weights = message.content["arrays"].to_torch_state_dict()
        weights, count = _train_alone(fleet, int(message.content["config"]["server-round"]) - 1, device, weights)
        content = {"arrays": ArrayRecord(weights), "metrics": MetricRecord({"num-examples": count})}
        return Message(content=RecordDict(content), reply_to=message)

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        strategy = FedAvg(fraction_evaluate=0.0, min_available_nodes=len(fleet), min_train_nodes=len(fleet))
        start = ArrayRecord(fleet.task().model.state_dict())
        result = strategy.start(grid, start, rounds, evaluate_fn=lambda *_: ends.append(time.perf_counter()))
        final.update(result.arrays.to_torch_state_dict())

    resources = {"client_resources": {"num_cpus": 1, "num_gpus": 0.0}, "init_args": {"num_cpus": 2}}
    run_simulation(server, client, num_supernodes=len(fleet), backend_config=resources)
    return _between(ends[1:]), final  # the first is of the untrained model


@functools.lru_cache(maxsize=1)
def _held(fleet: Fleet) -> tuple[Task, list[np.ndarray], nn.Module]:
    """Return what a worker process keeps: a Flower client loads its data once."""
    return fleet.task(), fleet.clients(), Bag()


def _train_alone(fleet: Fleet, round: int, device: int, weights: dict[str, Tensor]) -> tuple[dict[str, Tensor], int]:
    """Return the weights of one device after its steps, and its number of examples."""
    task, clients, model = _held(fleet)
    model.load_state_dict(weights)
    optimizer = torch.optim.SGD(model.parameters(), lr=fleet.config.learning_rate)
    order = torch.from_numpy(fleet.batch_order(round, device, clients[device]))
    for batch in order.split(fleet.config.batch_size):
        optimizer.zero_grad()
        model.loss(*of_content(task.train[batch])).backward()
        optimizer.step()
    return model.state_dict(), len(order)


def apart(train: Callable[[Fleet, int], Result]) -> Callable[[Fleet, int], Result]:
    """Return `train` in a process of its own, ended after ten minutes: Ray waits forever where it could not start."""

    def run(fleet: Fleet, rounds: int) -> Result:
        pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        future = pool.submit(train, fleet, rounds)
        try:
            return future.result(timeout=PATIENCE)
        finally:
            for process in pool._processes.values() if not future.done() else ():
                process.terminate()
            pool.shutdown(wait=future.done())

    return run


PEERS = {"pfl": pfl, "Flower": apart(flower)}
