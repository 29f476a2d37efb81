"""Sample weights: the numbers of fairlearn and scikit-learn, repeated rows, sure by as much, and refused by name."""

import math

import numpy as np
import pandas as pd
import pytest
from fairlearn import metrics as fairlearn
from sklearn.metrics import accuracy_score, roc_auc_score

from trustlab.fairness.groups import (
    Bootstrap,
    Chance,
    Groups,
    Mean,
    estimate_aucs,
    estimate_frame,
    estimate_means,
    estimate_rates,
    gaps,
    group_aucs,
    group_means,
    group_rates,
    pooled,
)

FEW = Chance(draws=199)


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(11)
    y = rng.random(400) < 0.4
    scores = (y + rng.normal(size=400)).round(1)  # with ties
    names = rng.choice(["hill", "valley", "coast"], 400)
    return y, scores, names, rng.gamma(0.7, size=400) * (rng.random(400) < 0.9)  # some weigh nothing


def numbers(found):
    return {(str(row["metric"]), row["group"]): row["value"] for row in found}


def test_aucs_are_scikit_learns(rows):
    y, scores, names, weights = rows
    found = numbers(group_aucs(y, scores, Groups.by(names), sample_weight=weights))
    estimates = {each.name: each for each in estimate_aucs(y, scores, Groups.by(names), chance=FEW,
                                                           sample_weight=weights)}  # fmt: skip
    whole = roc_auc_score(y, scores, sample_weight=weights)
    assert found["auc", "(all rows)"] == pytest.approx(whole) == estimates["subgroup_auc"].centre
    for g, name in enumerate(("coast", "hill", "valley")):
        group = names == name
        for kind, asked in {
            "subgroup_auc": group, "bpsn_auc": (y & ~group) | (~y & group), "bnsp_auc": (~y & ~group) | (y & group),
        }.items():  # fmt: skip
            expected = roc_auc_score(y[asked], scores[asked], sample_weight=weights[asked])
            assert found[kind, name] == pytest.approx(expected), (kind, name)
            assert estimates[kind].values[g] == pytest.approx(expected), (kind, name)


def test_rates_of_estimates_and_gaps_are_fairlearns(rows):
    y, scores, names, weights = rows
    chosen = scores > 0.5
    metrics = {
        name: getattr(fairlearn, name) for name in ("selection_rate", "true_positive_rate", "false_positive_rate")
    }
    metrics["accuracy_score"] = accuracy_score
    frame = fairlearn.MetricFrame(metrics=metrics, y_true=y, y_pred=chosen, sensitive_features=names,
                                  sample_params={name: {"sample_weight": weights} for name in metrics})  # fmt: skip
    estimates = estimate_rates(y, chosen, Groups.by(names), chance=FEW, sample_weight=weights)
    for each in estimates:
        assert each.values == pytest.approx(frame.by_group[each.name].to_numpy())
        assert each.centre == pytest.approx(frame.overall[each.name])
    found = numbers(gaps(estimates))
    assert found["true_positive_rate_difference", "(between groups)"] == pytest.approx(
        frame.difference()["true_positive_rate"]
    )
    assert numbers(group_rates(y, chosen, Groups.by(names), sample_weight=weights))[
        "demographic_parity_ratio", "(between groups)"
    ] == pytest.approx(frame.ratio()["selection_rate"])


def same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        for key, value in one.items():
            assert value == (pytest.approx(other[key], nan_ok=True) if isinstance(value, float) else other[key]), key


def test_equal_weights_change_nothing(rows):
    y, scores, names, _ = rows
    groups, equal = Groups.by(names), np.full(400, 2.5)
    for estimate, column in ((estimate_rates, scores > 0.5), (estimate_aucs, scores)):
        plain, weighted = (estimate(y, column, groups, chance=FEW, sample_weight=weights) for weights in (None, equal))
        same(gaps(weighted), gaps(plain))
        same(pooled(weighted), pooled(plain))
    same(group_aucs(y, scores, groups, bootstrap=Bootstrap(resamples=20), sample_weight=equal),
         group_aucs(y, scores, groups, bootstrap=Bootstrap(resamples=20)))  # fmt: skip


def test_a_weight_of_two_is_two_rows(rows):
    y, scores, names, _ = rows
    times = 1 + (names == "hill") + (scores > 1)
    twice = [np.repeat(column, times) for column in (y, scores, names)]
    assert numbers(group_aucs(y, scores, Groups.by(names), sample_weight=times)) == pytest.approx(
        numbers(group_aucs(twice[0], twice[1], Groups.by(twice[2])))
    )
    mean, repeated = Mean("score", scores, np.ones(400, bool)), Mean("score", twice[1], np.ones(len(twice[0]), bool))
    assert numbers(group_means([mean], Groups.by(names), sample_weight=times)) == pytest.approx(
        numbers(group_means([repeated], Groups.by(twice[2])))
    )


def test_a_weighted_number_is_as_sure_as_fresh_samples_are_alike():
    """Standard errors next to the scatter of the number itself over samples with the same weights."""
    rng = np.random.default_rng(3)
    names, weights = np.repeat(["a", "b"], 300), rng.gamma(0.5, size=600)
    rates, aucs, said = [], [], []
    for _ in range(200):
        y = rng.random(600) < 0.5
        scores = y + rng.normal(size=600)
        (accuracy, *_) = estimate_rates(
            y, scores > 0.5, Groups.by(names), chance=Chance(draws=39), sample_weight=weights
        )
        subgroup, *_ = estimate_aucs(y, scores, Groups.by(names), chance=Chance(draws=39), sample_weight=weights)
        rates.append(accuracy.values)
        aucs.append(subgroup.values)
        said.append([accuracy.errors, subgroup.errors])
    for found, error in zip((rates, aucs), np.mean(said, axis=0), strict=True):
        assert np.std(found, axis=0) == pytest.approx(error, rel=0.15)
    assert subgroup.effective.max() < 0.5 * 150  # of 150 positives: the weights make it less sure than so many rows


def test_p_of_a_blind_classifier_is_uniform_with_heavy_weights():
    rng, small = np.random.default_rng(4), 0
    for _ in range(300):
        y, weights = rng.random(80) < 0.3, rng.pareto(1.5, 80) + 0.1
        chance, mean = Chance(draws=99, seed=int(rng.integers(1 << 30))), Mean("rate", y, np.ones(80, bool))
        found = estimate_means([mean], Groups.by(np.repeat(list("abcd"), 20)), chance=chance, sample_weight=weights)
        small += gaps(found)[0]["p"] <= 0.1
    assert 15 <= small <= 47  # a binomial of 300 and 0.1, four standard deviations


def test_thresholds_of_groups_and_weights_come_from_a_table(rows):
    y, scores, names, weights = rows
    table = pd.DataFrame({"y": y.astype(int), "s": scores, "g": names, "w": weights})
    own = {"hill": 0.2, "valley": 0.5, "coast": 0.9}
    chosen = scores >= np.array([own[name] for name in names])
    expected = gaps(estimate_rates(y, chosen, Groups.by(names), chance=FEW, sample_weight=weights))
    same(gaps(estimate_frame(table, y_true="y", scores="s", groups="g", threshold=own, sample_weight="w", chance=FEW)),
         expected)  # fmt: skip


MEASURES = {
    "group_rates": lambda y, s, g, how, w: group_rates(
        y, s > 0.5, g, bootstrap=how and Bootstrap(**how), sample_weight=w
    ),
    "group_aucs": lambda y, s, g, how, w: group_aucs(y, s, g, bootstrap=how and Bootstrap(**how), sample_weight=w),
    "group_means": lambda y, s, g, how, w: group_means(
        [Mean("s", s, y)], g, bootstrap=how and Bootstrap(**how), sample_weight=w
    ),
    "estimate_rates": lambda y, s, g, how, w: estimate_rates(
        y, s > 0.5, g, chance=how and Chance(**how), sample_weight=w
    ),
    "estimate_aucs": lambda y, s, g, how, w: estimate_aucs(y, s, g, chance=how and Chance(**how), sample_weight=w),
}


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("weights", "how", "said"),
    [
        ([1.0] * 399, None, "Expected a sample weight for each of 400 rows, got 399"),
        ([1.0] * 399 + [-1.0], None, r"Expected sample weights in \[0, inf\], got -1 in row 399"),
        ([math.nan] + [1.0] * 399, None, "Expected a (finite )?sample weight in each of 400 rows"),
        ([0.0] * 400, None, "Expected a sample weight above 0, got none"),
        (["heavy"] * 400, None, "Expected .*sample weight"),
        ([0.0] + [1.0] * 399, {"units": list(range(400))}, "Expected sample weights above 0 with units"),
    ],
)
def test_weights_that_mean_nothing_are_refused_by_name(rows, measure, weights, how, said):
    y, scores, names, _ = rows
    with pytest.raises(ValueError, match=said):
        MEASURES[measure](y, scores, Groups.by(names), how, weights)
