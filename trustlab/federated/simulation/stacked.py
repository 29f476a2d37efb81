"""Local training of many clients at once: their weights stacked, [K, ...], and one forward and backward for all.

On a small model a step costs calls, not arithmetic, and K steps at once cost hardly more calls than one. The clients'
own minibatches are run together through the model, either with its layers replaced by ones that distinguish clients
(:mod:`trustlab.federated.simulation.grouped`, faster) or by ``torch.func.vmap`` (for weights elsewhere). As no
client's loss depends on another's weights, the gradient of the *sum* of their losses holds the gradient of each.

Every client takes exactly the steps it would take alone. Clients are sorted by their number of steps, those with most
first, so that the ones still training are the first k of the stack, a view of it: none is masked while it waits.
Clients of unlike minibatch sizes go into different stacks, so that padding at most doubles the work; a padded place
repeats an example of the client's own and has weight zero.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from trustlab.batch_tensors import Rebuild, as_tensors
from trustlab.federated.aggregation import summed_in
from trustlab.federated.simulation.definitions import FederatedConfig, Task, rectangle
from trustlab.federated.simulation.embedding_tables import Rows, Table, looked_up_by, rows_read, still_padding
from trustlab.federated.simulation.grouped import Layers, Losses, grouped
from trustlab.federated.simulation.local_training import Update, Work
from trustlab.federated.simulation.model_state import unwritten

BETA_1, BETA_2, SMALL = 0.9, 0.999, 1e-8  # torch.optim.Adam's defaults
# Weights of one stack: enough clients to share the calls, few enough to stay in a processor's cache.
STACK_BYTES = 1 << 24
# Weights that can be read, differentiated and moved in the time that the calls of a step take.
CALLS = 1 << 18


@dataclass(frozen=True)
class Plan:
    """How a model is stacked.

    Attributes
    ----------
    layers
        What is replaced by layers that know clients; None for vmap.
    tables
        Embeddings of which clients get only the rows that they read.
    """

    layers: Layers | None = None
    tables: dict[str, Table] = field(default_factory=dict)


def train_stacked(
    model: nn.Module, task: Task, works: Sequence[Work], config: FederatedConfig, plan: Plan
) -> Iterator[Update]:
    """Yield the updates of all clients that take a step, a stack at a time, from the weights of `model`.

    The same as :func:`trustlab.federated.simulation.local_training.train_sequentially`, to rounding.
    """
    with unwritten(model):
        for members in stacks(works, model, task, plan.tables):
            yield _train_together(model, task, [works[i] for i in members], members, config, plan)


def stacks(works: Sequence[Work], model: nn.Module, task: Task, tables: dict[str, Table]) -> Iterator[list[int]]:
    """Yield the places of works to train together: minibatches of like size, most steps first.

    Where clients get the rows that they read, all in a stack get as many as the one that reads most. Clients that hold
    like numbers of examples share a stack; so do others, if the calls that this saves are worth the rows that it adds.
    """
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    dense = [parameter for name, parameter in trained.items() if name not in tables]
    most = max(1, STACK_BYTES // max(sum(p.numel() * p.element_size() for p in dense), 1))
    order = sorted((i for i, work in enumerate(works) if work.steps), key=lambda i: -works[i].steps)
    classes: dict[int, dict[int, list[int]]] = {}
    for i in order:
        width, held = (works[i].width - 1).bit_length(), works[i].examples.bit_length() // 2 if tables else 0
        classes.setdefault(width, {}).setdefault(held, []).append(i)
    fields = as_tensors(task.train[torch.tensor([0])])[0] if tables else []
    asked = [(table.layer, fields[table.field].numel()) for table in tables.values()]  # and ids of an example

    def work(members: list[int]) -> int:
        """Return the numbers that could be moved in the time of all steps of a stack."""
        held = max(works[i].examples for i in members)
        rows = sum(layer.embedding_dim * min(layer.num_embeddings, ids * held) for layer, ids in asked)
        own = rows + sum(p.numel() for p in dense)
        return CALLS * works[members[0]].steps + own * sum(works[i].steps for i in members)

    for alike in classes.values():
        joined: list[list[int]] = []
        for members in alike.values():
            both = sorted([*joined[-1], *members], key=lambda i: -works[i].steps) if joined else members
            if joined and work(both) <= work(joined[-1]) + work(members):
                joined[-1] = both
            else:
                joined.append(members)
        for members in joined:
            yield from (members[start : start + most] for start in range(0, len(members), most))


def _train_together(
    model: nn.Module, task: Task, works: list[Work], members: list[int], config: FederatedConfig, plan: Plan
) -> Update:
    """Train one stack of clients, sorted by their steps, and return what they send."""
    start = {name: parameter.detach() for name, parameter in model.named_parameters() if parameter.requires_grad}
    rows = _rows(task, works, plan.tables)
    first = {
        name: value[rows[name].numbers] if name in rows else value.expand(len(works), *value.shape)
        for name, value in start.items()
    }
    weights = {name: value.clone(memory_format=torch.contiguous_format) for name, value in first.items()}
    padded = [name for name, table in plan.tables.items() if table.pads]
    by_row = _moved_by_row(plan, config, weights)
    whole = {name: weight for name, weight in weights.items() if name not in by_row.values()}
    optimizer = StackedOptimizer(list(whole.values()), config)
    when = _schedule(works)
    total = torch.zeros(len(works))  # examples times their losses
    with _side_by_side(model, task, plan, rows, when.indices[0].shape, by_row) as losses_of:
        for indices, shares, sizes in zip(when.indices, when.shares, when.sizes, strict=True):
            k = len(indices)  # clients that still train
            now = {name: weight[:k].detach().requires_grad_() for name, weight in weights.items()}
            losses, lookups = losses_of(now, indices, shares)  # [k]
            wanted = [*(now[name] for name in whole), *(lookup.edge for lookup in lookups)]
            found = torch.autograd.grad(losses.sum(), wanted, allow_unused=True, materialize_grads=True)
            if whole:
                optimizer.step(list(found[: len(whole)]))
            for lookup, gradient in zip(lookups, found[len(whole) :], strict=True):
                _move_rows(weights[lookup.name][:k], lookup.rows, gradient, config.learning_rate)
            for name in padded:
                weights[name][:k, 0] = first[name][:k, 0]
            total[:k] += losses.detach().cpu() * sizes
    seen = torch.tensor([sum(map(len, work.batches)) for work in works])
    ends, starts = ([value.to(summed_in(value.dtype)) for value in each.values()] for each in (weights, first))
    deltas = dict(zip(weights, torch._foreach_sub(ends, starts), strict=True))
    return Update(members, deltas, total / seen, {name: own.numbers for name, own in rows.items()})


def _moved_by_row(plan: Plan, config: FederatedConfig, weights: dict[str, Tensor]) -> dict[nn.Module, str]:
    """Return the embeddings of which a step moves only the rows that it read, and the names of their weights.

    What plain SGD does not read it does not move. Whole gradients, filled with zeros, scattered into and subtracted,
    were a third of a step in ``benchmarks simulating``. Half precision would lose small moves added one by one.
    """
    if config.optimizer != "sgd" or config.momentum or config.proximal or plan.layers is None:
        return {}
    exact = {name: table.layer for name, table in plan.tables.items() if weights[name].itemsize >= 4}
    return {layer: name for name, layer in exact.items() if plan.layers[layer]}


def _move_rows(tables: Tensor, rows: Tensor, gradient: Tensor, rate: float) -> None:
    """Take a step of SGD on some `rows` of tables [k, U, D] laid one after another."""
    width = tables.shape[-1]
    where = rows.reshape(-1, 1).expand(-1, width)
    tables.view(-1, width).scatter_add_(0, where, gradient.reshape(-1, width) * -rate)


class _Schedule(NamedTuple):
    """Step by step, of the k clients that still train: their minibatches, see `rectangle`, and the sizes of these."""

    indices: Sequence[Tensor]  # each [k, B]
    shares: Sequence[Tensor]  # each [k, B]
    sizes: Sequence[Tensor]  # each [k]


def _schedule(works: list[Work]) -> _Schedule:
    """Lay out all steps of `works`, sorted by their number of steps, at once."""
    steps = np.array([work.steps for work in works])
    active = [int((steps > step).sum()) for step in range(steps[0])]
    batches = [work.batches[step] for step, k in enumerate(active) for work in works[:k]]
    indices, shares = rectangle(batches)
    sizes = torch.tensor([len(batch) for batch in batches])
    return _Schedule(indices.split(active), shares.split(active), sizes.split(active))


@contextlib.contextmanager
def _side_by_side(
    model: nn.Module,
    task: Task,
    plan: Plan,
    rows: dict[str, Rows],
    shape: torch.Size,
    by_row: Mapping[nn.Module, str],
) -> Iterator[Losses]:
    """Give the function from weights and minibatches of the first k clients to mean losses [k]; `shape` is [K, B]."""
    places = {plan.tables[name].layer: own.places for name, own in rows.items()}
    alone = {table.layer for table in plan.tables.values()}  # of these, the padding row's gradient is discarded
    if plan.layers is not None:
        with grouped(model, task, plan.layers, shape, places=places, alone=alone, by_row=by_row) as losses_of:
            yield losses_of
        return
    # Plain attention: torch's fused one cannot be vectorised.
    with sdpa_kernel(SDPBackend.MATH), still_padding(model, alone):
        yield lambda now, indices, shares: (
            vectorised_losses(
                model, task, now, indices, shares, {layer: own[: len(indices)] for layer, own in places.items()}
            ),
            [],
        )


def vectorised_losses(
    model: nn.Module,
    task: Task,
    weights: dict[str, Tensor],
    indices: Tensor,
    shares: Tensor,
    places: dict[nn.Embedding, Tensor],
) -> Tensor:
    """Return each client's mean loss [K] on its own minibatch [K, B], with its own weights [K, ...], by vmap."""
    tensors, rebuild = as_tensors(task.train[indices.view(-1)])
    tensors = [tensor.view(*indices.shape, *tensor.shape[1:]) for tensor in tensors]
    one = _one_client(model, task, rebuild, list(places))
    shares = shares.to(tensors[0].device)
    # Dropout draws a separate mask for every client.
    return vmap(one, randomness="different")(weights, tensors, shares, list(places.values()))


def _one_client(model: nn.Module, task: Task, rebuild: Rebuild, layers: list[nn.Embedding]) -> Callable[..., Tensor]:
    """Return the mean loss of one client as a function of its weights and its minibatch."""
    whole = _Loss(model, task)

    def loss(weights: dict[str, Tensor], tensors: list[Tensor], shares: Tensor, places: list[Tensor]) -> Tensor:
        named = {f"model.{name}": weight for name, weight in weights.items()}
        with looked_up_by(dict(zip(layers, places, strict=True))):
            losses = functional_call(whole, named, (rebuild(tensors),))  # [B]
        wide = summed_in(losses.dtype)
        return (losses.to(wide) * shares.to(wide)).sum()

    return loss


class _Loss(nn.Module):
    """The loss as a module around the model, because ``functional_call`` swaps the weights of a module it calls."""

    def __init__(self, model: nn.Module, task: Task) -> None:
        super().__init__()
        self.model, self.task = model, task

    def forward(self, batch: Any) -> Tensor:
        return self.task.per_example_loss(self.model, batch)


def _rows(task: Task, works: list[Work], tables: dict[str, Table]) -> dict[str, Rows]:
    """Return, for each table worth it, the rows that each client reads on all its minibatches."""
    if not tables:
        return {}
    # An epoch holds every example once; a slow client may not get through one.
    taken = [np.concatenate(work.batches) for work in works]
    own = [part if len(part) <= work.examples else np.unique(part) for part, work in zip(taken, works, strict=True)]
    fields, _ = as_tensors(task.train[torch.from_numpy(np.concatenate(own))])
    clients = torch.arange(len(works)).repeat_interleave(torch.tensor([len(part) for part in own]))
    found = {
        name: rows_read(fields[table.field], clients.to(fields[table.field].device), len(works), table)
        for name, table in tables.items()
    }
    return {name: rows for name, rows in found.items() if rows is not None}


class StackedOptimizer:
    """SGD with momentum, or Adam, with the options of a :class:`FederatedConfig`; state starts at zero.

    Parameters
    ----------
    weights
        What is stepped in place, each [K, ...].
    config
        Gives the optimizer, and μ of FedProx.

    Examples
    --------
    >>> weights = [torch.zeros(3, 2)]
    >>> optimizer = StackedOptimizer(weights, FederatedConfig(learning_rate=0.5))
    >>> optimizer.step([torch.ones(2, 2)])  # the third client has finished
    >>> weights[0][:, 0]
    tensor([-0.5000, -0.5000,  0.0000])
    """

    def __init__(self, weights: list[Tensor], config: FederatedConfig) -> None:
        self.weights, self.config, self.taken = weights, config, 0
        self.start = [weight.clone() for weight in weights] if config.proximal else []
        kept = 2 if config.optimizer == "adam" else int(config.momentum > 0)
        self.state = [[torch.zeros_like(weight) for weight in weights] for _ in range(kept)]

    @torch.no_grad()
    def step(self, gradients: list[Tensor]) -> None:
        """Step the first k clients, which `gradients` [k, ...] belong to."""
        active = len(gradients[0])
        weights = [weight[:active] for weight in self.weights]
        state = [[tensor[:active] for tensor in kind] for kind in self.state]
        self.taken += 1
        if self.config.proximal:
            drift = torch._foreach_sub(weights, [weight[:active] for weight in self.start])
            gradients = torch._foreach_add(gradients, drift, alpha=self.config.proximal)
        if self.config.optimizer == "adam":
            self._adam(weights, gradients, *state)
        else:
            if state:
                torch._foreach_mul_(state[0], self.config.momentum)
                torch._foreach_add_(state[0], gradients)
                gradients = state[0]
            torch._foreach_add_(weights, gradients, alpha=-self.config.learning_rate)

    def _adam(self, weights: list[Tensor], gradients: list[Tensor], first: list[Tensor], second: list[Tensor]) -> None:
        """Kingma & Ba 2015, Algorithm 1, in the order of operations of ``torch.optim.Adam``."""
        torch._foreach_lerp_(first, gradients, 1 - BETA_1)
        torch._foreach_mul_(second, BETA_2)
        torch._foreach_addcmul_(second, gradients, gradients, 1 - BETA_2)
        roots = torch._foreach_sqrt(second)
        torch._foreach_div_(roots, (1 - BETA_2**self.taken) ** 0.5)
        torch._foreach_add_(roots, SMALL)
        rate = self.config.learning_rate / (1 - BETA_1**self.taken)
        torch._foreach_addcdiv_(weights, first, roots, -rate)
