"""Partitions in FedNLP's HDF5 layout, so that they move between its code and ours.

One file holds several partitions of one data set, each in a group named by its method::

    niid_label_clients=100_alpha=1.0/n_clients
                                    /alpha                     (the options)
                                    /partition_data/0/train    indices of client 0
                                    /partition_data/0/test

Scheme, seed, names and the like stand in the group's attributes, which FedNLP does not read.
"""

from __future__ import annotations

import io
import os
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.columns import as_indices
from trustlab.durable import from_json, to_json, write_whole
from trustlab.places import expanded

if TYPE_CHECKING:
    from trustlab.federated.partition.indices import Partition

# FedNLP's names for what it has too. It writes α with one decimal, so that 0.05 and 0.1 share a name; here it is whole.
FEDNLP_NAMES = {
    "label-dirichlet-fednlp": ("niid_label", "alpha"),
    "feature-clusters": ("niid_cluster", "alpha"),
    "quantity-dirichlet": ("niid_quantity", "beta"),
}
# An attribute of a partition → its name in the file.
PROVENANCE = {name: name for name in ("scheme", "seed", "names", "moved")} | {"options": "dials"}


def method_name(partition: Partition) -> str:
    """Return the group's name, FedNLP's where it has one.

    Examples
    --------
    >>> from trustlab.federated.partition import partition
    >>> method_name(partition([0, 1], scheme="label-dirichlet-fednlp", clients=2, alpha=1))
    'niid_label_clients=2_alpha=1.0'
    """
    prefix, option = FEDNLP_NAMES.get(partition.scheme, (partition.scheme, None))
    options = {option: float(partition.options[option])} if option else partition.options
    return "_".join([prefix, f"clients={len(partition)}", *(f"{name}={value}" for name, value in options.items())])


def write_h5(
    path: str | os.PathLike,
    train: Partition,
    test: Partition | None = None,
    *,
    method: str | None = None,
    test_offset: int = 0,
    overwrite: bool = False,
) -> str:
    """Add a partition to the file at `path`, which is whole at every moment; return the method's name.

    Parameters
    ----------
    train, test
        Over the same clients; without `test`, theirs are empty.
    method
        Name of the group; None is :func:`method_name`.
    test_offset
        Added to the test indices. FedNLP numbers train and test in one list, ours start from 0 each: pass the number
        of training examples for its code, and 0 to read it back here.
    overwrite
        Replace a group of that name.

    Raises
    ------
    ValueError
        If the clients differ in number or names, or the method is there already.
    """
    if test is not None:
        train.check_same_clients(test)
    method, path, buffer = method or method_name(train), expanded(path), io.BytesIO()
    if path.exists():
        buffer.write(path.read_bytes())
    with _h5py().File(buffer, "a") as file:
        if method in file and not overwrite:
            raise ValueError(f"Expected no {method!r} in {path.name} yet. Pass overwrite=True to replace it.")
        if method in file:
            del file[method]
        group = file.create_group(method)
        group["n_clients"] = len(train)
        for name, value in train.options.items():
            group[name] = value
        group.attrs["trustlab"] = to_json({stored: getattr(train, name) for name, stored in PROVENANCE.items()})
        for client, indices in enumerate(train):
            held_out = np.empty(0, dtype=np.int64) if test is None else test[client] + test_offset
            group[f"partition_data/{client}/train"], group[f"partition_data/{client}/test"] = indices, held_out
    write_whole(path, buffer.getvalue())
    return method


def read_h5(path: str | os.PathLike, *, method: str | None = None, split: str = "train") -> dict[str, Any]:
    """Read a partition, ours or FedNLP's: its fields, for :meth:`Partition.from_h5`.

    Parameters
    ----------
    method
        Name of the group; None takes the only one.
    split
        ``"train"`` or ``"test"``.

    Raises
    ------
    ValueError
        If the file has several methods and none was named, not that one, or indices that occur twice.
    """
    if split not in ("train", "test"):
        raise ValueError(f"Expected split={split!r} to be 'train' or 'test'.")
    with _h5py().File(expanded(path), "r") as file:
        if method is None and len(file) == 1:
            (method,) = file
        if method is None or method not in file:
            raise ValueError(f"Expected method={method!r} to be one of {', '.join(map(repr, file))}.")
        group = file[method]
        clients = int(group["n_clients"][()])
        parts = [group[f"partition_data/{client}/{split}"][()] for client in range(clients)]
        about = {"scheme": method}
        if "trustlab" in group.attrs:
            stored = from_json(group.attrs["trustlab"])
            about = {name: stored[key] for name, key in PROVENANCE.items() if key in stored}
    flat = np.concatenate([np.sort(as_indices(part, repeats=True)) for part in parts])
    if len(np.unique(flat)) != len(flat):
        raise ValueError(f"Expected every example once in {method!r}, got {len(flat)} indices with repetitions.")
    about["names"] = tuple(about["names"]) if about.get("names") else None
    return {"flat": flat, "offsets": np.concatenate([[0], np.cumsum([len(part) for part in parts])]), **about}


def _h5py() -> ModuleType:
    try:
        import h5py
    except ImportError:
        raise ImportError(
            "Expected the package h5py, got no such package. FedNLP's files are HDF5: pip install h5py."
        ) from None
    return h5py
