import dataclasses
import itertools
import re
import statistics

import numpy as np
import pandas
import pytest

from trustlab.course.n23_continual_learning import experiment
from trustlab.course.n23_continual_learning.continual_search import grid as searched
from trustlab.course.n23_continual_learning.experiment import (
    BETAS,
    BUDGETS,
    DRIFTS,
    PERIODS,
    ROUNDS,
    Setting,
    grid,
    result_name,
    search_name,
    tuned,
)
from trustlab.course.n23_continual_learning.panel import continual_panel
from trustlab.course.n23_continual_learning.results import (
    AT_ONCE,
    CLOSE,
    SELECTIONS,
    catch_up_rows,
    forgotten_rows,
    gap_rows,
    harm_rows,
    in_words,
    labelled_rows,
    points,
    unseen_rows,
)
from trustlab.course.n23_continual_learning.table import MEASURED, catch_ups, chosen, matrices

SEEDS = range(5)


def row(place, cell):
    """What one training gave, with a matrix that tells its place."""
    place //= len(SEEDS)
    accuracy = 0.95 if cell.setting == "static" else 0.4 + 0.004 * place
    accuracy += 0.002 * cell.seed
    periods = 1 if cell.setting == "static" else PERIODS
    matrix = np.add.outer(np.arange(periods) / 100, np.arange(PERIODS) / 1000) + place / 200
    return {
        "accuracy": accuracy,
        "accuracy_device": accuracy - 0.03,
        "accuracy_light": accuracy - 0.06,
        "forgetting": 0.001 * place,
        "examples": ROUNDS * (100 + place),
        "curve": "|".join(f"{value:.4f}" for value in np.linspace(0.1, accuracy, len(MEASURED))),
        "now": "|".join(f"{accuracy - 0.1 + 0.01 * (i % 3):.4f}" for i in range(len(MEASURED))),
        "matrix": "|".join(f"{value:.4f}" for value in matrix.ravel()),
        "seconds": 2.0,
    }


@pytest.fixture(scope="module", autouse=True)
def table(made_up):
    made_up(search_name("assistant"), searched("assistant"), lambda place, cell: {"score": 0.5 + 0.001 * (place % 7)})
    kinds = grid("assistant", seeds=[0])
    cells = [dataclasses.replace(kind, seed=seed) for kind in kinds for seed in SEEDS]
    return pandas.DataFrame(made_up(result_name("assistant"), cells, row))


@pytest.fixture
def panel(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RUNS", str(tmp_path))
    return continual_panel()


def values(table, column="accuracy", **wanted):
    usual = {"setting": "continual", "replay": 0, "weighting": "examples", "labels": "true"}
    found = [row[column] for row in table.to_dict("records") if row.items() >= (usual | wanted).items()]
    assert len(found) == len(SEEDS)
    return found


def reference_of(table, position):
    return chosen(table, setting="static", **{name: position[name] for name in ("drift", "beta", "weighting")})


# What is read off the table


def test_a_part_that_the_table_lacks_is_named(table):
    with pytest.raises(ValueError, match="It lacks a part of the grid"):
        chosen(table, drift=7.0, beta=0.0)


def test_catching_up_is_counted_for_each_seed_against_its_own_reference(table):
    runs = chosen(table, drift=0.0, beta=0.0)
    reference = chosen(table, setting="static", drift=0.0, beta=0.0).iloc[::-1]
    low = reference.assign(accuracy=[0.3] * 4 + [0.99])
    found = catch_ups(runs, low)
    assert found[0] is None and None not in found[1:]  # the first seed's reference came last
    curve = np.array([float(part) for part in runs["curve"].iloc[1].split("|")])
    assert found[1] == MEASURED[int(np.argmax(curve >= 0.3))]


def test_findings_say_what_is_in_the_grid(table, written):
    rows = {row["data"]: row for row in gap_rows()}
    assert list(rows) == [f"drift {drift:g}, {data}" for drift in DRIFTS for data in (AT_ONCE, "over time")]
    row = rows["drift 1, over time"]
    uniform, active = (values(table, drift=1.0, beta=beta) for beta in (0.0, 1.0))
    means = [statistics.mean(uniform), statistics.mean(active)]
    assert [row["uniform"], row["by activity"]] == pytest.approx(means)
    assert row["gain in points"].startswith(f"+{100 * (means[1] - means[0]):.0f} (")
    work = [statistics.mean(values(table, "examples", drift=1.0, beta=beta)) / ROUNDS for beta in (0.0, 1.0)]
    assert row["examples per round"] == f"{work[0]:.0f} and {work[1]:.0f}"
    assert [len(catch_up_rows()), list(catch_up_rows()[0])[1:]] == [
        len(DRIFTS) * 4,
        ["over time", AT_ONCE, "reaches 95 % of it"],
    ]


def test_who_gains_is_read_off_each_group(table, written):
    rows = {row["measured on"]: row for row in harm_rows(1.0)}
    assert len(rows) == 8
    light = values(table, "accuracy_light", drift=1.0, beta=1.0, weighting="equal")
    assert rows["light devices, weighted equally"]["by activity, %"] == written(light)
    assert rows["light devices, weighted equally"]["by activity"] == pytest.approx(statistics.mean(light))
    now = [value - 0.1 + 0.01 for value in values(table, drift=1.0, beta=0.0)]  # of 0, 0.01 and 0.02 the mean
    assert rows["on the way, weighted by examples"]["uniform, %"] == written(now)


def test_labels_have_an_interval_each(table, interval):
    rows = [row for row in labelled_rows() if row["training"] == "drift 3, by activity"]
    assert [row["labels"] for row in rows] == ["first period only", "feedback", "true labels"]
    mean, half = interval(values(table, drift=3.0, beta=1.0, labels="feedback"))
    assert (rows[1]["accuracy"], rows[1]["low"]) == (pytest.approx(mean), pytest.approx(mean - half))


def test_what_was_kept_and_what_is_true_come_from_diagonal_and_last_row(table):
    matrix = matrices(chosen(table, drift=3.0, beta=1.0))[0]
    kept, true = matrix.diagonal().mean(), matrix[-1].mean()
    assert [row["training"] for row in unseen_rows()][:2] == ["drift 0, nothing kept", "drift 0, 20 kept"]
    row = unseen_rows()[len(BUDGETS)]
    assert (row["kept sums"], row["true"]) == (pytest.approx(kept), pytest.approx(true))
    assert kept - true == pytest.approx(-0.025, abs=2e-4)
    assert row["kept − true, in points"].startswith(("−2 ", "−3 "))


def test_forgetting_is_drawn_with_the_measure_that_is_given(table):
    matrix = matrices(chosen(table, drift=3.0, beta=1.0, replay=20))[0]
    rows = forgotten_rows(3.0, lambda R: R[0, :-1] - R[-1, :-1])
    assert len(rows) == len(BUDGETS) * (PERIODS - 1)
    (row,) = (row for row in rows if row["period"] == "period 2" and row["replay"] == "20 kept")
    assert row["forgotten"] == pytest.approx(matrix[0, 1] - matrix[-1, 1])


def test_points_have_a_sign():
    assert points([0.05, 0.07, 0.06]) == "+6 (+4 to +8)"
    assert points([-0.05, -0.07, -0.06]) == "−6 (−8 to −4)"


# The panel


def test_every_position_has_its_own_sentence_and_its_own_matrix(panel, table, drawn):
    seen = set()
    positions = [(*position, "examples") for position in itertools.product(DRIFTS, BUDGETS, BETAS)]
    for position in [*positions, (1.0, 20, 1.0, "equal"), (3.0, 20, 0.0, "equal")]:
        wanted = dict(zip(("drift", "replay", "beta", "weighting"), position, strict=True))
        found, shown = drawn(panel, **wanted)
        mean, verdict = statistics.mean(values(table, **wanted)), found.verdict
        verdict = verdict.replace("\u00a0", " ")
        assert f"Drift {wanted['drift']:g}, " in verdict
        assert f"{100 * mean:.0f} % of all periods' requests are understood at the end" in verdict
        assert "; all data at once: 95 %)" in verdict
        when = in_words(catch_ups(chosen(table, **wanted), reference_of(table, wanted), CLOSE))
        bar = "95 % of all data at once"
        assert (f"It never reaches {bar}." if when == "never" else f"It reaches {bar} {when}.") in verdict
        lost = 100 * statistics.mean(values(table, "forgetting", **wanted))
        told = f"{lost:.0f} of 100 points on earlier periods are" if lost >= 0.5 else "nothing from earlier periods is"
        assert f"On average {told} forgotten." in verdict
        matrix = matrices(chosen(table, **wanted)).mean(axis=0)
        assert shown["matrix"] == [[f"{100 * value:.0f}" for value in values] for values in matrix]
        seen.add(verdict)
    assert len(seen) == len(positions) + 2


def test_the_picture_has_every_selection_and_rings_the_chosen_end(panel, table):
    panel.set(drift=3.0, beta=0.0, replay=20)
    shown = panel.drawing.shown()["rounds"]
    assert list(shown["series"]) == [*SELECTIONS.values(), AT_ONCE]
    for beta, label in SELECTIONS.items():
        end = shown["series"][label][-1][1]
        assert end == pytest.approx(statistics.mean(values(table, drift=3.0, beta=beta, replay=20)), abs=1e-4)
    mean = statistics.mean(values(table, drift=3.0, beta=0.0, replay=20))
    assert shown["ring"] == [(ROUNDS, pytest.approx(mean, abs=1e-4))]


def test_periods_are_trained_live_as_the_saved_ones_were(panel, monkeypatch):
    monkeypatch.setattr(experiment, "ROUNDS", 12)  # two rounds in each period
    panel.set(beta=0.0).start().wait(120)
    said = experiment.stream(1.0, 0)
    expected = [row for row in experiment.train(tuned(Setting(beta=0.0)), said) if "accuracy" in row]
    assert [row["accuracy"] for row in panel.rows] == [row["accuracy"] for row in expected]
    assert panel.drawing.shown()["rounds"]["live"] == [(row["round"], row["accuracy"]) for row in expected]
    assert [row["round"] for row in expected] == [2, 4, 6, 8, 10, 12]
    np.testing.assert_array_equal(
        panel.answer.matrix, [[row[f"accuracy_{s}"] for s in range(1, 7)] for row in expected]
    )
    assert re.match(r"After 12 of \d+ rounds, in period \d, \d+\xa0% of all periods' requests", panel.answer.verdict)
    assert panel.answer.provenance.startswith("yours, complete after 12 steps")
    again = continual_panel().set(beta=0.0)
    assert again.answer.live == panel.rows and " · yours, from " in again.answer.provenance
    assert again.answer.matrix != panel.answer.matrix  # the saved ones', which the verdict is about
    assert panel.reset().drawing.shown()["rounds"]["live"] == []


def test_the_button_says_how_long_it_takes(panel):
    assert panel.widgets.buttons["Train"].description == "Train these six periods, about 5 s"
