"""The old public names of the federated chapter work for one version more, and say what to write instead."""

import importlib

import numpy as np
import pytest
import torch
from torch import nn

from trustlab.federated.aggregation import client_weights
from trustlab.federated.batch_weights import average_by, by_batches, by_examples
from trustlab.federated.partition import SCHEMES, Partition, partition
from trustlab.federated.partition.schemes import Scheme
from trustlab.federated.partition.sizes import iid
from trustlab.federated.selection import Selector
from trustlab.federated.selection.weighted_sampler import WeightedSampler
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


@pytest.mark.parametrize(
    ("place", "old", "new"),
    [
        ("aggregation", "WEIGHTINGS", "AGGREGATIONS"),
        ("continual", "device_sums", "client_sums"),
        ("selection.weighted_sampler", "Urn", "WeightedSampler"),
        ("partition.clusters", "ClusterDials", "ClusterOptions"),
        ("partition.dirichlet", "FedNLPDials", "FedNLPOptions"),
        ("partition.dirichlet", "FlowerDials", "FlowerOptions"),
        ("partition.shards", "ShardDials", "ShardOptions"),
        ("partition.shards", "PathologicalDials", "PathologicalOptions"),
        ("partition.sizes", "NoDials", "NoOptions"),
        ("partition.sizes", "QuantityDials", "QuantityOptions"),
        ("partition.sizes", "PowerLawDials", "PowerLawOptions"),
    ],
)
def test_an_old_name_is_the_new_one(place, old, new):
    module = importlib.import_module(f"trustlab.federated.{place}")
    with pytest.warns(DeprecationWarning, match=f"{old} is now trustlab.federated.{place}.{new}"):
        assert getattr(module, old) is getattr(module, new)


def test_arguments_and_attributes_answer_to_their_old_names():
    with pytest.warns(DeprecationWarning, match="'weighting' of .* is now 'aggregation'"):
        config = FederatedConfig(weighting="equal")
    with pytest.warns(DeprecationWarning, match="FederatedConfig.weighting is now FederatedConfig.aggregation"):
        assert config.weighting == config.aggregation == "equal"
    with pytest.warns(DeprecationWarning, match="'how' of client_weights is now 'aggregation'"):
        assert client_weights(how="equal", examples=[1, 9]).tolist() == [0.5, 0.5]
    with pytest.warns(DeprecationWarning, match="'dials' of .* is now 'options'"):
        made = Partition(np.array([0, 1]), np.array([0, 2]), dials={"alpha": 1.0})
    with pytest.warns(DeprecationWarning, match="Partition.dials is now Partition.options"):
        assert made.dials == made.options == {"alpha": 1.0}
    with pytest.warns(DeprecationWarning, match="Scheme.dials is now Scheme.options"):
        kind = SCHEMES["shards"].dials
    with pytest.warns(DeprecationWarning, match="'dials' of .* is now 'options'"):
        assert Scheme(iid, dials=kind).options is kind


@pytest.mark.parametrize("drawer", [Selector, WeightedSampler])
def test_clients_are_updated_under_the_old_name_too(drawer):
    drawn = drawer([1.0, 1.0])
    with pytest.warns(DeprecationWarning, match="'devices' of .*update is now 'clients'"):
        drawn.update(devices=[1], **{"activity" if drawer is Selector else "weights": [0.0]})
    if drawer is WeightedSampler:
        assert drawn.weights.tolist() == [1.0, 0.0]
        with pytest.warns(DeprecationWarning, match="WeightedSampler.devices is now WeightedSampler.clients"):
            assert drawn.devices == 2
    else:
        assert drawn.inclusion(1).tolist() == [1.0, 0.0]


def test_new_names_warn_of_nothing(recwarn):
    partition([0, 1] * 5, scheme="shards", clients=2, shards_per_client=1)
    list(simulate(line(), CLIENTS, FederatedConfig(rounds=1, clients_per_round=2, aggregation="equal")))
    assert not [each for each in recwarn if each.category is DeprecationWarning]
