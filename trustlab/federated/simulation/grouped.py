"""Clients side by side in one ordinary forward: their examples in one batch, each layer with each client's own weights.

The minibatches of K clients, B places each, go through the model as one batch [K·B, ...]. Nothing in a network but the
layers that hold weights can tell clients apart, so only those are replaced: a linear layer multiplies client by client
(``torch.bmm``), an embedding looks into K tables laid end to end, a layer norm scales by K rows. What is left, such as
activations, attention or the loss, runs as it is, in torch's fused kernels and without the price that
``torch.func.vmap`` has in every call.

Every trained parameter must lie in such a layer, with the batch first in what the layer is fed, or the same for all
examples, as positions are. A model that does more with a weight is found out by the trial and goes through vmap.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trustlab.federated.aggregation import summed_in
from trustlab.federated.simulation.definitions import Task

LOOKS = (2, 3)  # batch sizes of the first look: what follows them in its first dimension is fed batches

Losses = Callable[[dict[str, Tensor], Tensor, Tensor], Tensor]
Layers = dict[nn.Module, bool]  # what is replaced; False for an embedding that is fed the same for all examples


@dataclass
class Groups:
    """What the replaced layers compute with.

    Attributes
    ----------
    owners
        Whose each place of a batch of all clients is, [K · B].
    places
        For tables of which clients hold few rows: where in all clients' rows, laid end to end, a row lies, [K, V].
    alone
        Embeddings whose padding row gets no gradient anyway.
    weights
        By the identity of the model's parameter, the own one of each of the first k clients, [k, ...].
    """

    owners: Tensor
    places: dict[nn.Module, Tensor]
    alone: Collection[nn.Module]
    weights: dict[int, Tensor] = field(default_factory=dict)

    def of(self, parameter: nn.Parameter) -> Tensor:
        """Return every client's own `parameter`, [k, ...]; a frozen one is the same for all."""
        own = self.weights.get(id(parameter))
        if own is not None:
            return own
        return parameter.expand(len(next(iter(self.weights.values()))), *parameter.shape)


def find_layers(model: nn.Module, task: Task, examples: np.ndarray) -> Layers | None:
    """Return the layers to replace, None where some trained weight lies elsewhere."""
    layers = [layer for layer in model.modules() if _trained(layer)]
    if not all(_known(layer) for layer in layers):
        return None
    fed: dict[nn.Module, set[bool]] = {layer: set() for layer in layers}
    with contextlib.ExitStack() as stack, torch.no_grad():
        for size in LOOKS:
            for layer in layers:

                def look(layer: nn.Module, args: tuple[Tensor, ...], size: int = size) -> None:
                    fed[layer].add(bool(args[0].ndim) and len(args[0]) == size)

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
    if type(layer) is nn.Embedding:
        return layer.max_norm is None and not (layer.scale_grad_by_freq or layer.sparse)
    return type(layer) in FORWARDS


@contextlib.contextmanager
def grouped(
    model: nn.Module,
    task: Task,
    layers: Layers,
    shape: torch.Size,
    *,
    places: dict[nn.Module, Tensor],
    alone: Collection[nn.Module],
) -> Iterator[Losses]:
    """Replace `layers` for a while, and give the function from weights and minibatches to mean losses.

    It takes the weights of the first k clients, by name and each [k, ...], the indices of their examples and the
    examples' shares of the mean, each [k, B], and returns their losses [k].

    Parameters
    ----------
    model, task, layers
        Layers as :func:`find_layers` found them.
    shape
        [K, B].
    places
        For each table of which clients hold few rows, where their own rows lie, [K, V].
    alone
        Embeddings that are only ever looked up, and whose padding row's gradient the caller throws away.
    """
    identities = {name: id(parameter) for name, parameter in model.named_parameters()}
    device = next(model.parameters()).device
    owners = torch.arange(shape[0], device=device).repeat_interleave(shape[1])
    groups = Groups(owners, {layer: _end_to_end(own) for layer, own in places.items()}, alone)

    def losses_of(weights: dict[str, Tensor], indices: Tensor, shares: Tensor) -> Tensor:
        groups.weights = {identities[name]: weight for name, weight in weights.items()}
        losses = task.per_example_loss(model, task.train[indices.view(-1)])
        wide = summed_in(losses.dtype)
        return (losses.view(indices.shape).to(wide) * shares.to(losses.device, wide)).sum(1)

    try:
        for layer, batched in layers.items():
            forward = FORWARDS[type(layer)] if batched else _same_for_all
            layer.forward = _bound(forward, layer, groups)  # an attribute of the instance goes before the method
        yield losses_of
    finally:
        for layer in layers:
            layer.__dict__.pop("forward", None)


def _end_to_end(places: Tensor) -> Tensor:
    """Return the places [K, V] of rows when the clients' tables are laid one after another."""
    longest = int(places.max()) + 1
    return places + longest * torch.arange(len(places), device=places.device)[:, None]


def _bound(forward: Callable[..., Tensor], layer: nn.Module, groups: Groups) -> Callable[[Tensor], Tensor]:
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
    return _kept_padding(layer, ids, F.embedding(at, tables.flatten(0, 1)), groups)


def _same_for_all(layer: nn.Embedding, groups: Groups, ids: Tensor) -> Tensor:
    """Return [K · B, *ids.shape, D]: the same for every example of a client."""
    own = groups.of(layer.weight)[:, ids]  # [k, *ids.shape, D]
    found = own.repeat_interleave(len(groups.owners) // int(groups.owners[-1] + 1), 0)
    return _kept_padding(layer, ids, found, groups)


def _kept_padding(layer: nn.Embedding, ids: Tensor, output: Tensor, groups: Groups) -> Tensor:
    """Let no gradient reach the padding row from here; in a table that is read only, it is left out of the gradient."""
    if layer.padding_idx is None or layer in groups.alone:
        return output
    return torch.where((ids == layer.padding_idx)[..., None], output.detach(), output)


FORWARDS = {nn.Linear: _linear, nn.LayerNorm: _layer_norm, nn.Embedding: _embedding}
