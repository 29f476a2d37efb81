import math
import statistics

import pytest

from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import EPSILONS, KS, METHODS, MODELS, RULES, result_name, usual
from trustlab.course.n11_dp_sgd_vs_edp_sgd.results import (
    COMPARED,
    MEASURES,
    curves_of,
    harm,
    micro_batches_against_accuracy,
    saved,
    scores_at,
    variants_against_accuracy,
)
from trustlab.runs import write_results

pytestmark = pytest.mark.usefixtures("results")


def values(rows, measure="accuracy", **at):
    found = [row[measure] for row in rows if row.items() >= at.items()]
    assert len(found) == 3, at
    return found


def test_curves_have_the_mean_and_the_95_percent_interval_over_seeds(usual_rows, interval):
    curves = curves_of(usual(saved("assistant")[0]))
    assert len(curves) == len(MODELS) * 3 * len(EPSILONS)  # plain SGD is no curve
    methods, models = ({label: name for name, label in labels.items()} for labels in (METHODS, MODELS))
    for row in curves:
        runs = usual_rows(methods[row["method"]], row["epsilon"], models[row["model"]])
        accuracy = [run["accuracy"] for run in runs]
        mean, half = interval(accuracy)
        assert row["accuracy"] == pytest.approx(mean)
        assert (row["low"], row["high"]) == pytest.approx((row["accuracy"] - half, row["accuracy"] + half))
        assert row["slot_f1"] == pytest.approx(statistics.mean(run["slot_f1"] for run in runs))


@pytest.fixture(scope="module")
def in_per_cent(interval):
    """Return a function to mean and ends of the interval of shares, in per cent, cut where none can be."""

    def of(shares):
        mean, half = interval([100 * share for share in shares])
        ends = max(mean - half, 0), min(mean + half, 100)
        return {"%": pytest.approx(mean), "low": pytest.approx(ends[0]), "high": pytest.approx(ends[1])}

    return of


def test_the_methods_stand_side_by_side_at_one_epsilon(usual_rows, in_per_cent):
    rows = scores_at(8.0)
    assert list(dict.fromkeys(row["corpus"] for row in rows)) == ["the embedded corpus", "SNIPS"]  # ATIS has no table
    assert len(rows) == 2 * len(MODELS) * len(COMPARED) * len(MEASURES)
    for model in MODELS:
        for method, label in COMPARED.items():
            runs = usual_rows(method, math.inf if method == "sgd" else 8.0, model)
            for measure, words in MEASURES.items():
                at = {"corpus": "the embedded corpus", "model": MODELS[model], "method": label, "measured": words}
                (row,) = (row for row in rows if row.items() >= at.items())
                assert row == at | in_per_cent([run[measure] for run in runs])
    snips = [row["%"] for row in rows if row["corpus"] == "SNIPS" and row["measured"] == MEASURES["accuracy"]]
    assert snips == pytest.approx([10] * 6)


def test_a_method_that_was_not_trained_is_left_out_and_no_error(rows, tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))
    write_results(result_name("assistant"), [row for row in rows if row["method"] != "fast"], {"seeds": [0]})
    assert {row["method"] for row in scores_at(3.0)} == {COMPARED["sgd"], COMPARED["edp-sgd"]}


def test_what_k_gives_is_read_off_one_epsilon(rows, in_per_cent):
    found = micro_batches_against_accuracy()
    places = [*((f"eDP-SGD, K = {k}", k, "edp-sgd") for k in sorted(KS)), ("DP-SGD", 0, "fast")]
    expected = []
    for name, k, method in places:
        where = dict(model="bilstm", epsilon=8.0, rule="flat", noise_decay=1.0, micro_batches=k, method=method)
        for measure, words in MEASURES.items():
            expected.append({"clipped": name, "measured": words} | in_per_cent(values(rows, measure, **where)))
    assert found == expected


@pytest.mark.parametrize(("varied", "choices"), [("rule", RULES), ("noise_decay", {1.0: "γ = 1", 0.8: "γ = 0.8"})])
def test_one_ingredient_varies_at_each_epsilon(varied, choices, rows, in_per_cent):
    expected = []
    for method in ("fast", "edp-sgd"):
        for epsilon in (1.0, 8.0):
            for choice, label in choices.items():
                at = dict(model="bilstm", method=method, micro_batches=64 if method == "edp-sgd" else 0)
                at |= {"rule": "flat", "noise_decay": 1.0, "epsilon": epsilon, varied: choice}
                name = {"trained by": f"{COMPARED[method]}, ε = {epsilon:g}", "choice": label}
                expected.append(name | in_per_cent(values(rows, **at)))
    assert variants_against_accuracy(varied, (1.0, 8.0)) == expected


def test_harm_is_read_for_all_and_for_rare_intents_and_a_corpus_without_rare_ones_has_one_line_less(
    usual_rows, rows, tmp_path, monkeypatch
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
