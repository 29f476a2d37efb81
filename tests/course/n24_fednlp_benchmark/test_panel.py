import math
import statistics

import pytest

from trustlab.course.n24_fednlp_benchmark import algorithm_search
from trustlab.course.n24_fednlp_benchmark import experiment as fednlp
from trustlab.course.n24_fednlp_benchmark.experiment import (
    ALGORITHMS,
    CENTRALISED,
    CENTRALISED_ADAM,
    PARTITIONS,
    grid,
    result_name,
    tuned,
)
from trustlab.course.n24_fednlp_benchmark.panel import fednlp_panel
from trustlab.course.n24_fednlp_benchmark.results import (
    NAMES,
    confounded,
    confounded_reading,
    freezing,
    gains,
    label_skew,
    levels,
    matrix,
    reference,
    rounds_of,
    sensitivity,
    trainings_lost,
)
from trustlab.course.n24_fednlp_benchmark.task_findings import levels as drawn_levels
from trustlab.course.n24_fednlp_benchmark.task_findings import skewed, tuned_alike, unclaimed
from trustlab.course.n24_fednlp_benchmark.tuned_rates import SEARCH, TRIALS
from trustlab.data import assistant
from trustlab.federated.tasks import FAMILIES
from trustlab.runs import write_results

SEEDS = 3
PASSES = fednlp.ROUNDS * fednlp.SHARE


@pytest.fixture(scope="module")
def corpus():
    return assistant(1000, devices=20)


def row(place, cell):
    score = 0.2 + 0.0021 * place + 0.003 * cell.seed
    points = 10 if cell.algorithm == CENTRALISED else 9
    curve = "|".join(f"{score * part / points:.4f}" for part in range(1, points + 1))
    seconds = 12.0 if (cell.task, cell.partition) == ("seq2seq", "natural") else 3.0
    passes = 36.0 if cell.partition == "quantity" else 30.0
    return {"score": score, "exact": score / 2, "curve": curve, "seconds": seconds, "passes": passes,
            "megabytes": 10.0 * place}  # fmt: skip


def searched(place, trial):
    """Best with the clients' rate 0.3 and the server's 1 or 0.1."""
    away = [abs(math.log(trial.client_rate / 0.3)), min(abs(math.log(trial.server_rate / best)) for best in (1, 0.1))]
    return {"score": 1 - 0.1 * sum(away) - trial.mu, "seconds": 3.0}


@pytest.fixture(scope="module", autouse=True)
def rows(made_up):
    made_up(SEARCH, algorithm_search.grid(), searched)
    tables = (made_up(result_name(name), grid(name, seeds=range(SEEDS)), row) for name in ("assistant",))
    return [row for table in tables for row in table]


@pytest.fixture
def panel(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RUNS", str(tmp_path))
    return fednlp_panel(corpus)


def mean(rows, task, algorithm, partition, model="small", corpus="assistant"):
    where = dict(corpus=corpus, task=task, algorithm=algorithm, partition=partition, model=model)
    found = [row["score"] for row in rows if row.items() >= where.items()]
    assert len(found) == SEEDS
    return statistics.mean(found)


def test_the_matrix_has_the_mean_of_every_cell(rows):
    for task in FAMILIES:
        made = matrix(task)
        assert len(made) == len(ALGORITHMS) * len(PARTITIONS)
        for row in made:
            algorithm = next(name for name in ALGORITHMS if NAMES[name] == row["algorithm"])
            assert row["score"] == pytest.approx(mean(rows, task, algorithm, row["partition"]))
            assert row["low"] < row["score"] < row["high"]
        assert reference(task) == pytest.approx(mean(rows, task, CENTRALISED, "none"))


def test_a_fleet_and_one_place_end_after_as_many_passes(rows):
    fleet, alone = rounds_of("qa", "fedavg", "feature"), rounds_of("qa", CENTRALISED, "none")
    assert fleet[-1]["passes"] == pytest.approx(alone[-1]["passes"]) == pytest.approx(PASSES)
    assert fleet[-1]["score"] == pytest.approx(mean(rows, "qa", "fedavg", "feature"), abs=1e-4)
    assert [row["passes"] for row in alone] == list(range(3, 31, 3)) and len(fleet) == 9


def test_rows_have_their_interval(rows):
    assert [(row["who steps how"], row["partition"]) for row in confounded()][:2] == [
        ("SGD on clients, average", "uniform"), ("SGD on clients, average", "label")
    ]  # fmt: skip
    assert confounded()[1]["score"] == pytest.approx(mean(rows, "tagging", "fedavg", "label"))
    assert all(0 <= row["low"] <= row["score"] <= row["high"] <= 1 for row in [*confounded(), *freezing()])
    assert len(freezing()) == 2 and freezing()[0]["trained"] == "the heads alone"


def test_every_position_has_its_own_sentence_and_frames_its_cell(panel, rows, drawn):
    seen = set()
    for task in FAMILIES:
        for i, algorithm in enumerate(ALGORITHMS):
            for j, partition in enumerate(PARTITIONS):
                found, shown = drawn(panel, task=task, algorithm=algorithm, partition=partition)
                verdict = found.verdict
                here = mean(rows, task, algorithm, partition)
                assert (
                    f"{task}: {NAMES[algorithm]} on the {partition} partition reaches {100 * here:.0f}\u00a0% "
                    in verdict
                )
                assert verdict.endswith(f"{100 * mean(rows, task, CENTRALISED, 'none'):.0f}\u00a0%.")
                assert shown["frame"] == (NAMES[algorithm], partition)
                assert shown["matrix"][i][j] == f"{100 * here:.0f}"
                assert shown["curves"]["series"][NAMES[algorithm]][-1] == pytest.approx((PASSES, 100 * here), abs=0.1)
                assert shown["curves"]["ring"] == []  # a whole curve is chosen, and drawn in full colour
                assert NAMES[algorithm] not in shown["curves"]["faded"]
                right = panel.drawing.curves.axes
                assert right.get_title(loc="left") == f"on the way: {partition} partition"
                assert right.get_ylabel() == f"{FAMILIES[task].metric}, %"
                assert right.get_xlim()[0] == right.get_ylim()[0] == 0
                seen.add(verdict)
    assert len(seen) == len(FAMILIES) * len(ALGORITHMS) * len(PARTITIONS)


def test_trainings_that_were_lost_are_counted_in_the_sentence(rows, tmp_path, monkeypatch, corpus):
    retold(rows, tmp_path, monkeypatch, lambda row: 0.1 if row["seed"] == 1 and row["partition"] == "label" else 0.5)
    assert trainings_lost("qa", "fedavg", "label") == (1, SEEDS) and trainings_lost("qa", "fedavg", "uniform") == (
        0,
        SEEDS,
    )
    shown = fednlp_panel(corpus).set(task="qa", partition="label")
    assert f"(1 of {SEEDS} trainings learned next to nothing)" in shown.answer.verdict
    assert "next to nothing" not in shown.set(partition="uniform").answer.verdict


def test_a_cell_is_trained_live_as_the_saved_ones_were(panel, corpus, monkeypatch):
    monkeypatch.setattr(fednlp, "ROUNDS", 6)
    monkeypatch.setattr(fednlp, "SIZES", dict.fromkeys(FAMILIES, (60, 20)))
    panel.set(task="tagging", algorithm="fedadam", partition="quantity").start().wait(120)
    assert [row["step"] for row in panel.rows] == [2, 4, 6]
    cell = tuned(fednlp.Setting(task="tagging", algorithm="fedadam", partition="quantity"))
    (expected,) = fednlp.run(cell, corpus)
    assert panel.rows[-1]["score"] == expected["score"]
    assert panel.rows[-1]["passes"] == pytest.approx(expected["passes"])
    assert panel.drawing.shown()["curves"]["live"][-1] == (expected["passes"], 100 * expected["score"])
    assert panel.answer.provenance.startswith("yours, complete after 6 steps")
    again = fednlp_panel(corpus).set(task="tagging", algorithm="fedadam", partition="quantity")
    assert again.answer.live == panel.answer.live and " · yours, from " in again.answer.provenance
    assert panel.reset().drawing.shown()["curves"]["live"] == []


def test_the_button_says_how_long_the_saved_ones_like_it_took(panel):
    told = panel.widgets.buttons["Train"]
    assert told.description == "Train this setting, about 5 s"
    assert panel.set(task="seq2seq", partition="natural") and told.description == "Train this setting, about 15 s"
    assert panel.reset() and told.description == "Train this setting, about 5 s"


def test_bands_end_where_scores_end(panel):
    panel.set(task="classification")
    for row in panel.answer.curves:
        assert 0 <= row["low"] <= row["score"] <= row["high"] <= 100


# What the text says of the tables


def retold(rows, tmp_path, monkeypatch, change):
    """Write the made-up table anew with `change(row)` for a score, and read it."""
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))
    own = [row | {"score": change(row)} for row in rows if row["corpus"] == "assistant"]
    write_results(result_name("assistant"), own, {"seeds": list(range(SEEDS))})


@pytest.mark.parametrize(
    ("uniform", "label", "reading"),
    [
        (0.5, 0.3, "loses"), (0.3, 0.5, "gains"), (0.01, 0.01, "has a score near 0 and nothing to lose"),
        (0.5, 0.4999, "has a mean loss whose interval includes 0"), (0.5, 0.5015, "shows no loss"),
    ],
)  # fmt: skip
def test_label_skew_is_read_off_the_table(rows, tmp_path, monkeypatch, uniform, label, reading):
    def change(row):
        wobble = 0.001 * row["seed"] * (row["partition"] == "uniform")
        return (label if row["partition"] == "label" else uniform) + wobble - 0.001 * (uniform == 0.5)

    retold(rows, tmp_path, monkeypatch, change)
    assert [row["reading"] for row in label_skew() if "reading" in row] == [reading] * len(FAMILIES)
    assert f"qa {reading}" in skewed().verdict and skewed().verdict.startswith("Classification ")


def test_the_worth_of_an_adaptive_server_is_read_off_the_table(rows, tmp_path, monkeypatch):
    scores = {"fedavg": 0.1, "fedadam": 0.3, "fedavg, adam clients": 0.4, "fedadam, adam clients": 0.2}
    retold(rows, tmp_path, monkeypatch, lambda row: scores.get(row["algorithm"], 0.5))
    sgd, adam = confounded_reading().split(". ")
    assert "better on uniform (30 against 10 %), better on label (30 against 10 %)" in sgd
    assert "worse on uniform (20 against 40 %), worse on label (20 against 40 %)" in adam


# Tuned alike, and above what is trivial


def test_the_sensitivity_is_the_searchs(rows):
    found = [
        row for row in sensitivity("tagging") if (row["algorithm"], row["where"]) == ("FedAdam", "under label skew")
    ]
    assert sorted(row["client_rate"] for row in found) == [0.1, 0.3, 0.6, 1.2, 2.4]
    assert {row["client_rate"]: row["score"] for row in found}[0.6] == pytest.approx(1 - 0.1 * math.log(2))
    assert [row["client_rate"] for row in found if row["chosen"]] == [0.3]


def test_how_much_of_the_gain_is_a_rate_is_said_in_points(rows):
    once = -0.1 * math.log(0.1 / 0.03)
    assert gains("tagging", "label") == pytest.approx((once, 0))
    said = tuned_alike("tagging").verdict
    points = f"−{-100 * once:.0f} points"
    assert f"FedAdam is {points} without skew and {points} under label skew above FedAvg on tagging" in said
    assert said.endswith(
        f"each with the rates that its {TRIALS} trials chose, 0 points without skew and 0 points under label skew."
    )


def test_each_task_stands_beside_its_best_trivial_baseline(rows):
    of_qa = {row["what"]: row for row in levels() if row["task"] == "qa"}
    assert of_qa["best baseline"]["score"] == pytest.approx(mean(rows, "qa", "word's tag", "none", "none"))
    assert of_qa["FedAdam"]["score"] == pytest.approx(mean(rows, "qa", "fedadam", "uniform"))
    best = max(mean(rows, "classification", name, "none", "none") for name in ("majority", "tf-idf", "frozen encoder"))
    assert next(row["score"] for row in levels()) == pytest.approx(best)


@pytest.mark.parametrize(
    ("fleet", "one_place", "said"),
    [(0.1, 0.1, "None reaches the best trivial baseline on"), (0.9, 0.9, "All reach"),
     (0.1, 0.9, "Only one place and one place (Adam) reach the best trivial baseline on classification")],
)  # fmt: skip
def test_who_reaches_the_baseline_is_counted(rows, tmp_path, monkeypatch, fleet, one_place, said):
    scores = {CENTRALISED: one_place, CENTRALISED_ADAM: one_place, "fedavg": fleet, "fedadam": fleet}
    retold(rows, tmp_path, monkeypatch, lambda row: scores.get(row["algorithm"], 0.5))
    assert drawn_levels().verdict.startswith(said)
    assert unclaimed().startswith("Not judged" if fleet < 0.5 else "Every claim is judged")
