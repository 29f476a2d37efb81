"""The bootstrap against scipy's, against loops over resampled rows, and against the coverage it promises."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from trustlab.fairness.groups import ALL, BETWEEN, Bootstrap, Groups, Mean, group_aucs, group_means, group_rates
from trustlab.fairness.groups.resampling import draw_counts


def answers(rows=300, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.random(rows) < 0.4
    scores = (rng.normal(size=rows) + truth).round(1)
    return truth, scores, Groups(("a", "b", "c"), rng.random((rows, 3)) < [0.6, 0.3, 0.2])


def interval(rows, metric, group):
    (row,) = [row for row in rows if (row["metric"], row["group"]) == (metric, group)]
    return row["low"], row["high"]


def test_counts_are_resamples_within_strata_and_of_whole_units():
    strata = np.array([0, 0, 0, 1, 1, 1, 1, 0])
    counts = np.concatenate(list(draw_counts(8, Bootstrap(resamples=500, strata=strata))))
    assert counts.shape == (500, 8)
    assert (counts[:, strata == 0].sum(1) == 4).all() and (counts[:, strata == 1].sum(1) == 4).all()
    assert counts.mean(0) == pytest.approx(np.ones(8), abs=0.2)  # 5 standard errors of a binomial(4, 1/4) mean
    units = np.array([7, 7, 3, 3, 3, 5, 5, 9])
    counts = np.concatenate(list(draw_counts(8, Bootstrap(resamples=50, units=units))))
    for unit in set(units):
        assert (np.ptp(counts[:, units == unit], axis=1) == 0).all()
    assert (counts[:, [0, 2, 5, 7]].sum(1) == 4).all()


def test_blocks_do_not_repeat_one_another_and_the_seed_decides():
    counts = np.concatenate(list(draw_counts(1000, Bootstrap(resamples=2100))))
    assert counts.shape == (2100, 1000) and len(np.unique(counts, axis=0)) == 2100
    again = np.concatenate(list(draw_counts(1000, Bootstrap(resamples=2100))))
    other = np.concatenate(list(draw_counts(1000, Bootstrap(resamples=2100, seed=1))))
    assert (counts == again).all() and (counts != other).any()


@pytest.mark.parametrize("stratified", [False, True])
def test_every_number_is_the_one_of_the_rows_drawn(stratified):
    """Resamples made again as rows: the same draws, each metric computed plainly on the repeated rows."""
    truth, scores, groups = answers(60)
    settings = Bootstrap(resamples=40, level=0.9, strata=None if stratified else np.zeros(60))
    rates, aucs = (
        group_rates(truth, scores > 0.5, groups, bootstrap=settings),
        group_aucs(truth, scores, groups, bootstrap=settings),
    )
    plain_rates, plain_aucs = [], []
    for counts in np.concatenate(list(draw_counts(60, settings, truth))):
        drawn = np.repeat(np.arange(60), counts.astype(int))
        plain_rates.append(group_rates(truth[drawn], scores[drawn] > 0.5, groups[drawn]))
        plain_aucs.append(group_aucs(truth[drawn], scores[drawn], groups[drawn]))
    for rows, plain in ((rates, plain_rates), (aucs, plain_aucs)):
        for place, row in enumerate(rows):
            values = np.array([resample[place]["value"] for resample in plain])
            known = values[~np.isnan(values)]
            assert row["undefined"] == len(values) - len(known)
            if not row["reason"]:
                assert (row["low"], row["high"]) == pytest.approx(np.quantile(known, [0.05, 0.95])), row


def test_intervals_are_scipys():
    """Two bootstraps with draws of their own: ends agree within five standard errors of a quantile of 20,000."""
    truth, scores, groups = answers()
    settings = Bootstrap(resamples=20_000, strata=np.zeros(300))
    ours = group_rates(truth, scores > 0.5, groups, bootstrap=settings)

    def gap(rows):
        rates = [(scores[rows] > 0.5)[truth[rows] & mask].mean() for mask in groups.masks[rows].T]
        return max(rates) - min(rates)

    theirs = stats.bootstrap(
        (np.arange(300),), gap, n_resamples=4000, vectorized=False, method="percentile", rng=np.random.default_rng(3)
    )
    assert interval(ours, "true_positive_rate_difference", BETWEEN) == pytest.approx(
        theirs.confidence_interval, abs=0.02
    )


def test_the_interval_of_a_mean_has_its_closed_form_width():
    values = np.random.default_rng(0).random(4000)
    rows = group_means(
        [Mean("x", values, np.ones(4000, bool))], Groups.by(["g"] * 4000), bootstrap=Bootstrap(resamples=4000)
    )
    low, high = interval(rows, "x", "g")
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(4000), rel=0.06)
    assert low < values.mean() < high


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    """200 samples at 90 %: a right one covers 166 to 192 times but for one case in a thousand, and a little bias."""
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        truth, mask = rng.random(300) < 0.5, rng.random((300, 1)) < 0.5
        said = rng.random(300) < np.where(mask[:, 0], 0.7, 0.5)  # 0.2 more often inside, whatever the truth
        settings = Bootstrap(resamples=300, level=0.9, seed=seed)
        low, high = interval(
            group_rates(truth, said, Groups(("g",), mask), bootstrap=settings), "selection_rate_minus_rest", "g"
        )
        covered += low <= 0.2 <= high
    assert 163 <= covered <= 195


def test_rows_that_repeat_one_another_need_their_unit():
    rng = np.random.default_rng(0)
    units = np.repeat(np.arange(100), 25)
    values = rng.random(100)[units]
    mean, groups = Mean("x", values, np.ones(2500, bool)), Groups.by(["g"] * 2500)
    rows = {
        name: group_means([mean], groups, bootstrap=Bootstrap(units=given))
        for name, given in (("rows", None), ("units", units))
    }
    widths = {name: np.ptp(interval(found, "x", ALL)) for name, found in rows.items()}
    assert widths["units"] / widths["rows"] == pytest.approx(5, rel=0.15)  # √25


def test_a_number_that_resamples_often_lose_gets_no_interval():
    truth = np.array([True] * 2 + [False] * 98 + [True] * 50)
    groups = Groups(("few",), np.array([True] * 100 + [False] * 50)[:, None])
    rows = group_aucs(truth, np.arange(150.0), groups, bootstrap=Bootstrap())
    (row,) = [row for row in rows if row["metric"] == "subgroup_auc"]
    assert row["value"] == 0 and np.isnan(row["low"]) and row["undefined"] > 50
    assert row["reason"] == f"no interval: undefined in {row['undefined']} of 1000 resamples"


@given(st.integers(4, 30), st.booleans(), st.integers(0, 2**32 - 1))
def test_a_single_positive_or_negative_has_no_interval_and_says_so(rows, positive, seed):
    """Drawn within its class it would be in every resample; drawn from all rows it is lost in a third of them."""
    rng = np.random.default_rng(seed)
    truth = np.full(rows, not positive)
    truth[rng.integers(rows)] = positive
    predicted, scores = rng.random(rows) < 0.5, rng.random(rows)
    groups, settings = Groups.by(["g"] * rows), Bootstrap(resamples=200)
    found = group_rates(truth, predicted, groups, bootstrap=settings)
    found += group_aucs(truth, scores, groups, bootstrap=settings)
    table = {(row["metric"], row["group"]): row for row in found}
    for metric in ("true_positive_rate" if positive else "false_positive_rate", "auc"):
        row = table[metric, ALL]
        assert not np.isnan(row["value"]) and np.isnan(row["low"])
        assert row["reason"] == f"no interval: undefined in {row['undefined']} of 200 resamples"
    for metric in ("accuracy_score", "selection_rate", "false_positive_rate" if positive else "true_positive_rate"):
        assert table[metric, ALL]["low"] <= table[metric, ALL]["value"] <= table[metric, ALL]["high"]
    unstratified = Bootstrap(resamples=200, strata=np.zeros(rows))
    plain = group_rates(truth, predicted, groups, bootstrap=unstratified)
    np.testing.assert_equal(found[: len(plain)], plain)


def test_the_auc_of_one_group_that_is_all_rows_is_the_ordinary_one_with_its_known_spread():
    """Hanley and McNeil's standard error for normal scores, which the bootstrap should come near."""
    rng = np.random.default_rng(0)
    truth = np.repeat([True, False], 400)
    scores = rng.normal(size=800) + truth
    rows = group_aucs(truth, scores, Groups.by(["g"] * 800), bootstrap=Bootstrap(resamples=2000))
    low, high = interval(rows, "subgroup_auc", "g")
    auc = roc_auc_score(truth, scores)
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    error = np.sqrt((auc * (1 - auc) + 399 * (q1 - auc**2) + 399 * (q2 - auc**2)) / 400**2)
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_a_thousand_resamples_of_20000_rows_in_12_groups_take_less_than_two_seconds_of_one_core():
    """Processor time, the best of three, so that a busy machine does not fail it: 0.5 and 0.8 s when written."""
    rng = np.random.default_rng(0)
    truth, masks = rng.random(20_000) < 0.3, rng.random((20_000, 12)) < 0.2
    scores, groups = rng.normal(size=20_000) + truth, Groups(tuple("abcdefghijkl"), masks)
    for run in (
        lambda: group_rates(truth, scores > 0.5, groups, bootstrap=Bootstrap()),
        lambda: group_aucs(truth, scores, groups, bootstrap=Bootstrap()),
    ):
        seconds = []
        for _ in range(3):
            started = time.process_time()
            run()
            seconds.append(time.process_time() - started)
            if seconds[-1] < 2:
                break
        assert min(seconds) < 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(strata=np.zeros(3)), "Expected strata for 4 rows, got 3"),
        (dict(units=np.zeros(3)), "Expected units for 4 rows, got 3"),
        (dict(strata=np.array([0, 0, 0, 1])), "two or more units in each stratum"),
        (dict(units=np.zeros(4)), "two or more units in each stratum"),
        (dict(units=np.array([0, 0, 1, 1]), strata=np.array([0, 1, 1, 1])), "each unit inside one stratum"),
    ],
)
def test_designs_that_cannot_vary_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        list(draw_counts(4, Bootstrap(**settings)))


@pytest.mark.parametrize("settings", [dict(resamples=0), dict(level=1.0), dict(level=0.0), dict(seed=-1)])
def test_settings_outside_their_range_are_refused(settings):
    with pytest.raises(ValueError, match="Expected"):
        Bootstrap(**settings)
