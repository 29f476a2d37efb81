"""Other people's batches and datasets as ours: something with a length, from which a tensor of indices takes a part.

A batch of ``transformers`` is a dict or a ``BatchEncoding`` of tensors, one of ``torch.utils.data`` a tuple, and a
corpus a map-style dataset, whose rows a ``collate_fn`` makes a batch of. :func:`as_examples` turns all of them into
examples that can be counted and selected; :func:`of_content` gives a loss what its author wrote it for: the dict, the
tuple, whatever was given. A class of its own with ``__len__`` and ``__getitem__`` for a tensor of indices, such as
:class:`trustlab.models.Examples`, stays as it is.

>>> batch = as_examples({"input_ids": torch.ones(3, 5), "y": torch.tensor([0, 1, 0])})
>>> len(batch), of_content(batch[torch.tensor([1])])["y"]
(3, tensor([1]))
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import keystr, tree_flatten_with_path, tree_leaves, tree_map

Collate = Callable[[list[Any]], Any]
FEW = 2  # examples that are taken to see what an object gives for a tensor of indices


@dataclasses.dataclass(frozen=True)
class Columns:
    """A batch of tensors, each with a row per example, in whatever dicts and tuples their author put them.

    Attributes
    ----------
    tensors
        Tensors in dicts, tuples and lists.
    make
        Makes the author's own object of these dicts: ``BatchEncoding``. None: they are it.
    """

    tensors: Any
    make: Callable[[Any], Any] | None = None

    def __len__(self) -> int:
        return len(_leaves(self.tensors)[0])

    def __getitem__(self, index: slice | Tensor) -> Columns:
        return Columns(_mapped(lambda part: part[index], self.tensors), self.make)

    @property
    def content(self) -> Any:
        """What a loss is given."""
        return self.tensors if self.make is None else self.make(self.tensors)


class Rows:
    """A map-style dataset, of which some rows at a time become a batch.

    Parameters
    ----------
    dataset
        Has ``__len__`` and ``__getitem__`` for a whole number.
    collate_fn
        Makes a batch of a list of rows, as in ``torch.utils.data.DataLoader``; None stacks the numbers of equal places.
    """

    def __init__(self, dataset: Any, collate_fn: Collate | None) -> None:
        self.dataset, self.collate_fn = dataset, collate_fn
        self.at_once = collate_fn is None and _gives_rows_at_once(dataset)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: slice | Tensor) -> Columns:
        places = torch.arange(len(self))[index]
        if self.at_once:
            return columns(self.dataset[places], "a dataset's rows")
        chosen = places.tolist()
        if not chosen:
            return self[torch.zeros(1, dtype=torch.long)][:0]  # most functions cannot collate no rows
        many = getattr(self.dataset, "__getitems__", None)
        rows = many(chosen) if many is not None else [self.dataset[place] for place in chosen]
        batch = columns((self.collate_fn or stacked)(list(rows)), "collate_fn's batch")
        if len(batch) != len(chosen):
            raise ValueError(
                f"Expected collate_fn to return a row for each of {len(chosen)} examples, got {len(batch)}. A row that "
                "is left out, or made of two, cannot be clipped by itself."
            )
        return batch


@dataclasses.dataclass(frozen=True)
class Chosen:
    """Some of the `examples`; only those that a part of it needs are read.

    Attributes
    ----------
    places : Tensor [B], int64
        Which of them.

    Examples
    --------
    >>> batch = Chosen(torch.arange(10) * 10, torch.tensor([2, 5, 7]))
    >>> len(batch), batch[torch.tensor([0, 2])]
    (3, tensor([20, 70]))
    """

    examples: Any
    places: Tensor

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: slice | Tensor) -> Any:
        return self.examples[self.places[index]]


def as_examples(data: Any, collate_fn: Collate | None = None, *, what: str = "a batch") -> Any:
    """Return `data` with a length, and a part of it for a tensor of indices.

    Parameters
    ----------
    data
        A tensor or an array; dicts, ``BatchEncoding``, tuples and lists of them, each with a row per example; any
        map-style dataset, a ``Subset``, a split of ``datasets``; or a class with ``__len__`` and ``__getitem__`` for a
        tensor of indices.
    collate_fn
        Makes a batch of a list of a dataset's rows. With it `data` is taken for a dataset, a list of rows included.
    what
        What an error calls `data`.

    Raises
    ------
    ValueError
        For anything else, such as a ``DataLoader``, a table or texts; and for tensors of different lengths.

    Examples
    --------
    >>> pairs = [{"x": [1.0, 2.0], "y": 0}, {"x": [3.0, 4.0], "y": 1}]
    >>> as_examples(pairs)[torch.tensor([1])].content
    {'x': tensor([[3., 4.]]), 'y': tensor([1])}
    """
    if isinstance(data, Columns | Rows):
        return data if collate_fn is None else Rows(_dataset_of(data), collate_fn)
    stream = hasattr(data, "column_names") and not hasattr(data, "__len__")  # of datasets, without importing it
    if stream or isinstance(data, torch.utils.data.DataLoader | torch.utils.data.IterableDataset):
        raise ValueError(
            f"Expected {what} that can be counted and selected from, got {type(data).__name__}. Batches are drawn "
            "here, each example independently: pass the map-style dataset, and the loader's collate_fn. Of a stream "
            "take what you want first: datasets.Dataset.from_list(list(stream.take(10_000)))."
        )
    if not hasattr(data, "iloc") and (collate_fn is not None or _is_dataset(data)):
        if isinstance(data, torch.utils.data.TensorDataset) and collate_fn is None:
            return columns(data.tensors, what)
        return Rows(data, collate_fn)
    if isinstance(data, np.ndarray):
        return columns(data, what).content
    if isinstance(data, Mapping | tuple | list):
        return columns(data, what)
    if isinstance(data, Tensor | Chosen) or _gives_parts(data):
        return data
    if _has_rows(data):
        return Rows(data, None)
    raise ValueError(
        f"Expected {what} whose examples can be counted and taken one by one, got {type(data).__name__}. Pass tensors "
        "(also in a dict, a BatchEncoding or a tuple), a map-style dataset, or a class with __len__ and __getitem__."
    )


def of_content(batch: Any) -> Any:
    """Return what the author of a loss or a measure expects: the tensors as they were given, of a dataset all rows."""
    return (batch[:] if isinstance(batch, Rows) else batch).content if isinstance(batch, Columns | Rows) else batch


def attention_mask(batch: Any) -> Tensor | None:
    """Return which tokens [B, T] of a batch are no padding, where it says so under that name; else None."""
    held = batch.tensors if isinstance(batch, Columns) else vars(batch) if hasattr(batch, "__dict__") else {}
    return held.get("attention_mask") if isinstance(held, Mapping) else None


def with_loss(
    batch: Any, per_example_loss: Callable[..., Any], collate_fn: Collate | None = None
) -> tuple[Any, Callable[..., Any]]:
    """Return a batch as examples, and a loss that takes them: one that is given what `batch` was, parts of it."""
    examples = as_examples(batch, collate_fn)
    if isinstance(examples, Rows):
        examples = examples[:]
    own = isinstance(examples, Columns)
    return examples, reads_content(per_example_loss) if own else per_example_loss


def reads_content(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a ``function(model, batch)`` that is given the content of :class:`Columns`; wrapping twice is once."""
    if isinstance(function, functools.partial) and function.func is _on_content:
        return function
    # A partial: the fast engine distinguishes losses by the functions that they consist of.
    return functools.update_wrapper(functools.partial(_on_content, function), function)  # checkpoints know its name


def _on_content(function: Callable[..., Any], model: Any, batch: Any, *more: Any) -> Any:
    return function(model, of_content(batch), *more)


def columns(content: Any, what: str) -> Columns:
    """Return tensors as :class:`Columns`, or refuse by name what has no row for each example.

    Examples
    --------
    >>> columns({"x": torch.ones(3), "y": torch.ones(2)}, "a batch")
    Traceback (most recent call last):
    ...
    ValueError: Expected a batch with a row per example in every tensor, got 3 in ['x'], 2 in ['y']. They belong to ...
    """
    held, make = content, None
    if isinstance(content, Mapping) and type(content) is not dict:
        held, make = dict(content), type(content)
    leaves = _leaves(held)
    if leaves and all(isinstance(part, Tensor) and part.ndim for part in leaves) and len(set(map(len, leaves))) == 1:
        return Columns(_mapped(torch.as_tensor, held), make)
    found = tree_flatten_with_path(held)[0]
    for path, part in found:
        if not isinstance(part, Tensor | np.ndarray) or (
            isinstance(part, np.ndarray) and part.dtype.kind not in "biuf"
        ):
            raise ValueError(
                f"Expected {what} of tensors, got {type(part).__name__} at {keystr(path) or 'its top'}. Leave texts "
                "and lists out, or encode and pad them (return_tensors='pt', a collate_fn)."
            )
        if not part.ndim:
            raise ValueError(f"Expected {what} with a row per example, got a single number at {keystr(path)}.")
    if not found:
        raise ValueError(f"Expected {what} of tensors, got {type(content).__name__} without any.")
    if len({len(part) for _, part in found}) > 1:
        sizes = ", ".join(f"{len(part)} in {keystr(path)}" for path, part in found)
        raise ValueError(
            f"Expected {what} with a row per example in every tensor, got {sizes}. They belong to the same examples, "
            "or must not be in it."
        )
    return Columns(_mapped(torch.as_tensor, held), make)


def _leaves(held: Any) -> list[Any]:
    """Return torch's ``tree_leaves``, for the usual containers in a tenth of the time: each step takes its batch."""
    if isinstance(held, Tensor):
        return [held]
    if type(held) in (tuple, list, dict):
        return [leaf for part in (held.values() if type(held) is dict else held) for leaf in _leaves(part)]
    return tree_leaves(held)


def _mapped(function: Callable[[Any], Any], held: Any) -> Any:
    """Return torch's ``tree_map``, as :func:`_leaves` does."""
    if isinstance(held, Tensor):
        return function(held)
    if type(held) is dict:
        return {name: _mapped(function, part) for name, part in held.items()}
    if type(held) in (tuple, list):
        return type(held)(_mapped(function, part) for part in held)
    return tree_map(function, held)


def stacked(rows: Sequence[Any]) -> Any:
    """Return rows of numbers as one batch: the tensors of equal places stacked, dicts and tuples as in a row.

    Examples
    --------
    >>> stacked([(torch.ones(2), 0), (torch.zeros(2), 1)])
    (tensor([[1., 1.],
            [0., 0.]]), tensor([0, 1]))
    """
    first = rows[0]
    if isinstance(first, Mapping):
        return {name: stacked([row[name] for row in rows]) for name in first}
    if isinstance(first, tuple):
        return tuple(stacked(part) for part in zip(*rows, strict=True))
    try:
        parts = [torch.as_tensor(row) for row in rows]
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(
            f"Expected rows of numbers, got {type(first).__name__}. Leave texts out (select_columns of datasets), or "
            "give a collate_fn that encodes them."
        ) from None
    if len({part.shape for part in parts}) > 1:
        shapes = ", ".join(str(list(part.shape)) for part in parts[:3])
        raise ValueError(
            f"Expected rows of one shape, got {shapes}. Texts of different length have to be padded: give a "
            "collate_fn, such as transformers' DataCollatorWithPadding."
        )
    return torch.stack(parts)


def _dataset_of(data: Columns | Rows) -> Any:
    if isinstance(data, Rows):
        return data.dataset
    raise ValueError("Expected a dataset's rows with collate_fn, got a batch of tensors. It is collated already.")


def _is_dataset(data: Any) -> bool:
    """Say whether `data` is a dataset by its class, or a list of rows."""
    if isinstance(data, list) and data:
        return isinstance(data[0], Mapping | tuple)
    known = hasattr(data, "column_names") and hasattr(data, "with_format")  # of datasets, without importing it
    return known or isinstance(data, torch.utils.data.TensorDataset | torch.utils.data.Subset)


def _gives_parts(data: Any) -> bool:
    """Say whether a tensor of indices gives as many examples, which can be counted again."""
    try:
        few = torch.arange(min(len(data), FEW))
        picked = data[few] if not hasattr(data, "iloc") else None  # pandas would look labels up
        return picked is not None and not isinstance(picked, Mapping | tuple) and len(picked) == len(few)
    except (TypeError, KeyError, IndexError, ValueError, RuntimeError):
        return False


def _gives_rows_at_once(dataset: Any) -> bool:
    """Say whether a tensor of indices gives the same rows as one index after the other, stacked: many times as fast."""
    try:
        few = torch.arange(min(len(dataset), FEW))
        together = columns(dataset[few], "a dataset's rows").tensors
        single = columns(stacked([dataset[place] for place in few.tolist()]), "a dataset's rows").tensors
        pairs = zip(tree_leaves(together), tree_leaves(single), strict=True)
        return len(few) > 1 and all(one.shape == other.shape and torch.equal(one, other) for one, other in pairs)
    except Exception:  # of any kind: the dataset's own code decides
        return False


def _has_rows(data: Any) -> bool:
    if isinstance(data, str | bytes | Mapping) or hasattr(data, "iloc") or not hasattr(data, "__getitem__"):
        return False
    try:
        return len(data) == 0 or data[0] is not None
    except (TypeError, KeyError, IndexError, ValueError, RuntimeError):
        return False
