"""flwr-datasets as oracle: exactly where it draws nothing or its draws can be made again, in law elsewhere."""

import warnings

import datasets
import numpy as np
import pytest
from scipy import stats

from trustlab.federated.partition import jensen_shannon, label_counts, partition
from trustlab.federated.partition.assignment import cut
from trustlab.federated.partition.dirichlet import balanced

flower = pytest.importorskip(
    "flwr_datasets.partitioner", reason="the oracle is flwr-datasets: pip install flwr-datasets"
)
RNG = np.random.default_rng(0)
LABELS = RNG.permutation(np.repeat(np.arange(6), [400, 300, 150, 90, 50, 10]))


def sizes_and_counts(partitioner, labels=LABELS):
    """Return Flower's sizes [K] and client × label counts [K, L], in order of the labels' names."""
    partitioner.dataset = datasets.Dataset.from_dict({"label": labels})
    names = sorted(set(np.asarray(labels).tolist()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its attempts and of labels that it leaves out
        parts = [partitioner.load_partition(k)["label"][:] for k in range(partitioner.num_partitions)]
    counts = np.array([[part.count(name) for name in names] for part in parts])
    return counts.sum(axis=1), counts


@pytest.mark.parametrize(
    ("scheme", "theirs"),
    [
        ("iid", "IidPartitioner"),
        ("sizes-linear", "LinearPartitioner"),
        ("sizes-square", "SquarePartitioner"),
        ("sizes-exponential", "ExponentialPartitioner"),
    ],
)
@pytest.mark.parametrize("clients", [1, 3, 6])
def test_sizes_by_rule_are_flowers_but_for_what_its_largest_client_gets(scheme, theirs, clients):
    """Flower rounds down and gives all that is left to the largest, we one each to those that lost most by it."""
    for examples in (977, 1000):  # one that many numbers divide, and a prime
        labels = LABELS[:examples]
        sizes, _ = sizes_and_counts(getattr(flower, theirs)(num_partitions=clients), labels)
        more = partition(labels, scheme=scheme, clients=clients).sizes - sizes
        assert more.sum() == 0 and set(more[:-1].tolist()) <= {0, 1}
        assert -clients < more[-1] <= 0  # the largest is the last, or for iid all are within one
        assert scheme != "iid" or not more.any()


def test_natural_clients_are_flowers_by_name():
    users = [f"user {k}" for k in LABELS]
    theirs = flower.NaturalIdPartitioner(partition_by="label")
    _, counts = sizes_and_counts(theirs, users)
    made = partition(users, scheme="natural")
    ours, _ = label_counts(made, users)
    by_name = {name: row for name, row in zip(made.names, ours.tolist(), strict=True)}
    assert {theirs.partition_id_to_natural_id[k]: row for k, row in enumerate(counts.tolist())} == by_name
    assert made.sizes.tolist() == sorted(counts.sum(axis=1), reverse=True)  # ours have an order: the largest first


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("balance", [False, True])
def test_from_flowers_own_shares_our_counts_are_flowers(seed, balance):
    """Its generator, asked in its order: one Dirichlet draw per label, labels in sorted order."""
    theirs = flower.DirichletPartitioner(
        num_partitions=7, partition_by="label", alpha=0.4, min_partition_size=0, self_balancing=balance, seed=seed
    )
    _, counts = sizes_and_counts(theirs)
    rng = np.random.default_rng(seed)
    shares = np.stack([rng.dirichlet(np.full(7, 0.4)) for _ in range(6)])
    ours = (balanced if balance else cut)(shares, np.bincount(LABELS))  # [L, K]
    assert ours.T.tolist() == counts.tolist()


def test_a_label_is_shared_out_as_by_flower():
    """Two-sample Kolmogorov–Smirnov of one client's share of a label over 300 seeds, at 1e-4; α / 3 is told apart."""

    def ours(alpha):
        options = dict(scheme="label-dirichlet-flower", clients=5, alpha=alpha)
        return [label_counts(partition(LABELS, seed=seed, **options), LABELS)[0][2, 0] for seed in range(300)]

    options = dict(num_partitions=5, partition_by="label", alpha=0.9, min_partition_size=0)
    theirs = [sizes_and_counts(flower.DirichletPartitioner(seed=seed, **options))[1][2, 0] for seed in range(300)]
    assert stats.ks_2samp(ours(0.9), theirs).pvalue > 1e-4
    assert stats.ks_2samp(ours(0.3), theirs).pvalue < 1e-4


def inner(alpha, seed, labels, clients):
    """Flower's InnerDirichlet with FedNLP's parameters α·p, and equal sizes."""
    p = np.bincount(labels) / len(labels)
    sizes = [len(labels) // clients] * clients
    return flower.InnerDirichletPartitioner(partition_sizes=sizes, partition_by="label", alpha=alpha * p, seed=seed)


def test_fednlps_law_is_flowers_inner_one_with_alpha_p_where_labels_suffice():
    """Two-sample KS of a client's count of the first label over 150 seeds, at 1e-4.

    Flower draws labels one by one, we round shares; beside the laws' own variance the difference is little. With α = 20
    laws differ little, so that clients seldom run out of a label; α / 6 is told apart.
    """
    labels = LABELS[LABELS < 3][:600]

    def ours(alpha):
        options = dict(scheme="label-dirichlet-fednlp", clients=6, alpha=alpha)
        return [label_counts(partition(labels, seed=seed, **options), labels)[0][1, 0] for seed in range(150)]

    theirs = [sizes_and_counts(inner(20.0, seed, labels, 6), labels)[1][1, 0] for seed in range(150)]
    assert stats.ks_2samp(ours(20.0), theirs).pvalue > 1e-4
    assert stats.ks_2samp(ours(20.0 / 6), theirs).pvalue < 1e-4


def test_serving_in_turns_makes_clients_more_alike_than_their_laws():
    """The difference that ``label_fednlp`` documents. At α = 0.1 Flower has already divided by zero."""
    labels = LABELS[LABELS < 3][:600]

    def distance(counts):
        return jensen_shannon(counts)[np.triu_indices(len(counts), 1)].mean()

    options = dict(scheme="label-dirichlet-fednlp", clients=6, alpha=1.0)
    ours = [distance(label_counts(partition(labels, seed=s, **options), labels)[0]) for s in range(30)]
    theirs = [distance(sizes_and_counts(inner(1.0, s, labels, 6), labels)[1]) for s in range(30)]
    assert stats.ttest_ind(ours, theirs, alternative="greater").pvalue < 1e-3


def test_shards_are_cut_as_by_flower():
    """Same sizes, and of every label as many clients have some; which shards go together is drawn."""
    labels = np.repeat(np.arange(10), 60)
    sizes, theirs = sizes_and_counts(flower.ShardPartitioner(20, "label", num_shards_per_partition=3), labels)
    made = partition(labels, scheme="shards", clients=20, shards_per_client=3)
    ours, _ = label_counts(made, labels)
    assert made.sizes.tolist() == sizes.tolist() == [30] * 20
    assert set(ours.ravel()) == set(theirs.ravel()) == {0, 10, 20} or ours.max() == theirs.max() == 30


def test_pathological_clients_are_as_even_as_flowers_when_its_draw_uses_every_label():
    labels = np.repeat(np.arange(10), 60)
    theirs = flower.PathologicalPartitioner(10, "label", 2, class_assignment_mode="deterministic")
    _, counts = sizes_and_counts(theirs, labels)
    ours, _ = label_counts(partition(labels, scheme="pathological", clients=10, classes_per_client=2), labels)
    for table in (ours, counts):
        assert np.all((table > 0).sum(axis=1) == 2) and np.all((table > 0).sum(axis=0) == 2) and table.max() == 30
