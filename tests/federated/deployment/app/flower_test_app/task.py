"""Softmax regression on random vectors, in double precision, divided among the nodes in parts of unlike sizes."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from flower_test_app.parts import EXAMPLES, own_part
from trustlab.federated.simulation import Task

CLASSES = 8


def load_task(config):
    width, rng = int(config["task.width"]), np.random.default_rng(7)
    x = torch.from_numpy(rng.standard_normal((EXAMPLES, width)) / width**0.5)
    y = (x @ torch.from_numpy(rng.standard_normal((width, CLASSES)))).argmax(1)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        model = nn.Linear(width, CLASSES).double()
    columns = {"x": x, "y": y}
    return Task(model, columns, columns, loss, evaluate)


def loss(model, batch):
    return F.cross_entropy(model(batch["x"]), batch["y"], reduction="none")


def evaluate(model, batch):
    with torch.no_grad():
        return {"accuracy": float((model(batch["x"]).argmax(1) == batch["y"]).double().mean())}


def load_own(context):
    return load_task(context.run_config), own_part(context)
