"""pfl's own code as oracle where it is installed, and what it gave where it is not."""

import itertools

import numpy as np
import pytest

from trustlab.federated.partition import effective_labels, jensen_shannon, label_counts, partition
from trustlab.federated.partition.pfl_dirichlet import drawn_in_turn

LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(6), [400, 300, 150, 90, 50, 10]))
CLIENTS = 20
# Means over the seeds 0 to 39 of pfl 0.6.0's partition_by_dirichlet_class_distribution(LABELS, α, lambda: 50), after
# np.random.seed(seed): the Jensen–Shannon distance of two clients, and the effective number of labels of a client.
BY_PFL = {0.1: (0.7087, 1.7166), 1.0: (0.5807, 2.5635), 100.0: (0.4675, 3.2085)}


def numbers(counts):
    return jensen_shannon(counts)[np.triu_indices(len(counts), 1)].mean(), effective_labels(counts).mean()


@pytest.mark.parametrize("alpha", BY_PFL)
def test_fleets_are_as_skewed_as_pfls(alpha):
    options = dict(scheme="label-dirichlet-pfl", clients=CLIENTS, alpha=alpha)
    ours = [label_counts(partition(LABELS, seed=seed, **options), LABELS)[0] for seed in range(40)]
    found = np.array([numbers(counts) for counts in ours])
    error = found.std(axis=0, ddof=1) * np.sqrt(2 / len(found))  # of the difference of two such means
    assert np.all(np.abs(found.mean(axis=0) - BY_PFL[alpha]) < 4 * error)  # fails for a right one once in 5,000


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("alpha", [0.01, 0.1, 1.0, 100.0])
def test_from_the_same_random_numbers_every_client_draws_pfls_labels(alpha, seed, monkeypatch):
    """The evening out is part of it: at α = 0.01 the last clients want what is used up."""
    peer = pytest.importorskip("pfl.data.partition", reason="pfl is an optional peer")
    rng = np.random.default_rng(seed)
    monkeypatch.setattr(peer.np.random, "dirichlet", lambda alpha: rng.dirichlet(alpha))
    monkeypatch.setattr(peer.np.random, "uniform", rng.random)
    sizes = np.array([70] * 10 + [30] * 10)
    asked = itertools.chain(sizes.tolist(), itertools.repeat(len(LABELS)))  # and then more than there is
    users = peer.partition_by_dirichlet_class_distribution(LABELS, alpha, lambda: next(asked))
    theirs = [np.bincount(LABELS[user], minlength=6).tolist() for user in users]
    ours = drawn_in_turn(alpha, sizes, np.bincount(LABELS), np.random.default_rng(seed))
    assert ours.tolist() == theirs


def test_a_large_alpha_does_not_make_pfls_clients_alike_where_labels_are_not():
    """The first take all labels alike, until the rare ones are used up; without that, 100 would be nearly no skew."""
    counts, _ = label_counts(partition(LABELS, scheme="label-dirichlet-pfl", clients=CLIENTS, alpha=1e6), LABELS)
    assert counts[0].min() > 0 and counts[-1].min() == 0
    even, _ = label_counts(partition(LABELS, scheme="iid", clients=CLIENTS, seed=1), LABELS)
    assert numbers(counts)[0] > 2 * numbers(even)[0]
