"""SecAgg+, the server's half: a round of :class:`ActivityStrategy` whose updates the server sees as a sum alone.

What the server knows besides: who was selected, by which activity, and who stayed to the end. It cannot look at an
update, so that what a node sends is checked by the node itself: one that lies can spoil the sum, and is not found.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from flwr.app import ConfigRecord, Context, Message
from torch import Tensor, nn

from trustlab.federated.deployment.records import CLIENT, ROUND
from trustlab.federated.deployment.run_options import Options
from trustlab.federated.deployment.secure_sum import MODULUS_BITS, NAMES, SHARE, range_bits, secure_range, strong_masks
from trustlab.federated.deployment.strategy import ActivityStrategy, Cohort, Row
from trustlab.federated.deployment.updates import NodeUpdate, to_arrays
from trustlab.federated.simulation.local_training import Work
from trustlab.federated.simulation.server import add_private_noise, update_weights

if TYPE_CHECKING:
    from flwr.serverapp import Grid

SMALLEST = 3  # of two, each would learn the other's update from the sum
KEPT = 2 / 3  # share of a cohort that must stay: so many together can open a mask


class SecureStrategy(ActivityStrategy):
    """The rounds of :class:`ActivityStrategy`, summed by SecAgg+.

    Parameters
    ----------
    model, options
        As there.
    context
        Of the ServerApp: the protocol keeps its state in it.
    """

    def __init__(self, model: nn.Module, options: Options, context: Context) -> None:
        super().__init__(model, options)
        self.context = context

    def rounds(self, grid: Grid) -> Iterator[Row]:
        """Take all rounds and yield a row after each; one with a cohort below three takes no update."""
        while self.server.round < self.options.federated.rounds:
            list(self.configure_train(self.server.round + 1, to_arrays({}), ConfigRecord(), grid))
            cohort = self.cohort
            found = _Sum(self, grid, cohort)
            if len(cohort.asked) >= SMALLEST:
                found.take()
            believed, reasons = self._counted(cohort, found)
            self._finish(cohort, believed, reasons, found.total)
            yield self.rows[-1]

    def _counted(self, cohort: Cohort, found: _Sum) -> tuple[list[NodeUpdate], list[str]]:
        """Return those whose update is in the sum, without it, and why the others are not."""
        cohort.lost = [each for each in cohort.asked if each.node not in found.nodes and each.node not in found.errors]
        for each in cohort.asked:
            if each.node not in found.nodes:
                self.registry.forget(each.node)
        reasons = self._strangers + [
            f"client {each.client} (node {each.node}): its app failed: {found.errors[each.node]}"
            for each in cohort.asked
            if each.node in found.errors
        ]
        self._strangers = []
        if len(cohort.asked) < SMALLEST:
            cohort.lost, reasons = [], [*reasons, f"a sum of {len(cohort.asked)} hides no update: no client takes part"]
        inside = [each for each in cohort.asked if each.node in found.nodes]
        return [NodeUpdate(each.client, {}, each.examples, 0, float("nan"), "") for each in inside], reasons

    @property
    def _update_bytes(self) -> int:
        """Return the size of masked numbers, which are int64."""
        return sum(8 * value.numel() for value in self.server.weights.values())

    def _delta(self, cohort: Cohort, believed: list[NodeUpdate], total: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return Σ p_k Δ_k from the sum of shares, with noise where the run is private."""
        works = [Work(update.client, (), update.examples, True) for update in believed]
        delta = {name: torch.zeros_like(value) for name, value in self.server.weights.items()}
        if works:
            weights = update_weights(works, cohort.times_of(believed), self.server, cohort.fleet, cohort.config)
            # A share is the weight over a number common to all, which is another when some have gone.
            common = float(weights[0]) / cohort.shares[works[0].client]
            delta = {name: (common * value).to(delta[name].dtype) for name, value in total.items()}
        add_private_noise(delta, self.server, cohort.fleet, cohort.config)
        return delta


class _Sum:
    """One run of the protocol. It calls this object as its strategy, and as its way to the nodes.

    Attributes
    ----------
    total
        Sum of the shares by name; empty where too few stayed.
    nodes
        Those that are in it.
    errors
        What the apps of others said.
    """

    def __init__(self, strategy: SecureStrategy, grid: Grid, cohort: Cohort) -> None:
        self.strategy, self.grid, self.cohort = strategy, grid, cohort
        self.total: dict[str, Tensor] = {}
        self.nodes: set[int] = set()
        self.errors: dict[int, str] = {}

    def take(self) -> None:
        """Run the four stages."""
        from flwr.server import LegacyContext
        from flwr.server.workflow import SecAggPlusWorkflow
        from flwr.server.workflow.constant import MAIN_CONFIGS_RECORD, MAIN_PARAMS_RECORD, Key

        clients = len(self.cohort.asked)
        workflow = SecAggPlusWorkflow(
            1.0,
            KEPT,
            max_weight=1.0,
            clipping_range=float(secure_range(self.strategy.options)),
            quantization_range=2 ** range_bits(clients),
            modulus_range=2**MODULUS_BITS,
        )
        context = LegacyContext(self.strategy.context, strategy=self)
        context.state.config_records[MAIN_CONFIGS_RECORD] = ConfigRecord(
            {Key.CURRENT_ROUND: self.cohort.asked[0].round}
        )
        context.state.array_records[MAIN_PARAMS_RECORD] = to_arrays(self.strategy.server.weights)
        with strong_masks():
            workflow(self, context)

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        """Exchange a stage's messages, noting errors by node."""
        replies = self.strategy.exchange(self.grid, list(messages))
        for reply in replies:
            if reply.has_error():
                self.errors[reply.metadata.src_node_id] = reply.error.reason
        return replies

    def configure_fit(self, server_round: int, parameters: Any, client_manager: Any) -> list[tuple[Any, Any]]:
        """Return the message to each client, with its share of the weight."""
        from flwr.common import FitIns

        works = [Work(each.client, (), each.examples, True) for each in self.cohort.asked]
        weights = update_weights(
            works, self.cohort.times, self.strategy.server, self.cohort.fleet, self.cohort.config
        ).numpy()
        shares = (weights / weights.max()).tolist()
        self.cohort.shares = {each.client: share for each, share in zip(self.cohort.asked, shares, strict=True)}
        names = json.dumps(list(self.strategy.server.weights))
        return [
            (
                _Proxy(each.node),
                FitIns(parameters, {ROUND: each.round, CLIENT: each.client, SHARE: share, NAMES: names}),
            )
            for each, share in zip(self.cohort.asked, shares, strict=True)
        ]

    def aggregate_fit(
        self, server_round: int, results: list[tuple[Any, Any]], failures: list[Any]
    ) -> tuple[None, dict]:
        """Take the mean that the protocol computes, times the number of those in it."""
        from flwr.common import parameters_to_ndarrays

        if results:
            self.nodes = {proxy.node_id for proxy, _ in results}
            means = parameters_to_ndarrays(results[0][1].parameters)
            self.total = {
                name: torch.from_numpy(np.asarray(mean * len(results)))
                for name, mean in zip(self.strategy.server.weights, means, strict=True)
            }
        return None, {}


class _Proxy:
    """What the protocol wants to know of a client."""

    def __init__(self, node: int) -> None:
        self.node_id = node
