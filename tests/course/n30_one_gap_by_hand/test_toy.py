"""The counts against fairlearn and against counting one person at a time."""

import itertools
import json
import re
from pathlib import Path

import fairlearn.metrics
import numpy as np
import pytest
from scipy import stats

from trustlab.course.n30_one_gap_by_hand import toy as toy_file
from trustlab.course.n30_one_gap_by_hand.people import GROUPS, RATES, counts, gap, moved, people, shares, whole
from trustlab.course.n30_one_gap_by_hand.toy import NOBODY, THRESHOLDS, WHOM, loan_toy
from trustlab.fairness.groups import Groups, group_rates

NOTEBOOK = Path(__file__).resolve().parents[3] / "notebooks" / "30_one_gap_by_hand.ipynb"
DIFFERENCES = {
    "true_positive_rate": "true_positive_rate_difference",
    "false_positive_rate": "false_positive_rate_difference",
    "selection_rate": "demographic_parity_difference",
}


@pytest.fixture(scope="module")
def toy():
    return loan_toy()


def one_by_one(group, threshold):
    found = dict.fromkeys(("pays, loan", "pays, no loan", "does not, loan", "does not, no loan"), 0)
    for person in people().itertuples():
        if person.group == group:
            found[f"{'pays' if person.pays else 'does not'}, {'loan' if person.score >= threshold else 'no loan'}"] += 1
    return found


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_the_four_counts_are_those_of_counting_people_one_by_one(threshold):
    assert counts(people(), threshold) == {group: one_by_one(group, threshold) for group in GROUPS}


@pytest.mark.parametrize("threshold", THRESHOLDS)
@pytest.mark.parametrize("rate", RATES)
def test_the_gap_is_fairlearns_and_the_packages(rate, threshold):
    table = people()
    loan = (table.score >= threshold).to_numpy()
    function = {
        "true_positive_rate": fairlearn.metrics.true_positive_rate,
        "false_positive_rate": fairlearn.metrics.false_positive_rate,
        "selection_rate": fairlearn.metrics.selection_rate,
    }[rate]
    truth = table.pays.to_numpy()
    frame = fairlearn.metrics.MetricFrame(metrics=function, y_true=truth, y_pred=loan, sensitive_features=table.group)
    found = shares(table, threshold, rate)
    assert {group: got / of for group, (got, of) in found.items()} == pytest.approx(frame.by_group.to_dict())
    assert gap(found) == pytest.approx(frame.difference())
    rows = {row["metric"]: row["value"] for row in group_rates(truth, loan, Groups.by(table.group))}
    assert gap(found) == pytest.approx(rows[DIFFERENCES[rate]])


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("group", GROUPS)
def test_one_person_who_moves_changes_one_count_of_their_group_by_one(group, rate):
    for threshold in THRESHOLDS:
        before = shares(people(), threshold, rate)
        after, who = moved(people(), group, threshold, rate)
        changed = after.score != people().score
        assert changed.sum() == 1 and changed[who] and people().group[who] == group
        now = shares(after, threshold, rate)
        assert abs(now[group][0] - before[group][0]) == 1 and now[group][1] == before[group][1]
        (other,) = set(GROUPS) - {group}
        assert now[other] == before[other]


def test_every_position_is_drawn_as_counted(toy, drawn):
    for threshold, rate, move in itertools.product(THRESHOLDS, RATES, WHOM):
        answer, shown = drawn(toy, threshold=threshold, rate=rate, move=move)
        table = people() if move == NOBODY else moved(people(), move, threshold, rate)[0]
        found = shares(table, threshold, rate)
        assert shown["threshold"] == threshold and len(shown["people"]) == 36
        assert [x for x, _ in shown["people"]] == pytest.approx(table.score.tolist())
        assert shown["rates"] == pytest.approx({group: got / of for group, (got, of) in found.items()})
        assert f"a gap of {whole(gap(found))} points" in answer.verdict
        assert bool(shown["ring"]) == (move != NOBODY)
        cells = [[int(n) for n in re.findall(r"\d+", "".join(side))] for side in shown["counts"]]
        assert cells == [
            [each[key] for key in ("pays, no loan", "does not, no loan", "pays, loan", "does not, loan")]
            for each in counts(table, threshold).values()
        ]


def test_nobody_stands_on_a_threshold_or_on_somebody_else(toy, drawn):
    for threshold, move in itertools.product(THRESHOLDS, WHOM):
        _, shown = drawn(toy, threshold=threshold, move=move)
        assert len(set(shown["people"])) == 36
        assert min(abs(x - threshold) for x, _ in shown["people"]) > 0.005


def test_the_verdict_says_what_moving_one_person_makes_of_the_gap(toy):
    said = toy.set(threshold=0.5).answer.verdict
    for group in GROUPS:
        moving = whole(gap(shares(moved(people(), group, 0.5, "true_positive_rate")[0], 0.5, "true_positive_rate")))
        assert f"one of the {group}" in said and f"{moving}" in said
        there = toy.set(move=group).answer.verdict
        assert f"a gap of {moving} points" in there and f"Before one person of the {group} moved it was 25" in there
        toy.reset()


def test_numbers_in_prose_and_question_are_those_of_the_people():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    prose = " ".join("".join(cell["source"]) for cell in cells)
    asked = (Path(toy_file.__file__).parent / "teaching.toml").read_text(encoding="utf-8")
    rate = "true_positive_rate"
    at_half = shares(people(), 0.5, rate)
    assert at_half == {"hill": (12, 16), "valley": (3, 6)} and whole(gap(at_half)) == 25
    for text in (prose, asked):
        assert re.search(r"12 of (the )?16 hill people", text) and re.search(r"3 of (the )?6 valley people", text)
    by_one = {g: whole(gap(shares(moved(people(), g, 0.5, rate)[0], 0.5, rate))) for g in GROUPS}
    assert (
        f"One valley person more, and it is {by_one['valley']}. One hill person more, and it is {by_one['hill']}"
        in prose
    )
    gaps = {each: whole(gap(shares(people(), 0.4, each))) for each in RATES}
    said = f"the gap of those who would pay back is {gaps[rate]} points, and that of everybody is"
    assert f"At 0.40 {said} {gaps['selection_rate']}" in prose
    assert "75 − 67 = 8" in asked and whole(4 / 6) == 67 and whole(1 / 6) == 17
    velneth = people().query("group == 'valley' and score == 0.48 and pays")
    assert "a score of 0.48" in prose and len(velneth) == 1


def test_the_share_of_shuffles_is_the_hypergeometric_one():
    """The notebook's 10,000 shuffles against the exact distribution, five standard errors wide."""
    valley = np.arange(7)
    hill = 15 - valley
    chance = stats.hypergeom(22, 15, 6).pmf(valley)
    exact = chance[np.abs(valley / 6 - hill / 16) >= 0.25 - 1e-12].sum()
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    texts = [str(output.get("data", {}).get("text/plain")) for cell in cells for output in cell.get("outputs", [])]
    (said,) = (match for text in texts if (match := re.search(r"In (\d+) % of the shuffles", text)))
    assert abs(int(said[1]) - 100 * exact) < 0.5 + 5 * 100 * (exact * (1 - exact) / 10_000) ** 0.5
