"""The level without privacy: its baselines, its search and what the finding says, on made-up numbers."""

import numpy as np
import pytest

from trustlab.course.literature import known
from trustlab.course.n11_dp_sgd_vs_edp_sgd import layers_experiment, level_experiment, level_search
from trustlab.course.n11_dp_sgd_vs_edp_sgd.level_experiment import METHODS, TRAINED, Setting, grid, result_name, run
from trustlab.course.n11_dp_sgd_vs_edp_sgd.level_findings import level_rows, levels
from trustlab.data import assistant


@pytest.fixture(scope="module")
def corpus():
    return assistant(600)


@pytest.fixture(scope="module", autouse=True)
def rows(made_up):
    trials = level_search.grid("snips")
    made_up(level_search.result_name("snips"), trials, lambda place, trial: {"score": 0.9 - 0.1 * (place != 1)})

    def row(place, cell):
        if cell.method in TRAINED:
            return {"accuracy": 0.97 + 0.001 * cell.seed, "slot_f1": 0.9 + 0.001 * cell.seed}
        if cell.method == "word's tag":
            return {"slot_f1": 0.5}
        return {"accuracy": 0.9 - 0.2 * (cell.method == "majority")}

    return made_up(result_name("snips"), grid("snips"), row)


def test_a_grid_has_the_searchs_rates_five_seeds_and_each_baseline_once():
    cells = grid("snips")
    for method in TRAINED:
        mine = [cell for cell in cells if cell.method == method]
        assert [cell.seed for cell in mine] == [0, 1, 2, 3, 4]
        assert {cell.learning_rate for cell in mine} == {level_search.SPACES[method]["learning_rate"].values[1]}
    assert sorted(cell.method for cell in cells if cell.method not in TRAINED) == sorted(set(METHODS) - set(TRAINED))
    assert all(trial.seed >= 100 for trial in level_search.grid("snips"))


def test_baselines_answer_what_they_can_by_counting(corpus):
    found = {name: next(run(Setting(method=name), corpus)) for name in METHODS if name not in TRAINED}
    intents = corpus["train"]["intent"][:]
    most = max(set(intents), key=intents.count)
    share = np.mean([intent == most for intent in corpus["test"]["intent"]])
    assert found["majority"]["accuracy"] == pytest.approx(share) and np.isnan(found["majority"]["slot_f1"])
    assert found["tf-idf"]["accuracy"] > share and 0 < found["word's tag"]["slot_f1"] < 1


@pytest.mark.parametrize("method", TRAINED)
def test_a_training_is_measured_on_the_test_split_and_a_trial_on_the_validation_split(corpus, monkeypatch, method):
    monkeypatch.setitem(level_experiment.TRAINED, method, {"snips": 2, "batch_size": 64})
    (row,) = run(Setting(method=method, seed=1), corpus)
    (trial,) = level_search.run(level_search.Setting(method=method, seed=1), corpus)
    assert 0 < row["accuracy"] <= 1 and row["best_epoch"] in (1, 2) and trial["best_epoch"] == row["best_epoch"]
    assert trial["score"] == pytest.approx((trial["accuracy"] + trial["slot_f1"]) / 2)


def test_the_finding_has_ours_the_baselines_and_the_papers():
    found = level_rows(["snips"])
    intents = {row["who"]: row["%"] for row in found if row["what"] == "SNIPS, intents"}
    assert intents[METHODS["bilstm"]] == pytest.approx(97.2) and intents["most frequent intent"] == pytest.approx(70)
    for paper in known("snips intents"):
        assert intents[paper.model] == pytest.approx(100 * paper.low)
    assert levels(["snips"]).verdict.count("SNIPS, slot F1 90") == 1


def test_layers_of_the_encoder_stand_next_to_the_models_where_they_are_committed(made_up):
    cells = [layers_experiment.Setting("snips", method, seed) for method in ("heads", "layer") for seed in range(5)]
    scores = {"heads": 0.9, "layer": 0.95}
    found = {row["who"] for row in level_rows(["snips"])}
    assert not found & set(layers_experiment.METHODS.values())
    made_up(
        layers_experiment.result_name("snips"),
        cells,
        lambda place, cell: {"accuracy": 0.9, "slot_f1": scores[cell.method]},
    )
    found = {row["who"]: row["%"] for row in level_rows(["snips"]) if row["what"] == "SNIPS, slot F1"}
    assert [found[who] for who in layers_experiment.METHODS.values()] == pytest.approx([90, 95])
    assert f"{layers_experiment.METHODS['layer']}: SNIPS, intents 90" in levels(["snips"]).verdict
