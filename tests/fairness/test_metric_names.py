"""Metrics have fairlearn's names; the texts of version 0.1 are found for one version more, with a warning."""

import warnings

import numpy as np
import pandas as pd
import pytest

from trustlab.fairness.groups import Bootstrap, Groups, Mean, counterfactual_flips, group_aucs, group_means, group_rates
from trustlab.fairness.groups.metric_names import MetricName, old_name

GROUPS = Groups.by(["a", "a", "a", "b", "b", "b"])
TRUTH, SCORES = np.array([1, 1, 0, 1, 0, 0]), np.array([0.9, 0.2, 0.1, 0.8, 0.7, 0.3])
# What version 0.1 wrote, in this order, for one call of each.
WRITTEN = {
    "accuracy", "accuracy minus rest", "accuracy gap", "accuracy ratio",
    "selection", "selection minus rest", "selection gap", "selection ratio",
    "tpr", "tpr minus rest", "tpr gap", "tpr ratio", "fpr", "fpr minus rest", "fpr gap", "fpr ratio",
    "equalized odds gap", "equalized odds ratio",
    "auc", "subgroup auc", "bpsn auc", "bnsp auc", "subgroup auc mean", "bpsn auc mean", "bnsp auc mean",
    "flip rate", "flip rate minus rest", "flip rate gap", "flip rate ratio",
    "score change", "score change minus rest", "score change gap", "score change ratio",
    "absolute score change", "absolute score change minus rest", "absolute score change gap",
    "absolute score change ratio",
}  # fmt: skip


@pytest.fixture(scope="module")
def rows():
    return [
        *group_rates(TRUTH, SCORES >= 0.5, GROUPS),
        *group_aucs(TRUTH, SCORES, GROUPS),
        *counterfactual_flips(SCORES, SCORES[::-1], GROUPS),
    ]


def test_every_old_text_finds_its_rows_and_says_what_to_write_instead(rows):
    assert {old_name(row["metric"]) for row in rows} == WRITTEN
    with pytest.warns(DeprecationWarning, match="'tpr gap' is now 'true_positive_rate_difference'; .* version 0.3"):
        (found,) = [row["value"] for row in rows if row["metric"] == "tpr gap"]
    assert found == 1 - 0.5
    with pytest.warns(DeprecationWarning, match="'bpsn auc' is now 'bpsn_auc'"):
        assert len([row for row in rows if row["metric"] in ("bpsn auc", "nothing")]) == 2
    with pytest.warns(DeprecationWarning):
        assert [row["metric"] != "accuracy" for row in rows].count(False) == 3  # all rows, a and b
    with pytest.warns(DeprecationWarning) as caught:
        assert not MetricName("true_positive_rate") != "tpr"  # noqa: SIM202
    assert caught[0].filename == __file__  # the place to change


def test_new_names_are_texts_like_any_other(rows):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        by_name = {(row["metric"], row["group"]): row["value"] for row in rows}
        assert by_name["true_positive_rate", "a"] == 0.5
        assert rows[0]["metric"] == "accuracy_score" != rows[-1]["metric"]
        frame = pd.DataFrame(rows)
        assert (frame["metric"] == "false_positive_rate_minus_rest").sum() == 2
        assert MetricName("auc") == "auc" and MetricName("auc") != 1 and hash(MetricName("auc")) == hash("auc")


def test_means_of_a_users_own_have_the_same_endings():
    found = group_means([Mean("loss", SCORES, np.ones(6, bool))], GROUPS, bootstrap=Bootstrap(resamples=10))
    assert [str(row["metric"]) for row in found][-2:] == ["loss_difference", "loss_ratio"]
    with pytest.warns(DeprecationWarning):
        assert found[-2]["metric"] == "loss gap"


def test_arguments_have_fairlearns_names_and_the_old_ones_work():
    now = group_rates(y_true=TRUTH, y_pred=SCORES >= 0.5, groups=GROUPS)
    with pytest.warns(DeprecationWarning, match="'(truth|predicted)' of group_rates is now 'y_(true|pred)'"):
        before = group_rates(truth=TRUTH, predicted=SCORES >= 0.5, groups=GROUPS)
    assert [row["value"] for row in before] == pytest.approx([row["value"] for row in now], nan_ok=True)
    with pytest.warns(DeprecationWarning, match="'truth' of group_aucs"):
        group_aucs(truth=TRUTH, scores=SCORES, groups=GROUPS)
