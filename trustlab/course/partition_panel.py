"""The panel of notebook 21: divide a corpus among clients, and see at once how skewed the fleet is."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.config import option
from trustlab.course.alpha import ALPHAS, DEFINITIONS, alpha_options
from trustlab.course.partition_drawing import PartitionAnswer, PartitionDrawing
from trustlab.federated.partition import Partition, label_counts, partition, skew
from trustlab.federated.partition.assignment import class_codes
from trustlab.federated.partition.dirichlet import log_dirichlet
from trustlab.lab.panel import Panel

WAYS = {**DEFINITIONS, "quantity": "sizes only"}
MEANT = {
    "fednlp": "FedNLP's α: each client draws its labels from Dir(α·p)",
    "flower": "Flower's α: each label draws its clients from Dir(α·1)",
    "pfl": "pfl's α: each client draws its labels from Dir(α·1)",
    "quantity": "FedNLP's quantity skew: sizes from Dir(α·1), labels at random",
}
FLEETS = (10, 30, 100, 300)
Divide = Callable[[np.ndarray, np.ndarray], Any]  # codes [n] and shares [L, K] to the client of each example [n]


@dataclass(frozen=True)
class PartitionPosition:
    """The position of the panel."""

    way: str = option("fednlp", label="Whose α", help="; ".join(MEANT.values()) + ".", values=tuple(WAYS))
    alpha: float = option(1.0, label="α", help="Small is more skewed, in every one of them.", values=ALPHAS)
    clients: int = option(100, label="Clients", help="The number of clients that share the corpus.", values=FLEETS)
    seed: int = option(0, label="Seed", help="Another draw from the same distributions.", values=tuple(range(5)))


def partition_panel(labels: Sequence[Any], corpus: str, *, divide: Divide | None = None) -> Panel:
    """Return the panel.

    Parameters
    ----------
    labels
        The label of each training example.
    corpus
        What they are called, for the provenance.
    divide
        The reader's function that cuts each label by its shares, for Flower's fleets; None takes the package's.

    Examples
    --------
    >>> panel = partition_panel(["play", "stop", "call", "pay"] * 100, "a made-up corpus")
    >>> print(panel.set(alpha=0.01, clients=10).answer.verdict)  # doctest: +ELLIPSIS
    FedNLP's α: each client draws its labels from Dir(α·p). With α = 0.01, two of 10 clients are ... apart ...
    """
    _, codes = np.unique(np.asarray(labels), return_inverse=True)
    return Panel(
        PartitionPosition(),
        title="What does α do to a fleet?",
        drawing=PartitionDrawing(),
        answer=functools.partial(_answer, labels=codes, corpus=corpus, divide=divide),
        controls={"way": [(label, way) for way, label in WAYS.items()], "alpha": None, "clients": None, "seed": None},
        code=f'partition_panel(labels, "{corpus}"{", divide=divide" if divide else ""})',
    )


def divided(
    labels: Sequence[Any] | np.ndarray,
    way: str,
    alpha: float,
    clients: int,
    seed: int = 0,
    divide: Divide | None = None,
) -> Partition:
    """Divide `labels` among `clients` with α as one library means it, a key of :data:`WAYS`.

    With `divide`, Flower's shares are drawn here, and that function cuts the labels by them.
    """
    if divide is not None and way == "flower":
        codes, names = class_codes(labels)
        shares = np.exp(log_dirichlet(np.full((len(names), clients), alpha), np.random.default_rng(seed)))
        return Partition.from_owners(np.asarray(divide(codes, shares)), clients)
    how = {"scheme": "quantity-dirichlet", "beta": alpha} if way == "quantity" else alpha_options(way, alpha)
    return partition(labels, clients=clients, seed=seed, **how)


def side_by_side(
    labels: Sequence[Any] | np.ndarray, alpha: float, *, clients: int = 100, seed: int = 0
) -> list[dict[str, Any]]:
    """Return the skew that one α gives in each library, and with sizes only: a row each.

    The row ``"no skew"`` is a random division into equal parts. Its clients differ as well, by chance alone.

    Examples
    --------
    >>> [row["α of"] for row in side_by_side(["play", "stop"] * 50, 1.0, clients=5)]
    ['FedNLP', 'Flower', 'pfl', 'sizes only', 'no skew']
    """
    return _rows(_fleets(labels, alpha, clients, seed, None), labels)


def _fleets(
    labels: Sequence[Any] | np.ndarray, alpha: float, clients: int, seed: int, divide: Divide | None
) -> dict[str, Partition]:
    parts = {label: divided(labels, way, alpha, clients, seed, divide) for way, label in WAYS.items()}
    return {**parts, "no skew": partition(labels, scheme="iid", clients=clients, seed=seed)}


def _rows(fleets: Mapping[str, Partition], labels: Sequence[Any] | np.ndarray) -> list[dict[str, Any]]:
    return [{"α of": label, **_columns(skew(part, labels))} for label, part in fleets.items()]


def _columns(row: dict[str, float | int]) -> dict[str, float | int]:
    return {
        "JS distance": row["JS distance"],
        "effective labels": row["effective labels"],
        "size Gini": row["size Gini"],
        "smallest": row["smallest"],
        "largest": row["largest"],
    }


def _answer(at: PartitionPosition, *, labels: np.ndarray, corpus: str, divide: Divide | None = None) -> PartitionAnswer:
    """Divide the corpus at the panel's position, and show the other definitions at the same α."""
    fleets = _fleets(labels, at.alpha, at.clients, at.seed, divide)
    rows = _rows(fleets, labels)
    (here,) = (row for row in rows if row["α of"] == WAYS[at.way])
    counts, names = label_counts(fleets[WAYS[at.way]], labels)
    sizes = (
        f"all have about {here['largest']:,} examples"
        if here["largest"] - here["smallest"] <= 1
        else f"they have from {here['smallest']:,} to {here['largest']:,} examples (Gini {here['size Gini']:.2f})"
    )
    verdict = (
        f"{MEANT[at.way]}. With α = {at.alpha:g}, two of {at.clients} clients are {here['JS distance']:.2f} apart "
        f"(Jensen–Shannon: 0 the same, 1 nothing in common), the median client has {here['effective labels']:.1f} of "
        f"{len(names)} labels (effective number), and {sizes}."
    )
    by = ", Flower's fleets by your function" if divide is not None else ""
    return PartitionAnswer(rows, verdict, f"computed here on {corpus}{by}", focus={"α of": WAYS[at.way]}, counts=counts)
