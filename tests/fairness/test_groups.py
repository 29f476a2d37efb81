"""Rates, gaps and AUCs of overlapping groups against loops, scikit-learn and properties."""

import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import roc_auc_score

from trustlab.fairness.groups import (
    ALL,
    BETWEEN,
    Groups,
    Mean,
    counterfactual_flips,
    generalized_mean,
    group_aucs,
    group_means,
    group_rates,
)

NAMES = ("a", "b", "c")
CRITERIA = {"selection_rate": "demographic_parity"}  # what differences and ratios of a rate are called by


def table(rows):
    """Values by metric and group."""
    return {(row["metric"], row["group"]): row["value"] for row in rows}


@st.composite
def answers(draw):
    """Truth, predictions, scores with ties and three overlapping groups of 1 to 25 rows."""
    rows = draw(st.integers(1, 25))
    booleans = hnp.arrays(bool, rows)
    scores = draw(hnp.arrays(float, rows, elements=st.sampled_from([0.0, 0.1, 0.5, 0.5001, 2.0])))
    masks = draw(hnp.arrays(bool, (rows, len(NAMES))))
    return draw(booleans), draw(booleans), scores, Groups(NAMES, masks)


def by_loop(truth, predicted, rows):
    """The four rates of the rows whose numbers are given, counted one by one."""
    tp = sum(1 for i in rows if truth[i] and predicted[i])
    fp = sum(1 for i in rows if not truth[i] and predicted[i])
    fn = sum(1 for i in rows if truth[i] and not predicted[i])
    tn = sum(1 for i in rows if not truth[i] and not predicted[i])

    def over(a, b):
        return a / b if b else math.nan

    return {
        "accuracy_score": over(tp + tn, len(rows)),
        "selection_rate": over(tp + fp, len(rows)),
        "true_positive_rate": over(tp, tp + fn),
        "false_positive_rate": over(fp, fp + tn),
    }


@given(answers())
def test_rates_differences_gaps_and_ratios_are_those_counted_row_by_row(given_rows):
    truth, predicted, _, groups = given_rows
    found = table(group_rates(truth, predicted, groups))
    members = {name: np.flatnonzero(mask).tolist() for name, mask in zip(NAMES, groups.masks.T, strict=True)}
    everyone = by_loop(truth, predicted, list(range(len(truth))))
    for rate, overall in everyone.items():
        np.testing.assert_equal(found[rate, ALL], overall)
        inside = [by_loop(truth, predicted, rows)[rate] for rows in members.values()]
        outside = [
            by_loop(truth, predicted, [i for i in range(len(truth)) if i not in rows])[rate]
            for rows in members.values()
        ]
        for name, here, there in zip(NAMES, inside, outside, strict=True):
            np.testing.assert_equal(found[rate, name], here)
            np.testing.assert_allclose(found[f"{rate}_minus_rest", name], here - there)
        undefined = any(map(math.isnan, inside))
        gap = math.nan if undefined else max(inside) - min(inside)
        np.testing.assert_allclose(found[f"{CRITERIA.get(rate, rate)}_difference", BETWEEN], gap)
        ratio = math.nan if undefined or max(inside) == 0 else min(inside) / max(inside)
        np.testing.assert_allclose(found[f"{CRITERIA.get(rate, rate)}_ratio", BETWEEN], ratio)


@given(answers())
def test_every_undefined_number_has_a_reason_and_no_other_has(given_rows):
    truth, predicted, scores, groups = given_rows
    for row in group_rates(truth, predicted, groups) + group_aucs(truth, scores, groups):
        assert math.isnan(row["value"]) == bool(row["reason"]), row


def test_a_group_without_positives_has_no_true_positive_rate_and_takes_the_gap_along():
    groups = Groups(NAMES, np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=bool))
    rows = {(row["metric"], row["group"]): row for row in group_rates([0, 0, 1], [1, 0, 1], groups)}
    assert rows["true_positive_rate", "a"]["reason"] == "no positives"
    assert rows["true_positive_rate", "c"]["reason"] == "no rows"
    assert rows["true_positive_rate_minus_rest", "b"]["reason"] == "outside the group: no positives"
    assert rows["true_positive_rate_difference", BETWEEN]["reason"] == "a: no positives; c: no rows"
    reason = "true_positive_rate of a: no positives; c: no rows; false_positive_rate of c:"
    assert rows["equalized_odds_difference", BETWEEN]["reason"].startswith(reason)
    assert rows["true_positive_rate", "b"]["value"] == 1 and rows["false_positive_rate", "a"]["value"] == 0.5


def test_a_rate_of_zero_in_every_group_has_a_gap_but_no_ratio():
    rows = {row["metric"]: row for row in group_rates([1, 1], [0, 0], Groups.by(["a", "b"]))}
    assert rows["true_positive_rate_difference"]["value"] == 0
    ratio = rows["true_positive_rate_ratio"]
    assert math.isnan(ratio["value"]) and ratio["reason"] == "0 in every group"


def test_a_single_group_differs_from_its_rest_and_from_no_other_group():
    rows = {row["metric"]: row for row in group_rates([1, 1, 0], [0, 1, 0], Groups.overlapping([["a"], [], ["a"]]))}
    assert rows["selection_rate_minus_rest"]["value"] == -1
    difference = rows["demographic_parity_difference"]
    assert math.isnan(difference["value"]) and difference["reason"] == "a single group"


def auc_by_loop(truth, scores, positives, negatives):
    """Mann and Whitney's count over all pairs."""
    pairs = [
        (scores[p] > scores[n]) + 0.5 * (scores[p] == scores[n])
        for p in np.flatnonzero(truth & positives)
        for n in np.flatnonzero(~truth & negatives)
    ]
    return np.mean(pairs) if pairs else math.nan


@given(answers())
def test_aucs_are_those_of_all_pairs(given_rows):
    truth, _, scores, groups = given_rows
    found = table(group_aucs(truth, scores, groups))
    for name, mask in zip(NAMES, groups.masks.T, strict=True):
        sides = {"subgroup_auc": (mask, mask), "bpsn_auc": (~mask, mask), "bnsp_auc": (mask, ~mask)}
        for kind, (positives, negatives) in sides.items():
            np.testing.assert_allclose(found[kind, name], auc_by_loop(truth, scores, positives, negatives))


@pytest.mark.parametrize("decimals", [1, 9])
def test_aucs_are_those_of_scikit_learn(decimals):
    rng = np.random.default_rng(0)
    truth = rng.random(2000) < 0.3
    scores = (rng.normal(size=2000) + truth).round(decimals)  # one decimal: mostly ties
    groups = Groups(NAMES, rng.random((2000, 3)) < [0.5, 0.1, 0.02])
    found = table(group_aucs(truth, scores, groups))
    assert found["auc", ALL] == pytest.approx(roc_auc_score(truth, scores))
    for name, mask in zip(NAMES, groups.masks.T, strict=True):
        for kind, rows in {
            "subgroup_auc": mask,
            "bpsn_auc": mask ^ truth,  # positives outside, negatives inside
            "bnsp_auc": mask ^ ~truth,
        }.items():
            assert found[kind, name] == pytest.approx(roc_auc_score(truth[rows], scores[rows])), (kind, name)


@given(answers())
def test_aucs_keep_under_a_rising_transform_and_turn_over_under_a_falling_one(given_rows):
    truth, _, scores, groups = given_rows
    before = table(group_aucs(truth, scores, groups))
    rising, falling = table(group_aucs(truth, np.exp(scores), groups)), table(group_aucs(truth, -scores, groups))
    for key, value in before.items():
        np.testing.assert_allclose(rising[key], value)
        if key[1] != BETWEEN:
            np.testing.assert_allclose(falling[key], 1 - value)


@given(answers(), st.randoms(use_true_random=False))
def test_neither_the_order_of_rows_nor_of_groups_matters(given_rows, random):
    truth, predicted, scores, groups = given_rows
    rows = np.array(random.sample(range(len(truth)), len(truth)))
    columns = random.sample(range(3), 3)
    other = Groups(tuple(NAMES[g] for g in columns), groups.masks[rows][:, columns])
    for before, after in (
        (group_rates(truth, predicted, groups), group_rates(truth[rows], predicted[rows], other)),
        (group_aucs(truth, scores, groups), group_aucs(truth[rows], scores[rows], other)),
    ):
        before, after = table(before), table(after)
        assert before.keys() == after.keys()
        np.testing.assert_allclose([after[key] for key in before], list(before.values()))


def test_the_generalised_mean_of_borkan_and_others():
    values = [0.6, 0.8, 1.0]
    assert generalized_mean(values, 1) == pytest.approx(0.8)
    assert generalized_mean(values, -1) == pytest.approx(3 / (1 / 0.6 + 1 / 0.8 + 1))  # harmonic
    assert generalized_mean(values, -5) == pytest.approx(np.mean([v**-5 for v in values]) ** -0.2)
    assert generalized_mean(values, -500) == pytest.approx(0.6, rel=0.01)
    assert generalized_mean([0.0, 1.0], -5) == 0
    assert math.isnan(generalized_mean([math.nan, 1.0]))
    for held in (torch.tensor([0.5, 1.0], requires_grad=True), pa.array([0.5, 1.0])):
        assert generalized_mean(held, -1) == pytest.approx(2 / 3)


@given(hnp.arrays(float, 4, elements=st.floats(0.01, 1)), st.floats(-9, 9), st.floats(-9, 9))
def test_the_generalised_mean_rises_with_its_power_between_minimum_and_maximum(values, p, q):
    assume(abs(p) > 0.1 and abs(q) > 0.1)
    small, large = generalized_mean(values, min(p, q)), generalized_mean(values, max(p, q))
    assert values.min() - 1e-9 <= small <= large + 1e-9 <= values.max() + 2e-9


def test_flips_are_decisions_that_change_and_know_their_direction():
    rows = table(
        counterfactual_flips([0.9, 0.6, 0.1, 0.5], [0.4, 0.7, 0.1, 0.4], Groups.by(["w", "w", "m", "m"]), threshold=0.5)
    )
    assert (
        rows["flip_rate", "w"] == 0.5 and rows["flip_rate", "m"] == 0.5 and rows["flip_rate_difference", BETWEEN] == 0
    )
    assert rows["score_change", "w"] == pytest.approx(-0.2)
    assert rows["absolute_score_change", "w"] == pytest.approx(0.3)
    assert rows["absolute_score_change", "m"] == pytest.approx(0.05)


@given(answers())
def test_a_model_that_ignores_the_exchanged_words_never_flips(given_rows):
    _, _, scores, groups = given_rows
    values = [v for (_, group), v in table(counterfactual_flips(scores, scores, groups)).items() if group == ALL]
    assert values == [0, 0, 0]


class TestBadInput:
    def test_unlabelled_rows_are_refused_with_their_number(self):
        groups = Groups.by(["a", "b", "b"])
        for missing in (None, math.nan, pd.NA):
            with pytest.raises(ValueError, match=r"3 rows, 2 have no label \(first: row 1\)"):
                group_rates([1, missing, missing], [1, 0, 0], groups)
            with pytest.raises(ValueError, match="has no label"):
                group_aucs([1, 0, missing], [0.1, 0.2, 0.3], groups)
        with pytest.raises(ValueError, match=r"y_pred of 0 or 1 .* 1 has no label"):
            group_rates([1, 0, 0], [1, math.nan, 0], groups)

    def test_rows_without_a_group_are_refused_where_each_must_have_one(self):
        for missing in (None, math.nan, pd.NA, ""):
            with pytest.raises(ValueError, match=r"group for each of 2 rows, 1 have none \(first: row 1\)"):
                Groups.by(["a", missing])

    @pytest.mark.parametrize("truth", [[0.3, 1, 0], [2, 1, 0], ["yes", "no", "no"], [], [[1, 0, 0]]])
    def test_anything_but_one_column_of_zeros_and_ones_is_refused(self, truth):
        with pytest.raises(ValueError, match="Expected y_true of 0 or 1"):
            group_rates(truth, [1, 0, 0], Groups.by(["a", "b", "b"]))

    def test_lengths_must_agree(self):
        groups = Groups.by(["a", "b", "b"])
        with pytest.raises(ValueError, match="one prediction for each of 3 rows, got 2"):
            group_rates([1, 0, 1], [1, 0], groups)
        with pytest.raises(ValueError, match="for the 3 rows that the groups describe, got 2"):
            group_rates([1, 0], [1, 0], groups)
        with pytest.raises(ValueError, match="got 3 scores and 3 rows"):
            group_aucs([1, 0], [1.0, 0.0, 0.5], groups)
        with pytest.raises(ValueError, match="a swapped score for each"):
            counterfactual_flips([1.0, 0.0, 0.5], [1.0], groups)

    def test_scores_must_be_finite_where_they_are_asked_for(self):
        groups = Groups.by(["a", "b"])
        with pytest.raises(ValueError, match="finite score in each"):
            group_aucs([0, 1], [0.5, math.nan], groups)
        values = np.array([1.0, math.nan])
        with pytest.raises(ValueError, match="finite toxicity"):
            group_means([Mean("toxicity", values, np.array([True, True]))], groups)
        rows = table(group_means([Mean("toxicity", values, np.array([True, False]))], groups))
        assert rows["toxicity", ALL] == 1

    @pytest.mark.parametrize(
        ("names", "masks"),
        [
            (("a",), np.ones((3, 2), bool)),
            (("a", "b"), np.ones((3, 2))),
            (("a", "a"), np.ones((3, 2), bool)),
            (("a", ALL), np.ones((3, 2), bool)),
            ((), np.ones((3, 0), bool)),
        ],
    )
    def test_masks_that_are_no_table_of_named_groups_are_refused(self, names, masks):
        with pytest.raises(ValueError, match="Expected"):
            Groups(names, masks)

    @pytest.mark.parametrize("power", [0, math.inf, math.nan])
    def test_powers_without_a_mean_are_refused(self, power):
        with pytest.raises(ValueError, match="Expected power"):
            generalized_mean([0.5], power)
        with pytest.raises(ValueError, match="Expected power"):
            group_aucs([0, 1], [0.1, 0.2], Groups.by(["a", "a"]), power=power)


@given(st.lists(st.lists(st.sampled_from(["women", "men", "Islam"])), min_size=1), st.integers(0, 20))
def test_a_text_is_no_list_of_groups(members, place):
    names = Groups.overlapping(members, ["women"]).names
    assert names == ("women",)
    members.insert(place, "women")
    with pytest.raises(
        ValueError, match=rf"row {min(place, len(members) - 1)}, got the text 'women'.* write \['women'\]"
    ):
        Groups.overlapping(members)
    with pytest.raises(ValueError, match="groups for names, got the text 'women'"):
        Groups.overlapping([["women"]], "women")


def test_groups_may_be_kept_by_size_among_the_rows_that_matter():
    groups = Groups.overlapping([["a", "b"], ["a"], ["b", "c"]])
    assert groups.at_least(2).names == ("a", "b")
    assert groups.at_least(1, rows=np.array([False, False, True])).names == ("b", "c")
    with pytest.raises(ValueError, match="the largest has 2"):
        groups.at_least(3)
    assert Groups.overlapping([["a", "z"], []], names=["a"]).masks.tolist() == [[True], [False]]
    assert groups[1:].sizes.tolist() == [1, 1, 1] and not groups.is_partition and Groups.by(["a", "b"]).is_partition
