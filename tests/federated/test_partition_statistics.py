import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import distance

from trustlab.federated.partition import effective_labels, gini, jensen_shannon, label_counts, partition, skew
from trustlab.federated.partition.statistics import heaviest

tables = st.lists(st.lists(st.integers(0, 6), min_size=4, max_size=4), min_size=1, max_size=7).map(np.array)


def by_scipy(counts):
    with np.errstate(invalid="ignore"):
        return np.array([[distance.jensenshannon(p, q, base=2) for q in counts] for p in counts])


@given(tables)
def test_distances_are_scipys_with_nan_for_clients_without_examples(counts):
    ours = jensen_shannon(counts)
    # scipy sums terms of both signs before its root, so that equal laws may come out at 1e-8.
    np.testing.assert_allclose(ours, by_scipy(counts), atol=1e-7)
    some = counts.sum(axis=1) > 0
    assert np.all(ours[np.ix_(some, some)].diagonal() == 0)
    np.testing.assert_array_equal(ours, ours.T)


def test_distances_of_many_clients_are_scipys():
    rng = np.random.default_rng(0)
    laws = np.concatenate([rng.dirichlet(np.full(150, alpha), size=6) for alpha in (1e-2, 0.1, 1, 100)])
    np.testing.assert_allclose(jensen_shannon(laws), by_scipy(laws), atol=1e-7)


def test_disjoint_laws_are_one_apart_and_equal_ones_nothing():
    table = np.array([[3, 0, 0], [0, 1, 1], [0, 5, 5]])
    assert jensen_shannon(table).tolist() == [[0, 1, 1], [1, 0, 0], [1, 0, 0]]


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=40), st.integers(1, 6))
def test_the_table_counts_every_label_of_every_client(labels, clients):
    made = partition(labels, scheme="iid", clients=clients)
    counts, names = label_counts(made, labels)
    assert list(names) == sorted(set(labels))
    assert counts.tolist() == [[sum(labels[i] == name for i in part) for name in names] for part in made]


def test_labels_without_an_order_stand_as_they_appear():
    labels = [3, "a", (1, 2)]
    assert label_counts(partition(labels, scheme="iid", clients=1), labels)[1] == (3, "a", (1, 2))
    with pytest.raises(ValueError, match="the partition's 3 examples, got 2"):
        label_counts(partition(labels, scheme="iid", clients=1), labels[:2])
    with pytest.raises(ValueError, match="the partition's 3 examples, got 6"):
        label_counts(partition(labels, scheme="iid", clients=1), labels * 2)


def test_effective_labels_in_closed_form():
    counts = np.array([[7, 0, 0, 0], [2, 2, 2, 2], [1, 1, 0, 0], [3, 1, 0, 0], [0, 0, 0, 0]])
    two = 4 / 3**0.75  # exp of the entropy of (3/4, 1/4)
    np.testing.assert_allclose(effective_labels(counts), [1, 4, 2, two, 0])


def test_gini_in_closed_form():
    assert gini([5] * 9) == 0
    assert gini([0] * 9 + [4]) == pytest.approx(0.9)
    assert gini(np.arange(1, 101)) == pytest.approx(99 / 300)  # (K − 1) / 3K for sizes 1 … K
    sizes = np.random.default_rng(0).integers(50, size=30)
    assert gini(sizes) == pytest.approx(np.abs(sizes[:, None] - sizes).mean() / (2 * sizes.mean()))
    for nothing in ([], [0, 0], [-1, 2]):
        with pytest.raises(ValueError, match="Expected sizes >= 0"):
            gini(nothing)


def test_the_heaviest_are_a_tenth_and_at_least_one():
    sizes = np.random.default_rng(0).permutation(40)
    assert sizes[heaviest(sizes)].tolist() == [39, 38, 37, 36]
    assert heaviest(sizes[:3]).tolist() == [int(sizes[:3].argmax())]


def test_one_row_sums_a_partition_up():
    labels = [0, 1] * 6
    row = skew(partition(labels, scheme="pathological", clients=2, classes_per_client=1), labels)
    assert row == {
        "clients": 2, "empty clients": 0, "smallest": 6, "median size": 6.0, "largest": 6, "size Gini": 0.0,
        "effective labels": 1.0, "JS distance": 1.0,
    }  # fmt: skip
    crowded = skew(partition(labels, scheme="iid", clients=20), labels)  # twelve have one example each
    assert crowded["empty clients"] == 8 and crowded["smallest"] == 0 and crowded["median size"] == 1
    assert crowded["effective labels"] == 1 and crowded["JS distance"] == pytest.approx(6 * 6 / (12 * 11 / 2))
    uneven = skew(partition(list("aaaabbc"), scheme="natural"), [0, 0, 0, 0, 0, 1, 1])
    near = distance.jensenshannon([1, 0], [0.5, 0.5], base=2)
    assert uneven["JS distance"] == pytest.approx((1 + 2 * near) / 3) and uneven["median size"] == 2
    assert uneven["effective labels"] == 1  # the median of 1, 2 and 1
