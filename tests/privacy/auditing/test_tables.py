"""The committed table of audits of whole trainings: no bound claims more often too much than its level allows."""

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
