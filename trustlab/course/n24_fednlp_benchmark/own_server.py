"""A fleet trained with the reader's own server step: FedAvg's rounds on the clients, any step on the server."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from trustlab.federated.server_optimizer import ServerConfig, ServerOptimizer
from trustlab.federated.simulation import FederatedConfig, Task, simulate

# w, Δ, m, v → the next w, m, v; arrays [d] of all weights in one row
ServerStep = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], tuple[Any, Any, Any]]
FEDADAM = ServerConfig("adam", learning_rate=0.03)  # β₁ 0.9, β₂ 0.99, τ 0.001


def fedadam(
    w: np.ndarray, delta: np.ndarray, m: np.ndarray, v: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the package's FedAdam step, at rate 0.03: the next weights and both averages.

    Parameters
    ----------
    w, delta, m, v : array [d]
        The server's weights, the average update Δ, and the averages of Δ and Δ² so far.

    Examples
    --------
    >>> fedadam(np.array([1.0]), np.array([0.1]), np.array([0.0]), np.array([1e-6]))[0].round(4).tolist()
    [1.0272]
    """
    server = ServerOptimizer(FEDADAM)
    tensors = {name: torch.as_tensor(np.array(each, dtype=float)) for name, each in zip("mv", (m, v), strict=True)}
    server.load_state_dict({name: {"w": each} for name, each in tensors.items()})
    moved = server.step({"w": torch.as_tensor(np.array(w, float))}, {"w": torch.as_tensor(np.array(delta, float))})["w"]
    kept = server.state_dict()
    return moved.numpy(), kept["m"]["w"].numpy(), kept["v"]["w"].numpy()


def fedavg(w: np.ndarray, delta: np.ndarray, m: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return FedAvg's step, which puts the average in place."""
    return w + delta, m, v


def rounds_with(
    step: ServerStep, task: Task, clients: Sequence[Any], config: FederatedConfig, *, every: int = 1
) -> Iterator[dict[str, Any]]:
    """Train a fleet, the server's step being `step`, and yield a row whenever it is measured.

    Parameters
    ----------
    step
        From w, Δ, m and v to the next w, m and v. m starts at 0 and v at τ², as Reddi et al. have it.
    task, clients, config
        As for :func:`trustlab.federated.simulation.simulate`; the server of `config` is left out.
    every
        Rounds between two measurements.

    Yields
    ------
    dict
        ``round``, and what ``task.evaluate`` measures after the step.
    """
    model = copy.deepcopy(task.model)
    w = flat(model)
    m, v = np.zeros_like(w), np.full_like(w, FEDADAM.tau**2)
    one = dataclasses.replace(config, rounds=1, evaluate_every=1, server=ServerConfig())
    for r in range(1, config.rounds + 1):
        # The clients of a round are drawn by its seed: one round alone would draw the same ones again.
        list(simulate(task, clients, dataclasses.replace(one, seed=1000 * config.seed + r), model=model))
        w, m, v = (np.asarray(each, w.dtype) for each in step(w, flat(model) - w, m, v))
        vector_to_parameters(torch.as_tensor(w, dtype=torch.float32), model.parameters())
        if r % every == 0 or r == config.rounds:
            yield {"round": r, **task.evaluate(model, task.test)}


def flat(model: nn.Module) -> np.ndarray:
    """Return all weights of a model in one row, float64 [d]."""
    return parameters_to_vector(model.parameters()).detach().double().numpy()
