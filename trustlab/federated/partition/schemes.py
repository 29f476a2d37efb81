"""The one way to a partition: a table of schemes, their options checked before any work, and the draw itself."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from trustlab.columns import as_features, as_ids, as_labels, as_times, count_rows
from trustlab.config import check
from trustlab.containers import plain
from trustlab.deprecation import old_arguments, old_attribute
from trustlab.federated.partition import clusters, dirichlet, natural, pfl_dirichlet, shards, sizes
from trustlab.federated.partition.indices import Partition
from trustlab.federated.partition.matching import matching
from trustlab.federated.partition.minimum import fill_up


def _counted(values: Any) -> range:
    """Return as many entries as there are examples, where a scheme looks at nothing else."""
    return range(count_rows(values))


@dataclass(frozen=True)
class Scheme:
    """One way to divide examples among clients.

    Attributes
    ----------
    assign
        ``assign(values, clients, options, rng)`` returns the client [n] of each example.
    options
        Frozen dataclass of the scheme's options.
    prepare
        ``prepare(train, test, options, rng)`` turns what the user gives into labels, where these are something else.
    drawn
        Whether `clients` is the user's choice; otherwise the data name the clients.
    reads
        What makes a column of the user's values, see :mod:`trustlab.columns`; by default they are only counted.
    """

    assign: Callable[..., np.ndarray]
    options: type = sizes.NoOptions
    prepare: Callable[..., tuple[Any, Any]] | None = None
    drawn: bool = True
    reads: Callable[[Any], Any] = _counted

    dials = old_attribute("options")


Scheme.__init__ = old_arguments(dials="options")(Scheme.__init__)  # type: ignore[method-assign]

# Each way to divide examples among clients, by its name in partition(scheme=...).
SCHEMES: Mapping[str, Scheme] = MappingProxyType({
    "iid": Scheme(sizes.iid),
    "label-dirichlet-fednlp": Scheme(dirichlet.label_fednlp, dirichlet.FedNLPOptions, reads=as_labels),
    "label-dirichlet-flower": Scheme(dirichlet.label_flower, dirichlet.FlowerOptions, reads=as_labels),
    "label-dirichlet-pfl": Scheme(pfl_dirichlet.label_pfl, pfl_dirichlet.PflOptions, reads=as_labels),
    "quantity-dirichlet": Scheme(sizes.quantity_dirichlet, sizes.QuantityOptions),
    "shards": Scheme(shards.shards, shards.ShardOptions, reads=as_labels),
    "pathological": Scheme(shards.pathological, shards.PathologicalOptions, reads=as_labels),
    "feature-clusters": Scheme(
        clusters.by_clusters, clusters.ClusterOptions, prepare=clusters.cluster_labels, reads=as_features
    ),
    "natural": Scheme(natural.natural, drawn=False, reads=as_ids),
    "sizes-linear": Scheme(sizes.linear),
    "sizes-square": Scheme(sizes.square),
    "sizes-exponential": Scheme(sizes.exponential),
    "sizes-power-law": Scheme(sizes.power_law, sizes.PowerLawOptions),
    "time": Scheme(natural.time_slices, reads=as_times),
})  # fmt: skip


def partition(
    labels_or_features: Any,
    *,
    scheme: str,
    clients: int | None = None,
    seed: int = 0,
    min_size: int = 0,
    **options: Any,
) -> Partition:
    """Divide examples among clients, every example exactly once.

    Time and memory are linear in the number of examples; label schemes take K·L numbers more, for L labels.

    Parameters
    ----------
    labels_or_features
        One entry per example, in any container that :mod:`trustlab.columns` knows. Labels of any hashable kind; for
        ``"feature-clusters"`` an array [n, d]; for ``"natural"`` the column that names the client; for ``"time"`` what
        to sort by. The schemes without label skew only count the entries. Sequence tagging has no label per example:
        FedNLP takes the set of entity types, ``frozenset(tags)``. Continuous targets are no labels, see
        :func:`~trustlab.federated.partition.assignment.class_codes`.
    scheme
        A name of :data:`SCHEMES`.
    clients
        K ≥ 1; None for ``"natural"``. More clients than examples leave some empty.
    seed
        The partition is a function of the values, the options and this seed. k-means sums in threads, so that its
        clusters may differ on another machine.
    min_size
        Every client has at least that many examples; see :mod:`~trustlab.federated.partition.minimum` for how.
    **options
        Those of the scheme, for example ``alpha``.

    Raises
    ------
    ValueError
        Before any work: for an unknown scheme or option, a value out of range, a minimum size that cannot be had, one
        text or a table in place of a column, a missing value, or nearly as many labels as examples.

    Examples
    --------
    >>> skewed = partition([0, 1] * 50, scheme="label-dirichlet-fednlp", clients=4, alpha=0.1, seed=1)
    >>> skewed.sizes
    array([25, 25, 25, 25])
    """
    values = _read(scheme, labels_or_features)
    return _drawn(_checked(scheme, clients, seed, min_size, options, values), values, None)[0]


def partition_pair(
    train: Any,
    test: Any,
    *,
    scheme: str,
    clients: int | None = None,
    seed: int = 0,
    min_size: int = 0,
    new_clients: str = "refuse",
    **options: Any,
) -> tuple[Partition, Partition]:
    """Divide train and test so that a client's test examples follow the distribution of its training examples.

    The training partition is the one that :func:`partition` gives for the same arguments; test follows by
    :func:`~trustlab.federated.partition.matching.matching` on the same labels (users, clusters). FedNLP's public code
    draws both on their own, so that a client is tested on labels that it never saw.

    Parameters
    ----------
    train, test
        As `labels_or_features` of :func:`partition`, for either split.
    scheme, clients, seed, min_size, **options
        As there. `min_size` is about train: a small test split may leave clients without examples.
    new_clients
        What ``"natural"`` does with a user who is only in test. ``"refuse"`` raises an error that names them;
        ``"keep"`` adds, after the others, a client without training examples for each.

    Examples
    --------
    >>> train, test = partition_pair([0, 1] * 50, [0, 1] * 5, scheme="label-dirichlet-fednlp", clients=2, alpha=0.01)
    >>> test.sizes
    array([5, 5])
    """
    if scheme == "time":
        raise ValueError(
            "Expected a scheme with labels, got scheme='time'. No test example is of a training example's time: use "
            "matching(partition, labels, test_labels) with the labels of your task."
        )
    if new_clients not in ("refuse", "keep") or (new_clients == "keep" and scheme != "natural"):
        raise ValueError(
            f"Expected new_clients='refuse', or with scheme='natural' 'keep', got {new_clients!r} with {scheme!r}. "
            "Only there a column names each example's user."
        )
    train, test = (_read(scheme, values, matched=True) for values in (train, test))
    trained, train_labels, test_labels = _drawn(_checked(scheme, clients, seed, min_size, options, train), train, test)
    if scheme != "natural":
        return trained, matching(trained, train_labels, test_labels, seed=seed)
    if new_clients == "keep" and len(test):
        trained = natural.with_clients(trained, test)
    return trained, natural.by_name(trained, test)


@dataclass(frozen=True)
class _Plan:
    name: str
    clients: int | None
    seed: int
    min_size: int
    options: Any


def _read(name: str, values: Any, *, matched: bool = False) -> Any:
    """Return the user's values as the scheme reads them; with `matched`, test is divided by labels in every scheme."""
    if name not in SCHEMES:
        raise ValueError(f"Expected scheme={name!r} to be one of {', '.join(map(repr, SCHEMES))}.")
    reads = SCHEMES[name].reads
    return as_labels(values) if matched and reads is _counted else reads(values)


def _drawn(plan: _Plan, train: Any, test: Any) -> tuple[Partition, Any, Any]:
    """Return the partition of train, and the labels of train and test that it was made by."""
    scheme, rng = SCHEMES[plan.name], np.random.default_rng(plan.seed)
    if scheme.prepare:
        train, test = scheme.prepare(train, test, plan.options, rng)
    owners = scheme.assign(train, plan.clients, plan.options, rng)
    clients = plan.clients or int(owners.max()) + 1
    if scheme.drawn:
        owners, moved = fill_up(owners, clients, plan.min_size, rng)
    else:
        moved, smallest = 0, int(np.bincount(owners).min())
        if smallest < plan.min_size:
            raise ValueError(
                f"Expected min_size={plan.min_size} <= {smallest}, the smallest client's examples. They are its own "
                "and no other client's: lower min_size, or leave small clients out of the data."
            )
    about = dict(scheme=plan.name, options=dataclasses.asdict(plan.options), seed=plan.seed, moved=moved)
    made = Partition.from_owners(owners, clients, **about)
    if not scheme.drawn:
        made = dataclasses.replace(made, names=tuple(plain(train[int(indices[0])]) for indices in made))
    return made, train, test


def _checked(
    name: str, clients: int | None, seed: int, min_size: int, options: Mapping[str, Any], values: Any
) -> _Plan:
    """Refuse what cannot be done, in words, before any work."""
    scheme, examples = SCHEMES[name], len(values)
    known = [field.name for field in dataclasses.fields(scheme.options)]
    unknown = ", ".join(f"{key}={value!r}" for key, value in options.items() if key not in known)
    if unknown:
        raise ValueError(
            f"Expected options of scheme={name!r} ({', '.join(known) or 'it has none'}), got {unknown}. "
            "It would do nothing there: leave it out or choose a scheme that has it."
        )
    options = scheme.options(**options)
    check(options)
    for option, value, low in (("seed", seed, 0), ("min_size", min_size, 0), ("clients", clients, 1)):
        if option == "clients" and not scheme.drawn:
            if value is not None:
                raise ValueError(
                    f"Expected clients=None with scheme={name!r}, got {value!r}. The column determines their number."
                )
        elif isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
            raise ValueError(f"Expected {option}={value!r} to be a whole number >= {low}.")
    if not examples:
        raise ValueError("Expected at least one example, got none. There is nothing to divide.")
    if min_size * (clients or 0) > examples:
        raise ValueError(
            f"Expected clients * min_size <= examples, got {clients} * {min_size} > {examples}. There are too few "
            f"examples: lower min_size to {math.floor(examples / clients)} or less, or take fewer clients."
        )
    return _Plan(name, clients, int(seed), int(min_size), options)
