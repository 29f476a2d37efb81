"""One training on a real corpus: the same for a trial of the search and for a row that is reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trustlab.config import option
from trustlab.course.n24_fednlp_benchmark.real_answering import answering
from trustlab.course.n24_fednlp_benchmark.real_classification import classification
from trustlab.course.n24_fednlp_benchmark.real_data import REAL, Divided
from trustlab.course.n24_fednlp_benchmark.real_heads import Problem
from trustlab.course.n24_fednlp_benchmark.real_tagging import tagging
from trustlab.federated.aggregation import ServerConfig
from trustlab.federated.partition import Partition, partition, skew
from trustlab.federated.simulation import FederatedConfig, simulate

CENTRALISED = "centralised"
ALGORITHMS = {"fedavg": "sgd", "fedadam": "adam", CENTRALISED: "sgd"}  # and the server's rule
PARTITIONS: dict[str, dict[str, Any]] = {
    "uniform": dict(scheme="iid"),
    "label": dict(scheme="label-dirichlet-fednlp", alpha=0.1),
    "natural": dict(scheme="natural"),
    "none": dict(scheme="iid"),  # all data in one place
}
CLIENTS, SHARE, ROUNDS, MEASURED_EVERY = 30, 1 / 3, 30, 10
PROBLEMS: Mapping[str, Callable[[Divided], Problem]] = {
    "classification": classification,
    "tagging": tagging,
    "qa": answering,
}
BATCH = {"classification": 32, "tagging": 64, "qa": 4}  # texts, words, questions of a client's step


@dataclass(frozen=True)
class Training:
    """What one training is, without the data."""

    corpus: str = option("clinc150", label="Corpus", help="A real corpus.", values=tuple(REAL))
    algorithm: str = option(
        "fedavg", label="Algorithm", help="FedAvg averages; FedAdam steps adaptively.", values=tuple(ALGORITHMS)
    )
    partition: str = option(
        "uniform",
        label="Partition",
        help="uniform: no skew. label: Dirichlet over labels, α = 0.1. natural: by the owner that the corpus names.",
        values=tuple(PARTITIONS),
    )
    seed: int = option(0, label="Seed", help="Seed of partition, selection and minibatches.", low=0)
    rate: float = option(0.1, label="Client rate", help="Step size of the clients' SGD.", above=0)
    server_rate: float = option(1.0, label="Server rate", help="Step size of the server.", above=0)


def places(corpus: str) -> list[tuple[str, str]]:
    """Return the algorithms and partitions of a corpus: WNUT17 does not record who wrote a post.

    Examples
    --------
    >>> places("wnut17")[-2:]
    [('fedadam', 'label'), ('centralised', 'none')]
    """
    known = ["uniform", "label", *(["natural"] if corpus != "wnut17" else [])]
    return [(rule, division) for division in known for rule in ("fedavg", "fedadam")] + [(CENTRALISED, "none")]


def divide(how: Training, data: Divided) -> Partition:
    """Return who holds which of the training examples."""
    known = data.known()
    if how.partition == "none":
        return partition(range(len(known)), clients=1, seed=how.seed, **PARTITIONS["none"])
    by = [example.holder if how.partition == "natural" else example.label for example in known]
    clients = None if how.partition == "natural" else CLIENTS
    return partition(by, clients=clients, seed=how.seed, **PARTITIONS[how.partition])


def recipe(how: Training, clients: int = CLIENTS) -> FederatedConfig:
    """Return the simulation's options: a third of the clients in each of thirty rounds, or ten passes in one place."""
    alone = how.partition == "none"
    return FederatedConfig(
        rounds=round(ROUNDS * SHARE) if alone else ROUNDS,
        clients_per_round=1 if alone else max(1, round(SHARE * clients)),
        batch_size=BATCH[REAL[how.corpus][0]],
        learning_rate=how.rate,
        server=ServerConfig(ALGORITHMS[how.algorithm], learning_rate=how.server_rate),
        evaluate_every=round(MEASURED_EVERY * SHARE) if alone else MEASURED_EVERY,
        seed=how.seed,
    )


def trained(how: Training, data: Divided) -> dict[str, Any]:
    """Train and return what was measured: the columns of a row after those that name it."""
    fleet, problem = divide(how, data), PROBLEMS[REAL[how.corpus][0]](data)
    rows = list(simulate(problem.task, [problem.held(own) for own in fleet], recipe(how, len(fleet))))
    measured = skew(fleet, [example.label for example in data.known()])
    return {
        "rate": how.rate,
        "server_rate": how.server_rate,
        "score": rows[-1]["score"],
        "exact": rows[-1]["exact"],
        "curve": "|".join(f"{row['score']:.4f}" for row in rows if "score" in row),
        "clients": len(fleet),
        "js_distance": measured["JS distance"],
        "train": len(data.train),
        "test": len(data.test),
        "passes": sum(row["examples"] for row in rows) / len(problem.task.train),
        "megabytes": sum(row["bytes_up"] for row in rows) / 1e6,
        "seconds": rows[-1]["seconds"],
    }
