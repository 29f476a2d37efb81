"""The registered clients: what each holds, how they are selected, and what they are measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.columns import as_indices
from trustlab.containers import opened
from trustlab.federated.partition.indices import Partition
from trustlab.federated.selection import Selector


@dataclass(frozen=True)
class Fleet:
    """All registered clients.

    Attributes
    ----------
    clients
        Indices of each client's training examples; looked at for selected clients only.
    sizes : int64 [N]
        How many there are of each.
    selector
        Which clients take part in a round.
    test_clients
        Indices of each client's test examples, if clients are to be measured by themselves.
    """

    clients: Sequence[Any]
    sizes: np.ndarray
    selector: Selector
    test_clients: Sequence[Any] | None = None

    @classmethod
    def of(
        cls,
        clients: Any,
        selector: Selector | None,
        test_clients: Any | None,
        *,
        train: int | None = None,
        test: int | None = None,
    ) -> Fleet:
        """Count the examples of every client, of `train` and `test` examples in all, where that is known.

        Raises
        ------
        ValueError
            Where no client holds an example; for test examples or a selector of another number of clients, or test
            clients with other names; for a mask, floats or owners in place of indices, an index out of range, or one
            that occurs twice with one client.
        """
        clients = own_indices(clients, train)
        sizes = counts(clients)
        if not sizes.any():
            raise ValueError(
                f"Expected at least one client that holds examples, got {len(sizes)} without any. Pass an array of "
                "indices for each."
            )
        if test_clients is not None:
            test_clients = own_indices(test_clients, test, "test_clients")
            if len(test_clients) != len(clients):
                raise ValueError(
                    f"Expected test_clients for {len(clients)} clients, got {len(test_clients)}. An empty array stands "
                    "for a client without test examples."
                )
            if isinstance(clients, Partition):
                clients.check_same_clients(test_clients, "test_clients")
        selector = selector or Selector(sizes, strategy="uniform")
        if len(selector) != len(sizes):
            raise ValueError(f"Expected a selector of {len(sizes)} clients, got one of {len(selector)}.")
        return cls(clients, sizes, selector, test_clients)

    def __len__(self) -> int:
        return len(self.sizes)

    def some_examples(self) -> np.ndarray:
        """Return the indices of a few examples of a few clients, the smallest and the largest among them."""
        holders = np.flatnonzero(self.sizes)
        some = holders[np.linspace(0, len(holders) - 1, 6).astype(int)]
        ends = holders[[self.sizes[holders].argmin(), self.sizes[holders].argmax()]]
        chosen = np.unique(np.concatenate([some, ends])).tolist()
        return np.concatenate([np.asarray(self.clients[k], dtype=np.int64)[:4] for k in chosen])


def own_indices(clients: Any, below: int | None, what: str = "clients") -> Sequence[Any]:
    """Return for each client the indices of its examples, int64, each checked to be one of `below`.

    A list or array is checked as a whole. A sequence that knows its ``sizes`` may stand for millions of clients: of a
    :class:`~trustlab.federated.partition.Partition` all indices are checked at once, of any other those of a client
    when it is selected.

    Examples
    --------
    >>> own_indices([range(2), [True, False]], 2)
    Traceback (most recent call last):
    ...
    ValueError: Expected every index of client 1 in clients to be a whole number, got a mask. As numbers it would be \
the examples 0 and 1: pass np.flatnonzero(mask).
    """
    if isinstance(clients, Partition):
        as_indices(clients.flat, below, f"index in {what}", repeats=True)
        return clients
    if hasattr(clients, "sizes"):
        return _Registered(clients, below, what)
    held = opened(clients, "list of indices per client")
    if isinstance(held, np.ndarray) and held.ndim == 1 and held.dtype != object:
        held = held.tolist()
    if any((np.isscalar(own) and not isinstance(own, str)) or getattr(own, "ndim", 1) == 0 for own in held):
        raise ValueError(
            f"Expected {what} with the indices of each client's examples, got one number for each of {len(held)}. If "
            "they name the owner of each example, make a partition of them: Partition.from_owners(owners, clients)."
        )
    indices = [_whole_numbers(own, below, f"index of client {k} in {what}") for k, own in enumerate(held)]
    flat = np.concatenate([np.empty(0, dtype=np.int64), *indices])
    owners, span = np.repeat(np.arange(len(indices)), [len(own) for own in indices]), int(flat.max(initial=0)) + 1
    outside = flat.min(initial=0) < 0 or (below is not None and len(flat) and span > below)
    # All clients in one go; then one by one, to name the wrong one.
    if outside or len(np.unique(owners * span + flat)) < len(flat):
        for k, own in enumerate(indices):
            as_indices(own, below, f"index of client {k} in {what}")
    return indices


def _whole_numbers(own: Any, below: int | None, what: str) -> np.ndarray:
    """Return one client's indices; an array of them, as in a large fleet, is checked later with all others."""
    plain = type(own) is np.ndarray and own.ndim == 1 and own.dtype == np.int64
    return own if plain else as_indices(own, below, what)


class _Registered:
    """Clients that are looked at when they are selected; their indices are checked then."""

    def __init__(self, clients: Any, below: int | None, what: str) -> None:
        self.clients, self.below, self.what, self.sizes = clients, below, what, clients.sizes

    def __len__(self) -> int:
        return len(self.clients)

    def __getitem__(self, client: int) -> np.ndarray:
        return as_indices(self.clients[client], self.below, f"index of client {client} in {self.what}")


def counts(clients: Sequence[Any]) -> np.ndarray:
    """Return the number of examples of each client, int64 [N]; of a Partition without looking at any."""
    sizes = clients.sizes if hasattr(clients, "sizes") else [len(indices) for indices in clients]
    return np.asarray(sizes, dtype=np.int64)
