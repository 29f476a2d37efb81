"""The node's half of a Flower app: it reports its activity, and trains the global model on its own examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flwr.app import Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

if TYPE_CHECKING:
    import numpy as np

    from trustlab.federated.simulation import Task

# From a node's context to the task and the indices of the examples in task.train that this node holds.
Load = Callable[[Context], "tuple[Task, np.ndarray]"]
PARTITION = "partition-id"  # the name in a node's configuration, as Flower's simulation has it too


def client_app(load: Load, count: Callable[[Context], int] | None = None) -> ClientApp:
    """Return a Flower ClientApp that trains a task of ours.

    Parameters
    ----------
    load
        ``load(context) -> (task, own)``: called for every message, each in a process of its own. ``own`` are the
        indices of this node's examples in ``task.train``; the task's model has the names and shapes of the server's.
    count
        ``count(context) -> len(own)``, where that is known without loading the task: it makes reporting quick.

    Notes
    -----
    What is drawn comes from the run's seed, the round and the node's number, as in the simulator, so that both take
    the same steps; torch's own generator is seeded by round. torch is imported when a message comes: a node that waits
    holds none of it.
    """
    from trustlab.federated.deployment.secure_sum import masking

    app = ClientApp(mods=[masking])

    @app.query()
    def report(message: Message, context: Context) -> Message:
        from trustlab.federated.deployment.records import CLIENT, EXAMPLES, METRICS, NUMBERLESS

        examples = int(count(context)) if count is not None else len(load(context)[1])
        number = int(context.node_config.get(PARTITION, NUMBERLESS))
        return _reply(message, {METRICS: MetricRecord({EXAMPLES: examples, CLIENT: number})})

    @app.train()
    def train(message: Message, context: Context) -> Message:
        from trustlab.federated.deployment import local_work

        return _reply(message, local_work.answer(message.content, context.run_config, *load(context)))

    return app


def _reply(message: Message, content: dict[str, Any]) -> Message:
    return Message(RecordDict(content), reply_to=message)
