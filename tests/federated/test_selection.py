"""Cohorts have exactly the law that their design promises, whatever the strategy, the updates and the fleet's size."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from benchmarks import selecting
from trustlab.federated.selection import DESIGNS, STRATEGIES, SelectionConfig, Selector, designs
from trustlab.federated.selection.strategies import weighing
from trustlab.federated.selection.weighted_sampler import BLOCK, WeightedSampler

ALPHA = 1e-4  # a right law fails one chi-square test in ten thousand; seeds are fixed, so it passes always or never
FLEET = np.array([0, 1, 1, 2, 3, 5, 8, 20])


def fits(counts, expected):
    """Chi-square of counts against expected counts; a cell that cannot happen must not have happened."""
    counts, expected = np.asarray(counts, float), np.asarray(expected, float)
    assert not counts[expected == 0].any()
    counts, expected = counts[expected > 0], expected[expected > 0]
    assert expected.min() >= 5, "too few draws for chi-square"
    return stats.chisquare(counts, expected * counts.sum() / expected.sum()).pvalue > ALPHA


def successive(q, k):
    """Probability of every ordered cohort of successive sampling, by enumeration."""
    law = {}
    for order in itertools.permutations(np.flatnonzero(q), k):
        left, probability = 1.0, 1.0
        for device in order:
            probability *= q[device] / left
            left -= q[device]
        law[order] = probability
    return law


def tally(cohorts, outcomes):
    counts = dict.fromkeys(outcomes, 0)
    for cohort in cohorts:
        counts[tuple(cohort)] += 1
    return np.array(list(counts.values()))


def frequencies(urn_or_selector, k, draws, seed=0):
    rng = np.random.default_rng(seed)
    counts = np.zeros(len(urn_or_selector))
    for _ in range(draws):
        np.add.at(counts, urn_or_selector.draw(k, rng), 1)
    return counts


# The sampler


@pytest.mark.parametrize("devices", [1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 7])
def test_each_client_owns_its_stretch_of_the_line(devices):
    weights = np.random.default_rng(devices).integers(0, 4, devices).astype(float)
    weights[-1] = 1.0
    sampler = WeightedSampler(weights)
    middles = weights.cumsum() - weights / 2
    present = np.flatnonzero(weights)
    assert sampler.locate(middles[present]).tolist() == present.tolist()
    assert sampler.total == weights.sum() and sampler.positive == len(present)


@given(
    weights=st.lists(st.sampled_from([0.0, 1e-290, 1e-200, 0.1, 1.0, 3.0, 1e9, 1e300]), min_size=1, max_size=300),
    points=st.lists(st.floats(0, 1), min_size=1, max_size=20),
)
def test_nobody_without_weight_is_found_whatever_the_rounding(weights, points):
    if not any(weights):
        weights[0] = 1.0
    sampler = WeightedSampler(weights)
    found = sampler.locate(np.array(points) * sampler.total)
    assert (found < len(weights)).all() and (np.array(weights)[found] > 0).all()


@given(
    before=st.lists(st.integers(0, 5), min_size=1, max_size=200),
    changes=st.lists(st.tuples(st.integers(0, 199), st.integers(0, 9)), max_size=30),
)
def test_an_updated_urn_is_a_new_urn(before, changes):
    before = np.array([1, *before], float)
    changes = [(device % len(before), weight) for device, weight in changes if device % len(before)]
    sampler = WeightedSampler(before)
    sampler.update([device for device, _ in changes], [weight for _, weight in changes])
    after = before.copy()
    for device, weight in changes:
        after[device] = weight  # of a client named twice, the last weight counts
    new = WeightedSampler(after)
    points = np.linspace(0, new.total, 97)
    assert sampler.total == new.total and sampler.positive == new.positive
    assert sampler.locate(points).tolist() == new.locate(points).tolist()
    assert sampler.largest(1).tolist() == [int(after.argmax())]


@given(
    weights=st.lists(st.integers(0, 6), min_size=1, max_size=400), threshold=st.integers(0, 6), k=st.integers(1, 400)
)
def test_the_heaviest_are_found_without_sorting_everybody(weights, threshold, k):
    weights = np.array([1, *weights], float)
    sampler = WeightedSampler(weights)
    assert sampler.above(threshold).tolist() == np.flatnonzero(weights > threshold).tolist()
    expected = np.argsort(-weights, kind="stable")[: min(k, np.count_nonzero(weights))]
    assert sampler.largest(k).tolist() == expected.tolist()


def test_a_weight_too_small_to_divide_by_is_none():
    """Else one over it is infinite, and everybody would be certain to be drawn."""
    selector = Selector([800, 60, 60, 40], strategy="softmax", temperature=1.0, design="systematic")
    assert selector.inclusion(1).tolist() == [1, 0, 0, 0]
    sampler = WeightedSampler([1.0, 1e-290, 1e-290, 1e-291])
    assert sampler.positive == 3 and designs.inclusion(sampler, 2, "poisson").tolist() == [1, 0.5, 0.5, 0]
    sampler.update([0], [5e-324])
    assert sampler.positive == 2


def test_who_is_set_aside_comes_back_even_after_an_error():
    sampler = WeightedSampler([1.0, 2.0, 3.0])
    with pytest.raises(RuntimeError), sampler.set_aside(np.array([2])):
        assert sampler.total == 3.0
        raise RuntimeError
    assert sampler.total == 6.0 and sampler.weights.tolist() == [1.0, 2.0, 3.0]


def test_rounding_does_not_pile_up_over_many_updates():
    rng = np.random.default_rng(0)
    sampler = WeightedSampler(rng.random(1000))
    for _ in range(300):
        sampler.update(rng.integers(0, 1000, 20), 10.0 ** rng.uniform(-12, 12, 20))
    sampler.update(np.arange(1000), np.full(1000, 0.1))
    assert sampler.total == pytest.approx(100.0, rel=1e-13)


# Laws of the designs


def test_with_replacement_has_the_law_of_numpys_choice():
    selector = Selector(FLEET, design="with-replacement")
    ours = frequencies(selector, 5, 8_000)
    theirs = np.bincount(np.random.default_rng(1).choice(8, 40_000, p=FLEET / FLEET.sum()), minlength=8)
    assert fits(ours, FLEET / FLEET.sum() * 40_000)
    table = np.stack([ours, theirs])[:, FLEET > 0]
    assert stats.chi2_contingency(table).pvalue > ALPHA


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("clocks", [False, True])
def test_without_replacement_is_successive_sampling_order_included(k, clocks):
    """Both ways to draw, and so any mixture of them, against the enumerated law of every ordered cohort."""
    weights = np.array([0, 1, 2, 3, 10.0])
    sampler, rng, draws = WeightedSampler(weights), np.random.default_rng(2), 20_000
    law = successive(weights / weights.sum(), k)
    nobody = np.empty(0, np.int64)

    def draw():
        if clocks:
            return designs._first_to_ring(sampler, k, rng, leaving_out=nobody)
        return designs.without_replacement(sampler, k, rng)

    counts = tally((draw() for _ in range(draws)), law)
    assert fits(counts, np.array(list(law.values())) * draws)
    theirs = (rng.choice(5, k, replace=False, p=weights / weights.sum(), shuffle=False) for _ in range(draws))
    assert stats.chi2_contingency(np.stack([counts, tally(theirs, law)])).pvalue > ALPHA


def test_going_over_to_clocks_in_the_midst_keeps_the_law(monkeypatch):
    """One client has nearly all the weight, so that proposals repeat it and the rest is drawn by clocks."""
    weights = np.array([2000, 1, 2, 3.0])
    called = []
    original = designs._first_to_ring
    monkeypatch.setattr(designs, "_first_to_ring", lambda *a, **b: called.append(1) or original(*a, **b))
    sampler, rng, draws = WeightedSampler(weights), np.random.default_rng(3), 15_000
    law = successive(weights / weights.sum(), 3)
    likely = {order: p for order, p in law.items() if p * draws >= 5}
    cohorts = [tuple(designs.without_replacement(sampler, 3, rng)) for _ in range(draws)]
    assert len(called) > draws / 2
    counts = tally((cohort for cohort in cohorts if cohort in likely), likely)
    assert counts.sum() > 0.98 * draws
    assert fits(counts, np.array(list(likely.values())) * draws)


def test_pairs_come_together_as_often_as_in_numpys_choice():
    sampler, rng, draws = WeightedSampler(FLEET.astype(float)), np.random.default_rng(4), 15_000
    pairs = list(itertools.combinations(np.flatnonzero(FLEET), 2))

    def count(cohorts):
        found = dict.fromkeys(pairs, 0)
        for cohort in cohorts:
            found[tuple(sorted(cohort))] += 1
        return np.array(list(found.values()))

    ours = count(designs.without_replacement(sampler, 2, rng) for _ in range(draws))
    theirs = count(rng.choice(8, 2, replace=False, p=FLEET / FLEET.sum()) for _ in range(draws))
    assert stats.chi2_contingency(np.stack([ours, theirs])).pvalue > ALPHA


def test_poisson_takes_every_client_for_itself():
    """Every subset has the product of its clients' probabilities: sure ones, likely ones and drops of rain alike."""
    weights = np.array([50, 5, 3, 2, 1, 0.0])
    selector = Selector(weights, design="poisson")
    probabilities = selector.inclusion(3)
    assert probabilities[0] == 1 and 0.5 < probabilities[1] < 1 and 0.5 > probabilities[3] > probabilities[4] > 0
    rng, draws = np.random.default_rng(5), 20_000
    subsets = list(itertools.product([0, 1], repeat=6))
    counts = dict.fromkeys(subsets, 0)
    for _ in range(draws):
        cohort = selector.draw(3, rng)
        assert len(set(cohort.tolist())) == len(cohort)
        counts[tuple(np.bincount(cohort, minlength=6))] += 1
    law = [np.prod(np.where(subset, probabilities, 1 - probabilities)) for subset in subsets]
    assert fits(list(counts.values()), np.array(law) * draws)


def test_poissons_size_is_k_on_average_in_a_large_fleet():
    activity = np.random.default_rng(0).pareto(1.2, 20_000) + 1
    selector, rng = Selector(activity, design="poisson"), np.random.default_rng(6)
    cohorts = [selector.draw(200, rng) for _ in range(400)]
    assert all((np.diff(cohort) > 0).all() for cohort in cohorts)  # in order of their numbers, and each once
    sizes = [len(cohort) for cohort in cohorts]
    probabilities = selector.inclusion(200)
    spread = math.sqrt((probabilities * (1 - probabilities)).sum())
    assert abs(np.mean(sizes) - 200) < 5 * spread / math.sqrt(400)
    assert np.std(sizes) == pytest.approx(spread, rel=5 / math.sqrt(800))


@pytest.mark.parametrize("k", [1, 3, 5, 7])
def test_systematic_cohorts_have_k_clients_and_madows_probabilities(k):
    selector, draws = Selector(FLEET, design="systematic"), 8_000
    probabilities = selector.inclusion(k)
    rng = np.random.default_rng(7)
    counts = np.zeros(8)
    for _ in range(draws):
        cohort = selector.draw(k, rng)
        assert len(cohort) == k
        counts[cohort] += 1
    error = np.sqrt(probabilities * (1 - probabilities) / draws)
    assert (np.abs(counts / draws - probabilities) <= 5 * error).all()


def test_systematic_sampling_is_madows_by_hand():
    """With U = 0.5 of 2 points on a line of 1 + 2 + 3: they lie at 1.5 and 4.5."""

    class Half:
        def random(self):
            return 0.5

    assert designs.systematic(WeightedSampler([1.0, 2.0, 3.0]), 2, Half()).tolist() == [1, 2]


@given(
    # A client whose weight is below the rounding of the others' sum may round to probability 0: none of those here.
    weights=st.lists(st.just(0.0) | st.floats(1e-6, 1e6), min_size=1, max_size=60),
    share=st.floats(0, 1),
    design=st.sampled_from(["poisson", "systematic"]),
)
def test_inclusion_probabilities_sum_to_k_and_are_proportional_below_one(weights, share, design):
    sampler = WeightedSampler([1.0, *weights])
    weights = sampler.weights  # those below 1e-290 are 0
    k = max(1, round(share * sampler.positive))
    probabilities = designs.inclusion(sampler, k, design)
    assert probabilities.sum() == pytest.approx(k, rel=1e-9)
    assert ((probabilities >= 0) & (probabilities <= 1)).all() and not probabilities[weights == 0].any()
    below = (probabilities < 1) & (weights > 0)
    if below.any():
        ratio = probabilities[below] / weights[below]
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-9)
        # Nobody has less than the common ratio gives it: one's are those who would have had more.
        assert (ratio[0] * weights[probabilities == 1] >= 1 - 1e-9).all()
    assert len(designs.systematic(sampler, k, np.random.default_rng(0))) == k


def test_the_estimate_of_successive_sampling_covers_the_enumerated_truth():
    q, k = FLEET / FLEET.sum(), 3
    exact = np.zeros(8)
    for order, probability in successive(q, k).items():
        exact[list(order)] += probability
    estimate, error = Selector(FLEET).estimate_inclusion(k, np.random.default_rng(8), repetitions=20_000)
    assert (np.abs(estimate - exact) <= 5 * error).all() and error.max() < 2e-3
    assert estimate[0] == error[0] == 0
    assert np.abs(np.minimum(k * q, 1) - exact).max() > 0.05  # what is not offered as an answer
    everybody = Selector(FLEET).estimate_inclusion(7, np.random.default_rng(8))
    assert everybody[0].tolist() == [0, *[1] * 7] and not everybody[1].any()


@pytest.mark.parametrize(("repetitions", "seeds"), [(20, 60), (2, 400)])
def test_one_pass_estimates_better_than_counting_would(repetitions, seeds):
    """The reported error is the true one, and far below that of as many draws, √(π(1 − π)/repetitions)."""
    activity = np.random.default_rng(0).pareto(1.5, 500) + 1
    selector = Selector(activity)
    runs = [
        selector.estimate_inclusion(50, np.random.default_rng(seed), repetitions=repetitions) for seed in range(seeds)
    ]
    estimates, errors = (np.stack(part) for part in zip(*runs, strict=True))
    counting = np.sqrt(estimates.mean(0) * (1 - estimates.mean(0)) / repetitions)
    assert np.median(estimates.std(0, ddof=1) / np.sqrt((errors**2).mean(0))) == pytest.approx(1, abs=0.15)
    assert np.median(errors.mean(0) / counting) < 0.2
    assert estimates.sum(1).mean() == pytest.approx(50, rel=0.01)


def test_where_successive_sampling_is_trivial_its_probabilities_are_known():
    assert Selector(FLEET).inclusion(1) == pytest.approx(FLEET / FLEET.sum())
    assert Selector(FLEET).inclusion(7).tolist() == [0, *[1] * 7]
    assert Selector(FLEET, strategy="uniform").inclusion(2).tolist() == [0, *[2 / 7] * 7]
    with pytest.raises(ValueError, match="k·q is wrong: use estimate_inclusion"):
        Selector(FLEET).inclusion(2)


# Strategies


def test_each_strategy_by_hand():
    n = np.array([0.0, 10, 20, 40])

    def weights(**dials):
        return weighing(SelectionConfig(**dials), n)(n).tolist()

    assert weights(strategy="uniform") == weights(beta=0.0) == [0, 1, 1, 1]
    assert weights(beta=1.0) == weights(strategy="top-k") == n.tolist()
    assert weights(beta=-1.0) == [0, 0.1, 0.05, 0.025]
    assert weights(strategy="threshold", threshold=20) == [0, 0, 1, 1]
    assert weights(strategy="oort", quantile=0.5) == [0, 10, 20, 20]
    capped = weighing(SelectionConfig(strategy="oort"), np.arange(101.0))(np.arange(101.0))
    assert capped.max() == pytest.approx(1 + 0.95 * 99)  # the 95th percentile of the sizes 1 to 100
    assert weights(strategy="softmax", temperature=10) == pytest.approx([0, math.exp(-3), math.exp(-2), 1])


def test_a_cold_softmax_does_not_overflow_and_a_warm_one_is_uniform():
    n = np.array([1.0, 1e9, 1e9 - 5])
    selector = Selector(n, strategy="softmax", temperature=5.0, design="with-replacement")
    assert selector.inclusion(1) == pytest.approx([0, 1 / (1 + math.exp(-1)), 1 / (1 + math.e)])
    warm = Selector(n, strategy="softmax", temperature=1e15, design="with-replacement")
    assert warm.inclusion(1) == pytest.approx([1 / 3] * 3)
    with pytest.raises(ValueError, match=r"Expected k=3 in \[1, 2\].*low temperature"):
        Selector(n, strategy="softmax", temperature=5.0).draw(3, np.random.default_rng(0))


def test_top_k_takes_the_most_active_and_of_equals_the_first():
    selector = Selector([3, 9, 3, 0, 7])
    assert Selector([3, 9, 3, 0, 7], strategy="top-k").draw(3, np.random.default_rng(0)).tolist() == [1, 4, 0]
    assert Selector([3, 9, 3, 0, 7], strategy="top-k").inclusion(3).tolist() == [1, 1, 0, 0, 1]
    assert selector.design == "without-replacement"


def test_power_of_choice_keeps_the_candidates_with_the_highest_loss():
    """With d = all clients it is the top of the losses; its candidates are drawn by activity."""
    losses = np.array([9.0, 0.1, 0.7, 0.5, 0.2, 0.3, 0.4, 0.6])
    asked = []

    def ask(devices):
        asked.append(devices.tolist())
        return losses[devices]

    everybody = Selector(FLEET, strategy="power-of-choice", candidates=99)
    assert everybody.draw(2, np.random.default_rng(0), losses=ask).tolist() == [2, 7]
    assert sorted(asked.pop()) == [1, 2, 3, 4, 5, 6, 7]  # all who have data, and only those
    selector, rng = Selector(FLEET, strategy="power-of-choice", candidates=2), np.random.default_rng(1)
    for _ in range(4000):
        (chosen,) = selector.draw(1, rng, losses=ask)
        assert losses[chosen] == losses[asked[-1]].max()
    Selector(FLEET, strategy="power-of-choice").draw(2, rng, losses=ask)
    assert len(asked.pop()) == 4  # twice as many as are kept, unless told otherwise
    pairs = successive(FLEET / FLEET.sum(), 2)
    law = {order: p for order, p in pairs.items() if p * 4000 >= 5}
    counts = tally((tuple(pair) for pair in asked if tuple(pair) in law), law)
    assert fits(counts, np.array(list(law.values())) * 4000)


def test_optimal_probabilities_have_the_least_variance():
    """Chen et al.: among all π with Σπ = k, the variance Σ (1/π_i − 1)‖ũ_i‖² of the Horvitz–Thompson sum is least."""
    examples, norms, k = np.array([40.0, 30, 20, 10, 5, 1]), np.array([1.0, 4, 1, 2, 0.5, 3]), 3
    weighted = examples * norms

    def variance(probabilities):
        return ((1 / probabilities - 1) * (weighted / weighted.max()) ** 2).sum()

    found = Selector(examples, strategy="optimal", norms=norms, design="poisson").inclusion(k)
    least = optimize.minimize(
        variance,
        np.full(6, 0.5),
        bounds=[(1e-3, 1)] * 6,
        constraints={"type": "eq", "fun": lambda probabilities: probabilities.sum() - k},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert found.sum() == pytest.approx(k) and variance(found) <= least.fun * (1 + 1e-9)
    assert found == pytest.approx(least.x, abs=1e-3)


def test_optimal_probabilities_by_hand():
    """n = 4 updates of norms 1, 1, 2, 8 and m = 2: l = 3 is the largest with m + l − n = 1 <= (1 + 1 + 2)/2."""
    found = Selector(np.ones(4), strategy="optimal", norms=np.array([1.0, 1, 2, 8]), design="poisson").inclusion(2)
    assert found.tolist() == [0.25, 0.25, 0.5, 1.0]


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name not in ("power-of-choice", "optimal")])
@pytest.mark.parametrize("design", DESIGNS)
def test_every_strategy_goes_with_every_design(strategy, design):
    selector = Selector(FLEET, strategy=strategy, design=design, threshold=2.0, temperature=5.0)
    k, draws = 3, 3000
    try:
        expected = selector.inclusion(k)
    except ValueError:
        expected, error = selector.estimate_inclusion(k, np.random.default_rng(0), repetitions=5000)
        assert error.max() < 0.01
    assert expected.sum() == pytest.approx(k, rel=0.01) and expected[0] == 0
    counts = frequencies(selector, k, draws)
    spread = np.sqrt(np.maximum(expected, expected**2) / draws)
    assert (np.abs(counts / draws - expected) <= 5 * spread + 0.01).all()


def test_an_update_changes_the_law_at_once():
    selector = Selector([5, 5, 0, 90], design="with-replacement")
    selector.update([3, 2], [0, 30])
    assert selector.inclusion(1).tolist() == [0.125, 0.125, 0.75, 0]
    assert fits(frequencies(selector, 4, 4000), np.array([0.125, 0.125, 0.75, 0]) * 16_000)
    optimal = Selector([1, 1], strategy="optimal", norms=np.ones(2), design="with-replacement")
    optimal.update([1], [1], norms=np.array([3.0]))
    assert optimal.inclusion(1).tolist() == [0.25, 0.75]


@pytest.mark.parametrize("design", DESIGNS)
def test_cohorts_are_repeated_by_their_seed(design):
    activity = np.random.default_rng(0).integers(0, 99, 1000)
    first, again, other = (
        Selector(activity, design=design).draw(50, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert first.dtype == np.int64 and first.tolist() == again.tolist() != other.tolist()


@pytest.mark.parametrize("design", ["without-replacement", "poisson", "systematic"])
def test_taking_everybody_takes_everybody(design):
    activity = 1.5 ** np.arange(200.0)  # from 1 to 1e35: all but the last few are never drawn by chance
    cohort = Selector(activity, design=design).draw(200, np.random.default_rng(0))
    assert sorted(cohort.tolist()) == list(range(200))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Selector([1, 2], strategy="magic"), "Expected strategy='magic' to be one of 'uniform'"),
        (lambda: Selector([1, 2], design="magic"), "Expected design='magic' to be one of 'with-replacement'"),
        (lambda: Selector([1, 2], strategy="softmax", temperature=0.0), "Expected temperature=0.0 > 0"),
        (lambda: Selector([]), "shape [N] with N >= 1"),
        (lambda: Selector([[1, 2]]), "Expected every activity to be a number, got [1, 2] in row 0"),
        (lambda: Selector([0, 0]), "Expected finite activity >= 0 and > 0 for some client"),
        (lambda: Selector([1, -1]), "got -1 to 1"),
        (lambda: Selector([1, math.nan]), "got nan to nan"),
        (lambda: Selector([1, 2], strategy="threshold", threshold=9), "No client could be drawn"),
        (lambda: Selector([1, 2], norms=np.ones(2)), "Expected norms only with strategy='optimal', got norms"),
        (lambda: Selector([1, 2], strategy="optimal"), "Expected norms only with strategy='optimal', got none"),
        (
            lambda: Selector([1, 2], strategy="optimal", norms=np.ones(2)).update([0], [3]),
            "Expected norms only with strategy='optimal', got none",
        ),
        (lambda: Selector([1, 2, 0]).draw(3, None), "Expected k=3 in [1, 2]"),
        (lambda: Selector([1, 2]).draw(0, None), "Expected k=0 in [1, 2]"),
        (lambda: Selector([1, 2]).draw(1, None, losses=len), "Expected losses only with strategy='power-of-choice'"),
        (lambda: Selector([1, 2], strategy="power-of-choice").draw(1, None), "got losses=None"),
        (lambda: Selector([1, 2], strategy="power-of-choice").inclusion(1), "weight by examples or equally"),
        (lambda: Selector([1] * 9, strategy="power-of-choice", candidates=2).inclusion(3), "candidates=2 >= k=3"),
        (lambda: Selector([1, 2], design="poisson").estimate_inclusion(1, None), "inclusion(k) knows it exactly"),
        (lambda: Selector([1, 2, 3]).estimate_inclusion(2, None, repetitions=1), "Expected repetitions=1 >= 2"),
        (lambda: Selector([1, 2]).update([2], [1]), "Expected clients in [0, 2), got 2 to 2"),
        (lambda: Selector([1, 2]).update([0], [-1]), "Expected finite activity >= 0, got -1 to -1"),
    ],
)
def test_what_makes_no_cohort_is_refused(make, message):
    with pytest.raises(ValueError) as caught:
        make()
    assert message in str(caught.value)


def test_the_benchmark_has_a_row_for_each_method():
    rows = list(selecting.measure(devices=500, k=20, repetitions=2))
    names = [row["method"] for row in rows]
    assert {f"draw, {design}" for design in DESIGNS} | {selecting.NUMPY, "update", "set-up"} <= set(names)
    assert rows[0]["times numpy"] == 1 and all(row["low"] <= row["times numpy"] <= row["high"] for row in rows)
