"""Group metrics beside fairlearn's, where groups partition the rows."""

import math

import numpy as np
import pytest

from trustlab.fairness.groups import BETWEEN, Groups, group_rates, to_metric_frame

fairlearn = pytest.importorskip("fairlearn.metrics", reason="the oracle is fairlearn: pip install 'fairlearn>=0.15'")
THEIRS = {"selection": "selection_rate", "tpr": "true_positive_rate", "fpr": "false_positive_rate"}


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
    metrics = {rate: getattr(fairlearn, name) for rate, name in THEIRS.items()} | {"accuracy": accuracy_score}
    theirs = fairlearn.MetricFrame(metrics=metrics, y_true=truth, y_pred=predicted, sensitive_features=labels)
    for rate in metrics:
        for group in set(labels.tolist()):
            assert ours[rate, group] == pytest.approx(theirs.by_group.loc[group, rate])
        assert ours[f"{rate} gap", BETWEEN] == pytest.approx(theirs.difference()[rate])
        assert ours[f"{rate} ratio", BETWEEN] == pytest.approx(theirs.ratio()[rate])
    for what, name in (("gap", "equalized_odds_difference"), ("ratio", "equalized_odds_ratio")):
        value = getattr(fairlearn, name)(truth, predicted, sensitive_features=labels)
        assert ours[f"equalized odds {what}", BETWEEN] == pytest.approx(value)


def test_a_metric_frame_holds_the_same_numbers(answers):
    truth, predicted, labels = answers
    rows = group_rates(truth, predicted, Groups.by(labels))
    frame = to_metric_frame(truth, predicted, Groups.by(labels))
    ours = {(row["metric"], row["group"]): row["value"] for row in rows}
    for rate in ("accuracy", "selection", "tpr", "fpr"):
        assert frame.difference()[rate] == pytest.approx(ours[f"{rate} gap", BETWEEN])
        for group, value in frame.by_group[rate].items():
            assert value == pytest.approx(ours[rate, group])


def test_a_group_without_positives_stays_undefined_in_a_metric_frame():
    truth, predicted, labels = [0, 0, 1, 0], [1, 0, 1, 0], ["a", "a", "b", "b"]
    assert math.isnan(to_metric_frame(truth, predicted, Groups.by(labels)).by_group.loc["a", "tpr"])
    assert fairlearn.true_positive_rate([0, 0], [1, 0]) == 0  # fairlearn's own, which is why ours goes in


def test_overlapping_groups_do_not_fit_a_metric_frame():
    with pytest.raises(ValueError, match="partition the rows"):
        to_metric_frame([0, 1], [0, 1], Groups.overlapping([["a", "b"], ["a"]]))
