"""What holds for every partition: exactly once, always ending, refused in words, the same for the same seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trustlab.data import assistant
from trustlab.federated.partition import SCHEMES, Partition, by_period, matching, partition, partition_pair
from trustlab.federated.partition.assignment import codes_of, cut, deal, stable_order
from trustlab.federated.partition.minimum import fill_up
from trustlab.federated.partition.sizes import apportion

LABELLED = [
    ("iid", {}),
    *((f"label-dirichlet-{law}", {"alpha": alpha}) for law in ("fednlp", "flower") for alpha in (1e-3, 0.3, 1, 1e6)),
    ("label-dirichlet-flower", {"alpha": 1e-3, "self_balancing": True}),
    ("quantity-dirichlet", {"beta": 1e-3}),
    ("quantity-dirichlet", {"beta": 1e6}),
    ("shards", {"shards_per_client": 3}),
    ("sizes-linear", {}),
    ("sizes-square", {}),
    ("sizes-exponential", {}),
    ("sizes-power-law", {"exponent": 1.5}),
    ("time", {}),
]
labels_of = st.lists(st.integers(0, 5), min_size=1, max_size=60)


def same(first, second):
    return len(first) == len(second) and all(map(np.array_equal, first, second))


def check_exactly_once(made, examples):
    assert np.array_equal(np.sort(made.flat), np.arange(examples))
    assert sum(map(len, made.indices)) == made.sizes.sum() == examples
    assert all(np.all(np.diff(indices) > 0) for indices in made)
    assert made.flat.dtype == np.int64


@given(labels_of, st.integers(1, 80), st.sampled_from(LABELLED), st.integers(0, 5), st.data())
def test_every_index_stands_once_and_no_client_is_below_the_minimum(labels, clients, scheme, seed, data):
    """Also with one client, with more clients than examples, and with labels that occur once."""
    name, dials = scheme
    min_size = data.draw(st.integers(0, len(labels) // clients))
    made = partition(labels, scheme=name, clients=clients, seed=seed, min_size=min_size, **dials)
    assert len(made) == clients and made.sizes.min() >= min_size
    check_exactly_once(made, len(labels))
    assert same(made, partition(labels, scheme=name, clients=clients, seed=seed, min_size=min_size, **dials))
    # A name is a name: what the labels are called moves nothing, and neither do names that sort the other way round.
    if name != "time":
        renamed = [("z", "y", "x", "w", "v", "u")[label] for label in labels]
        assert same(made, partition(renamed, scheme=name, clients=clients, seed=seed, min_size=min_size, **dials))


@given(labels_of, st.integers(1, 12), st.integers(1, 6))
def test_pathological_clients_have_exactly_so_many_labels(labels, clients, each):
    kinds = len(set(labels))
    if not kinds <= clients * each or each > kinds:
        with pytest.raises(ValueError, match=f"Expected classes_per_client={each} in "):
            partition(labels, scheme="pathological", clients=clients, classes_per_client=each)
        return
    plenty = labels * clients  # so that no client of a label goes without
    made = partition(plenty, scheme="pathological", clients=clients, classes_per_client=each)
    check_exactly_once(made, len(plenty))
    assert [len({plenty[i] for i in indices}) for indices in made] == [each] * clients


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=60))
def test_a_natural_client_has_its_own_examples_the_largest_first(users):
    made = partition(users, scheme="natural")
    check_exactly_once(made, len(users))
    for name, indices in zip(made.names, made, strict=True):
        assert [users[i] for i in indices] == [name] * users.count(name)
    assert np.all(np.diff(made.sizes) <= 0)
    assert same(made, partition(users, scheme="natural", min_size=int(made.sizes.min())))


def test_values_of_every_kind_are_numbered_by_first_appearance():
    import torch

    for values in (
        [3, 1, 3],
        np.array([3, 1, 3], dtype=np.uint8),
        torch.tensor([3, 1, 3]),
        ["b", "a", "b"],
        np.array(["b", "a", "b"]),
        [("b", "x"), ("a",), ("b", "x")],
        [frozenset({"person"}), frozenset(), frozenset({"person"})],
        [3, "a", 3],
        np.array(["2026-01-02", "2026-01-01", "2026-01-02"], dtype="datetime64[D]"),
    ):
        codes, names = codes_of(values)
        assert codes.tolist() == [0, 1, 0] and len(names) == 2


@pytest.mark.parametrize("values", [[], ["a", None], [1.0, float("nan")], [[1], [2]], np.zeros((3, 2))])
def test_labels_that_belong_to_nobody_are_refused(values):
    with pytest.raises(ValueError, match="Expected"):
        codes_of(values)


@given(st.lists(st.integers(0, 200_000), min_size=1, max_size=50))
def test_radix_order_is_the_stable_order(codes):
    codes = np.array(codes)
    assert np.array_equal(stable_order(codes, 200_001), np.argsort(codes, kind="stable"))


@given(st.lists(st.lists(st.floats(1e-9, 1), min_size=4, max_size=4), min_size=1, max_size=5), st.integers(0, 1000))
def test_a_cut_uses_everything_and_is_within_one_of_its_shares(weights, examples):
    shares = np.array(weights) / np.sum(weights, axis=1, keepdims=True)
    counts = cut(shares, np.full(len(shares), examples))
    assert counts.min() >= 0 and np.all(counts.sum(axis=1) == examples)
    assert np.abs(counts - shares * examples).max() <= 1 + 1e-9


def test_a_shifted_cut_is_right_in_the_mean():
    """20,000 cuts; each mean within 4 standard errors, a rounding's standard deviation being at most 1/2."""
    shares = np.tile([0.13, 0.5, 0.07, 0.3], (20_000, 1))
    counts = cut(shares, np.full(20_000, 7), np.random.default_rng(0).random((20_000, 1)))
    assert np.abs(counts.mean(axis=0) - 7 * shares[0]).max() < 4 * 0.5 / np.sqrt(20_000)


def test_every_subset_of_a_label_is_dealt_equally_often():
    """Chi-square over the 15 pairs that a client can get of 6 examples; a right deal fails with probability 1e-4."""
    from scipy import stats

    rng, seen = np.random.default_rng(0), {}
    for _ in range(3000):
        pair = tuple(np.flatnonzero(deal(np.zeros(6, dtype=int), np.array([[2], [4]]), rng) == 0))
        seen[pair] = seen.get(pair, 0) + 1
    assert len(seen) == 15 and stats.chisquare(list(seen.values())).pvalue > 1e-4


@given(st.lists(st.integers(0, 30), min_size=1, max_size=12), st.integers(0, 30), st.integers(0, 3))
def test_the_minimum_takes_only_what_is_lacking_and_only_from_the_largest(sizes, min_size, seed):
    owners = np.repeat(np.arange(len(sizes)), sizes)
    if len(sizes) * min_size > len(owners) or not len(owners):
        return
    filled, moved = fill_up(owners, len(sizes), min_size, np.random.default_rng(seed))
    before, after = np.array(sizes), np.bincount(filled, minlength=len(sizes))
    assert moved == (filled != owners).sum() == np.maximum(min_size - before, 0).sum()
    assert np.array_equal(np.maximum(before, min_size)[before <= min_size], after[before <= min_size])
    gave = after < before
    if gave.any():  # level: who gave has at most one example less than anybody else
        assert after.max() <= after[gave].min() + 1


@pytest.mark.parametrize(("sizes", "outcomes"), [((3, 3, 0, 0), 3 * 3 * 2), ((3, 3, 0), 6)])
def test_which_examples_move_and_to_whom_is_drawn(sizes, outcomes):
    """Two clients give one each to two others, or one of them gives one; a right draw misses an outcome of 18 in 400
    with a probability of 2e-9."""
    owners = np.repeat(np.arange(len(sizes)), sizes)
    found = {tuple(fill_up(owners, len(sizes), 1, np.random.default_rng(seed))[0]) for seed in range(400)}
    assert len(found) == outcomes
    assert owners.tolist() == sorted(owners)  # the array given is as it was


@pytest.mark.parametrize(
    ("labels", "clients", "scheme", "dials", "outcomes"),
    [
        ([0] * 4, 2, "iid", {}, 6),  # pairs of four
        ([0] * 4, 2, "shards", {"shards_per_client": 1}, 6),
        ([0] * 3, 2, "pathological", {"classes_per_client": 1}, 6),  # the odd example is either client's
        ([0, 1], 2, "pathological", {"classes_per_client": 1}, 2),
    ],
)
def test_who_gets_which_example_is_drawn(labels, clients, scheme, dials, outcomes):
    """A right draw misses one of six outcomes in 100 with a probability below 1e-6."""
    draws = [partition(labels, scheme=scheme, clients=clients, seed=seed, **dials) for seed in range(100)]
    assert len({tuple(tuple(part) for part in draw) for draw in draws}) == outcomes


def test_what_is_left_by_rounding_goes_to_those_who_lost_most_wherever_they_stand():
    assert apportion(np.array([3.0, 2.0, 1.0]), 10).tolist() == [5, 3, 2]  # of 5, 3.33 and 1.67
    assert apportion(np.array([1.0, 3.0, 2.0]), 10).tolist() == [2, 5, 3]


def test_the_partition_says_how_many_examples_moved():
    made = partition([0] * 30, scheme="sizes-exponential", clients=5, min_size=2)
    assert made.sizes.min() == 2 and made.moved > 0
    assert matching(made, [0] * 30, [0] * 9).moved == 0  # of the test examples none was
    assert partition([0] * 30, scheme="iid", clients=5, min_size=2).moved == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(scheme="dirichlet", clients=2), "'dirichlet' to be one of 'iid'"),
        (dict(scheme="iid", clients=2, alpha=1.0), r"scheme='iid' \(it has none\), got alpha=1.0"),
        (dict(scheme="label-dirichlet-flower", clients=2, beta=1), r"\(alpha, self_balancing\), got beta=1"),
        (dict(scheme="label-dirichlet-fednlp", clients=2, alpha=0), "Expected alpha=0 > 0"),
        (dict(scheme="label-dirichlet-fednlp", clients=2, alpha=float("nan")), "alpha=nan to be a number"),
        (dict(scheme="quantity-dirichlet", clients=2, beta=float("inf")), "Expected beta=inf <= 1e"),
        (dict(scheme="iid"), "clients=None to be a whole number >= 1"),
        (dict(scheme="iid", clients=0), "clients=0"),
        (dict(scheme="iid", clients=2.0), "clients=2.0"),
        (dict(scheme="iid", clients=True), "clients=True to be a whole number"),
        (dict(scheme="iid", clients=2, seed=-1), "seed=-1"),
        (dict(scheme="iid", clients=3, min_size=2), r"3 \* 2 > 4.*lower min_size to 1"),
        (dict(scheme="iid", clients=5, min_size=1), r"5 \* 1 > 4.*lower min_size to 0"),
        (dict(scheme="natural", clients=2), "clients=None with scheme='natural'"),
        (dict(scheme="natural", min_size=2), "min_size=2 <= 1, the smallest client"),
        (dict(scheme="feature-clusters", clients=2), r"features of shape \[examples, dimensions\]"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(options, message):
    with pytest.raises(ValueError, match=message):
        partition(["a", "b", "a", "a"], **options)


def test_no_dial_of_a_scheme_goes_unused():
    """Each dial, moved away from its default, moves the partition."""
    rng = np.random.default_rng(0)
    values = rng.integers(6, size=300)
    moved = {"alpha": 0.01, "beta": 0.01, "shards_per_client": 5, "classes_per_client": 3, "exponent": 3.0}
    moved |= {"self_balancing": True, "clusters": 2}
    for name, scheme in SCHEMES.items():
        given_values = rng.random((300, 2)) if name == "feature-clusters" else values
        for dial in scheme.options.__dataclass_fields__:
            plain = partition(given_values, scheme=name, clients=4)
            assert not same(plain, partition(given_values, scheme=name, clients=4, **{dial: moved[dial]})), dial


def test_a_partition_is_a_sequence_of_views():
    made = Partition.from_owners(np.array([2, 0, 2]), 3)
    assert [part.tolist() for part in made] == [[1], [], [0, 2]]
    assert made[-1].base is made.flat and made[-1].tolist() == made[np.int64(2)].tolist() == [0, 2]
    assert made.owners.tolist() == [0, 2, 2]
    for beyond in (3, -4):
        with pytest.raises(IndexError):
            made[beyond]


def test_client_datasets_are_views_of_the_rows():
    split = assistant(200)["train"]
    made = partition(split["intent"], scheme="label-dirichlet-flower", clients=5, alpha=0.2)
    views = made.datasets(split)
    for view, indices in zip(views, made, strict=True):
        assert view["period"][:] == [split[int(i)]["period"] for i in indices]
        assert view.data.column(0).chunk(0).buffers()[1].address == split.data.column(0).chunk(0).buffers()[1].address
    with pytest.raises(ValueError, match="160 examples, got 20"):
        made.datasets(assistant(200)["test"])


@given(labels_of, st.lists(st.integers(0, 7), max_size=40), st.integers(1, 9), st.sampled_from(LABELLED[:5]))
def test_a_matching_test_split_follows_each_clients_labels_to_within_one(labels, test_labels, clients, scheme):
    name, dials = scheme
    train = partition(labels, scheme=name, clients=clients, **dials)
    test = matching(train, labels, test_labels, seed=1)
    check_exactly_once(test, len(test_labels))
    for label in set(test_labels):
        if label in labels:
            share = np.array([sum(labels[i] == label for i in part) for part in train]) / labels.count(label)
        else:
            share = train.sizes / len(labels)
        got = np.array([sum(test_labels[i] == label for i in part) for part in test])
        assert np.abs(got - share * test_labels.count(label)).max() < 1 + 1e-6


def test_a_pair_is_the_partition_and_its_match():
    rng = np.random.default_rng(0)
    labels, test_labels = rng.integers(3, size=300), rng.integers(3, size=60)
    options = dict(scheme="label-dirichlet-fednlp", clients=6, alpha=0.05, seed=4)
    train, test = partition_pair(labels, test_labels, **options)
    assert same(train, partition(labels, **options))
    assert same(test, matching(train, labels, test_labels, seed=4))
    for mine, held_out in zip(train, test, strict=True):
        assert set(test_labels[held_out]) <= set(labels[mine])
    users, test_users = partition_pair(["a", "b", "a"], ["b", "a", "b"], scheme="natural")
    assert users.names == test_users.names == ("a", "b") and [part.tolist() for part in test_users] == [[1], [0, 2]]
    with pytest.raises(ValueError, match="got scheme='time'"):
        partition_pair([1, 2], [3], scheme="time", clients=1)


def test_which_test_examples_go_to_a_client_is_drawn():
    train = partition([0] * 10, scheme="iid", clients=2)
    draws = {tuple(matching(train, [0] * 10, [0] * 4, seed=seed)[0]) for seed in range(40)}
    assert len(draws) == 6  # all pairs of four


def test_a_single_test_example_goes_to_each_client_as_often_as_its_share_says():
    """400 seeds; the mean of a right draw is within 4 standard errors, or fails once in 16,000."""
    train = Partition.from_owners(np.array([0, 0, 0, 1]), 2)
    given = [matching(train, [0] * 4, [0], seed=seed).sizes[0] for seed in range(400)]
    assert abs(np.mean(given) - 0.75) < 4 * np.sqrt(0.75 * 0.25 / 400)


def test_time_slices_keep_time_order_and_periods_keep_the_clients():
    times = np.array([5.0, 1.0, 3.0, 1.0, 9.0])
    made = partition(times, scheme="time", clients=2)
    assert [part.tolist() for part in made] == [[1, 2, 3], [0, 4]]
    many = np.tile([3, 1, 2], 200)  # equal times keep their order in the file, equal clients that of their appearance
    slices = partition(many, scheme="time", clients=600)
    assert slices.flat.tolist() == sorted(range(600), key=lambda i: many[i])
    assert partition(list(range(600)), scheme="natural").names == tuple(range(600))
    split = assistant(300)["train"]
    devices = partition(split["device"], scheme="natural")
    periods = by_period(devices, split["period"])
    assert list(periods) == sorted(set(split["period"]))
    for period, part in periods.items():
        assert len(part) == len(devices) and part.names == devices.names
        assert {split[int(i)]["period"] for i in part.flat} == {period}
    for client, indices in enumerate(devices):
        assert np.array_equal(np.sort(np.concatenate([part[client] for part in periods.values()])), indices)


def test_times_that_cannot_be_sorted_are_refused_in_words():
    with pytest.raises(ValueError, match="Expected times of one kind that can be sorted, got int, str"):
        partition(["a", 3, "b"], scheme="time", clients=2)
    whole = partition([0, 0, 1], scheme="natural")
    with pytest.raises(ValueError, match="Expected periods of one kind that can be sorted"):
        by_period(whole, ["2020", 2021, "2022"])
