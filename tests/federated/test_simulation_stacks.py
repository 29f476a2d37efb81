"""Which clients train together: as few steps as the rows that are read allow, and no client twice or never."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from trustlab.federated.simulation import Task
from trustlab.federated.simulation.embedding_tables import find_tables
from trustlab.federated.simulation.local_training import Work
from trustlab.federated.simulation.stacked import STACK_BYTES, stacks

TOKENS, BATCH = 12, 10


class Bag(nn.Module):
    """A mean of embeddings, and a linear layer."""

    def __init__(self, words, width):
        super().__init__()
        self.embedding, self.out = nn.Embedding(words, width, padding_idx=0), nn.Linear(width, 2)

    def forward(self, ids):
        return self.out(self.embedding(ids).mean(1))


def of(sizes, words, width):
    """Return the stacks of clients of these sizes, each of one epoch."""
    model = Bag(words, width)
    data = TensorDataset(torch.ones(sum(sizes), TOKENS, dtype=torch.long))
    task = Task(model, data, data, lambda model, batch: model(batch[0]).sum(1), lambda model, batch: {})
    places = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    works = [
        Work(i, tuple(np.split(own, range(BATCH, len(own), BATCH))) if len(own) else (), len(own), True)
        for i, own in enumerate(places)
    ]
    tables = find_tables(model, task, task.train[torch.arange(2)])
    assert list(tables) == ["embedding.weight"]
    return works, list(stacks(works, model, task, tables))


def longest(works, found):
    return sum(works[members[0]].steps for members in found)


POWER = tuple(max(1, 771 // rank) for rank in range(1, 101))


@pytest.mark.parametrize(("words", "width"), [(2048, 32), (200_000, 256)])
def test_each_client_with_steps_is_in_one_stack_after_those_with_more_steps(words, width):
    works, found = of((0, *POWER), words, width)
    assert sorted(i for members in found for i in members) == list(range(1, 101))
    for members in found:
        steps = [works[i].steps for i in members]
        assert steps == sorted(steps, reverse=True)
        widths = [works[i].width for i in members]
        assert (max(widths) - 1).bit_length() == (min(widths) - 1).bit_length()


def test_a_fleet_of_a_power_law_takes_hardly_more_steps_than_its_largest_device():
    works, found = of(POWER, words=2048, width=32)
    assert works[0].steps == 78 <= longest(works, found) <= 84


def test_where_a_client_reads_much_of_a_large_table_those_that_read_little_are_not_given_as_much():
    _, found = of((700, 9, 9, 10, 9, 9), words=200_000, width=256)
    assert found == [[0], [1, 2, 3, 4, 5]]


def test_a_stack_has_no_more_weights_than_a_cache_holds():
    model_bytes = 4 * (256 * 2 + 2)
    _, found = of((10,) * 9000, words=300, width=256)
    assert max(map(len, found)) == STACK_BYTES // model_bytes < 9000
