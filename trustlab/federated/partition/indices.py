"""A partition: which examples belong to which client, and how that was decided."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.columns import as_indices
from trustlab.deprecation import old_arguments, old_attribute
from trustlab.federated.partition.assignment import stable_order
from trustlab.federated.partition.storage import read_h5, write_h5

if TYPE_CHECKING:
    import datasets


@dataclass(frozen=True, eq=False)
class Partition:
    """The examples of K clients: ``partition[k]`` are the indices of client k, in ascending order.

    All indices lie in one array, and a client's are a view into it: 8 bytes per example and 8 per client, however many
    clients there are.

    Attributes
    ----------
    flat : int64 [n]
        The indices of client 0, then those of client 1, and so on.
    offsets : int64 [K + 1]
        Client k has ``flat[offsets[k]:offsets[k + 1]]``.
    scheme, options, seed
        What it was made by.
    names : tuple or None
        The value behind each client, where a column named the clients.
    moved : int
        Examples that were moved so that every client has the minimum size.

    Examples
    --------
    >>> halves = Partition.from_owners(np.array([1, 0, 1]), 2)
    >>> len(halves), halves[1], halves.sizes
    (2, array([0, 2]), array([1, 2]))
    """

    flat: np.ndarray
    offsets: np.ndarray
    scheme: str = "given"
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    names: tuple[Any, ...] | None = None
    moved: int = 0

    dials = old_attribute("options")

    def __post_init__(self) -> None:
        flat, offsets = (as_indices(each, None, "index", repeats=True) for each in (self.flat, self.offsets))
        if len(offsets) < 2 or offsets[0] != 0 or offsets[-1] != len(flat) or (np.diff(offsets) < 0).any():
            raise ValueError(
                f"Expected offsets that rise from 0 to the {len(flat)} indices, one more than there are clients, got "
                f"{len(offsets)} from {offsets[:1].tolist()} to {offsets[-1:].tolist()}."
            )
        if self.names is not None and len(self.names) != len(offsets) - 1:
            raise ValueError(f"Expected names of {len(offsets) - 1} clients, got {len(self.names)}.")
        object.__setattr__(self, "flat", flat)
        object.__setattr__(self, "offsets", offsets)

    @classmethod
    def from_owners(cls, owners: np.ndarray, clients: int, **provenance: Any) -> Partition:
        """Return the partition in which example i belongs to client ``owners[i]`` in 0 … `clients` − 1.

        Raises
        ------
        ValueError
            For owners that are no whole numbers in that range.
        """
        owners = as_indices(owners, clients, "owner", repeats=True)
        sizes = np.bincount(owners, minlength=clients)
        return cls(stable_order(owners, clients), np.concatenate([[0], sizes.cumsum()]), **provenance)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, client: int) -> np.ndarray:
        client = range(len(self))[client]  # counts from the end for negative ones, and knows where to stop
        return self.flat[self.offsets[client] : self.offsets[client + 1]]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[client] for client in range(len(self)))

    @property
    def indices(self) -> tuple[np.ndarray, ...]:
        """The clients' indices, one int64 array each; views, no copies."""
        return tuple(self)

    @property
    def sizes(self) -> np.ndarray:
        """Examples of each client, int64 [K]."""
        return np.diff(self.offsets)

    @property
    def owners(self) -> np.ndarray:
        """The client that each entry of ``flat`` belongs to, int64 [n]."""
        return np.repeat(np.arange(len(self)), self.sizes)

    def check_covers(self, examples: int) -> None:
        """Raise ``ValueError`` unless these are all of `examples` examples: a column must belong to the partition."""
        if len(self.flat) != examples:
            raise ValueError(
                f"Expected one value for each of the partition's {len(self.flat)} examples, got {examples}. "
                "Take the column of the split that was partitioned."
            )

    def check_same_clients(self, other: Any, what: str = "test") -> None:
        """Raise ``ValueError`` where `other` is over other clients, or names them otherwise.

        Two natural partitions number clients by their size in either split, so that client 0 of one may be another
        person than client 0 of the other.
        """
        if len(other) != len(self):
            raise ValueError(
                f"Expected {what} over the same {len(self)} clients, got {len(other)}. Use partition_pair."
            )
        theirs = getattr(other, "names", None)
        if self.names is None or theirs is None or tuple(self.names) == tuple(theirs):
            return
        first = next(k for k, (mine, its) in enumerate(zip(self.names, theirs, strict=True)) if mine != its)
        raise ValueError(
            f"Expected {what} over the same clients in the same order, got client {first} named {self.names[first]!r} "
            f"in train and {theirs[first]!r} in {what}. A client would be measured on another's examples: make both by "
            "partition_pair, or the second by matching."
        )

    def replaced(self, flat: np.ndarray, offsets: np.ndarray, **changes: Any) -> Partition:
        """Return other examples for the same clients, with this partition's provenance."""
        return dataclasses.replace(self, flat=flat, offsets=offsets, **changes)

    def datasets(self, split: datasets.Dataset) -> list[datasets.Dataset]:
        """Return each client's rows as a view: ``Dataset.select`` notes the indices and copies no row."""
        self.check_covers(len(split))
        return [split.select(indices) for indices in self]

    def to_h5(self, path: str | os.PathLike, *, test: Partition | None = None, **options: Any) -> str:
        """Write it in FedNLP's layout, see :func:`trustlab.federated.partition.storage.write_h5`."""
        return write_h5(path, self, test, **options)

    @classmethod
    def from_h5(cls, path: str | os.PathLike, *, method: str | None = None, split: str = "train") -> Partition:
        """Read one back, see :func:`trustlab.federated.partition.storage.read_h5`."""
        return cls(**read_h5(path, method=method, split=split))


Partition.__init__ = old_arguments(dials="options")(Partition.__init__)  # type: ignore[method-assign]
