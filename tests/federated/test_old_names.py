"""The old public names of the federated chapter work for one version more, and say what to write instead."""

import numpy as np
import pytest
import torch
from torch import nn

from trustlab.federated.batch_weights import average_by, by_batches, by_examples
from trustlab.federated.simulation import FederatedConfig, Task, simulate

X = torch.linspace(-1, 1, 12)[:, None]
CLIENTS = [np.arange(0, 3), np.arange(3, 7), np.arange(7, 12)]


def line():
    """A line to learn, y = 3x."""

    def loss(model, batch):
        return (model(batch) - 3 * batch).square().sum(1)

    torch.manual_seed(0)
    return Task(nn.Linear(1, 1), X, X, loss, lambda model, batch: {"loss": loss(model, batch).mean().item()})


def test_average_by_is_the_simulation_with_weights_of_ones_own():
    config = FederatedConfig(rounds=3, clients_per_round=2, batch_size=2)
    with pytest.warns(DeprecationWarning, match=r"average_by is now simulate\(..., weigh=...\)"):
        old = [row["loss"] for row in average_by(line(), CLIENTS, config, by_batches)]
    new = [row["loss"] for row in simulate(line(), CLIENTS, config, weigh=lambda n: by_batches(n, 2))]
    assert old == new != [row["loss"] for row in simulate(line(), CLIENTS, config, weigh=lambda n: by_examples(n, 2))]
