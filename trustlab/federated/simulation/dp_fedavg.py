"""DP-FedAvg: what makes a round private for every client (McMahan et al. 2018, Algorithm 1).

Each client's update is clipped to C, the clipped updates are summed, Gaussian noise of standard deviation σ·C is added
to the sum, and it is divided by the *expected* number of clients, a number fixed without looking. Adding or removing
one client's contribution moves the sum by at most C.

How much that is worth depends on the chance to be in a round, and selection by activity gives every client a chance of
its own. The guarantee must hold for each of them, so the accountant takes the largest, max_k q_k: the most active
client is the least protected. Selection must be Poisson, each client drawn independently; under any other design the
draws depend on one another, and this accountant has no proof.

The privacy unit is a client, and the adjacency is *zero-out*: a client sends nothing instead of its update, while its
registration and its activity stay known. Rates computed from activity change for all when a client comes or goes, and
what they reveal is outside the guarantee. So are counts and training losses in the rows.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch
from torch import Tensor

from trustlab.federated.aggregation import summed_in
from trustlab.federated.selection import Selector
from trustlab.federated.simulation.definitions import FederatedConfig
from trustlab.federated.simulation.local_training import Update


def clipped(update: Update, clip_norm: float) -> Update:
    """Return `update` with every client's part cut to the norm `clip_norm`.

    An update of no finite norm becomes zero: what it would add has no bound. Half-precision updates come back in
    single precision, or rounding could carry a norm above C.

    Examples
    --------
    >>> update = Update([0, 1], {"w": torch.tensor([[3.0, 4.0], [0.0, 0.5]])}, torch.zeros(2))
    >>> clipped(update, 1.0).deltas["w"]
    tensor([[0.6000, 0.8000],
            [0.0000, 0.5000]])
    """
    shares = (clip_norm / norms(update)).clamp(max=1)  # [K]; 0 or NaN for an update of no finite norm
    deltas = {}
    for name, delta in update.deltas.items():
        delta = delta.to(summed_in(delta.dtype))
        own = shares.to(delta).view(-1, *[1] * (delta.ndim - 1))
        deltas[name] = torch.where(own > 0, own * delta, 0)  # 0 · ∞ would be NaN
    return dataclasses.replace(update, deltas=deltas)


def norms(update: Update) -> Tensor:
    """Return the L2 norm of every client's part over all its weights, float64 [K].

    Examples
    --------
    >>> norms(Update([0], {"w": torch.tensor([[3.0]]), "b": torch.tensor([[4.0]])}, torch.zeros(1))).tolist()
    [5.0]
    """
    squares = [delta.flatten(1).double().square().sum(1) for delta in update.deltas.values()]
    return torch.stack(squares).sum(0).sqrt()


def add_noise(total: dict[str, Tensor], std: float, rng: np.random.Generator) -> None:
    """Add normal noise of standard deviation `std` to every number of `total`, in place."""
    for value in total.values():
        noise = rng.standard_normal(value.shape, dtype=np.float32)
        value += std * torch.from_numpy(noise).to(value)


def spent(config: FederatedConfig, rounds: int, largest_rate: float) -> float:
    """Return the ε of so many rounds for a client that is in each with chance `largest_rate`; infinite without noise.

    Examples
    --------
    >>> config = FederatedConfig(clip_norm=1.0, noise_multiplier=1.0, aggregation="equal", delta=1e-5)
    >>> round(spent(config, 500, 0.02), 2), spent(config, 500, 0.02) < spent(config, 500, 0.1)
    (2.77, True)
    """
    if not config.noise_multiplier:
        return math.inf
    from trustlab.privacy.accounting import epsilon

    known = dict(sample_rate=largest_rate, delta=config.delta)
    return epsilon(noise_multiplier=config.noise_multiplier, steps=rounds, **known)


def check_selection(config: FederatedConfig, selector: Selector) -> None:
    """Refuse a selection whose ε is not known.

    Raises
    ------
    ValueError
        When updates are to be private and clients are not drawn independently, or with probabilities that depend on
        updates.
    """
    if config.clip_norm is not None and selector.design != "poisson":
        raise ValueError(
            f"Expected a selector with design='poisson' with clip_norm={config.clip_norm:g}, got {selector.design!r}. "
            "The ε of a round is known only where each client is drawn independently."
        )
    if config.clip_norm is not None and selector.config.strategy == "optimal":
        raise ValueError(
            f"Expected a strategy other than 'optimal' with clip_norm={config.clip_norm:g}. Its chances come from the "
            "norms of clients' updates, so that the selection reveals something of them: no ε is known for it."
        )
