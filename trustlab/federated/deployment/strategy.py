"""A round as the server sees it: a Flower strategy that selects, weighs, averages and steps as the simulator does.

The steps are the simulator's own functions: :class:`trustlab.federated.selection.Selector` draws the cohort from the
activity that nodes report, :func:`trustlab.federated.simulation.server.update_weights` gives the p_k of FedAvg or
Horvitz–Thompson, :func:`~trustlab.federated.simulation.server.average` sums, and clips and adds noise where the run is
private, with each node's own q_k. What is added is that nodes are real: they are late, lost, or send what cannot
be an update.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, MetricRecord, RecordDict
from flwr.serverapp.strategy import Strategy
from torch import Tensor, nn

from trustlab.federated.deployment.node_registry import Registry
from trustlab.federated.deployment.records import ARRAYS, CLIENT, CONFIG, ROUND
from trustlab.federated.deployment.run_options import Options
from trustlab.federated.deployment.updates import Asked, NodeUpdate, RefusedError, read_update, to_arrays
from trustlab.federated.named_tensors import summed_in
from trustlab.federated.selection import Selector
from trustlab.federated.simulation.definitions import check_config
from trustlab.federated.simulation.dp_fedavg import check_selection, spent
from trustlab.federated.simulation.fleet import Fleet
from trustlab.federated.simulation.local_training import SELECTION, Update, Work, rng_of
from trustlab.federated.simulation.server import Server, average, check_known, update_weights

if TYPE_CHECKING:
    from flwr.serverapp import Grid

Row = dict[str, Any]
_log = logging.getLogger("flwr")


class ActivityStrategy(Strategy):
    """Selection by the activity that nodes report; FedAvg, Horvitz–Thompson, FedOPT and DP-FedAvg over their updates.

    Parameters
    ----------
    model
        The global model, trained in place.
    options
        Of the run, see :func:`trustlab.federated.deployment.run_options.read_options`.

    Attributes
    ----------
    rows
        One for each finished round: the simulator's columns, and ``refused``, ``lost``, ``reasons``.

    Notes
    -----
    Give it to ``strategy.start(grid, ...)`` as any of Flower's, or take its rounds one by one from :meth:`rounds`,
    which waits for replies without Flower's pauses of three seconds.
    """

    def __init__(self, model: nn.Module, options: Options) -> None:
        self.options, self.server = options, Server(model, options.federated)
        self.registry = Registry(options.deployment)
        self.rows: list[Row] = []
        self.cohort: Cohort | None = None
        self._seen: dict[str, tuple[int, int]] = {}  # hash of an update, to the round and client it came from
        self._empty = 0
        self._strangers: list[str] = []  # refused when they reported, since the last row

    def summary(self) -> None:
        """Log what this strategy does."""
        _log.info("\t%s, %s", self.options.selection, self.options.federated)

    def rounds(self, grid: Grid) -> Iterator[Row]:
        """Take all rounds and yield a row after each.

        Raises
        ------
        TimeoutError
            When too few nodes are there.
        RuntimeError
            After ``empty_rounds`` rounds in a row without an update.
        """
        while self.server.round < self.options.federated.rounds:
            round, arrays = self.server.round + 1, to_arrays(self.server.weights)
            asked = list(self.configure_train(round, arrays, ConfigRecord(), grid))
            self.aggregate_train(round, self.exchange(grid, asked))
            yield self.rows[-1]

    def exchange(self, grid: Grid, messages: list[Message]) -> list[Message]:
        """Send `messages` and return the replies that come within ``round_timeout``.

        The activity of nodes that appear meanwhile is requested, so that they can take part in the next round.
        """
        sent = list(grid.push_messages(messages)) if messages else []
        if len(sent) != len(messages):  # so Flower says that all of them together are too large
            raise ValueError(
                f"Expected {len(messages)} messages to be accepted, got {len(sent)}. The SuperLink limits what is sent "
                "at once: select fewer clients, or train fewer weights."
            )
        waiting = {message for message in sent if message}
        replies: list[Message] = []
        end = time.monotonic() + self.options.deployment.round_timeout
        while waiting and time.monotonic() < end:
            time.sleep(self.options.deployment.poll)
            found = list(grid.pull_messages(list(waiting)))
            waiting -= {reply.metadata.reply_to_message_id for reply in found}
            replies += found
            self._strangers += self._named(self.registry.look(grid))
        return replies

    def _named(self, found: Iterable[tuple[int, str]]) -> list[str]:
        return [f"node {node}: {reason}" for node, reason in found]

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Wait for nodes, draw the cohort from their activity, and return a message for each."""
        self._strangers += self._named(self.registry.meet(grid))
        started = time.perf_counter()
        fleet, federated = self._fleet()
        drawn = fleet.selector.draw(federated.clients_per_round, rng_of(federated, self.server.draw, SELECTION))
        selected, times = np.unique(drawn, return_counts=True)
        asked = [
            Asked(self.registry.node_of(client), client, int(fleet.sizes[client]), server_round)
            for client in selected.tolist()
        ]
        self.cohort = Cohort(fleet, federated, asked, times, started)
        return [
            Message(
                RecordDict({ARRAYS: arrays, CONFIG: ConfigRecord({**config, ROUND: each.round, CLIENT: each.client})}),
                dst_node_id=each.node,
                message_type=MessageType.TRAIN,
                ttl=self.options.deployment.round_timeout,
                group_id=str(server_round),
            )
            for each in asked
        ]

    def _fleet(self) -> tuple[Fleet, Any]:
        """Return the clients by their activity of now, and the options with a cohort that they can fill."""
        sizes, federated = self.registry.sizes(), self.options.federated
        selector = Selector(sizes, **dataclasses.asdict(self.options.selection))
        if selector.design != "with-replacement":
            most = min(federated.clients_per_round, int((sizes > 0).sum()))
            federated = dataclasses.replace(federated, clients_per_round=most)
        fleet = Fleet([], sizes, selector)
        check_config(federated, len(fleet))
        check_selection(federated, selector)
        check_known(fleet, federated)
        return fleet, federated

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Average the updates that are believed, step, and add a row; nodes that were not have to report again."""
        cohort = self.cohort
        assert cohort is not None, "configure_train comes first"
        believed, reasons = self._believe(cohort, replies)
        self._finish(cohort, believed, reasons, None)
        numbers = {name: value for name, value in self.rows[-1].items() if isinstance(value, int | float)}
        return to_arrays(self.server.weights), MetricRecord(numbers)

    def _finish(
        self, cohort: Cohort, believed: list[NodeUpdate], reasons: list[str], total: dict[str, Tensor] | None
    ) -> None:
        """Step, and add a row; in a private run also when no update came."""
        for reason in reasons:
            _log.warning("Round %d refuses %s.", self.server.round + 1, reason)
        if believed or cohort.config.noise_multiplier:
            self.server.step(self._delta(cohort, believed, total or {}))
        self.server.round += 1
        row = self._row(cohort, believed, reasons)
        self.rows.append(row)
        self._check_empty(row)

    def _believe(self, cohort: Cohort, replies: Iterable[Message]) -> tuple[list[NodeUpdate], list[str]]:
        """Return the updates that are believed, by client, and for each other node of the cohort why not."""
        waiting, believed, reasons = {each.node: each for each in cohort.asked}, [], self._strangers
        self._strangers = []
        for reply in replies:
            node = reply.metadata.src_node_id
            asked = waiting.pop(node, None)
            if asked is None and reply.has_error():
                continue  # Flower's own note that there will be no reply
            if asked is None:
                reasons.append(f"node {node}: it sends a second update, or was not asked for one")
                continue
            try:
                believed.append(self._new(read_update(reply, asked, self.server.weights, self._bound)))
            except RefusedError as error:
                self.registry.forget(node)
                reasons.append(f"client {asked.client} (node {node}): {error}")
        cohort.lost = list(waiting.values())
        for each in cohort.lost:
            self.registry.forget(each.node)
        return sorted(believed, key=lambda update: update.client), reasons

    @property
    def _bound(self) -> float:
        return self.options.deployment.norm_bound

    def _new(self, update: NodeUpdate) -> NodeUpdate:
        """Return `update`, unless its numbers are those of an earlier one."""
        if update.digest in self._seen:
            round, client = self._seen[update.digest]
            raise RefusedError(f"it is the update that client {client} sent in round {round}: a replay")
        if update.digest:
            self._seen[update.digest] = (self.server.round + 1, update.client)
        return update

    def _delta(self, cohort: Cohort, believed: list[NodeUpdate], total: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return Δ = Σ p_k Δ_k of the updates that are believed, by the simulator's server."""
        works = [Work(update.client, (), update.examples, True) for update in believed]
        weights = update_weights(works, cohort.times_of(believed), self.server, cohort.fleet, cohort.config)
        return average(_stacked(believed), weights, self.server, cohort.fleet, cohort.config).delta

    def _row(self, cohort: Cohort, believed: list[NodeUpdate], reasons: list[str]) -> Row:
        stepped = sum(update.stepped for update in believed)
        seconds = time.perf_counter() - cohort.started
        self.server.seconds += seconds
        return {
            "round": self.server.round,
            "nodes": int((cohort.fleet.sizes > 0).sum()),
            "clients": len(cohort.asked),
            "arrived": len(believed),
            "refused": len(cohort.asked) - len(believed) - len(cohort.lost),
            "lost": len(cohort.lost),
            "examples": sum(update.examples for update in believed),
            "train_loss": sum(u.loss * u.stepped for u in believed) / stepped if stepped else float("nan"),
            "epsilon": spent(cohort.config, self.server.round, self.server.largest_rate),
            "seconds": self.server.seconds,
            "round_seconds": seconds,
            "bytes_down": len(cohort.asked) * self.server.message_bytes,
            "bytes_up": (len(cohort.asked) - len(cohort.lost)) * self._update_bytes,
            "progress": self.server.round / self.options.federated.rounds,
            "reasons": "; ".join(
                reasons + [f"client {each.client} (node {each.node}): no reply" for each in cohort.lost]
            ),
        }

    @property
    def _update_bytes(self) -> int:
        """Return the size of what a client sends."""
        wide = (value.numel() * summed_in(value.dtype).itemsize for value in self.server.weights.values())
        return sum(wide)

    def _check_empty(self, row: Row) -> None:
        """End a run that does not move, except a private one: that it stops would reveal who was there."""
        self._empty = 0 if row["arrived"] or self.options.federated.clip_norm is not None else self._empty + 1
        if self._empty >= self.options.deployment.empty_rounds:
            raise RuntimeError(
                f"Expected some update in {self._empty} rounds, got none. In round {row['round']}: {row['reasons']}."
            )

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Return no message: the server measures the model on its own test examples."""
        return []

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message]) -> MetricRecord | None:
        """Return None: no node measured anything."""
        return None


@dataclasses.dataclass
class Cohort:
    """Those selected in a round, and what they were selected from."""

    fleet: Fleet
    config: Any
    asked: list[Asked]
    times: np.ndarray
    started: float
    lost: list[Asked] = dataclasses.field(default_factory=list)
    shares: dict[int, float] = dataclasses.field(default_factory=dict)

    def times_of(self, believed: list[NodeUpdate]) -> np.ndarray:
        """Return how often each client of `believed` was drawn, int [K]."""
        drawn = {each.client: times for each, times in zip(self.asked, self.times.tolist(), strict=True)}
        return np.array([drawn[update.client] for update in believed], dtype=np.int64)


def _stacked(believed: list[NodeUpdate]) -> Iterator[Update]:
    """Yield the updates as the simulator's server takes them."""
    for place, update in enumerate(believed):
        delta = {name: value[None] for name, value in update.delta.items()}
        yield Update([place], delta, torch.tensor([update.loss]))
