"""How unlike the clients of a corpus are, in size and in labels, next to what chance does to as many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trustlab.federated.partition import Partition, partition, skew
from trustlab.lab.finding import Finding, dots

KINDS = {"size Gini": "of sizes: Gini coefficient", "JS distance": "of labels: JS distance"}


def unlike(clients: Partition, labels: Sequence[Any], *, seed: int = 0) -> Finding:
    """Draw the skew of `clients` and that of as many clients of equal size to which chance gave the rows.

    Examples
    --------
    >>> people = partition(["ann", "ann", "bob", "bob"], scheme="natural")
    >>> unlike(people, ["play", "play", "stop", "stop"]).verdict.split(". ")[0]
    'Two of the 2 clients are on average 1.00 apart in their labels, two made by chance 0.00'
    """
    by_chance = partition(list(labels), scheme="iid", clients=len(clients), seed=seed)
    found = {"as they are": skew(clients, labels), "by chance": skew(by_chance, labels)}
    rows = [
        {"clients": name, "skew": said, "value": measured[column]}
        for name, measured in found.items()
        for column, said in KINDS.items()
    ]
    own, chance = found.values()
    verdict = (
        f"Two of the {len(clients)} clients are on average {own['JS distance']:.2f} apart in their labels, two made by "
        f"chance {chance['JS distance']:.2f}. A client has {own['smallest']} to {own['largest']} rows."
    )
    return dots(
        rows, label="clients", series="skew", value="value", x_label="0: equal, 1: as different as can be",
        title="How unlike are the clients?", verdict=verdict, provenance="computed here",
    )  # fmt: skip
