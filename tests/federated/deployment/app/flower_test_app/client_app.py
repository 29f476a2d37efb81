"""Nodes, some of which do what the node's configuration says: fault = "garbage", "replay" or "hang"."""

import time
from pathlib import Path

from flwr.app import Array, ArrayRecord, MessageType
from flwr.clientapp import ClientApp

from flower_test_app.parts import own_part
from trustlab.federated.deployment.client_app import client_app

KEPT = "sent before"


def load_own(context):
    from flower_test_app import task

    return task.load_own(context)


class Spoiled(ClientApp):
    """Answers as our app does, and then spoils the answer."""

    def __init__(self):
        super().__init__()
        self.honest = client_app(load_own, lambda context: len(own_part(context)))

    def __call__(self, message, context):
        signals = context.run_config["task.signals"]
        if message.metadata.message_type != MessageType.TRAIN or not signals:
            return self.honest(message, context)
        fault, round = context.node_config.get("fault", ""), message.content.config_records["config"]["round"]
        if fault == "hang" and round == 1:
            (Path(signals) / "hangs").touch()
            time.sleep(600)
        reply = self.honest(message, context)
        sent = reply.content.array_records["arrays"]
        if fault == "garbage":
            reply.content["arrays"] = changed(sent, float("nan") if round == 1 else 1e9)
        if fault == "replay":
            reply.content["arrays"] = context.state.array_records.setdefault(KEPT, sent)
        return reply


def changed(arrays, factor):
    """Return a record with every array times `factor`."""
    return ArrayRecord({name: Array(array.numpy() * factor) for name, array in arrays.items()})


app = Spoiled()
