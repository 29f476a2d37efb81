"""How good the server's model is: over all examples, and client by client, each client counting once.

A gain for heavy clients that costs the light ones is a gain over all examples. It is none over clients, and a loss over
the light ones.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from trustlab.federated.simulation.definitions import Task
from trustlab.federated.simulation.fleet import Fleet, counts
from trustlab.federated.simulation.loss_checks import seeded
from trustlab.federated.simulation.model_state import left_as_it_is
from trustlab.measures import as_measures

AT_ONCE, TRIED = 1024, 32  # examples in one forward; on which a measure is tried


@contextlib.contextmanager
def without_side_effects(model: nn.Module) -> Iterator[None]:
    """Turn off dropout and the like for a while, and undo what measuring does to the model.

    A count in a buffer, rows cut to a largest norm, or a measure that fine-tunes would else move the training, by how
    often it is measured.
    """
    with left_as_it_is(model):
        model.eval()
        yield


@torch.no_grad()
def measure(model: nn.Module, task: Task, fleet: Fleet) -> dict[str, float]:
    """Return what the task measures on all test examples, and where clients have their own, their means.

    ``device_…`` is the mean over clients that have test examples, each counting once, and ``light_…`` the mean over
    those of them that hold no more training examples than the median one, see :func:`means`.

    With ``task.per_example_scores`` the clients are measured in one pass over the test examples, and on what it scores;
    without, ``task.evaluate`` is called for each client, which in a large fleet takes longer than a round.
    """
    with without_side_effects(model):
        # Plain numbers: a checkpoint holds nothing else.
        row = as_measures(task.evaluate(model, task.test))
        if fleet.test_clients is None or not len(clients := np.flatnonzero(counts(fleet.test_clients))):
            return row
        by_client = _one_by_one if task.per_example_scores is None else _in_one_pass
        own = by_client(model, task, [fleet.test_clients[k] for k in clients.tolist()])
    for name, values in own.items():
        row[f"device_{name}"], row[f"light_{name}"] = means(values, clients, fleet.sizes)
    return row


def _one_by_one(model: nn.Module, task: Task, tests: list[Any]) -> dict[str, np.ndarray]:
    """Return each measure of each client, [d]."""
    rows = []
    for indices in tests:
        with without_side_effects(model):  # each client's by itself
            rows.append(as_measures(task.evaluate(model, task.test[torch.as_tensor(indices)])))
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _in_one_pass(model: nn.Module, task: Task, tests: list[Any]) -> dict[str, np.ndarray]:
    """Return each measure of each client, [d]; every example in some client's test is evaluated once."""
    indices = np.concatenate([np.asarray(own, dtype=np.int64) for own in tests])
    owners = np.repeat(np.arange(len(tests)), [len(own) for own in tests])
    used, places = np.unique(indices, return_inverse=True)
    parts = [task.per_example_scores(model, task.test[part]) for part in torch.from_numpy(used).split(AT_ONCE)]
    found = {}
    for name in parts[0]:
        # Several tables of one number per example, of which each client adds up its own.
        score, weight = (torch.cat([part[name][i] for part in parts]).double().cpu().numpy()[places] for i in (0, 1))
        found[name] = np.bincount(owners, score) / np.bincount(owners, weight)
    return found


@torch.no_grad()
def check_measure(model: nn.Module, task: Task) -> None:
    """Try ``task.evaluate`` on a few test examples, so that no round is computed that cannot be measured.

    Raises
    ------
    ValueError
        If it returns anything but a dict of numbers; and whatever it raises itself.
    """
    few = torch.linspace(0, len(task.test) - 1, min(len(task.test), TRIED)).long()
    with without_side_effects(model), seeded():
        as_measures(task.evaluate(model, task.test[few]))


@torch.no_grad()
def check_scores(model: nn.Module, task: Task) -> None:
    """Refuse scores of single examples that do not add up to what ``task.evaluate`` returns for a few of them.

    Raises
    ------
    ValueError
        Naming the measure; and for a measure that ``evaluate`` does not know.
    """
    few = torch.arange(min(len(task.test), 64))
    with without_side_effects(model):
        wanted = task.evaluate(model, task.test[few])
        found = _in_one_pass(model, task, [few])
    for name, value in found.items():
        if name not in wanted or not np.allclose(value, wanted[name], rtol=1e-3, atol=1e-6, equal_nan=True):
            raise ValueError(
                f"Expected per_example_scores of {name!r} to add up to what evaluate returns, {wanted.get(name)}, got "
                f"{value[0]:.6g} on the same {len(few)} examples. A measure that is no sum of scores over a sum of "
                "weights, such as F1, must be left to evaluate."
            )


@torch.no_grad()
def client_losses(model: nn.Module, task: Task, fleet: Fleet, clients: np.ndarray) -> np.ndarray:
    """Return the mean loss of `model` on the training examples of each of `clients`, float64 [d]; 0 without any."""
    own = [np.asarray(fleet.clients[client], dtype=np.int64) for client in clients.tolist()]
    held = np.array([len(part) for part in own])
    indices = torch.from_numpy(np.concatenate(own))
    with without_side_effects(model):
        losses = [task.per_example_loss(model, task.train[part]).double().cpu() for part in indices.split(AT_ONCE)]
    sums = np.bincount(np.repeat(np.arange(len(own)), held), torch.cat(losses).numpy(), minlength=len(own))
    return sums / np.maximum(held, 1)


def shares_right(
    right: np.ndarray, tests: Sequence[np.ndarray], asked: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the clients that have test examples, int [d], and the share that is right of each one's, float64 [d].

    Parameters
    ----------
    right : [N]
        Of each test example, whether or how much of it is right.
    tests
        Numbers of the test examples that each client has.
    asked : [N]
        Out of how much, such as the characters of a line; None is 1 each.

    Examples
    --------
    >>> shares_right(np.array([True, False, True]), [np.array([0, 1]), np.array([], int), np.array([2])])
    (array([0, 2]), array([0.5, 1. ]))
    """
    clients = np.flatnonzero([len(own) for own in tests])
    asked = np.ones(len(right)) if asked is None else asked
    return clients, np.array([right[tests[k]].sum() / asked[tests[k]].sum() for k in clients.tolist()])


def means(values: np.ndarray, clients: np.ndarray, sizes: np.ndarray) -> tuple[float, float]:
    """Return the mean over clients, and that over the light ones: no larger than the median of those measured.

    Parameters
    ----------
    values, clients : [d]
        What was measured, and of which clients.
    sizes : [all clients]
        Training examples of each.

    Examples
    --------
    >>> means(np.array([0.2, 0.4, 0.9]), np.array([0, 1, 3]), np.array([1, 5, 2, 50]))
    (0.5, 0.30000000000000004)
    """
    light = sizes[clients] <= np.median(sizes[clients])
    return float(values.mean()), float(values[light].mean())
