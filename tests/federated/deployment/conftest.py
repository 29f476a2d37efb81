"""A small task, and nodes that run in this process: Flower's own messages and apps without its processes."""

import copy
import secrets
import sys
from pathlib import Path

import pytest

APP = Path(__file__).parent / "app"
BASE = {"rounds": 3, "clients-per-round": 3, "batch-size": 4, "learning-rate": 0.5, "strategy": "power"}
BASE |= {"design": "systematic", "poll": 1e-3, "round-timeout": 0.2, "wait": 0.5, "min-nodes": 4, "task.width": 6}
BASE |= {"task.signals": ""}


@pytest.fixture(scope="session")
def flower_app():
    """The project of these tests."""
    return APP


@pytest.fixture
def test_task(monkeypatch):
    """The project's module with the task."""
    monkeypatch.syspath_prepend(str(APP))
    from flower_test_app import parts, task

    task.parts = parts.parts
    yield task
    for name in [name for name in sys.modules if name.startswith("flower_test_app")]:
        del sys.modules[name]


class LocalGrid:
    """Nodes that answer when they are asked, in this process.

    `behave` maps a node's place to what happens to its reply: ``behave(message, reply, context) -> reply or None``.
    """

    def __init__(self, app, run_config, nodes, behave=None, first_node=1000):
        from flwr.app import Context, RecordDict

        self.app, self.behave = app, behave or {}
        self.contexts = {
            first_node + i: Context(
                1, first_node + i, {"partition-id": i, "num-partitions": nodes}, RecordDict(), run_config
            )
            for i in range(nodes)
        }
        self.replies, self.sent, self.gone = {}, [], set()

    def server_context(self, run_config):
        from flwr.app import Context, RecordDict

        return Context(1, 1, {}, RecordDict(), run_config)

    def get_node_ids(self):
        return [node for node in self.contexts if node not in self.gone]

    def push_messages(self, messages):
        from flwr.app import Error, Message

        ids = []
        for message in messages:
            name = secrets.token_hex(8)
            message.metadata.__dict__.update(_message_id=name, _src_node_id=1, _run_id=1)
            self.sent.append(message)
            node = message.metadata.dst_node_id
            ids.append(name)
            if node in self.gone:
                continue
            context = self.contexts[node]
            act = self.behave.get(context.node_config["partition-id"])
            try:
                reply = self.app(copy.deepcopy(message), context)  # what travels is a copy
                reply = act(message, reply, context) if act else reply
            except Exception as error:
                reply = Message(Error(code=0, reason=f"{type(error).__name__}: {error}"), reply_to=message)
            if reply is not None:
                self.replies[name] = reply
        return ids

    def pull_messages(self, ids):
        return [self.replies.pop(name) for name in ids if name in self.replies]


@pytest.fixture
def local_grid():
    """The class of grids of nodes in this process; messages are made as the task of a run makes them."""
    from flwr.supercore.task_identity import TaskIdentity

    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 1, 1
    return LocalGrid


@pytest.fixture
def deploy(test_task, local_grid):
    """A run with nodes in this process: deploy(config, behave) -> its rows, the trained model and the grid."""

    def run(config, behave=None, nodes=4):
        from trustlab.federated.deployment.client_app import client_app
        from trustlab.federated.deployment.run_options import read_options
        from trustlab.federated.deployment.server_app import train

        config = BASE | config
        grid = local_grid(client_app(test_task.load_own), config, nodes, behave)
        problem = test_task.load_task(config)
        rows = list(train(grid, grid.server_context(config), problem, read_options(config)))
        return rows, problem.model, grid

    return run


@pytest.fixture(scope="session")
def farthest():
    """The largest difference between the weights of two models."""

    def distance(a, b):
        return max(float((x - y).detach().abs().max()) for x, y in zip(a.parameters(), b.parameters(), strict=True))

    return distance


@pytest.fixture(scope="session")
def base():
    """What runs of these tests have in common."""
    return BASE
