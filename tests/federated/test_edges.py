"""Where other people's labels, ids and sizes enter: what gave a wrong answer without a word, and the right one."""

import datasets
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from trustlab.federated.continual import continual, only
from trustlab.federated.feedback import pseudo_labels
from trustlab.federated.partition import (
    Partition,
    by_period,
    effective_labels,
    embed,
    jensen_shannon,
    label_counts,
    matching,
    partition,
    partition_pair,
    skew,
)
from trustlab.federated.partition.sizes import apportion
from trustlab.federated.selection import Selector
from trustlab.federated.simulation import FederatedConfig, Task, simulate
from trustlab.federated.tasks.metrics import rouge_l

RNG = np.random.default_rng(0)
LABELS, TEST_LABELS = RNG.integers(4, size=400), RNG.integers(4, size=80)
LABEL_SCHEMES = ("label-dirichlet-fednlp", "label-dirichlet-flower", "shards", "pathological")


def same(first, second):
    return len(first) == len(second) and all(map(np.array_equal, first, second))


# Containers


@pytest.mark.parametrize("kind", ["tensor", "0-d tensors", "datasets"])
def test_a_pair_of_tensors_is_numpys_pair(kind):
    def put(values):
        if kind == "datasets":
            return datasets.Dataset.from_dict({"label": values}).with_format("torch")["label"]
        return torch.tensor(values) if kind == "tensor" else list(torch.tensor(values))

    options = dict(scheme="label-dirichlet-fednlp", clients=4, alpha=0.01)
    wanted = partition_pair(LABELS, TEST_LABELS, **options)
    found = partition_pair(put(LABELS), put(TEST_LABELS), **options)
    assert same(found[0], wanted[0]) and same(found[1], wanted[1])
    train, test = found
    for own, held_out in zip(train, test, strict=True):
        assert set(TEST_LABELS[held_out]) <= set(LABELS[own])
    assert label_counts(train, put(LABELS))[0].shape == (4, 4)


def test_a_shuffled_column_names_its_own_users():
    users = pd.Series(["ann"] * 5 + ["bob"] * 3 + ["eve"])
    shuffled = users.sample(frac=1, random_state=1)
    made = partition(shuffled, scheme="natural")
    assert made.names == ("ann", "bob", "eve")
    for name, own in zip(made.names, made, strict=True):
        assert set(shuffled.to_numpy()[own]) == {name}
    nullable = pd.Series([7, 8, 7], dtype="Int64", index=[2, 1, 0])
    assert partition(nullable, scheme="natural").names == (7, 8)
    assert partition(nullable.astype("category"), scheme="natural").names == (7, 8)


@pytest.mark.parametrize("scheme", ["natural", "iid", "shards", "time"])
def test_one_text_is_no_column_of_letters(scheme):
    options = {} if scheme == "natural" else {"clients": 2}
    with pytest.raises(ValueError, match="one text"):
        partition("annabella", scheme=scheme, **options)
    with pytest.raises(ValueError, match="one text"):
        matching(Partition.from_owners(np.zeros(3, int), 1), "ann", ["a"])


def test_one_text_is_not_embedded_letter_by_letter_nor_compared_so():
    with pytest.raises(ValueError, match="one text"):
        embed("play")
    with pytest.raises(ValueError, match="one text"):
        rouge_l("police killed", "police kill")


@pytest.mark.parametrize(
    "values",
    [
        [1.0, float("nan"), 2.0],
        np.array(["2026-01-01", "NaT", "2025-01-01"], dtype="datetime64[D]"),
        pd.to_datetime(pd.Series(["2026-01-01", None, "2025-01-01"])),
        torch.tensor([1.0, float("nan"), 2.0]),
        ["2026-01-01", None, "2025-01-01"],
    ],
)
def test_a_missing_time_is_not_the_latest(values):
    with pytest.raises(ValueError, match=r"time for each of 3 rows, 1 have none \(first: row 1\)"):
        partition(values, scheme="time", clients=3)
    with pytest.raises(ValueError, match="period for each of 3 rows, 1 have none"):
        by_period(Partition.from_owners(np.zeros(3, int), 1), values)


@pytest.mark.parametrize("none", ["", " ", "NaT", "nan", "None", "<NA>"])
def test_a_missing_time_that_was_made_text_is_not_a_time(none):
    """``column.astype(str)`` and an empty cell of a CSV: '' would be the earliest, 'NaT' the latest."""
    for values in (["2026-01-01", none], pd.Series(["2026-01-01", none], index=[1, 0])):
        with pytest.raises(ValueError, match=r"time for each of 2 rows.*row 1"):
            partition(values, scheme="time", clients=2)


def test_an_example_without_a_period_is_not_left_out_of_training():
    x = torch.randn(6, 1)
    task = Task(nn.Linear(1, 1), x, x, lambda m, b: m(b).square().sum(1), lambda m, b: {"loss": 0.0})
    with pytest.raises(ValueError, match="period for each of 6 rows, 1 have none"):
        list(
            continual(
                task, Partition.from_owners(np.arange(6) % 2, 2), [0, 0, 0, 1, 1, float("nan")],
                FederatedConfig(rounds=1, clients_per_round=1), selection={"strategy": "uniform"},
            )
        )  # fmt: skip
    with pytest.raises(ValueError, match="a mask of True and False"):
        only(Partition.from_owners([0, 1], 2), np.array([1, 0]))


@pytest.mark.parametrize("scheme", LABEL_SCHEMES)
@pytest.mark.parametrize(
    "values",
    [
        RNG.normal(size=200),
        RNG.normal(size=200).astype(np.float32),
        RNG.normal(size=4),
        np.arange(50),
        [f"sentence {i}" for i in range(30)],
        np.round(RNG.normal(size=200), 6).tolist(),
    ],
)
def test_as_many_labels_as_examples_are_no_labels(scheme, values):
    with pytest.raises(ValueError, match=r"Expected classes as labels.*np\.digitize.*scheme='iid'"):
        partition(values, scheme=scheme, clients=2)
    with pytest.raises(ValueError, match="Expected classes as labels"):
        skew(partition(values, scheme="iid", clients=2), values)


def test_few_examples_and_classes_written_as_floats_are_labels_all_the_same():
    for values in ([0, 1], ["b", "a"], [0.0, 1.0, 2.0], [0.5, 1.5] * 20, list(range(9)), np.repeat(np.arange(60), 2)):
        made = partition(values, scheme="shards", clients=2)
        assert made.sizes.sum() == len(values) == label_counts(made, values)[0].sum()


def test_labels_of_another_kind_in_test_are_a_mistake_in_reading():
    with pytest.raises(ValueError, match="of the same kind as labels, got str and int"):
        partition_pair([0, 1] * 10, ["0", "1"], scheme="iid", clients=2)
    made = partition([0, 1] * 10, scheme="iid", clients=2)
    assert matching(made, [0, 1] * 10, [2]).sizes.sum() == 1  # a label that train does not have is shared


def test_owners_masks_and_floats_make_no_partition():
    for owners in ([True, False], [0.0, 1.0], ["0", "1"], [0, -1], [0, 2], [[0, 1]]):
        with pytest.raises(ValueError, match="owner"):
            Partition.from_owners(owners, 2)
    with pytest.raises(ValueError, match="a mask"):
        Partition(np.array([True, False]), np.array([0, 2]))
    for offsets in ([0, 1], [1, 2], [0, 2, 1, 2], [0]):
        with pytest.raises(ValueError, match="offsets that rise from 0 to the 2 indices"):
            Partition(np.array([0, 1]), np.array(offsets))


def test_counts_that_are_none_are_refused():
    for function in (jensen_shannon, effective_labels):
        for counts, message in (([[1, -1]], ">= 0"), ([[1.0, float("nan")]], "finite"), ([1, 2], "shape")):
            with pytest.raises(ValueError, match=message):
                function(counts)
    assert effective_labels(torch.tensor([[5, 5]])).round(6).tolist() == [2.0]


def test_feedback_in_lists_is_compared_entry_by_entry():
    assert pseudo_labels([3, 5], [1, 3], [-100, 4]).tolist() == [3, 4]


# Names


def test_two_natural_partitions_are_not_measured_on_each_others_users():
    train, test = ["ann"] * 3 + ["bob"] * 2, ["bob"] * 3 + ["ann"]
    x, y = torch.randn(5, 1), torch.randn(4, 1)
    task = Task(nn.Linear(1, 1), x, y, lambda m, b: m(b).square().sum(1), lambda m, b: {"loss": 0.0})
    config = FederatedConfig(rounds=1, clients_per_round=1)
    clients, others = partition(train, scheme="natural"), partition(test, scheme="natural")
    assert clients.names == ("ann", "bob") and others.names == ("bob", "ann")
    with pytest.raises(ValueError, match="client 0 named 'ann' in train and 'bob' in test_clients"):
        simulate(task, clients, config, test_clients=others)
    for tests in (matching(clients, train, test), partition_pair(train, test, scheme="natural")[1]):
        assert [part.tolist() for part in tests] == [[3], [0, 1, 2]]
        assert len(list(simulate(task, clients, config, test_clients=tests))) == 1


def test_test_clients_with_other_names_are_not_stored_beside_train(tmp_path):
    clients, others = (partition(users, scheme="natural") for users in (["ann", "ann", "bob"], ["bob", "bob", "ann"]))
    with pytest.raises(ValueError, match="client 0 named 'ann' in train and 'bob' in test"):
        clients.to_h5(tmp_path / "users.h5", test=others)


def test_nobody_gets_the_examples_of_a_user_who_is_only_in_test():
    train, test = ["ann", "bob", "ann"], ["eve", "ann", "eve"]
    for give in (
        lambda: partition_pair(train, test, scheme="natural"),
        lambda: matching(partition(train, scheme="natural"), train, test),
    ):
        with pytest.raises(ValueError, match="2 clients in train, got 1 others: 'eve'"):
            give()
    clients, tests = partition_pair(train, test, scheme="natural", new_clients="keep")
    assert clients.names == tests.names == ("ann", "bob", "eve")
    assert clients.sizes.tolist() == [2, 1, 0] and [part.tolist() for part in tests] == [[1], [], [0, 2]]
    known, none = partition_pair(train, ["bob"], scheme="natural", new_clients="keep")
    assert known.names == ("ann", "bob") and none.sizes.tolist() == [0, 1]
    for options in (dict(scheme="iid", clients=2, new_clients="keep"), dict(scheme="natural", new_clients="drop")):
        with pytest.raises(ValueError, match="new_clients"):
            partition_pair(train, train, **options)


def test_an_unnamed_user_is_not_a_client():
    with pytest.raises(ValueError, match="client for each of 3 rows, 1 have none"):
        partition(["ann", "", "bob"], scheme="natural")


# Clients of a training

X = torch.linspace(-1, 1, 6)[:, None]
SQUARE = Task(nn.Linear(1, 1), X, X, lambda m, b: m(b).square().sum(1), lambda m, b: {"loss": 0.0})
ONE = FederatedConfig(rounds=1, clients_per_round=1)


@pytest.mark.parametrize(
    ("clients", "message"),
    [
        ([np.array([True, False] * 3), [1]], r"client 0 in clients to be a whole number, got a mask.*np\.flatnonzero"),
        ([[0], torch.tensor([True] * 6)], "client 1 in clients .* got a mask"),
        (np.eye(2, 6, dtype=bool), "client 0 in clients .* got a mask"),
        ([[0, 1], [2.0, 3.7]], "client 1 in clients to be a whole number, got 2.0"),
        ([["0"], [1]], "client 0 in clients to be a whole number, got '0'"),
        ([0, 1, 1, 0, 1, 0], r"got one number for each of 6.*Partition\.from_owners"),
        (torch.tensor([0, 1, 1, 0, 1, 0]), r"got one number for each of 6.*Partition\.from_owners"),
        (pd.Series([0, 1, 1]), r"Partition\.from_owners"),
        ([[0, 1, 1, 0, 1, 0]], r"once, got 6 with 2 different ones.*from_owners"),
        ([[0, 1], [2, 6]], "client 1 in clients >= 0 and < 6, got 6"),
        ([[0, -1], [2]], "client 0 in clients >= 0 and < 6, got -1"),
        ({"ann": [0, 1], "bob": [2]}, "got dict with 'ann', 'bob'"),
        ("012", "one text"),
        (["01", "2"], "one text"),
        (Partition.from_owners(np.arange(9) % 2, 2), "index in clients >= 0 and < 6, got 8"),
    ],
)
def test_what_is_no_list_of_indices_is_not_read_as_one(clients, message):
    with pytest.raises(ValueError, match=message):
        list(simulate(SQUARE, clients, ONE))
    if not isinstance(clients, Partition) and len(clients) == 2:
        with pytest.raises(ValueError, match=message.replace("clients", "test_clients", 1)):
            list(simulate(SQUARE, [[0], [1]], ONE, test_clients=clients))


def test_indices_come_in_every_container():
    config = FederatedConfig(rounds=2, clients_per_round=2)
    wanted = [row["train_loss"] for row in simulate(SQUARE, [np.arange(2), np.arange(2, 6)], config)]
    for put in (list, tuple, torch.tensor, pd.Series, lambda own: pd.Series(own, index=own[::-1]), pd.Index):
        given = [put([0, 1]), put([2, 3, 4, 5])]
        for clients in (given, pd.Series(given, index=[1, 0])):
            assert [row["train_loss"] for row in simulate(SQUARE, clients, config)] == wanted


def test_clients_that_are_looked_at_later_are_checked_then():
    class Registered:
        sizes = np.array([6, 6])

        def __len__(self):
            return 2

        def __getitem__(self, device):
            return np.array([True] * 6)

    with pytest.raises(ValueError, match="got a mask"):
        list(simulate(SQUARE, Registered(), ONE))


def test_a_mask_of_clients_is_not_their_numbers():
    selector = Selector([1.0, 1.0, 1.0])
    for devices in ([True, False, True], [0.0], [-1]):
        with pytest.raises(ValueError, match="every client"):
            selector.update(devices, [2.0] * len(devices))
    with pytest.raises(ValueError, match="weight for each of 2 clients, got 1"):
        selector.update([0, 1], [2.0])
    with pytest.raises(ValueError, match="norm for each of 3 rows, got 1"):
        Selector([1, 1, 1], strategy="optimal", norms=[2.0])


# Sizes


def test_sizes_by_a_power_of_rank_are_their_shares():
    sizes = partition(range(999), scheme="sizes-power-law", clients=500, exponent=0).sizes
    assert set(sizes.tolist()) == {1, 2} and sizes.sum() == 999
    sizes = partition(range(60_000), scheme="sizes-power-law", clients=10_000, exponent=1).sizes
    harmonic = sum(1 / k for k in range(1, 10_001))
    assert sizes[0] == round(60_000 / harmonic) == 6130 and sizes.sum() == 60_000


RULES = {
    "iid": lambda k, clients: 1.0,
    "sizes-linear": lambda k, clients: k,
    "sizes-square": lambda k, clients: k**2,
    "sizes-exponential": lambda k, clients: np.exp(float(k - clients)),
    "sizes-power-law": lambda k, clients: k**-1.3,
}


@given(st.sampled_from(sorted(RULES)), st.integers(1, 300), st.integers(1, 2000))
def test_every_size_is_within_one_of_its_share_and_who_has_more_weight_has_no_less(scheme, clients, examples):
    options = {"exponent": 1.3} if scheme == "sizes-power-law" else {}
    sizes = partition(range(examples), scheme=scheme, clients=clients, **options).sizes
    weights = np.array([RULES[scheme](k, clients) for k in range(1, clients + 1)], dtype=float)
    assert sizes.sum() == examples
    assert np.abs(sizes - weights / weights.sum() * examples).max() < 1 + 1e-9
    assert np.all(np.diff(sizes[np.argsort(weights, kind="stable")]) >= 0) or scheme == "iid"


@given(st.lists(st.floats(0, 100), min_size=1, max_size=40).filter(sum), st.integers(0, 500))
def test_largest_remainder_is_the_nearest_of_all_roundings(weights, examples):
    """Of all whole numbers with this sum none are nearer to the shares: moving one example helps nobody."""
    shares = np.array(weights) / sum(weights) * examples
    sizes = apportion(np.array(weights), examples)
    assert sizes.sum() == examples and sizes.min() >= 0 and np.abs(sizes - shares).max() < 1 + 1e-6
    # Giving one from i to j changes Σ(size − share)² by 2(e_j − e_i) + 2, with e the errors.
    errors = sizes - shares
    assert errors.max() - errors.min() <= 1 + 1e-6


@given(st.floats(0.01, 1e6), st.integers(1, 200), st.integers(1, 2000), st.integers(0, 9))
def test_drawn_sizes_are_the_largest_remainder_of_the_shares_drawn(beta, clients, examples, seed):
    """The same shares over a hundred times as many examples give each share to a hundredth of an example."""
    how = dict(scheme="quantity-dirichlet", clients=clients, beta=beta, seed=seed)
    sizes = partition(range(examples), **how).sizes
    fine = partition(range(examples * 100), **how).sizes / 100
    errors = sizes - fine
    assert sizes.sum() == examples and np.abs(errors).max() < 1.011 and errors.max() - errors.min() < 1.021
