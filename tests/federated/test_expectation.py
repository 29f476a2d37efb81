"""Expected aggregation weights: every method against the list of all cohorts, and what the figure is to show."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trustlab.federated import expectation
from trustlab.federated.aggregation import AGGREGATIONS, client_weights
from trustlab.federated.expectation import compare, expected_weights
from trustlab.federated.selection import DESIGNS, Selector, UnknownInclusionError

FLEET = np.array([40, 13, 7, 2, 1])
SHARE = FLEET / FLEET.sum()
# Strategies that can reach everybody.
REACHING = [
    dict(strategy="uniform"),
    dict(strategy="power", beta=0.5),
    dict(strategy="power", beta=1.0),
    dict(strategy="softmax", temperature=20.0),
    dict(strategy="oort", quantile=0.6),
    dict(strategy="optimal", norms=np.array([1.0, 2, 3, 4, 5])),
]
NORMALISED = [name for name in AGGREGATIONS if name != "horvitz-thompson"]


def every_cohort(selector, design, k):
    """Every cohort with its probability, listed from what a design is by definition."""
    count = len(selector)
    if design == "with-replacement":
        q = selector.inclusion(1)
        return [(cohort, math.prod(q[list(cohort)])) for cohort in itertools.product(range(count), repeat=k)]
    if design == "without-replacement":
        q = selector.inclusion(1)
        cohorts = []
        for cohort in itertools.permutations(range(count), k):
            left = 1 - np.concatenate([[0], q[list(cohort)].cumsum()[:-1]])
            cohorts.append((cohort, math.prod(q[list(cohort)] / left)))
        return cohorts
    pi = selector.inclusion(k)
    if design == "poisson":
        subsets = itertools.product([False, True], repeat=count)
        return [(np.flatnonzero(chosen), math.prod(np.where(chosen, pi, 1 - pi))) for chosen in subsets]
    ends, fine = pi.cumsum(), 4_000
    starts = (np.arange(fine) + 0.5) / fine
    return [(np.searchsorted(ends, u + np.arange(k), side="right"), 1 / fine) for u in starts]


def listed(selector, design, k, aggregation):
    """E[Σ p] by its definition."""
    mean = np.zeros(len(selector))
    inverse = aggregation in ("horvitz-thompson", "hajek")
    pi = selector.inclusion(k) if inverse else None
    for cohort, probability in every_cohort(selector, design, k):
        cohort = np.asarray(cohort, np.int64)
        weights = client_weights(
            aggregation,
            examples=FLEET[cohort],
            inclusion=pi[cohort] if inverse else None,
            total_examples=FLEET.sum() if aggregation == "horvitz-thompson" else None,
        )
        np.add.at(mean, cohort, probability * weights.numpy())
    return mean


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("design", ["with-replacement", "poisson", "systematic"])
@pytest.mark.parametrize("selection", REACHING, ids=lambda each: each["strategy"] + str(each.get("beta", "")))
def test_the_exact_methods_are_the_list_of_all_cohorts(selection, design, k):
    selector = Selector(FLEET, design=design, **selection)
    tolerance = 2e-3 if design == "systematic" else 1e-10  # the oracle's own grid for its random start
    for aggregation in AGGREGATIONS:
        found = expected_weights(selector, FLEET, k, aggregation=aggregation)
        assert found.method != "Monte Carlo" and not found.error.any()
        np.testing.assert_allclose(found.mean, listed(selector, design, k, aggregation), atol=tolerance)


@pytest.mark.parametrize("aggregation", ["examples", "equal"])
def test_successive_sampling_is_drawn_and_says_how_far_it_may_be_off(aggregation):
    selector = Selector(FLEET)
    found = expected_weights(selector, FLEET, 3, aggregation=aggregation, draws=4000)
    assert found.method == "Monte Carlo" and 0 < found.error.max() < 0.005
    exact = listed(selector, "without-replacement", 3, aggregation)
    assert (np.abs(found.mean - exact) <= 5 * found.error).all()


def test_the_reported_error_is_the_spread_between_seeds():
    selector = Selector(FLEET)
    runs = [expected_weights(selector, FLEET, 2, aggregation="examples", draws=200, seed=seed) for seed in range(80)]
    spread = np.std([run.mean for run in runs], axis=0, ddof=1)
    reported = np.sqrt(np.mean([run.error**2 for run in runs], axis=0))
    assert reported == pytest.approx(spread, rel=0.35)  # five standard errors of a standard deviation of 80


def test_the_reported_error_is_the_cohorts_standard_error():
    selector, rng = Selector(FLEET), np.random.default_rng(7)
    cohorts = [selector.draw(2, rng) for _ in range(3)]
    drawn = np.zeros((3, 5))
    for weights, cohort in zip(drawn, cohorts, strict=True):
        weights[cohort] = FLEET[cohort] / FLEET[cohort].sum()
    found = expected_weights(selector, FLEET, 2, aggregation="examples", draws=3, seed=7)
    seen = drawn.any(0)
    np.testing.assert_allclose(found.mean, drawn.mean(0))
    np.testing.assert_allclose(found.error[seen], drawn.std(0, ddof=1)[seen] / math.sqrt(3), atol=1e-12)


def test_who_was_never_drawn_is_not_reported_as_exact():
    n = np.append(np.full(50, 1000.0), 1e-3)
    found = expected_weights(Selector(n), n, 2, aggregation="examples", draws=100)
    assert found.mean[-1] == 0 and found.error[-1] == 1 / 100


# What the figure of notebook 22 shows


@pytest.mark.parametrize("k", [1, 2, 4])
def test_by_activity_with_replacement_and_equal_weights_is_unbiased(k):
    selector = Selector(FLEET, strategy="power", beta=1.0, design="with-replacement")
    np.testing.assert_allclose(expected_weights(selector, FLEET, k, aggregation="equal").mean, SHARE, rtol=1e-12)


@pytest.mark.parametrize("design", ["with-replacement", "systematic", "poisson"])
def test_by_activity_and_weights_by_examples_count_activity_twice(design):
    found = expected_weights(Selector(FLEET, design=design), FLEET, 2, aggregation="examples").mean
    assert found[0] > SHARE[0] and (found[2:] < SHARE[2:]).all()


@pytest.mark.parametrize("design", DESIGNS)
def test_uniform_and_normalised_weights_give_the_heavy_less_than_their_share(design):
    selector = Selector(FLEET, strategy="uniform", design=design)
    found = expected_weights(selector, FLEET, 2, aggregation="examples", draws=4000)
    assert found.mean[0] + 5 * found.error[0] < SHARE[0]


def test_larger_cohorts_heal_the_bias_of_normalised_weights():
    ratios = []
    for k in (1, 5, 20, 80):
        selector = Selector(np.tile(FLEET, 40), strategy="uniform", design="with-replacement")
        found = expected_weights(selector, np.tile(FLEET, 40), k, aggregation="examples").mean
        ratios.append(found[::5].sum() / SHARE[0])
    assert ratios == sorted(ratios) and ratios[0] == pytest.approx(0.2 / SHARE[0]) and 0.97 < ratios[-1] < 1


@pytest.mark.parametrize("design", ["with-replacement", "systematic", "poisson"])
@pytest.mark.parametrize("selection", REACHING, ids=lambda each: each["strategy"] + str(each.get("beta", "")))
def test_horvitz_thompson_is_unbiased_for_all_who_can_be_drawn(selection, design):
    """By the list of all cohorts, and not by the closed form that says so."""
    selector = Selector(FLEET, design=design, **selection)
    tolerance = 2e-3 if design == "systematic" else 1e-12
    np.testing.assert_allclose(listed(selector, design, 2, "horvitz-thompson"), SHARE, atol=tolerance)


def test_nothing_makes_up_for_clients_that_are_never_drawn():
    for strategy, dials in (("top-k", {}), ("threshold", dict(threshold=7.0, design="poisson"))):
        selector = Selector(FLEET, strategy=strategy, **dials)
        for aggregation in AGGREGATIONS:
            found = expected_weights(selector, FLEET, 2, aggregation=aggregation).mean
            assert not found[3:].any()
        assert expected_weights(selector, FLEET, 2, aggregation="horvitz-thompson").mean.sum() < 1
    top = expected_weights(Selector(FLEET, strategy="top-k"), FLEET, 2, aggregation="examples").mean
    assert top.tolist() == [40 / 53, 13 / 53, 0, 0, 0]


def test_power_of_choice_speaks_for_whoever_has_the_highest_loss():
    losses = np.array([0.1, 0.2, 0.3, 0.4, 9.0])
    selector = Selector(FLEET, strategy="power-of-choice", candidates=3)
    found = expected_weights(selector, FLEET, 1, aggregation="equal", losses=lambda devices: losses[devices])
    assert found.mean[4] > 2 * SHARE[4] and found.mean[0] == 0 and found.mean.sum() == pytest.approx(1)
    with pytest.raises(UnknownInclusionError):
        expected_weights(selector, FLEET, 1, aggregation="hajek", losses=lambda devices: losses[devices])


# The numbers behind


@given(
    n=st.lists(st.integers(1, 10**6), min_size=1, max_size=30),
    design=st.sampled_from(["with-replacement", "poisson", "systematic"]),
    share=st.floats(0, 1),
    beta=st.sampled_from([0.0, 0.5, 1.0, 2.0]),
    aggregation=st.sampled_from(NORMALISED),
)
def test_normalised_weights_sum_to_one_less_the_chance_of_nobody(n, design, share, beta, aggregation):
    n = np.array(n)
    k = max(1, round(share * len(n)))
    selector = Selector(n, strategy="power", beta=beta, design=design)
    nobody = np.prod(1 - selector.inclusion(k)) if design == "poisson" else 0.0
    found = expected_weights(selector, n, k, aggregation=aggregation).mean
    assert found.sum() == pytest.approx(1 - nobody, abs=1e-9) and (found >= 0).all()


def test_a_finer_rule_changes_nothing(monkeypatch):
    n = np.random.default_rng(0).pareto(1.0, 200) + 1
    selectors = [Selector(n, design=design) for design in ("with-replacement", "poisson")]
    coarse = [expected_weights(selector, n, 20, aggregation="examples").mean for selector in selectors]
    monkeypatch.setattr(expectation, "STEP", 0.05)
    for selector, found in zip(selectors, coarse, strict=True):
        fine = expected_weights(selector, n, 20, aggregation="examples").mean
        np.testing.assert_allclose(found, fine, rtol=1e-9)


def test_groups_are_added_up():
    selector, groups = Selector(FLEET, design="poisson"), np.array([0, 1, 1, 2, 2])
    each = expected_weights(selector, FLEET, 2, aggregation="examples").mean
    found = expected_weights(selector, FLEET, 2, aggregation="examples", groups=groups).mean
    assert found.tolist() == pytest.approx([each[0], each[1:3].sum(), each[3:].sum()])
    drawn = expected_weights(Selector(FLEET), FLEET, 2, aggregation="examples", groups=np.zeros(5, int))
    assert drawn.mean == pytest.approx([1]) and drawn.error[0] < 1e-7  # all together always weigh 1


def test_the_comparison_has_a_flat_row_for_every_pair():
    selections = [dict(strategy="uniform"), dict(strategy="power", beta=1.0, design="with-replacement"), REACHING[-1]]
    rows = list(compare(FLEET, 2, selections, heavy=0.2, draws=500))
    assert len(rows) == len(selections) * len(AGGREGATIONS)
    assert all(np.isscalar(value) for row in rows for value in row.values())
    by_name = {(row["strategy"], row["aggregation"]): row for row in rows}
    assert by_name["power", "equal"]["ratio"] == pytest.approx(1) and by_name["power", "equal"]["beta"] == 1.0
    assert by_name["power", "examples"]["ratio"] > 1 > by_name["uniform", "examples"]["ratio"]
    assert by_name["uniform", "horvitz-thompson"]["ratio"] == pytest.approx(1)  # k/N is known
    assert by_name["optimal", "hajek"]["method"] == "not known" and math.isnan(by_name["optimal", "hajek"]["weight"])
    assert {row["share"] for row in rows} == {SHARE[0]}
    for heavy, count in ((0.01, 1), (0.35, 2)):  # at least one, and the nearest whole number
        assert next(compare(FLEET, 2, [{}], heavy=heavy, draws=2))["share"] == pytest.approx(SHARE[:count].sum())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: expected_weights(Selector(FLEET), FLEET, 2, aggregation="mean"), "Expected aggregation='mean'"),
        (lambda: expected_weights(Selector(FLEET), FLEET[1:], 2, aggregation="equal"), "of 5 clients"),
        (lambda: expected_weights(Selector(FLEET), 0 * FLEET, 2, aggregation="equal"), "some of them > 0"),
        (lambda: expected_weights(Selector(FLEET), -FLEET, 2, aggregation="equal"), "finite examples >= 0"),
        (lambda: expected_weights(Selector(FLEET), FLEET, 2, aggregation="hajek"), "use estimate_inclusion"),
        (lambda: expected_weights(Selector(FLEET), FLEET, 9, aggregation="equal"), "Expected k=9 in [1, 5]"),
        (lambda: expected_weights(Selector(FLEET), FLEET, 2, aggregation="equal", draws=1), "Expected draws=1 >= 2"),
        (
            lambda: expected_weights(Selector(FLEET, design="poisson"), FLEET - 1, 2, aggregation="equal"),
            "Expected examples > 0 for every client that can be drawn",
        ),
        (lambda: next(compare(FLEET, 2, [{}], heavy=1.0)), "Expected heavy=1 in (0, 1)"),
    ],
)
def test_what_has_no_expectation_is_refused(call, message):
    with pytest.raises(ValueError) as caught:
        call()
    assert message in str(caught.value)
