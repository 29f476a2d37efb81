"""Label skew by a Dirichlet distribution, in the two ways that are both called so.

*FedNLP* (Lin et al. 2022, after Hsu et al. 2019): each **client** draws a law over labels, q_k ~ Dir(α·p), with p the
labels' shares in the whole data, and all clients are equally large.

*Flower* (after Yurochkin et al. 2019): each **label** is divided over clients, with shares ~ Dir(α, …, α) over the K
clients. Sizes are random too, and the more so the fewer the labels.

The same α means different skew in the two: with L equally frequent labels, FedNLP's α is Flower's
``InnerDirichletPartitioner`` with α/L. Both are drawn as logarithms: with a small α nearly all shares are below the
smallest positive float, and a row of zeros has no law.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.config import option
from trustlab.federated.partition.assignment import codes_of, cut, deal, equal_sizes

LARGEST_ALPHA = 1e9  # beyond it the shares are equal to nine digits, and infinity has no Dirichlet law


@dataclass(frozen=True)
class FedNLPDials:
    """Dials of ``"label-dirichlet-fednlp"``."""

    alpha: float = option(
        1.0, label="α", help="Small: a client has one label. Large: the global mix.", above=0, high=LARGEST_ALPHA
    )


@dataclass(frozen=True)
class FlowerDials:
    """Dials of ``"label-dirichlet-flower"``."""

    alpha: float = option(
        0.5, label="α", help="Small: a label has one client. Large: equal parts.", above=0, high=LARGEST_ALPHA
    )
    self_balancing: bool = option(
        False,
        label="Balance",
        help="A client that has more than n/K examples gets no further label (labels come in order of appearance).",
        values=(False, True),
    )


def label_fednlp(values: Any, clients: int, dials: FedNLPDials, rng: np.random.Generator) -> np.ndarray:
    """Return the client [n] of each example: equal sizes, labels of client k drawn from q_k ~ Dir(α·p).

    The labels drawn cannot all be had: each label has only so many examples. FedNLP's code serves clients one after
    another, so that the last ones take what is left and their law is nobody's draw. Here no client comes before
    another, see :func:`ration`.

    Source: FedNLP (Lin et al. 2022), label shift.
    """
    codes, names = codes_of(values)
    supply = np.bincount(codes, minlength=len(names))
    log_laws = log_dirichlet(np.broadcast_to(dials.alpha * supply / len(codes), (clients, len(names))), rng)
    return deal(codes, ration(log_laws, equal_sizes(len(codes), clients), supply, rng), rng)


def label_flower(values: Any, clients: int, dials: FlowerDials, rng: np.random.Generator) -> np.ndarray:
    """Return the client [n] of each example: every label is cut into shares ~ Dir(α, …, α) over the clients.

    Source: ``flwr_datasets.partitioner.DirichletPartitioner``; there a client below the minimum size makes everything
    be drawn again, up to ten times.
    """
    codes, names = codes_of(values)
    supply = np.bincount(codes, minlength=len(names))
    shares = np.exp(log_dirichlet(np.full((len(names), clients), dials.alpha), rng))  # [L, K]
    counts = balanced(shares, supply) if dials.self_balancing else cut(shares, supply)
    return deal(codes, counts.T, rng)


def balanced(shares: np.ndarray, supply: np.ndarray) -> np.ndarray:
    """Cut label after label [L, K] as :func:`cut`, leaving out clients that have more than n/K examples by then.

    Where the shares of all others are zero, they take equal parts.
    """
    labels, clients = shares.shape
    counts, sizes = np.empty((labels, clients), dtype=np.int64), np.zeros(clients, dtype=np.int64)
    for label in range(labels):
        open_to_more = sizes <= supply.sum() / clients  # at least one: sizes cannot all be above their mean
        row = np.where(open_to_more, shares[label], 0.0)
        row = row if row.sum() > 0 else open_to_more.astype(float)
        counts[label] = cut((row / row.sum())[None], supply[label : label + 1])[0]
        sizes += counts[label]
    return counts


def log_dirichlet(concentration: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a Dirichlet law for each row of `concentration` [R, C] > 0, and return the logarithms of its shares [R, C].

    A share is a Gamma(a) draw over its row's sum, and ``log Gamma(a) = log Gamma(a + 1) + log(U) / a`` in law: finite
    for every a, where Gamma(a) itself rounds to 0 (Marsaglia & Tsang 2000).

    Examples
    --------
    >>> law = log_dirichlet(np.full((1, 3), 1e-3), np.random.default_rng(0))
    >>> bool(np.isfinite(law).all()), round(float(np.exp(law).sum()), 12)
    (True, 1.0)
    """
    logs = np.log(rng.standard_gamma(concentration + 1)) - rng.standard_exponential(concentration.shape) / concentration
    logs -= logs.max(axis=1, keepdims=True)
    return logs - np.log(np.exp(logs).sum(axis=1, keepdims=True))


def ration(log_laws: np.ndarray, sizes: np.ndarray, supply: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Let clients draw labels from their laws until every place is filled and every example placed.

    All clients ask at once, each for as many labels as it has places, drawn from its law. Where a label is asked for
    more often than it has examples, a random part of those who ask is served. The others ask again, with what is
    left and their law renormalised to it. Every round but the last uses up a label, so there are at most L.

    Parameters
    ----------
    log_laws : float [K, L]
        Logarithms of each client's law.
    sizes : int [K]
        Places of each client.
    supply : int [L]
        Examples of each label; sums to the same as `sizes`.

    Returns
    -------
    int64 [K, L]
        Examples by client and label: rows sum to `sizes`, columns to `supply`.

    Examples
    --------
    >>> laws = np.log([[0.9, 0.1], [0.9, 0.1]])  # both want the first label
    >>> ration(laws, np.array([5, 5]), np.array([5, 5]), np.random.default_rng(0)).sum(axis=0)
    array([5, 5])
    """
    counts = np.zeros(log_laws.shape, dtype=np.int64)
    places, left = np.array(sizes, dtype=np.int64), np.array(supply, dtype=np.int64)
    while places.any():
        asking, labels = np.flatnonzero(places), np.flatnonzero(left)
        laws = log_laws[np.ix_(asking, labels)]
        laws = np.exp(laws - laws.max(axis=1, keepdims=True))
        asked = rng.multinomial(places[asking], laws / laws.sum(axis=1, keepdims=True))
        for column in np.flatnonzero(asked.sum(axis=0) > left[labels]):
            served = left[labels[column]]
            asked[:, column] = rng.multivariate_hypergeometric(asked[:, column], served, method="marginals")
        counts[np.ix_(asking, labels)] += asked
        places[asking] -= asked.sum(axis=1)
        left[labels] -= asked.sum(axis=0)
    return counts
