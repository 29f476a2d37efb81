"""The level of word models: its baselines, its search and what the finding says, on made-up numbers."""

import numpy as np
import pytest

from trustlab.course.literature import known
from trustlab.course.n11_dp_sgd_vs_edp_sgd import word_level_experiment, word_level_search
from trustlab.course.n11_dp_sgd_vs_edp_sgd.word_level_experiment import BILSTM, METHODS, Setting, grid, result_name, run
from trustlab.course.n11_dp_sgd_vs_edp_sgd.word_level_findings import level_rows, levels
from trustlab.data import assistant


@pytest.fixture(scope="module")
def corpus():
    return assistant(600)


@pytest.fixture(scope="module", autouse=True)
def rows(made_up):
    trials = word_level_search.grid("snips")
    made_up(word_level_search.result_name("snips"), trials, lambda place, trial: {"score": 0.9 - 0.1 * (place != 1)})

    def row(place, cell):
        if cell.method == BILSTM:
            return {"accuracy": 0.97 + 0.001 * cell.seed, "slot_f1": 0.9 + 0.001 * cell.seed}
        if cell.method == "word's tag":
            return {"slot_f1": 0.5}
        return {"accuracy": 0.9 - 0.2 * (cell.method == "majority")}

    return made_up(result_name("snips"), grid("snips"), row)


def test_a_grid_has_the_searchs_rate_five_seeds_and_each_baseline_once():
    cells = grid("snips")
    assert [cell.seed for cell in cells if cell.method == BILSTM] == [0, 1, 2, 3, 4]
    assert {cell.learning_rate for cell in cells if cell.method == BILSTM} == {word_level_search.RATES.values[1]}
    assert sorted(cell.method for cell in cells if cell.method != BILSTM) == sorted(set(METHODS) - {BILSTM})
    assert all(trial.seed >= 100 for trial in word_level_search.grid("snips"))


def test_baselines_answer_what_they_can_by_counting(corpus):
    found = {name: next(run(Setting(method=name), corpus)) for name in METHODS if name != BILSTM}
    intents = corpus["train"]["intent"][:]
    most = max(set(intents), key=intents.count)
    share = np.mean([intent == most for intent in corpus["test"]["intent"]])
    assert found["majority"]["accuracy"] == pytest.approx(share) and "slot_f1" not in found["majority"]
    assert found["tf-idf"]["accuracy"] > share and 0 < found["word's tag"]["slot_f1"] < 1


def test_a_training_is_measured_on_the_test_split_and_a_trial_on_the_validation_split(corpus, monkeypatch):
    monkeypatch.setitem(word_level_experiment.EPOCHS, "snips", 2)
    (row,) = run(Setting(seed=1), corpus)
    (trial,) = word_level_search.run(word_level_search.Setting(seed=1), corpus)
    assert 0 < row["accuracy"] <= 1 and row["best_epoch"] in (1, 2) and trial["best_epoch"] == row["best_epoch"]
    assert trial["score"] == pytest.approx((trial["accuracy"] + trial["slot_f1"]) / 2)


def test_the_finding_has_ours_the_baselines_and_the_papers():
    found = level_rows(["snips"])
    intents = {row["who"]: row["%"] for row in found if row["what"] == "SNIPS, intents"}
    assert intents[METHODS[BILSTM]] == pytest.approx(97.2) and intents["most frequent intent"] == pytest.approx(70)
    for paper in known("snips intents"):
        assert intents[paper.model] == pytest.approx(100 * paper.low)
    assert "SNIPS, slot F1 90" in levels(["snips"]).verdict.replace("\u00a0", " ")
