"""Schemes that look at no label: equal parts, sizes that grow or shrink by a rule, and sizes drawn at random.

Which examples a client gets is always drawn; Flower takes them in the order of the file, and a file that is sorted by
label then makes label skew out of size skew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.config import option
from trustlab.deprecation import old_names
from trustlab.federated.partition.assignment import equal_sizes
from trustlab.federated.partition.dirichlet import LARGEST_ALPHA, log_dirichlet


@dataclass(frozen=True)
class NoOptions:
    """Options of a scheme that has none."""


@dataclass(frozen=True)
class QuantityOptions:
    """Options of ``"quantity-dirichlet"``."""

    beta: float = option(
        1.0, label="β", help="Small: a few clients have nearly all. Large: equal sizes.", above=0, high=LARGEST_ALPHA
    )


@dataclass(frozen=True)
class PowerLawOptions:
    """Options of ``"sizes-power-law"``."""

    exponent: float = option(
        1.0, label="Exponent", help="0 makes all clients equally large; larger makes few of them heavy.", low=0, high=10
    )


def iid(values: Any, clients: int, options: NoOptions, rng: np.random.Generator) -> np.ndarray:
    """Return the client [n] of each example: a random cut into sizes that differ by at most one."""
    return _at_random(equal_sizes(len(values), clients), rng)


def linear(values: Any, clients: int, options: NoOptions, rng: np.random.Generator) -> np.ndarray:
    """Return the client [n] of each example: client k of 1 … K has a size ∝ k. Source: Flower."""
    return _at_random(apportion(_ranks(clients), len(values)), rng)


def square(values: Any, clients: int, options: NoOptions, rng: np.random.Generator) -> np.ndarray:
    """Return the client [n] of each example: client k of 1 … K has a size ∝ k². Source: Flower."""
    return _at_random(apportion(_ranks(clients) ** 2, len(values)), rng)


def exponential(values: Any, clients: int, options: NoOptions, rng: np.random.Generator) -> np.ndarray:
    """Return the client [n] of each example: client k of 1 … K has a size ∝ e^k. Source: Flower.

    Only the last log(n) or so clients get anything; Flower overflows from K = 710 on.
    """
    return _at_random(apportion(np.exp(_ranks(clients) - clients), len(values)), rng)


def power_law(values: Any, clients: int, options: PowerLawOptions, rng: np.random.Generator) -> np.ndarray:
    """Return the client [n] of each example: client k of 1 … K has a size ∝ k^(−exponent), the heaviest first.

    The activity of the devices in :func:`trustlab.data.assistant` follows the same rule.
    """
    return _at_random(apportion(_ranks(clients) ** -options.exponent, len(values)), rng)


def quantity_dirichlet(values: Any, clients: int, options: QuantityOptions, rng: np.random.Generator) -> np.ndarray:
    """Return the client [n] of each example: sizes are shares ~ Dir(β, …, β) of the whole, by largest remainder.

    Source: FedNLP (Lin et al. 2022), quantity shift. Its code draws again until no client is empty, and for many
    clients or a small β it draws for ever.
    """
    (shares,) = np.exp(log_dirichlet(np.full((1, clients), options.beta), rng))
    return _at_random(apportion(shares, len(values)), rng)


def apportion(weights: np.ndarray, examples: int) -> np.ndarray:
    """Return sizes [K] ∝ `weights` by largest remainder (Hamilton's rule): each is within one of its exact share.

    All shares are rounded down, and the remainder is given, one each, to those that lost most by it; of equals to the
    first. Flower gives all that is left to the largest client: where shares are small that is most of the data.

    Examples
    --------
    >>> apportion(np.array([1.0, 2.0, 3.0]), 10)
    array([2, 3, 5])
    >>> apportion(np.ones(4), 6)
    array([2, 2, 1, 1])
    """
    shares = weights / weights.sum() * examples
    sizes = shares.astype(np.int64)
    neediest_first = np.argsort(sizes - shares, kind="stable")
    sizes[neediest_first[: examples - sizes.sum()]] += 1
    return sizes


def _ranks(clients: int) -> np.ndarray:
    return np.arange(1, clients + 1, dtype=float)


def _at_random(sizes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    owners = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    rng.shuffle(owners)
    return owners


__getattr__ = old_names(
    __name__, {"NoDials": "NoOptions", "QuantityDials": "QuantityOptions", "PowerLawDials": "PowerLawOptions"}
)
