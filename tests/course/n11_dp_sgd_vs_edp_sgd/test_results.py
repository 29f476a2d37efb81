import math
import statistics

import pytest

from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import BASELINES, result_name, tuned
from trustlab.course.n11_dp_sgd_vs_edp_sgd.results import (
    COMPARED,
    MEASURES,
    best_of_each_k,
    harm,
    ingredients,
    scores_at,
    seconds_and_accuracy,
    sensitivity,
    strongest_baseline,
)
from trustlab.course.n11_dp_sgd_vs_edp_sgd.training_seconds import WAYS
from trustlab.runs import write_results

pytestmark = pytest.mark.usefixtures("results")


def test_each_way_has_the_accuracy_of_its_training_and_its_own_seconds(usual_rows, interval):
    for measure in MEASURES:
        rows = [row for row in seconds_and_accuracy("assistant", 8.0, measure) if row["from"] == "test, 5 seeds"]
        assert [row["way"] for row in rows] == [way.label for way in WAYS.values()]
        for row, way in zip(rows, WAYS.values(), strict=True):
            runs = usual_rows(way.method, math.inf if way.method == "sgd" else 8.0)
            mean, half = interval([run[measure] for run in runs])
            assert (row["score"], row["low"]) == pytest.approx((mean, max(mean - half, 0)))
            # Made-up steps: so many ms an utterance, so that the batch does not matter but for rounding.
            k = runs[0]["micro_batches"]
            ms = {"sgd": 1, "loop": 20, "opacus": 6, "fast": 1.5}.get(way_name(way), 2 + k / 100)
            steps = 10 * round(16_000 / runs[0]["batch_size"])
            assert row["seconds"] == pytest.approx(steps * runs[0]["batch_size"] * ms / 1e3)


def way_name(way):
    return next(name for name, each in WAYS.items() if each is way)


def test_edp_sgd_has_a_point_for_each_k_of_the_search_and_the_tuned_one_is_from_the_test(searched):
    rows = [row for row in seconds_and_accuracy("assistant", 3.0) if row["way"] == WAYS["passes"].label]
    assert [row["K"] for row in rows] == [16, 64, 256, 1024]
    (tested,) = (row for row in rows if row["from"].startswith("test"))
    assert tested["K"] == tuned("assistant", "edp-sgd", 3.0).micro_batches
    for row in rows:
        trials = [t for t in searched if (t["method"], t["epsilon"], t["micro_batches"]) == ("edp-sgd", 3.0, row["K"])]
        first = max(trials, key=lambda trial: trial["score"])
        assert (row["batch"], row["rate"]) == (first["batch_size"], first["learning_rate"])
        assert row is tested or (row["score"] == first["accuracy"] and row["from"] == "search, validation")
    assert {row["K"] for row in best_of_each_k_rows()} == {16, 64, 256, 1024}
    assert {row["from"] for row in seconds_and_accuracy("snips", 3.0)} == {"test, 5 seeds"}  # it was not searched


def best_of_each_k_rows():
    return [{"K": row["micro_batches"]} for row in best_of_each_k(3.0)]


def test_what_an_option_is_worth_is_the_best_trial_of_each_value(searched):
    rows = sensitivity("learning_rate")
    assert len(rows) == 3 * 3 * 5  # ε, methods, rates
    for row in rows:
        method = next(name for name, label in COMPARED.items() if label == row["method"])
        epsilon = math.inf if method == "sgd" else float(row["at"].removeprefix("ε = "))
        at = dict(method=method, epsilon=epsilon, learning_rate=row["learning_rate"])
        assert row["score"] == max(trial["score"] for trial in searched if trial.items() >= at.items())
    assert sum(row["chosen"] for row in rows) == 3 * 3
    assert {row["method"] for row in sensitivity("micro_batches")} == {"eDP-SGD"}


def test_methods_and_baselines_stand_side_by_side_on_every_corpus(usual_rows, rows):
    found = scores_at(8.0)
    assert list(dict.fromkeys(row["corpus"] for row in found)) == ["the embedded corpus", "SNIPS"]  # ATIS has no table
    at = {(row["corpus"], row["method"], row["measured"]): row for row in found}
    for method, label in COMPARED.items():
        runs = usual_rows(method, math.inf if method == "sgd" else 8.0)
        for measure, words in MEASURES.items():
            mean = statistics.mean(run[measure] for run in runs)
            assert at["the embedded corpus", label, words]["%"] == pytest.approx(100 * mean)
            assert len(runs) == 5
    for name in BASELINES:
        words = "slot F1" if name == "word's tag" else "intents right"
        measure = "slot_f1" if name == "word's tag" else "accuracy"
        (row,) = (row for row in rows if row["method"] == name)
        assert at["the embedded corpus", name, words]["%"] == pytest.approx(100 * row[measure])
        assert ("the embedded corpus", name, {"slot F1": "intents right"}.get(words, "slot F1")) not in at


def test_the_strongest_baseline_is_named(rows):
    best = max((row for row in rows if row["method"] in BASELINES[:3]), key=lambda row: row["accuracy"])
    assert strongest_baseline("assistant", "accuracy") == (best["method"], pytest.approx(best["accuracy"]))
    assert strongest_baseline("assistant", "slot_f1")[0] == "word's tag"


def test_one_ingredient_varies_at_a_time(rows):
    found = ingredients()
    assert [row["choice"] for row in found] == 2 * ["as tuned", "threshold per layer", "γ = 0.8"]
    for row in found:
        method = "fast" if row["trained by"] == "DP-SGD" else "edp-sgd"
        varied = {"threshold per layer": dict(rule="equal"), "γ = 0.8": dict(noise_decay=0.8)}.get(row["choice"], {})
        at = {"method": method, "epsilon": 8.0, "rule": "flat", "noise_decay": 1.0, **varied}
        runs = [each["accuracy"] for each in rows if each.items() >= at.items()]
        assert len(runs) == 5 and row["%"] == pytest.approx(100 * statistics.mean(runs))


def test_harm_is_read_for_all_and_for_rare_intents_and_a_corpus_without_rare_ones_has_one_line_less(
    usual_rows, rows, searched, tmp_path, monkeypatch
):
    found = {row["who"]: row for row in harm("assistant")}
    assert len(found) == 4
    for method in ("fast", "edp-sgd"):
        for measure, words in (("accuracy", "all intents"), ("accuracy_rare", "rare intents")):
            row = found[f"{COMPARED[method]}, {words}"]
            for epsilon in (8.0, 1.0):
                mean = statistics.mean(run[measure] for run in usual_rows(method, epsilon))
                assert row[f"ε = {epsilon:g}"] == pytest.approx(100 * mean)
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))
    write_results(result_name("assistant"), [row | {"accuracy_rare": math.nan} for row in rows], {"seeds": [0]})
    assert [row["who"] for row in harm("assistant")] == ["DP-SGD, all intents", "eDP-SGD, all intents"]
