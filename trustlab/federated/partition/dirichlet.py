"""Label skew by a Dirichlet distribution, in the two ways that are both called so.

*FedNLP* (Lin et al. 2022, after Hsu et al. 2019): each **client** draws a distribution over labels, q_k ~ Dir(α·p),
with p the labels' shares in the whole data, and all clients are equally large.

*Flower* (after Yurochkin et al. 2019): each **label** is divided over clients, with shares ~ Dir(α, …, α) over the K
clients. Sizes are random too, and the more so the fewer the labels.

The same α means different skew in the two: with L equally frequent labels, FedNLP's α is Flower's
``InnerDirichletPartitioner`` with α/L. Both are drawn as logarithms: with a small α nearly all shares are below the
smallest positive float, and a row of zeros is no distribution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.config import option
from trustlab.deprecation import old_names
from trustlab.federated.partition.assignment import class_codes, cut, deal, equal_sizes

LARGEST_ALPHA = 1e9  # beyond it the shares are equal to nine digits; an infinite α has no Dirichlet distribution


@dataclass(frozen=True)
class FedNLPOptions:
    """Options of ``"label-dirichlet-fednlp"``."""

    alpha: float = option(
        1.0, label="α", help="Small: a client has one label. Large: the global mix.", above=0, high=LARGEST_ALPHA
    )


@dataclass(frozen=True)
class FlowerOptions:
    """Options of ``"label-dirichlet-flower"``."""

    alpha: float = option(
        0.5, label="α", help="Small: a label has one client. Large: equal parts.", above=0, high=LARGEST_ALPHA
    )
    self_balancing: bool = option(
        False,
        label="Balance",
        help="A client that has more than n/K examples gets no further label (labels come in order of appearance).",
        values=(False, True),
    )


def label_fednlp(values: Any, clients: int, options: FedNLPOptions, rng: np.random.Generator) -> np.ndarray:
    """Return the client [n] of each example: equal sizes, and labels in the shares q_k ~ Dir(α·p) of client k.

    Not all clients can have their shares: a label has only so many examples, see :func:`serve`. FedNLP's code serves
    clients in order and fills places whose label is used up in proportion to what is left; here the order is drawn, and
    such places are filled by the client's own shares. Flower's ``InnerDirichletPartitioner`` serves them in turns, an
    example at a time: all run out of a label together, so that with small α its clients are more alike than their
    distributions.

    Source: FedNLP (Lin et al. 2022), label shift.
    """
    return by_distributions(*class_codes(values), clients, options, rng)


def by_distributions(
    codes: np.ndarray, names: np.ndarray, clients: int, options: Any, rng: np.random.Generator
) -> np.ndarray:
    """Return the client [n] of each example as :func:`label_fednlp` does, for labels that are numbered already."""
    supply = np.bincount(codes, minlength=len(names))
    log_distributions = log_dirichlet(np.broadcast_to(options.alpha * supply / len(codes), (clients, len(names))), rng)
    return deal(codes, serve(log_distributions, equal_sizes(len(codes), clients), supply, rng), rng)


def label_flower(values: Any, clients: int, options: FlowerOptions, rng: np.random.Generator) -> np.ndarray:
    """Return the client [n] of each example: every label is cut into shares ~ Dir(α, …, α) over the clients.

    Source: ``flwr_datasets.partitioner.DirichletPartitioner``; there a client below the minimum size makes everything
    be drawn again, up to ten times.
    """
    codes, names = class_codes(values)
    supply = np.bincount(codes, minlength=len(names))
    shares = np.exp(log_dirichlet(np.full((len(names), clients), options.alpha), rng))  # [L, K]
    counts = balanced(shares, supply) if options.self_balancing else cut(shares, supply)
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
    """Draw Dirichlet shares for each row of `concentration` [R, C] > 0, and return their logarithms [R, C].

    A share is a Gamma(a) draw over its row's sum, and ``log Gamma(a) = log Gamma(a + 1) + log(U) / a`` in distribution:
    finite for every a, where Gamma(a) itself rounds to 0 (Marsaglia & Tsang 2000).

    Examples
    --------
    >>> logs = log_dirichlet(np.full((1, 3), 1e-3), np.random.default_rng(0))
    >>> bool(np.isfinite(logs).all()), round(float(np.exp(logs).sum()), 12)
    (True, 1.0)
    """
    logs = np.log(rng.standard_gamma(concentration + 1)) - rng.standard_exponential(concentration.shape) / concentration
    logs -= logs.max(axis=1, keepdims=True)
    return logs - np.log(np.exp(logs).sum(axis=1, keepdims=True))


def serve(log_distributions: np.ndarray, sizes: np.ndarray, supply: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Let one client after another take its labels, until every place is filled and every example placed.

    A client takes each label's share of its places, rounded at random. Where a label has fewer examples left, it fills
    the places that stay empty by its distribution renormalised to the labels that are left, which is a Dirichlet
    distribution of their α·p again. Each such round but a client's last uses up a label. Labels are not drawn one by
    one: that noise would add up over the clients, and the last would get what no client's distribution asks for, even
    where all are equal.

    Parameters
    ----------
    log_distributions : float [K, L]
        Logarithms of each client's distribution over labels.
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
    >>> logs = np.log([[0.9, 0.1], [0.9, 0.1]])  # both want the first label
    >>> serve(logs, np.array([5, 5]), np.array([5, 5]), np.random.default_rng(0)).sum(axis=0)
    array([5, 5])
    """
    counts, left = cut(np.exp(log_distributions), sizes, rng.random((len(sizes), 1))), supply.copy()
    # The last client takes what is left, whatever its distribution: which one that is must be drawn.
    for client in rng.permutation(len(sizes)):
        counts[client] = got = np.minimum(counts[client], left)
        left -= got
        while places := int(sizes[client] - counts[client].sum()):
            labels = np.flatnonzero(left)
            share = np.exp(log_distributions[client, labels] - log_distributions[client, labels].max())
            wanted = cut(share[None] / share.sum(), np.array([places]), rng.random())[0]
            got = np.minimum(wanted, left[labels])
            counts[client, labels] += got
            left[labels] -= got
    return counts


__getattr__ = old_names(__name__, {"FedNLPDials": "FedNLPOptions", "FlowerDials": "FlowerOptions"})
