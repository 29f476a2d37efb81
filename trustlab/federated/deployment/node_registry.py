"""Which nodes are there, what they report of themselves, and which of them answer.

The server requests a node's activity when it appears, and again after an update that was lost or refused: the node may
have died, fallen behind, or hold other data by now. The server does not wait for that answer: until it comes the node
is not selected.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from flwr.app import Message, MessageType, RecordDict

from trustlab.federated.deployment.records import NUMBERLESS
from trustlab.federated.deployment.run_options import DeploymentConfig
from trustlab.federated.deployment.updates import Activity, RefusedError, read_activity

if TYPE_CHECKING:
    from flwr.serverapp import Grid


MOST_CLIENTS = 10_000_000  # a number is a place in arrays
TRIES = 3  # to report, of a node that stays connected


class Registry:
    """The nodes of a run.

    Attributes
    ----------
    clients
        The number of each node that reported, by node id. A node keeps its number.
    examples
        How many examples each node holds that may be selected, by node id.
    """

    def __init__(self, config: DeploymentConfig) -> None:
        self.config = config
        self.clients: dict[int, int] = {}
        self.examples: dict[int, int] = {}
        self._asked: dict[str, int] = {}  # from the message that asked to the node
        self._failed: Counter[int] = Counter()  # how often a node's report was refused

    def forget(self, node: int) -> None:
        """Do not select `node` until it has reported again."""
        self.examples.pop(node, None)

    def sizes(self) -> np.ndarray:
        """Return the activity of every client by its number, int64 [N]; 0 for one that may not be selected."""
        sizes = np.zeros(max(self.clients.values(), default=-1) + 1, dtype=np.int64)
        for node, examples in self.examples.items():
            sizes[self.clients[node]] = examples
        return sizes

    def node_of(self, client: int) -> int:
        """Return the node that has the number `client`."""
        return next(node for node, number in self.clients.items() if number == client)

    def meet(self, grid: Grid) -> Iterator[tuple[int, str]]:
        """Wait until enough nodes have reported, and yield each that is not believed, with the reason.

        Raises
        ------
        TimeoutError
            When fewer than ``min_nodes`` have reported after ``wait`` seconds.
        """
        end = time.monotonic() + self.config.wait
        while True:
            yield from self.look(grid)
            ready = sum(examples > 0 for examples in self.examples.values())
            if ready >= self.config.min_nodes:
                return
            if time.monotonic() > end:
                raise TimeoutError(
                    f"Expected {self.config.min_nodes} nodes with examples within {self.config.wait:g} s, got {ready}. "
                    "Start more, or lower min-nodes."
                )
            time.sleep(self.config.poll)

    def look(self, grid: Grid) -> Iterator[tuple[int, str]]:
        """Forget nodes that have gone, hear what has been reported, and ask those that are new, without waiting."""
        present = set(grid.get_node_ids())
        for node in (self.examples.keys() | self._failed.keys()) - present:
            self.forget(node)
            self._failed.pop(node, None)
        yield from self._listen(grid)
        self._ask(grid, present)

    def _ask(self, grid: Grid, present: set[int]) -> None:
        """Ask the nodes that have not reported and are not asked already."""
        hopeless = {node for node, times in self._failed.items() if times >= TRIES}
        silent = sorted(present - self.examples.keys() - set(self._asked.values()) - hopeless)
        if silent:
            messages = [
                Message(RecordDict(), dst_node_id=node, message_type=MessageType.QUERY, ttl=self.config.wait)
                for node in silent
            ]
            sent = grid.push_messages(messages)
            self._asked.update((message, node) for message, node in zip(sent, silent, strict=True) if message)

    def _listen(self, grid: Grid) -> Iterator[tuple[int, str]]:
        if not self._asked:
            return
        for reply in grid.pull_messages(list(self._asked)):
            node = self._asked.pop(reply.metadata.reply_to_message_id, None)
            if node is None:
                continue
            try:
                self._enter(node, read_activity(reply, self.config.most_examples))
            except RefusedError as error:
                self._failed[node] += 1
                yield node, str(error)

    def _enter(self, node: int, found: Activity) -> None:
        """Note what `node` reports; a number whose owner does not answer any more may be taken over."""
        taken = {number: owner for owner, number in self.clients.items() if owner != node}
        number = found.client
        if number == NUMBERLESS:
            number = self.clients.get(node, max(self.clients.values(), default=-1) + 1)
        if number > MOST_CLIENTS:
            raise RefusedError(f"it reports the client number {number}, expected at most {MOST_CLIENTS}")
        if taken.get(number) in self.examples:
            raise RefusedError(f"it reports the client number {number}, which is that of node {taken[number]}")
        if number in taken:
            del self.clients[taken[number]]
        self.clients[node], self.examples[node] = number, found.examples
