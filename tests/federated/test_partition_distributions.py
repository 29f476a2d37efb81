"""The laws behind the random schemes, against closed forms. Each test says how often a right scheme fails it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from trustlab.federated.partition import (
    effective_labels,
    embed,
    jensen_shannon,
    label_counts,
    partition,
    partition_pair,
)
from trustlab.federated.partition.assignment import equal_sizes
from trustlab.federated.partition.dirichlet import balanced, log_dirichlet, serve
from trustlab.models import offline_encoder

LABELS = np.repeat(np.arange(5), [800, 600, 400, 160, 40])


def log_beta_cdf(logs, a, b):
    """P[X <= exp(log)] for X ~ Beta(a, b), also where exp(log) is below the smallest float: x^a / (a·B(a, b)) there."""
    small = np.exp(a * np.minimum(logs, -50) - np.log(a) - special.betaln(a, b))
    return np.where(logs < -50, small, special.betainc(a, b, np.exp(logs)))


@pytest.mark.parametrize("concentration", [(1e-5, 3e-5), (1e-3, 1e-3, 2e-3), (0.3, 0.3, 0.4), (1, 2, 3), (1e6, 2e6)])
def test_logarithms_of_dirichlet_shares_have_their_beta_law(concentration):
    """Kolmogorov–Smirnov over 5,000 draws, at a significance of 1e-4 per share; also far below the smallest float."""
    logs = log_dirichlet(np.tile(np.array(concentration, dtype=float), (5000, 1)), np.random.default_rng(0))
    assert not np.isnan(logs).any()
    np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1)
    for share, a in zip(logs.T, concentration, strict=True):
        b = sum(concentration) - a
        # A share so near 1 that the others vanish beside it has the logarithm 0: such ones are put aside.
        less = 1 - special.betainc(b, a, 1e-12)
        below = share[share < -1e-12]
        assert stats.kstest(below, lambda logs, a=a, b=b, less=less: log_beta_cdf(logs, a, b) / less).pvalue > 1e-4


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=8),
    st.integers(1, 9),
    st.sampled_from([1e-3, 0.1, 1, 1e6]),
    st.integers(0, 9),
)
def test_serving_fills_every_place_and_places_every_example(supply, clients, alpha, seed):
    rng, supply = np.random.default_rng(seed), np.array(supply)
    sizes = equal_sizes(supply.sum(), clients)
    counts = serve(log_dirichlet(np.full((clients, len(supply)), alpha), rng), sizes, supply, rng)
    assert counts.min() >= 0
    assert np.array_equal(counts.sum(axis=1), sizes) and np.array_equal(counts.sum(axis=0), supply)


def test_who_is_served_last_is_drawn():
    """Four clients want all the 60 examples of a label, 40 each: one has 40, one 20, and each in its turn.

    The mean of each is 15, within 4 standard errors: a right order fails once in 4,000 seeds.
    """
    laws = np.log(np.tile([1 - 1e-9, 1e-9], (4, 1)))
    draws = [serve(laws, np.full(4, 40), np.array([60, 100]), np.random.default_rng(seed))[:, 0] for seed in range(400)]
    assert {tuple(sorted(draw)) for draw in draws} == {(0, 0, 20, 40)}
    error = np.std(draws, axis=0, ddof=1) / np.sqrt(len(draws))
    assert np.all(np.abs(np.mean(draws, axis=0) - 15) < 4 * error)


def test_places_are_rounded_at_random_so_that_the_last_has_nothing_to_make_up_for():
    """200 clients want 1.5 of one label and 8.5 of the other, and there are as many. Rounded down, 100 of the first
    label would be left for the last ones; drawn, what is left has a standard deviation of √(200/4) = 7."""
    laws, rng = np.log(np.tile([0.15, 0.85], (200, 1))), np.random.default_rng(0)
    counts = serve(laws, np.full(200, 10), np.array([300, 1700]), rng)
    assert (~np.isin(counts[:, 0], [1, 2])).sum() < 8


def test_labels_that_nobody_wants_are_placed_too():
    """Logarithms so low that every share but one is zero as a float: what is left over is given all the same."""
    counts = serve(np.array([[0.0, -1e6], [0.0, -2e6]]), np.array([5, 5]), np.array([4, 6]), np.random.default_rng(0))
    assert counts.sum(axis=0).tolist() == [4, 6]


@pytest.mark.parametrize("alpha", [0.5, 2.0, 20.0])
def test_fednlp_counts_vary_as_dirichlet_shares(alpha):
    """Mean square distance of 4,000 clients' counts from m·p, m = 50: m²·p(1 − p)/(1 + α), summed over labels.

    The mean over 5 seeds is within 6 % of it. Its standard error is below 1 %: the rest are rounding, and those served
    last, whose part falls with √K.
    """
    labels = np.repeat(np.arange(4), [80_000, 60_000, 40_000, 20_000])
    p = np.array([0.4, 0.3, 0.2, 0.1])
    squares = []
    for seed in range(5):
        made = partition(labels, scheme="label-dirichlet-fednlp", clients=4000, alpha=alpha, seed=seed)
        squares.append(((label_counts(made, labels)[0] - 50 * p) ** 2).sum(axis=1).mean())
    assert np.mean(squares) == pytest.approx(50**2 * (p * (1 - p)).sum() / (1 + alpha), rel=0.06)


def counts_of(scheme, seed=0, clients=20, **dials):
    return label_counts(partition(LABELS, scheme=scheme, clients=clients, seed=seed, **dials), LABELS)[0]


@pytest.mark.parametrize("scheme", ["label-dirichlet-fednlp", "label-dirichlet-flower"])
def test_skew_falls_from_one_label_to_the_global_mix_as_alpha_grows(scheme):
    counts = [counts_of(scheme, alpha=alpha) for alpha in (1e-3, 1, 10, 1e6)]
    pairs = np.triu_indices(20, 1)
    distances = [np.nanmean(jensen_shannon(count)[pairs]) for count in counts]
    assert distances == sorted(distances, reverse=True) and distances[0] > 0.5 and distances[-1] < 0.1
    alike = np.bincount(LABELS) / len(LABELS) * counts[-1].sum(axis=1, keepdims=True)
    if scheme == "label-dirichlet-flower":
        assert np.abs(counts[-1] - alike).max() <= 2  # shares are equal to three digits, and cut, not drawn
    else:
        assert np.abs(counts[-1] - alike).max() <= 8  # rounding moves a count by one, and adds up for the last client


def test_fednlp_clients_have_equal_sizes_and_few_labels_at_small_alpha():
    counts = counts_of("label-dirichlet-fednlp", alpha=1e-3)
    assert np.ptp(counts.sum(axis=1)) == 0
    assert np.median(effective_labels(counts)) == pytest.approx(1)


def test_flower_labels_have_one_client_at_small_alpha():
    counts = counts_of("label-dirichlet-flower", alpha=1e-3)
    assert np.all(counts.max(axis=0) > 0.99 * counts.sum(axis=0))


def test_flower_shares_of_a_label_have_their_beta_law():
    """First client's share of 800 examples over 400 seeds, KS at 1e-4: Beta(α, (K − 1)·α), but for the cut."""
    got = [counts_of("label-dirichlet-flower", seed=s, clients=4, alpha=2.0)[0, 0] / 800 for s in range(400)]
    assert stats.kstest(got, stats.beta(2, 6).cdf).pvalue > 1e-4
    assert stats.kstest(got, stats.beta(1, 3).cdf).pvalue < 1e-4  # the test can tell α = 1 from 2


def test_quantity_shares_have_their_beta_law():
    """As above for sizes ~ Dir(β): Beta(β, (K − 1)·β)."""
    got = [
        partition(np.zeros(5000), scheme="quantity-dirichlet", clients=5, beta=0.7, seed=s).sizes[2] for s in range(400)
    ]
    assert stats.kstest(np.array(got) / 5000, stats.beta(0.7, 2.8).cdf).pvalue > 1e-4


def test_balancing_leaves_out_clients_above_the_mean():
    shares = np.array([[0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [1.0, 0.0, 0.0]])
    assert balanced(shares, np.array([10, 10, 10])).tolist() == [[9, 1, 0], [9, 1, 0], [0, 5, 5]]
    both = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert balanced(both, np.array([10, 10])).tolist() == [[10, 0], [10, 0]]  # at the mean is not above it


def test_sizes_by_rule():
    sizes = {
        name: partition(np.zeros(1000), scheme=f"sizes-{name}", clients=4).sizes.tolist()
        for name in ("linear", "square", "exponential", "power-law")
    }
    assert sizes == {
        "linear": [100, 200, 300, 400],
        "square": [33, 133, 300, 534],
        "exponential": [32, 87, 237, 644],
        "power-law": [480, 240, 160, 120],
    }
    assert partition(np.zeros(100), scheme="sizes-exponential", clients=2000).sizes[-1] == 63  # 1 − 1/e; no overflow


def test_shards_are_runs_of_the_sorted_labels():
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 100))
    counts, _ = label_counts(partition(labels, scheme="shards", clients=50, shards_per_client=2), labels)
    assert np.all(counts.sum(axis=1) == 20) and set(counts.ravel()) == {0, 10, 20}
    assert len({tuple(row) for row in counts.tolist()}) > 10  # dealt, not in order


def test_clusters_are_dealt_like_labels_and_test_goes_to_the_nearest_centre():
    rng = np.random.default_rng(0)
    truth, test_truth = rng.integers(3, size=300), rng.integers(3, size=60)
    centres = np.array([[0, 0], [9, 0], [0, 9]])
    features, test_features = (centres[kinds] + rng.normal(size=(len(kinds), 2)) for kinds in (truth, test_truth))
    options = dict(scheme="feature-clusters", clients=6, clusters=3, alpha=1e-3)
    train, test = partition_pair(features, test_features, **options)
    assert all(np.array_equal(*pair) for pair in zip(train, partition(features, **options), strict=True))
    assert np.median(effective_labels(label_counts(train, truth)[0])) < 1.1
    for mine, held_out in zip(train, test, strict=True):
        assert set(test_truth[held_out]) <= set(truth[mine])
    with pytest.raises(ValueError, match="clusters=3 <= the 2 examples"):
        partition(features[:2], scheme="feature-clusters", clients=2, clusters=3)


def test_embeddings_do_not_depend_on_the_batch():
    texts = ["stop", "please set an alarm for six in the morning", "play the blue song", "stop"]
    together, alone = embed(texts), np.concatenate([embed([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_an_encoder_in_the_home_is_found_by_its_short_path(tmp_path, monkeypatch):
    (tmp_path / "encoder").symlink_to(offline_encoder())
    monkeypatch.setenv("HOME", str(tmp_path))
    np.testing.assert_array_equal(embed(["stop"], encoder="~/encoder"), embed(["stop"]))
