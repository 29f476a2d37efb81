import math

import numpy as np
import pandas
import pytest
from scipy import stats

from trustlab.course.correlation import (
    _permutations,
    correlation_matrix,
    correlations,
    needed,
    reliability,
)
from trustlab.course.dose import DETECTABLE, dose_response, rank
from trustlab.course.n31_fairness_metrics.alignment import SETTINGS, interval, mean_correlations, sides
from trustlab.course.n31_fairness_metrics.experiment import RECORDS, column, grid
from trustlab.course.n31_fairness_metrics.extrinsic import EXTRINSIC
from trustlab.course.n31_fairness_metrics.intrinsic import INTRINSIC
from trustlab.course.n31_fairness_metrics.notions import NOTIONS

ORACLES = {"pearson": stats.pearsonr, "spearman": stats.spearmanr, "kendall": stats.kendalltau}


# Correlation


@pytest.mark.parametrize("method", ORACLES)
def test_correlations_are_scipys_ties_included(method):
    rng = np.random.default_rng(0)
    X, Y = rng.integers(0, 5, (30, 3)).astype(float), rng.normal(size=(30, 2)).round(1)
    found = correlation_matrix(X, Y, method)
    expected = [[ORACLES[method](x, y)[0] for y in Y.T] for x in X.T]
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("method", ORACLES)
def test_resamples_on_leading_axes_are_each_correlated_alone(method):
    rng = np.random.default_rng(1)
    X, Y, drawn = rng.normal(size=(12, 2)), rng.normal(size=(12, 3)), rng.integers(12, size=(4, 12))
    together = correlation_matrix(X[drawn], Y[drawn], method)
    for found, rows in zip(together, drawn, strict=True):
        np.testing.assert_allclose(found, correlation_matrix(X[rows], Y[rows], method))


def test_ranks_do_not_care_for_monotone_changes_and_signs_flip():
    x, y = np.random.default_rng(2).random((2, 20, 1))
    for method in ("spearman", "kendall"):
        assert correlation_matrix(np.exp(5 * x), y, method) == pytest.approx(correlation_matrix(x, y, method))
        assert correlation_matrix(-x, y, method) == pytest.approx(-correlation_matrix(x, y, method))


def test_a_metric_that_never_moves_has_no_correlation():
    (row,) = correlations({"flat": [1.0] * 10}, {"gap": range(10)}, resamples=20, permutations=20)
    assert math.isnan(row["r"]) and math.isnan(row["p"])


def test_bad_input_is_refused_in_words():
    with pytest.raises(ValueError, match="three or more models"):
        correlation_matrix([[1.0], [2.0]], [[1.0], [2.0]])
    with pytest.raises(ValueError, match="NaN or infinity"):
        correlation_matrix([[1.0], [math.nan], [2.0]], [[1.0], [2.0], [3.0]])
    with pytest.raises(ValueError, match="method='rank'"):
        correlation_matrix(np.ones((3, 1)), np.ones((3, 1)), "rank")


@pytest.mark.parametrize("models", [5, 19, 45])
def test_the_needed_correlation_is_just_significant(models):
    """Data with exactly that r have p = 0.05 in scipy's test."""
    rng = np.random.default_rng(models)
    x, e = rng.normal(size=(2, models))
    x = (x - x.mean()) / np.linalg.norm(x - x.mean())
    e = e - e.mean() - (e @ x) * x
    r = needed(models)
    y = r * x + math.sqrt(1 - r**2) * e / np.linalg.norm(e)
    assert stats.pearsonr(x, y).pvalue == pytest.approx(0.05)


def test_intervals_and_p_values_keep_their_promise_where_nothing_correlates():
    rng = np.random.default_rng(3)
    first, second = ({f"m{i}": rng.normal(size=25) for i in range(12)} for _ in range(2))
    rows = correlations(first, second, resamples=200, permutations=200)
    assert len(rows) == 144
    assert 0.01 < np.mean([row["p"] < 0.05 for row in rows]) < 0.12
    assert np.mean([row["low"] <= 0 <= row["high"] for row in rows]) > 0.85
    assert min(row["p"] for row in rows) >= 1 / 201
    assert all(row["p_family"] >= row["p"] for row in rows)


def test_of_many_pairs_the_corrected_p_rarely_calls_any_significant():
    """Of families without any correlation, one in twenty may have a pair below 0.05; one true pair is found."""
    rng = np.random.default_rng(5)
    false = 0
    for seed in range(60):
        first, second = ({f"m{i}": rng.normal(size=20) for i in range(6)} for _ in range(2))
        rows = correlations(first, second, resamples=2, permutations=200, seed=seed)
        false += min(row["p_family"] for row in rows) < 0.05
    assert false <= stats.binom.isf(0.001, 60, 0.05)
    second["m0"] = first["m3"] + 0.1 * second["m0"]
    rows = correlations(first, second, resamples=2, permutations=200)
    assert [(row["first"], row["second"]) for row in rows if row["p_family"] < 0.05] == [("m3", "m0")]


def test_what_blocks_do_to_all_metrics_alike_is_no_evidence():
    """Two metrics that share nothing but a recipe's shift correlate; within recipes nothing is left."""
    rng = np.random.default_rng(7)
    recipe = np.repeat(["base", "augmented"], 20)
    shift = 3.0 * (recipe == "base")
    first, second = ({"m": shift + rng.normal(size=40)} for _ in range(2))
    (plain,) = correlations(first, second, resamples=2, permutations=400)
    (within,) = correlations(first, second, resamples=2, permutations=400, blocks=recipe)
    assert plain["r"] == within["r"] > 0.4 and plain["p"] < 0.01 < 0.1 < within["p"]


def test_permutations_leave_everybody_in_their_block():
    blocks = np.array(["b", "a", "b", "c", "a", "b"])
    orders = _permutations(blocks, np.random.default_rng(0).random((200, 6)))
    assert (blocks[orders] == blocks).all()
    assert all(sorted(order) == list(range(6)) for order in orders.tolist())
    assert len({tuple(order) for order in orders.tolist()}) == 12  # 2! of a, 3! of b, 1 of c


@pytest.mark.parametrize("models", [8, 45])
def test_the_needed_tau_is_that_of_scipys_test(models):
    assert 2 * stats.norm.sf(needed(models, "kendall") / math.sqrt(2 * (2 * models + 5) / (9 * models * (models - 1)))
                             ) == pytest.approx(0.05)  # fmt: skip
    rng = np.random.default_rng(models)
    taus = [abs(stats.kendalltau(*rng.normal(size=(2, models)))[0]) for _ in range(400)]
    assert np.mean(np.array(taus) > needed(models, "kendall")) == pytest.approx(0.05, abs=0.035)


def test_copies_of_a_metric_cost_nothing_in_the_correction():
    x, y = np.random.default_rng(6).normal(size=(2, 20))
    (alone,) = correlations({"a": x}, {"b": y}, resamples=2, permutations=200)
    copies = correlations({"a": x, "a2": x, "a3": -x}, {"b": y}, resamples=2, permutations=200)
    assert alone["p_family"] == alone["p"] and {row["p_family"] for row in copies} == {alone["p"]}


def test_noise_attenuates_as_spearman_said():
    rng = np.random.default_rng(4)
    true = rng.normal(size=20_000)
    x, y = (true + noise * rng.normal(size=20_000) for noise in (0.5, 1.0))
    expected = math.sqrt(reliability(x, [0.5] * len(x)) * reliability(y, [1.0] * len(y)))
    assert correlation_matrix(x[:, None], y[:, None], "pearson")[0, 0] == pytest.approx(expected, abs=0.02)
    assert reliability([0.0, 1.0], [9.0, 9.0]) == 0 and math.isnan(reliability([1.0, 1.0], [0.1, 0.1]))


# Dose and response

DOSES = np.repeat([0.0, 0.1, 0.25, 0.5, 1.0], 5)


def test_a_straight_line_gives_its_slope_and_a_threshold_in_closed_form():
    noise = np.tile([-2.0, -1.0, 0.0, 1.0, 2.0], 5) * 0.05
    found = dose_response(DOSES, 3 + 2 * DOSES + noise, resamples=200)
    assert found.slope == pytest.approx(2) and found.slope_low <= 2 <= found.slope_high
    assert found.floor == pytest.approx(3)
    assert found.noise == pytest.approx(0.05 * math.sqrt(2.5))
    apart = math.sqrt(2) * found.noise  # all doses have the same spread here
    assert found.signal_to_noise == pytest.approx(2 / apart)
    assert found.threshold == pytest.approx(DETECTABLE * apart / 2)
    assert found.threshold_low < found.threshold < found.threshold_high
    assert found.scales == pytest.approx(dict.fromkeys(np.unique(DOSES), apart))
    assert found.tau == pytest.approx(stats.kendalltau(DOSES, 3 + 2 * DOSES + noise)[0])
    assert found.tau_low < found.tau < found.tau_high


def test_units_and_floors_change_neither_order_nor_threshold():
    values = DOSES**2 + 0.03 * np.random.default_rng(0).normal(size=25)
    one, other = dose_response(DOSES, values), dose_response(DOSES, 50 * values - 7)
    for name in ("tau", "tau_low", "signal_to_noise", "threshold"):
        assert getattr(one, name) == pytest.approx(getattr(other, name))
    assert other.slope == pytest.approx(50 * one.slope)


def test_a_blind_metric_detects_nothing_and_comes_last():
    rng = np.random.default_rng(1)
    responses = {
        "blind": dose_response(DOSES, np.tile([-2.0, -1.0, 0.0, 1.0, 2.0], 5)),
        "falling": dose_response(DOSES, -DOSES + 0.01 * rng.normal(size=25)),
        "late": dose_response(DOSES, DOSES**4 + 0.05 * rng.normal(size=25)),
        "early": dose_response(DOSES, np.sqrt(DOSES) + 0.05 * rng.normal(size=25)),
    }
    assert rank(responses)[:2] == ["early", "late"]
    assert math.isinf(responses["falling"].threshold) and responses["falling"].tau_high < 0
    assert math.isinf(responses["blind"].threshold) and math.isinf(responses["blind"].threshold_high)


@pytest.mark.parametrize("doses", [[0.1, 0.1, 1, 1], [0, 0, 0], [0, 0.5, 1]])
def test_doses_without_a_floor_or_without_noise_are_refused(doses):
    with pytest.raises(ValueError, match="Expected models at dose 0"):
        dose_response(doses, list(range(len(doses))))


def test_a_metric_that_never_moves_is_at_rest():
    found = dose_response(DOSES, np.ones(25), resamples=20)
    assert (found.tau, found.signal_to_noise, found.threshold) == (0, 0, math.inf)


def test_a_perfect_order_has_the_tau_that_the_docstring_says():
    assert dose_response(DOSES, DOSES + 1e-6 * np.arange(25), resamples=2).tau == pytest.approx(0.913, abs=5e-4)


# Alignment


def made_up(link=0.0):
    """45 models whose intrinsic metrics are their dose, and whose clean gaps are so too, by `link`."""
    rng, rows = np.random.default_rng(5), []
    for cell in grid("assistant"):
        row = cell.key()
        for notion in NOTIONS:
            dose, recorded = cell.dose(notion), getattr(cell, f"{notion}_records")
            row |= {column(notion, name): dose + 0.05 * rng.normal() for name in INTRINSIC}
            for records in RECORDS:
                source = link * dose if records == "clean" else link * 0.2 * dose + recorded
                row |= {column(notion, name, records): source + 0.05 * rng.normal() for name in EXTRINSIC}
        rows.append(row)
    return pandas.DataFrame(rows)


def test_sides_take_the_other_notion_and_the_right_records():
    table = made_up()
    intrinsic, extrinsic = sides(table, "another notion, biased records", "region")
    np.testing.assert_array_equal(intrinsic["CEAT"], table["region CEAT"])
    np.testing.assert_array_equal(extrinsic["TPR gap"], table["gender TPR gap, biased records"])
    _, extrinsic = sides(table, "same notion, clean records", "gender")
    np.testing.assert_array_equal(extrinsic["flip rate"], table["gender flip rate, clean records"])
    with pytest.raises(ValueError, match="setting='aligned'"):
        sides(table, "aligned", "region")


def test_alignment_raises_correlations_only_where_there_is_a_link():
    draws = mean_correlations(made_up(link=1.0), resamples=60)
    *others, same, clean = (interval(draws[:, i], 45) for i in range(len(SETTINGS)))
    assert all(other.low < 0 < other.high and abs(other.mean) < 0.25 for other in others)
    assert clean.mean > 0.85 and same.mean < 0.4
    assert interval(draws[:, 3] - draws[:, 2], 45).low > 0.3
    without = mean_correlations(made_up(), resamples=60)
    assert interval(without[:, 3], 45).low < 0 < interval(without[:, 3], 45).high


def test_the_first_line_is_of_the_models_as_they_are():
    table = made_up(link=1.0)
    found = mean_correlations(table, resamples=1)[0]
    pairs = []
    for notion in NOTIONS:
        intrinsic, extrinsic = sides(table, "same notion, biased records", notion)
        pairs += [stats.spearmanr(x, y)[0] for x in intrinsic.values() for y in extrinsic.values()]
    assert found[2] == pytest.approx(np.mean(pairs))
