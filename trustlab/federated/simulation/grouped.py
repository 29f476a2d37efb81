"""Clients side by side in one ordinary forward: their examples in one batch, each layer with each client's own weights.

The minibatches of K clients, B places each, go through the model as one batch [K·B, ...]. Only the layers that hold
weights have to distinguish clients, so only those are replaced: a linear layer multiplies client by client
(``torch.bmm``), an embedding looks into K concatenated tables, a layer norm scales by K rows, an LSTM is written out
(:mod:`trustlab.federated.simulation.recurrent_layers`), and any other layer, such as RMSNorm, runs through
``torch.func.vmap`` by itself. What is left, such as activations, attention or the loss, runs as it is, in torch's fused
kernels, and may do what vmap does not know: a branch that depends on the mask, a packed sequence.

Every trained parameter must be in a layer that is called, whose input has the batch first or is the same for all
examples, as positions are. The trial detects a model that does more with a weight, and vmap runs all of it instead.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.func import functional_call, vmap
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence

from trustlab.federated.aggregation import summed_in
from trustlab.federated.simulation.definitions import Task
from trustlab.federated.simulation.recurrent_layers import known_recurrence, run_recurrent, sequences

LOOKS = (2, 3)  # batch sizes of the first look: what follows them in its first dimension is fed batches

Layers = dict[nn.Module, bool]  # what is replaced; False for an embedding that is fed the same for all examples


class Lookup(NamedTuple):
    """One call of an embedding: what it read from the tables of all clients, laid one after another.

    Attributes
    ----------
    name
        Of the embedding's weight.
    rows : Tensor, int64
        Their numbers.
    edge
        Where the gradient of what was read arrives, in the same order.
    """

    name: str
    rows: Tensor
    edge: GradientEdge


Losses = Callable[[dict[str, Tensor], Tensor, Tensor], tuple[Tensor, list[Lookup]]]


@dataclass
class Groups:
    """What the replaced layers compute with.

    Attributes
    ----------
    owners
        The client of each place of a batch of all clients, [K · B].
    places
        For tables of which clients hold few rows: each row's position in all clients' concatenated rows, [K, V].
    alone
        Embeddings whose padding row gets no gradient anyway.
    by_row
        Embeddings whose look-ups are noted, and the names of their weights.
    weights
        By the identity of the model's parameter, the own one of each of the first k clients, [k, ...].
    lookups
        Those of this forward.
    """

    owners: Tensor
    places: dict[nn.Module, Tensor]
    alone: Collection[nn.Module]
    by_row: Mapping[nn.Module, str]
    weights: dict[int, Tensor] = field(default_factory=dict)
    lookups: list[Lookup] = field(default_factory=list)

    def of(self, parameter: nn.Parameter) -> Tensor:
        """Return every client's own `parameter`, [k, ...]; a frozen one is the same for all."""
        own = self.weights.get(id(parameter))
        if own is not None:
            return own
        return parameter.expand(len(next(iter(self.weights.values()))), *parameter.shape)


def find_layers(model: nn.Module, task: Task, examples: np.ndarray) -> Layers | None:
    """Return the layers to replace, None where some trained weight is elsewhere."""
    layers = [layer for layer in model.modules() if _trained(layer)]
    if not all(_known(layer) for layer in layers):
        return None
    fed: dict[nn.Module, set[bool]] = {layer: set() for layer in layers}
    with contextlib.ExitStack() as stack, torch.no_grad():
        for size in LOOKS:
            for layer in layers:

                def look(layer: nn.Module, args: tuple[Any, ...], size: int = size) -> None:
                    fed[layer].add(sequences(layer, args[0]) == size)

                stack.callback(layer.register_forward_pre_hook(look).remove)
            task.per_example_loss(model, task.train[torch.from_numpy(np.resize(examples, size))])
            stack.pop_all().close()
    shared = {layer for layer, found in fed.items() if found == {False}}
    if any(len(found) != 1 for found in fed.values()) or not all(isinstance(each, nn.Embedding) for each in shared):
        return None
    return {layer: layer not in shared for layer in layers}


def _trained(layer: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in layer.parameters(recurse=False))


def _known(layer: nn.Module) -> bool:
    if "forward" in vars(layer):  # it has been replaced already: it is no longer what its class does
        return False
    if isinstance(layer, nn.Embedding | nn.EmbeddingBag):
        plain = type(layer) is nn.Embedding and layer.max_norm is None
        return plain and not (layer.scale_grad_by_freq or layer.sparse)
    if isinstance(layer, nn.RNNBase):
        return known_recurrence(layer)
    return not any(_trained(inner) for inner in layer.children())


@contextlib.contextmanager
def grouped(
    model: nn.Module,
    task: Task,
    layers: Layers,
    shape: torch.Size,
    *,
    places: dict[nn.Module, Tensor],
    alone: Collection[nn.Module],
    by_row: Mapping[nn.Module, str],
) -> Iterator[Losses]:
    """Replace `layers` for a while, and give the function from weights and minibatches to mean losses.

    It takes the weights of the first k clients, by name and each [k, ...], the indices of their examples and the
    examples' shares of the mean, each [k, B], and returns their losses [k], and what was looked up on the way.

    Parameters
    ----------
    model, task, layers
        Layers as :func:`find_layers` found them.
    shape
        [K, B].
    places
        For each table of which clients hold few rows, the positions of their own rows, [K, V].
    alone
        Embeddings that are only ever looked up, and whose padding row's gradient the caller discards.
    by_row
        Those of which the caller wants to know the look-ups, and the names of their weights.
    """
    identities = {name: id(parameter) for name, parameter in model.named_parameters()}
    device = next(model.parameters()).device
    owners = torch.arange(shape[0], device=device).repeat_interleave(shape[1])
    groups = Groups(owners, {layer: _end_to_end(own) for layer, own in places.items()}, alone, by_row)

    def losses_of(weights: dict[str, Tensor], indices: Tensor, shares: Tensor) -> tuple[Tensor, list[Lookup]]:
        groups.weights = {identities[name]: weight for name, weight in weights.items()}
        groups.lookups = []
        losses = task.per_example_loss(model, task.train[indices.view(-1)])
        wide = summed_in(losses.dtype)
        means = (losses.view(indices.shape).to(wide) * shares.to(losses.device, wide)).sum(1)
        return means, groups.lookups

    try:
        for layer, batched in layers.items():
            forward = FORWARDS.get(type(layer), _by_vmap) if batched else _same_for_all
            layer.forward = _bound(forward, layer, groups)  # an instance's attribute hides the method
        yield losses_of
    finally:
        for layer in layers:
            layer.__dict__.pop("forward", None)


def _end_to_end(places: Tensor) -> Tensor:
    """Return the places [K, V] of rows when the clients' tables are laid one after another."""
    longest = int(places.max()) + 1
    return places + longest * torch.arange(len(places), device=places.device)[:, None]


def _bound(forward: Callable[..., Any], layer: nn.Module, groups: Groups) -> Callable[[Any], Any]:
    return lambda x: forward(layer, groups, x)


def _linear(layer: nn.Linear, groups: Groups, x: Tensor) -> Tensor:
    weight = groups.of(layer.weight).transpose(1, 2)  # [K, in, out]
    rows = x.reshape(len(weight), -1, x.shape[-1])  # [K, B · ..., in]
    bias = None if layer.bias is None else groups.of(layer.bias)[:, None]
    y = torch.bmm(rows, weight) if bias is None else torch.baddbmm(bias, rows, weight)
    return y.view(*x.shape[:-1], -1)


def _layer_norm(layer: nn.LayerNorm, groups: Groups, x: Tensor) -> Tensor:
    y = F.layer_norm(x, layer.normalized_shape, eps=layer.eps)
    weight = groups.of(layer.weight)
    y = y.view(len(weight), -1, *layer.normalized_shape) * weight[:, None]
    if layer.bias is not None:
        y = y + groups.of(layer.bias)[:, None]
    return y.view(x.shape)


def _embedding(layer: nn.Embedding, groups: Groups, ids: Tensor) -> Tensor:
    tables = groups.of(layer.weight)  # [K, U, D]
    places = groups.places.get(layer)
    rows = layer.num_embeddings if places is None else places.shape[1]
    at = ids + (groups.owners[: len(ids)] * rows).view(-1, *[1] * (ids.ndim - 1))
    if places is not None:
        at = places.view(-1)[at]
    found = F.embedding(at, tables.flatten(0, 1))
    if layer in groups.by_row and found.requires_grad:
        groups.lookups.append(Lookup(groups.by_row[layer], at, get_gradient_edge(found)))
    return _kept_padding(layer, ids, found, groups)


def _same_for_all(layer: nn.Embedding, groups: Groups, ids: Tensor) -> Tensor:
    """Return [K · B, *ids.shape, D]: the same for every example of a client."""
    ids = ids[0] if ids.ndim > 1 and len(ids) == 1 else ids  # [1, T]: a row that all examples share
    own = groups.of(layer.weight)[:, ids]  # [k, *ids.shape, D]
    found = own.repeat_interleave(len(groups.owners) // int(groups.owners[-1] + 1), 0)
    return _kept_padding(layer, ids, found, groups)


def _kept_padding(layer: nn.Embedding, ids: Tensor, output: Tensor, groups: Groups) -> Tensor:
    """Let no gradient reach the padding row from here; in a table that is read only, it is left out of the gradient."""
    if layer.padding_idx is None or layer in groups.alone:
        return output
    return torch.where((ids == layer.padding_idx)[..., None], output.detach(), output)


def _by_vmap(layer: nn.Module, groups: Groups, x: Tensor) -> Tensor:
    """Run any layer with each client's own weights, as it is written."""
    weights = {name: groups.of(parameter) for name, parameter in layer.named_parameters(recurse=False)}
    clients = len(next(iter(weights.values())))
    replaced = layer.__dict__.pop("forward")
    try:
        one = vmap(lambda own, rows: functional_call(layer, own, (rows,)), randomness="different")
        return one(weights, x.view(clients, -1, *x.shape[1:])).flatten(0, 1)
    finally:
        layer.forward = replaced


def _recurrent(layer: nn.RNNBase, groups: Groups, x: Tensor | PackedSequence) -> Any:
    return run_recurrent(layer, groups.of, x)


FORWARDS = {nn.Linear: _linear, nn.LayerNorm: _layer_norm, nn.Embedding: _embedding}
FORWARDS |= dict.fromkeys((nn.LSTM, nn.GRU, nn.RNN), _recurrent)
