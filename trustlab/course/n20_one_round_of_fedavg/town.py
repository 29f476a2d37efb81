"""Twelve phones in a town, and a model that can be drawn: the place where the night ambulance waits.

Each phone knows where its family needed help and keeps that to itself. The model is a point, its loss the mean squared
distance to those places: a client's gradient step moves the point towards the mean of the client's own places.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import MappingProxyType

import numpy as np

# By client: how often help was needed, and around which place (kilometres east and north of the town hall).
CLIENTS = MappingProxyType({
    "Ada": (62, (-3.4, -0.6)), "Ben": (40, (-2.4, 1.2)), "Cem": (24, (-1.6, -1.8)), "Dora": (14, (-0.6, 0.2)),
    "Emil": (12, (-3.0, -2.2)), "Fay": (9, (0.5, -1.2)), "Gus": (8, (-0.4, 1.9)), "Hana": (7, (1.4, -0.2)),
    "Irma": (3, (4.7, 2.2)), "Jan": (5, (1.3, -2.3)), "Kim": (4, (1.6, 1.5)), "Lea": (6, (2.4, -1.2)),
})  # fmt: skip
SPREAD = 0.45  # kilometres between a client's own places
START = (-4.6, 2.4)  # where the ambulance waits today
STEPS, RATE = 4, 0.25  # of local training
Average = Callable[[np.ndarray, np.ndarray], np.ndarray]


@functools.cache
def town() -> MappingProxyType[str, np.ndarray]:
    """Return the places of each client, [n, 2] in kilometres east and north.

    Examples
    --------
    >>> places = town()
    >>> len(places), places["Irma"].shape, sum(map(len, places.values()))
    (12, (3, 2), 194)
    """
    rng = np.random.default_rng(20)
    made = {name: np.array(middle) + SPREAD * rng.standard_normal((n, 2)) for name, (n, middle) in CLIENTS.items()}
    for places in made.values():
        places.setflags(write=False)
    return MappingProxyType(made)


def train(model: np.ndarray, places: np.ndarray, steps: int = STEPS, rate: float = RATE) -> np.ndarray:
    """Return `model` [2] after some steps of gradient descent on half its mean squared distance to `places` [n, 2].

    Examples
    --------
    >>> train(np.zeros(2), np.array([[1.0, 2.0]]), steps=1).tolist()
    [0.25, 0.5]
    """
    for _ in range(steps):
        model = model - rate * (model - places.mean(0))
    return model


def weighted_average(models: np.ndarray, examples: np.ndarray) -> np.ndarray:
    """Return the mean of `models` [K, 2], weighted by `examples` [K].

    Examples
    --------
    >>> weighted_average(np.array([[0.0, 0.0], [4.0, 8.0]]), np.array([3, 1])).tolist()
    [1.0, 2.0]
    """
    return (examples[:, None] * models).sum(0) / examples.sum()


def weights_of(names: list[str], aggregation: str) -> np.ndarray:
    """Return what the server weights each client with: its number of examples, or 1."""
    return np.array([len(town()[name]) if aggregation == "examples" else 1 for name in names], dtype=float)


def rounds_of(
    count: int, aggregation: str, without: str = "", average: Average = weighted_average
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the models of the last of `count` rounds, and the server's model before and after each.

    Parameters
    ----------
    count
        Rounds, at least 1.
    aggregation
        "examples" or "equal".
    without
        The client whose data are taken away.
    average
        What the server does with the clients' models.

    Returns
    -------
    [K, 2], list of [2]
        The clients' models in the last round, and ``count + 1`` models of the server.
    """
    names = [name for name in CLIENTS if name != without]
    weights, server = weights_of(names, aggregation), [np.array(START)]
    for _ in range(count):
        models = np.stack([train(server[-1], town()[name]) for name in names])
        server.append(np.asarray(average(models, weights), dtype=float))
    return models, server
