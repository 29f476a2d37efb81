"""The committed tables of audits: no honest step is accused, and no bound claims too much more often than allowed."""

import math

import numpy as np

from trustlab.privacy.auditing.false_alarms import HONEST, TABLE
from trustlab.privacy.auditing.step_audit import BOUNDS
from trustlab.privacy.auditing.training_audit import COVERAGE, measured
from trustlab.privacy.auditing.training_coverage import trainings
from trustlab.results import read_results


def test_the_committed_coverage_claims_no_more_than_allowed():
    table, _ = read_results(COVERAGE)
    assert (table["audits"] == 200).all() and set(table["training"]) == set(trainings())
    valid = table[table["valid"]]
    assert len(valid) == 5 and (valid["false claims"] <= valid["allowed"]).all() and (valid["accused"] == 0).all()
    forgotten = table[(table["training"] == "train, noise forgotten") & (table["method"] == "one run")].iloc[0]
    assert forgotten["accused"] >= 190
    assert "in 200 real trainings" in measured(("one run",))
    assert "were not counted" in measured(("one run, trade-off curve",))


def test_no_audit_of_an_honest_step_accuses_it():
    table, about = read_results(TABLE)
    assert set(table["step"]) == set(HONEST) and about["config"]["seeds"] == "0 to 199"
    assert "+changes" not in about["git_commit"] and "opacus" in about["config"]["peers"]
    counted = table[~table["check"].isin(BOUNDS)]
    assert (table["audits"] == 200).all() and (counted["accused"] == 0).all()
    checks = counted[counted["check"] != "any"]
    assert (checks["smallest p"] > 1e-5).all()
    assert not np.isnan(checks["p below 0.05"]).any() and len(checks) > 16 * len(HONEST)


def test_bounds_of_honest_steps_are_above_epsilon_no_more_often_than_allowed():
    table, _ = read_results(TABLE)
    bounds = table[table["check"].isin(BOUNDS)]
    assert len(bounds) == 2 * len(HONEST)
    assert (bounds["false claims"] <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 200)).all()
    exact = bounds[(bounds["check"] == BOUNDS[1]) & ~bounds["step"].str.startswith("eDP")]
    assert (exact["shown epsilon"] > 0.75 * exact["declared epsilon"]).all()
