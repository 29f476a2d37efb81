"""The server's side of a round: weight the updates, add them up as they come, and step."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trustlab.federated.aggregation import ServerOptimizer, add_updates, client_weights, summed_in
from trustlab.federated.selection import UnknownInclusionError
from trustlab.federated.simulation.definitions import FederatedConfig
from trustlab.federated.simulation.dp_fedavg import add_noise, clipped, norms
from trustlab.federated.simulation.fleet import Fleet
from trustlab.federated.simulation.local_training import NOISE, Update, Work, rng_of

Weigh = Callable[[np.ndarray], np.ndarray]
COUNTERS = ("round", "before", "seconds", "rows", "largest_rate")


class Server:
    """All that changes while a training runs; as everything random comes from the round's number, no generator does.

    Attributes
    ----------
    model
        With the weights after `round` rounds.
    round
        Rounds finished.
    before
        Rounds that earlier calls took on the same model: what is drawn now comes after them.
    seconds
        Spent on them, measuring left out.
    rows
        All rows shown, so that a resumed training yields the whole table.
    largest_rate
        The largest probability of any client to be in any round so far; known where ε is counted.
    warned
        Whether a warning of updates with NaN or Inf was given.
    weigh
        From the numbers of examples of the clients that arrived, [K], to their weights, [K]; None weights them as the
        configuration says.
    """

    def __init__(self, model: nn.Module, config: FederatedConfig, weigh: Weigh | None = None) -> None:
        self.model, self.optimizer, self.weigh = model, ServerOptimizer(config.server), weigh
        self.round, self.before, self.seconds, self.largest_rate = 0, 0, 0.0, 0.0
        self.rows: list[dict[str, Any]] = []
        self.warned = False

    @property
    def draw(self) -> int:
        """Return the number from which everything random of the present round is drawn."""
        return self.before + self.round

    @property
    def weights(self) -> dict[str, Tensor]:
        """Return what is trained and sent, by name."""
        return {name: p.detach() for name, p in self.model.named_parameters() if p.requires_grad}

    @property
    def message_bytes(self) -> int:
        """Return the size of what is sent to a client, and back."""
        return sum(weight.numel() * weight.element_size() for weight in self.weights.values())

    def step(self, delta: dict[str, Tensor]) -> None:
        """Move the weights along the averaged update."""
        weights = self.weights
        try:
            moved = self.optimizer.step(weights, delta)
        except FloatingPointError as error:
            raise FloatingPointError(f"In round {self.round + 1}: {error}") from error
        for name, value in moved.items():
            weights[name].copy_(value)

    def to_dict(self) -> dict[str, Any]:
        """Return tensors, numbers and strings in dicts: what :meth:`restore` needs."""
        counters = {name: getattr(self, name) for name in COUNTERS}
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "counters": counters}

    def restore(self, content: Mapping[str, Any]) -> None:
        """Become the server that :meth:`to_dict` described."""
        self.model.load_state_dict(content["model"])
        self.optimizer.load_state_dict(content["optimizer"])
        for name in COUNTERS:
            setattr(self, name, content["counters"][name])


@dataclass(frozen=True)
class Average:
    """What the server makes of a round's updates.

    Attributes
    ----------
    delta
        Δ by name, of half-precision weights in single precision.
    losses : Tensor [K]
        Of the works.
    heard : bool Tensor [K]
        False for an update with NaN or Inf, which is left out.
    """

    delta: dict[str, Tensor]
    losses: Tensor
    heard: Tensor


def average(
    updates: Iterator[Update], weights: Tensor, server: Server, fleet: Fleet, config: FederatedConfig
) -> Average:
    """Return Δ = Σ_k p_k (w_k − w_t), private where `config` says so.

    Updates are added as they come and forgotten: memory does not grow with the number of clients. One with NaN or Inf
    is left out, as if it had been lost on the way: weights that summed to 1 then do so over the others. In DP-FedAvg it
    is a zero and no other counts for more, so that a client moves the sum by no more than C.
    """
    total = {name: torch.zeros_like(w, dtype=summed_in(w.dtype)) for name, w in server.weights.items()}
    losses, heard = torch.zeros(len(weights)), torch.ones(len(weights), dtype=torch.bool)
    for update in updates:
        members = list(update.members)
        losses[members] = update.losses.float().cpu()
        if config.clip_norm is not None:
            heard[members] = norms(update).isfinite().cpu()
            update = clipped(update, config.clip_norm)
        else:
            update, heard[members] = _finite(update)
        add_updates(total, weights[members], update.deltas, update.rows)
    if config.clip_norm is None and config.aggregation != "horvitz-thompson" and not heard.all():
        left = weights[heard].sum()
        for value in total.values():
            value *= float(weights.sum() / left) if left > 0 else 0.0
    add_private_noise(total, server, fleet, config)
    return Average(total, losses, heard)


def add_private_noise(total: dict[str, Tensor], server: Server, fleet: Fleet, config: FederatedConfig) -> None:
    """Add DP-FedAvg's noise to the sum Σ p_k Δ_k, in place, and note the largest rate; nothing without noise."""
    if config.noise_multiplier:
        chances = fleet.selector.inclusion(config.clients_per_round)
        add_noise(total, config.noise_multiplier * config.clip_norm / chances.sum(), rng_of(config, server.draw, NOISE))
        server.largest_rate = max(server.largest_rate, float(chances.max()))


def _finite(update: Update) -> tuple[Update, Tensor]:
    """Return `update` with zeros for a client that sent NaN or Inf, and which clients sent neither, bool [K]."""
    sums = torch.stack([delta.flatten(1).sum(1).double() for delta in update.deltas.values()])  # [tensors, K]
    if sums.isfinite().all():  # one pass; a sum of finite numbers may still be infinite, so look closer else
        return update, torch.ones(len(update.members), dtype=torch.bool)
    heard = torch.stack([delta.flatten(1).isfinite().all(1) for delta in update.deltas.values()]).all(0)
    deltas = {
        name: torch.where(heard.view(-1, *[1] * (delta.ndim - 1)), delta, 0) for name, delta in update.deltas.items()
    }
    return dataclasses.replace(update, deltas=deltas), heard.cpu()


def check_heard(arrived: list[Work], heard: Tensor, server: Server, config: FederatedConfig) -> None:
    """Warn of the first updates with NaN or Inf, and refuse to go on where there was no other.

    In DP-FedAvg training continues: stopping would reveal something about the clients.

    Raises
    ------
    ValueError
        Naming round and clients.
    """
    bad = [work.client for work, fine in zip(arrived, heard.tolist(), strict=True) if not fine]
    if not bad:
        return
    round, sent = server.round + 1, sum(work.steps > 0 for work in arrived)
    named = ", ".join(map(str, bad[:5])) + (", …" if len(bad) > 5 else "")
    if len(bad) == sent and config.clip_norm is None:
        raise ValueError(
            f"Expected some finite update in round {round}, got NaN or Inf from each of {sent} clients ({named}). "
            "Training has diverged or these clients' examples hold NaN: lower learning_rate, use a wider precision "
            "than float16, or look at their examples."
        )
    if not server.warned:
        server.warned = True
        warnings.warn(
            f"In round {round} the updates of {len(bad)} of {sent} clients ({named}) held NaN or Inf and were left "
            "out. Look at these clients' examples, or lower learning_rate. Rows count them as 'discarded'; no other "
            "warning follows.",
            RuntimeWarning,
            stacklevel=2,
        )


def update_weights(
    arrived: list[Work], times: np.ndarray, server: Server, fleet: Fleet, config: FederatedConfig
) -> Tensor:
    """Return the weight p_k of every update that arrived.

    Parameters
    ----------
    arrived
        The works, by client.
    times : int array [K]
        How often each client was drawn; with replacement its weight counts as often.
    """
    if config.clip_norm is not None:  # a number fixed in advance: dividing by the number that arrived would reveal it
        expected = fleet.selector.inclusion(config.clients_per_round).sum()
        return torch.full((len(arrived),), 1 / expected, dtype=torch.float64)
    examples = np.repeat([work.examples for work in arrived], times)
    if not examples.any():
        return torch.zeros(len(arrived), dtype=torch.float64)
    if server.weigh is not None:
        p = _own_weights(server.weigh, examples)
    else:
        p = client_weights(config.aggregation, examples=examples, **_chances(arrived, times, fleet, config))
    places = torch.arange(len(arrived)).repeat_interleave(torch.from_numpy(times))
    return torch.zeros(len(arrived), dtype=torch.float64).index_add_(0, places, p)


def _own_weights(weigh: Weigh, examples: np.ndarray) -> Tensor:
    """Return the weights [K] that the user's rule gives, refusing what cannot be weights."""
    found = np.asarray(weigh(examples), dtype=np.float64)
    if found.shape != examples.shape or not np.isfinite(found).all() or (found < 0).any():
        raise ValueError(
            f"Expected weigh to return a finite weight >= 0 for each of {len(examples)} clients, got {found.tolist()}."
        )
    return torch.from_numpy(found)


def _chances(arrived: list[Work], times: np.ndarray, fleet: Fleet, config: FederatedConfig) -> dict[str, Any]:
    """Return what Horvitz–Thompson and Hájek weights divide by."""
    known: dict[str, Any] = {}
    if config.aggregation in ("horvitz-thompson", "hajek"):
        clients = np.repeat([work.client for work in arrived], times)
        chance = fleet.selector.inclusion(config.clients_per_round)[clients]
        known["inclusion"] = chance * arrival_chance(config)
    if config.aggregation == "horvitz-thompson":
        known["total_examples"] = float(fleet.sizes.sum())
    return known


def arrival_chance(config: FederatedConfig) -> float:
    """Return the chance that a selected client's update reaches the server."""
    late = config.straggler_rate if config.stragglers == "drop" else 0.0
    return (1 - late) * (1 - config.drop_out)


def check_known(fleet: Fleet, config: FederatedConfig) -> None:
    """Refuse cohorts that cannot be drawn, and weights or an ε that need probabilities which are not known.

    Raises
    ------
    ValueError
        Or its subclass :class:`trustlab.federated.selection.UnknownInclusionError`.
    """
    try:
        fleet.selector.inclusion(config.clients_per_round)
    except UnknownInclusionError:
        if config.aggregation in ("horvitz-thompson", "hajek"):
            raise
