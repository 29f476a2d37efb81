"""Large embeddings, of which each client gets only the rows that it reads.

A client of forty utterances uses a hundred of an assistant's thousands of words. The other rows of the embedding get no
gradient, so no local optimizer here moves them: SGD, momentum and Adam step by nothing, and FedProx pulls a row that
has not moved by nothing. Training on the rows that are read is therefore exact. It is also most of the time saved: a
round would else copy, differentiate and average the whole table once per client.

Which rows are read is known beforehand where an embedding is fed a tensor of the batch as it is, such as word ids.
:func:`find_tables` looks for those in one forward; a model that computes its ids is trained on whole tables.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trustlab.batch_tensors import as_tensors
from trustlab.federated.simulation.definitions import Task

MISSING = -(1 << 40)  # the place of a row that is not there: so far below zero that looking it up is an error


@dataclass(frozen=True)
class Table:
    """An embedding and what it is fed.

    Attributes
    ----------
    layer
        The embedding.
    field
        Which tensor of a batch its ids are.
    """

    layer: nn.Embedding
    field: int

    @property
    def pads(self) -> bool:
        """Whether row 0 is padding, which is never trained."""
        return self.layer.padding_idx is not None


@dataclass(frozen=True)
class Rows:
    """The rows of one table that each of K clients reads.

    Attributes
    ----------
    numbers : Tensor [K, U]
        Row numbers, ascending; where a client reads fewer than U, padded with row 0.
    places : Tensor [K, V]
        Where a row went, ``MISSING`` for those left out.
    """

    numbers: Tensor
    places: Tensor


def find_tables(model: nn.Module, task: Task, few: Any) -> dict[str, Table]:
    """Return the embeddings of `model` whose rows can be left out, by their parameter's name.

    `few` is a batch to look with. A weight that other layers use too, or an embedding with options that make rows
    depend on one another, stays whole.
    """
    fields, _ = as_tensors(few)
    owners: dict[int, int] = {}
    for _, parameter in model.named_parameters(remove_duplicate=False):
        owners[id(parameter)] = owners.get(id(parameter), 0) + 1
    layers = {f"{name}.weight" if name else "weight": layer for name, layer in model.named_modules()}
    able = {
        name: layer
        for name, layer in layers.items()
        if type(layer) is nn.Embedding
        and layer.weight.requires_grad
        and owners[id(layer.weight)] == 1
        and layer.padding_idx in (None, 0)  # row 0 stays the first of those that are kept
        and layer.max_norm is None
        and not (layer.scale_grad_by_freq or layer.sparse)
    }
    seen: dict[str, set[int | None]] = {name: set() for name in able}
    with contextlib.ExitStack() as stack, torch.no_grad():
        for name, layer in able.items():

            def look(_: nn.Module, args: tuple[Any, ...], name: str = name) -> None:
                seen[name].add(next((i for i, tensor in enumerate(fields) if args and args[0] is tensor), None))

            stack.callback(layer.register_forward_pre_hook(look).remove)
        task.per_example_loss(model, few)
    return {
        name: Table(able[name], field)
        for name, found in seen.items()
        if len(found) == 1 and (field := next(iter(found))) is not None
    }


def rows_read(ids: Tensor, clients: Tensor, count: int, table: Table) -> Rows | None:
    """Return the rows that each of `count` clients reads, None where that is most of the table.

    Parameters
    ----------
    ids : Tensor [N, ...]
        The table's input, for all examples of all clients.
    clients : Tensor [N]
        The client of each example, in [0, count).

    Examples
    --------
    >>> table = Table(nn.Embedding(100, 2), 0)
    >>> rows = rows_read(torch.tensor([[7, 9], [3, 7], [9, 9]]), torch.tensor([0, 1, 0]), 2, table)
    >>> rows.numbers
    tensor([[0, 7, 9],
            [0, 3, 7]])
    >>> rows.places[1, 7].item()
    2
    """
    size = table.layer.num_embeddings
    read = torch.zeros(count, size, dtype=torch.bool, device=ids.device)
    read.view(-1)[(clients.view(-1, *[1] * (ids.ndim - 1)) * size + ids).view(-1)] = True
    read[:, 0] = True
    places = read.cumsum(1) - 1  # [K, V]
    most = int(places[:, -1].max()) + 1
    if most > size // 2:
        return None
    client, row = read.nonzero(as_tuple=True)
    numbers = torch.zeros(count, most, dtype=torch.long, device=ids.device)
    numbers[client, places[client, row]] = row
    return Rows(numbers, places.masked_fill_(~read, MISSING))


@contextlib.contextmanager
def still_padding(model: nn.Module, besides: Collection[nn.Module]) -> Iterator[None]:
    """Let no gradient reach the padding rows of embeddings, whose weights are stacked under vmap, `besides` some.

    vmap lays the K tables on top of one another and knows only the padding row of the first: torch 2.13 would move
    those of all other clients.
    """

    def still(layer: nn.Embedding, args: tuple[Any, ...], output: Tensor) -> Tensor:
        return torch.where((args[0] == layer.padding_idx)[..., None], output.detach(), output)

    with contextlib.ExitStack() as stack:
        for layer in model.modules():
            if isinstance(layer, nn.Embedding) and layer.padding_idx is not None and layer not in besides:
                stack.callback(layer.register_forward_hook(still).remove)
        yield


@contextlib.contextmanager
def looked_up_by(places: dict[nn.Embedding, Tensor]) -> Iterator[None]:
    """Feed each embedding the places [V] of its rows instead of their numbers."""
    with contextlib.ExitStack() as stack:
        for layer, where in places.items():
            hook = layer.register_forward_pre_hook(lambda _, args, where=where: (where[args[0]], *args[1:]))
            stack.callback(hook.remove)
        yield
