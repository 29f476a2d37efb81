"""A classifier of one's own beside a table: the same numbers as fairlearn's, weighted or not, and traps named."""

import math

import datasets
import numpy as np
import pandas as pd
import pytest
from fairlearn import metrics as fairlearn
from sklearn.metrics import accuracy_score

from trustlab.fairness.groups import Bootstrap, Groups, frame_rates, group_rates

RATES = {
    "accuracy_score": accuracy_score,
    "selection_rate": fairlearn.selection_rate,
    "true_positive_rate": fairlearn.true_positive_rate,
    "false_positive_rate": fairlearn.false_positive_rate,
}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(5)
    made = pd.DataFrame({
        "paid": rng.integers(2, size=300), "region": rng.choice(["hill", "valley", "coast"], 300),
        "sex": rng.choice(["f", "m"], 300), "p": rng.random(300).round(2), "w": rng.gamma(2.0, size=300),
    })  # fmt: skip
    return made.set_index(rng.permutation(300))  # an index that is no place


def numbers(rows):
    return {(str(row["metric"]), row["group"]): row["value"] for row in rows}


@pytest.mark.parametrize("weights", [None, "w", "zeros"])
@pytest.mark.parametrize("groups", ["region", ["region", "sex"]])
def test_the_rates_are_fairlearns(table, weights, groups):
    made = table.assign(zeros=table["w"] * (table["w"] > 1.0))
    found = numbers(frame_rates(made, y_true="paid", scores="p", groups=groups, sample_weight=weights))
    chosen = (made["p"] >= 0.5).astype(int)
    weigh = {} if weights is None else {"sample_params": {name: {"sample_weight": made[weights]} for name in RATES}}
    frame = fairlearn.MetricFrame(
        metrics=RATES, y_true=made["paid"], y_pred=chosen, sensitive_features=made[groups], **weigh
    )
    for name in RATES:
        for group, value in frame.by_group[name].items():
            named = group if isinstance(group, str) else ", ".join(group)
            assert found[name, named] == pytest.approx(value), (name, named)
        assert found[name, "(all rows)"] == pytest.approx(frame.overall[name])
    how = {} if weights is None else {"sample_weight": made[weights]}
    arguments = dict(y_true=made["paid"], y_pred=chosen, sensitive_features=made[groups], **how)
    for name in ("demographic_parity_difference", "demographic_parity_ratio", "equalized_odds_difference",
                 "equalized_odds_ratio"):  # fmt: skip
        assert found[name, "(between groups)"] == pytest.approx(getattr(fairlearn, name)(**arguments)), name


def test_equal_weights_change_nothing_and_a_weight_of_two_is_two_rows(table):
    plain = frame_rates(table, y_true="paid", scores="p", groups="region")
    assert plain == group_rates(table["paid"], table["p"] >= 0.5, Groups.by(table["region"]))
    assert numbers(frame_rates(table, y_true="paid", scores="p", groups="region", sample_weight=[3.0] * 300)) == (
        pytest.approx(numbers(plain))
    )
    twice = pd.concat([table, table[table["region"] == "hill"]])
    doubled = numbers(
        frame_rates(table, y_true="paid", scores="p", groups="region", sample_weight=1.0 + (table["region"] == "hill"))
    )
    assert doubled == pytest.approx(numbers(frame_rates(twice, y_true="paid", scores="p", groups="region")))


def test_weighted_intervals_hold_the_weighted_value_and_not_the_plain_one():
    rng = np.random.default_rng(0)
    y = np.ones(4000, int)
    heavy = rng.random(4000) < 0.5
    chosen = np.where(heavy, rng.random(4000) < 0.9, rng.random(4000) < 0.3)
    rows = frame_rates(
        None, y_true=y, y_pred=chosen, groups=["a", "b"] * 2000, sample_weight=np.where(heavy, 9.0, 1.0),
        bootstrap=Bootstrap(resamples=200),
    )  # fmt: skip
    (row,) = [row for row in rows if (row["metric"], row["group"]) == ("true_positive_rate", "(all rows)")]
    assert row["low"] < row["value"] < row["high"] and row["low"] > 0.8 and row["high"] < 0.88
    assert row["rows"] == 4000


def test_each_group_has_its_own_threshold(table):
    of_group = {"hill": 0.2, "valley": 0.5, "coast": 0.9}
    found = frame_rates(table, y_true="paid", scores="p", groups="region", threshold=of_group)
    by_hand = table["p"] >= table["region"].map(of_group)
    assert found == group_rates(table["paid"], by_hand, Groups.by(table["region"]))
    assert numbers(found)["selection_rate", "hill"] > numbers(found)["selection_rate", "coast"] + 0.5
    for wrong, said in [
        (
            {"hill": 0.2, "valley": 0.5},
            "for each of the groups 'coast', 'hill', 'valley', got them for 'hill', 'valley'",
        ),
        ({}, "got them for none"),
        ({**of_group, "coast": math.nan}, "Expected a finite threshold"),
    ]:
        with pytest.raises(ValueError, match=said):
            frame_rates(table, y_true="paid", scores="p", groups="region", threshold=wrong)
    with pytest.raises(ValueError, match="Expected each row in one group for thresholds of groups"):
        both = Groups.overlapping([["a", "b"]] * 300)
        frame_rates(table, y_true="paid", scores="p", groups=both, threshold={"a": 0.5, "b": 0.5})


def test_logits_are_noticed_and_named(table):
    logits = np.log(table["p"].clip(0.01, 0.99) / (1 - table["p"].clip(0.01, 0.99)))
    with pytest.raises(ValueError, match=r"got -4.6 to 4.6, \d+ of 300 outside. They look like logits.*threshold=0.0"):
        frame_rates(table, y_true="paid", scores=logits, groups="region")
    as_told = frame_rates(table, y_true="paid", scores=logits, groups="region", threshold=0.0)
    assert as_told == frame_rates(table, y_true="paid", scores="p", groups="region")


def test_labels_are_measured_for_one_of_them(table):
    words = table.assign(
        said=np.where(table["paid"] == 1, "pay", "stop"), answer=np.where(table["p"] > 0.4, "pay", "go")
    )
    found = frame_rates(words, y_true="said", y_pred="answer", groups="region", positive="pay")
    assert found == group_rates(table["paid"], table["p"] > 0.4, Groups.by(table["region"]))
    with pytest.raises(ValueError, match="Expected positive='buy' among the labels of y_true, which are 'pay', 'stop'"):
        frame_rates(words, y_true="said", y_pred="answer", groups="region", positive="buy")
    with pytest.raises(ValueError, match="Expected y_true of 0 or 1, got '"):
        frame_rates(words, y_true="said", y_pred="answer", groups="region")


@pytest.mark.parametrize("answer", [1, True, 1.0, "Pay", " pay"], ids=repr)
def test_answers_that_are_written_otherwise_than_the_labels_are_refused(answer):
    """None of them equals the label, and every rate came out as 0."""
    said, groups = ["pay", "stop", "pay", "stop"], list("aabb")
    other = "Stop" if isinstance(answer, str) else 0
    for answers in ([answer, other] * 2, [answer, "stop"] * 2 if isinstance(answer, str) else [answer] * 4):
        with pytest.raises(ValueError, match="Expected y_pred to be written as y_true is, where positive='pay'"):
            frame_rates(None, y_true=said, y_pred=answers, groups=groups, positive="pay")
    for never in (["stop"] * 4, ["go"] * 4):  # a classifier that never says it
        found = numbers(frame_rates(None, y_true=said, y_pred=never, groups=groups, positive="pay"))
        assert found["true_positive_rate", "(all rows)"] == 0
    for one, none in ((1, [0.0] * 4), (True, [0] * 4), (1.0, [False] * 4)):
        found = numbers(frame_rates(None, y_true=[1, 0, 1, 0], y_pred=none, groups=groups, positive=one))
        assert found["selection_rate", "(all rows)"] == 0


def test_a_list_of_rows_is_no_table_and_a_group_may_have_the_name_of_a_column(table):
    with pytest.raises(ValueError, match=r"got a list. Of a list of rows make pandas.DataFrame\(rows\)"):
        frame_rates(table.to_dict("records"), y_true="paid", scores="p", groups="region")
    values = ["sex", "other"] * 150
    found = frame_rates(table, y_true="paid", scores="p", groups=values)
    assert found == frame_rates(table, y_true="paid", scores="p", groups=np.array(values))


def test_any_table_and_any_container(table):
    expected = frame_rates(table, y_true="paid", scores="p", groups="region")
    plain = {name: table[name].tolist() for name in table}
    for other in (plain, datasets.Dataset.from_dict(plain), table.reset_index(drop=True)):
        assert frame_rates(other, y_true="paid", scores="p", groups="region") == expected
    assert frame_rates(None, y_true=table["paid"], scores=table["p"].to_numpy(), groups=table["region"]) == expected


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scores": "q"}, "Expected scores='q' to be a column of the table; which has 'paid', 'region'"),
        ({"scores": None}, "Expected y_pred= or scores=, one of them"),
        ({"y_pred": "paid"}, "Expected y_pred= or scores=, one of them"),
        ({"scores": None, "y_pred": "paid", "threshold": 0.5}, "Answers y_pred have none"),
        ({"scores": [0.5] * 299}, "Expected a score for each of 300 rows, got 299"),
        ({"sample_weight": [1.0] * 299}, "Expected a sample weight for each of 300 rows, got 299"),
        ({"sample_weight": [-1.0] * 300}, r"Expected sample weights in \[0, inf\], got -1"),
        ({"sample_weight": [0.0] * 300}, "Expected a sample weight above 0, got none"),
        ({"scores": np.full((300, 2), 0.5)}, r"got shape \[300, 2\]"),
        ({"scores": [0.5] * 299 + [math.nan]}, "Expected a finite score"),
        ({"groups": [None] * 300}, "Expected a group for each of 300 rows, 300 have none"),
        ({"groups": ["a"] * 10}, "Expected a group for each of 300 rows, got 10"),
        ({"groups": ["region", "sx"]}, "Expected groups='sx' to be a column of the table; which has 'paid', 'region'"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(table, options, said):
    with pytest.raises(ValueError, match=said):
        frame_rates(table, **{"y_true": "paid", "scores": "p", "groups": "region", **options})


def test_what_is_undefined_has_its_reason_weighted_too():
    rows = frame_rates(
        None, y_true=[1, 0, 0, 0], y_pred=[1, 0, 1, 0], groups=list("aabb"), sample_weight=[1.0, 2.0, 3.0, 4.0]
    )
    why = {(str(row["metric"]), row["group"]): row["reason"] for row in rows if math.isnan(row["value"])}
    assert why["true_positive_rate", "b"] == "no positives"
    assert why["true_positive_rate_difference", "(between groups)"] == "b: no positives"
