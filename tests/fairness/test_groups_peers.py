"""Group metrics beside fairlearn's, where groups partition the rows."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trustlab.fairness.groups import BETWEEN, Groups, group_rates, to_metric_frame

fairlearn = pytest.importorskip("fairlearn.metrics", reason="the oracle is fairlearn: pip install 'fairlearn>=0.15'")
THEIRS = ("selection_rate", "true_positive_rate", "false_positive_rate")
RATES = ("accuracy_score", *THEIRS)
BY_NAME = (
    "demographic_parity_difference",
    "demographic_parity_ratio",
    "equalized_odds_difference",
    "equalized_odds_ratio",
    "true_positive_rate_difference",
    "true_positive_rate_ratio",
    "false_positive_rate_difference",
    "accuracy_score_difference",
)  # as fairlearn.metrics has them
CRITERIA = {"selection_rate": "demographic_parity"}  # fairlearn has this difference under both names


@pytest.fixture(scope="module")
def answers():
    rng = np.random.default_rng(0)
    labels = rng.choice(["hill", "coast", "valley", "plain"], size=900, p=[0.5, 0.3, 0.15, 0.05])
    truth = rng.random(900) < 0.4
    return truth, (rng.random(900) < 0.3 + 0.3 * truth), labels


def test_rates_gaps_and_ratios_are_fairlearns(answers):
    from sklearn.metrics import accuracy_score

    truth, predicted, labels = answers
    ours = {(row["metric"], row["group"]): row["value"] for row in group_rates(truth, predicted, Groups.by(labels))}
    metrics = {rate: getattr(fairlearn, rate) for rate in THEIRS} | {"accuracy_score": accuracy_score}
    theirs = fairlearn.MetricFrame(metrics=metrics, y_true=truth, y_pred=predicted, sensitive_features=labels)
    for rate in metrics:
        for group in set(labels.tolist()):
            assert ours[rate, group] == pytest.approx(theirs.by_group.loc[group, rate])
        assert ours[f"{CRITERIA.get(rate, rate)}_difference", BETWEEN] == pytest.approx(theirs.difference()[rate])
        assert ours[f"{CRITERIA.get(rate, rate)}_ratio", BETWEEN] == pytest.approx(theirs.ratio()[rate])
    for name in ("equalized_odds_difference", "equalized_odds_ratio"):
        value = getattr(fairlearn, name)(truth, predicted, sensitive_features=labels)
        assert ours[name, BETWEEN] == pytest.approx(value)


def test_a_metric_frame_holds_the_same_numbers(answers):
    truth, predicted, labels = answers
    rows = group_rates(truth, predicted, Groups.by(labels))
    frame = to_metric_frame(truth, predicted, Groups.by(labels))
    ours = {(row["metric"], row["group"]): row["value"] for row in rows}
    for rate in RATES:
        assert frame.difference()[rate] == pytest.approx(ours[f"{CRITERIA.get(rate, rate)}_difference", BETWEEN])
        for group, value in frame.by_group[rate].items():
            assert value == pytest.approx(ours[rate, group])


def test_a_group_that_lacks_a_rate_is_refused_and_not_passed_over():
    """fairlearn takes the true positive rate of no positives for 0, and the difference between 0.5 and NaN too."""
    labels = ["a", "a", "b", "b", "b"]
    with pytest.raises(ValueError, match=r"got true_positive_rate of a: no positives\. A MetricFrame passes over"):
        to_metric_frame([0, 0, 1, 1, 0], [1, 0, 1, 0, 0], Groups.by(labels))
    assert fairlearn.true_positive_rate([0, 0], [1, 0]) == 0
    theirs = fairlearn.MetricFrame(
        metrics=lambda y, _: y.mean() if y.all() else math.nan, y_true=[1, 0], y_pred=[1, 1], sensitive_features=[0, 1]
    )
    assert theirs.difference() == 0


def test_a_group_without_rows_is_refused_and_does_not_vanish():
    groups = Groups(("a", "b", "c"), np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0]], dtype=bool))
    with pytest.raises(
        ValueError, match=r"got accuracy_score of c: no rows; selection_rate of c: no rows; true_positive_rate of c"
    ):
        to_metric_frame([0, 1, 0, 1], [1, 1, 0, 1], groups)
    with pytest.raises(ValueError, match=r"got accuracy_score of a single group"):
        to_metric_frame([0, 1], [1, 1], Groups.by(["a", "a"]))


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from("ab")), min_size=4, max_size=12))
def test_a_metric_frame_says_what_the_rows_say_or_is_refused(given_rows):
    truth, predicted, labels = (np.array(column) for column in zip(*given_rows, strict=True))
    groups = Groups(("a", "b"), labels[:, None] == ["a", "b"])
    ours = {(row["metric"], row["group"]): row["value"] for row in group_rates(truth, predicted, groups)}
    gaps = [ours[f"{CRITERIA.get(rate, rate)}_difference", BETWEEN] for rate in RATES]
    if any(map(math.isnan, gaps)):
        with pytest.raises(ValueError, match="Expected every rate"):
            to_metric_frame(truth, predicted, groups)
        return
    frame = to_metric_frame(truth, predicted, groups)
    for rate, gap in zip(RATES, gaps, strict=True):
        assert frame.difference()[rate] == pytest.approx(gap)
        assert frame.ratio()[rate] == pytest.approx(ours[f"{CRITERIA.get(rate, rate)}_ratio", BETWEEN], nan_ok=True)


def test_overlapping_groups_do_not_fit_a_metric_frame():
    with pytest.raises(ValueError, match="partition the rows"):
        to_metric_frame([0, 1], [0, 1], Groups.overlapping([["a", "b"], ["a"]]))


@settings(max_examples=12)  # five predictions each, and fairlearn takes most of a second for all
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from("abc")), max_size=14))
def test_gaps_and_ratios_of_small_cases_are_fairlearns(more):
    """Every group has positives and negatives, so that every rate is defined; 0/0 in a ratio is not rare."""
    rows = [*more, *((truth, truth, group) for truth in (False, True) for group in "abc")]
    truth, predicted, labels = (np.array(column) for column in zip(*rows, strict=True))
    for said in (predicted, truth, ~truth, np.zeros_like(truth), np.ones_like(truth)):
        ours = {(row["metric"], row["group"]): row["value"] for row in group_rates(truth, said, Groups.by(labels))}
        for name in BY_NAME:
            value = getattr(fairlearn, name)(truth, said, sensitive_features=labels)
            assert ours[name, BETWEEN] == pytest.approx(value, nan_ok=True)
        frame = to_metric_frame(truth, said, Groups.by(labels))
        for rate in RATES:
            assert frame.ratio()[rate] == pytest.approx(ours[f"{CRITERIA.get(rate, rate)}_ratio", BETWEEN], nan_ok=True)


def test_a_perfect_classifier_has_an_equalized_odds_ratio_of_1():
    truth, labels = np.array([0, 1, 0, 1]), ["a", "a", "b", "b"]
    rows = {row["metric"]: row for row in group_rates(truth, truth, Groups.by(labels)) if row["group"] == BETWEEN}
    assert fairlearn.equalized_odds_ratio(truth, truth, sensitive_features=labels) == 1
    assert (rows["equalized_odds_ratio"]["value"], rows["equalized_odds_ratio"]["reason"]) == (1, "")
    assert rows["false_positive_rate_ratio"]["reason"] == "0 in every group"
