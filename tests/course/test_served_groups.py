"""The picture of served groups says of each classifier what its gap is worth, and draws no more groups than fit."""

import numpy as np

from trustlab.course.served_groups import MOST_NAMED, served_groups
from trustlab.fairness.groups import Groups


def found(right, names):
    return served_groups(right, Groups.by(names), title="Alike?", provenance="made up")


def test_a_planted_gap_is_told_and_none_is_told_as_none():
    names = ["hill"] * 200 + ["coast"] * 100
    apart = np.arange(300) % 10 > np.where(np.array(names) == "coast", 4, 0)
    made = found({"fair": np.ones(300, bool), "biased": apart}, names)
    verdict = made.verdict.replace("\N{NO-BREAK SPACE}", " ")
    assert verdict.startswith("Every group gets 100 % right (fair). “hill” gets 90 % right and “coast” 50 % (biased)")
    assert "a gap of 0.40" in verdict and "p < 0.001" in verdict
    assert {row["group"] for row in made.rows} == {"(all rows), 300 rows", "hill, 200 rows", "coast, 100 rows"}
    assert {row["classifier"] for row in made.rows} == {"fair", "biased"}


def test_of_many_groups_the_largest_are_drawn():
    names = [f"g{i:02d}" for i in range(30) for _ in range(3 + i)]
    made = found({"one": np.arange(len(names)) % 3 > 0}, names)
    drawn = {row["group"] for row in made.rows} - {f"(all rows), {len(names)} rows"}
    assert len(drawn) == MOST_NAMED and "g29, 32 rows" in drawn and "g00, 3 rows" not in drawn
