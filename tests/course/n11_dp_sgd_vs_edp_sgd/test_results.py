import math
import statistics

import pytest

from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import EPSILONS, KS, METHODS, MODELS, RULES, result_name, usual
from trustlab.course.n11_dp_sgd_vs_edp_sgd.results import (
    curves_of,
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


def test_the_methods_stand_side_by_side_at_one_epsilon(usual_rows, written):
    table = scores_at(8.0)
    assert [row["corpus"] for row in table] == ["the embedded corpus"] * 4 + ["SNIPS"] * 4  # ATIS has no table
    for model, accuracy, slots in (("bilstm", table[0], table[1]), ("transformer", table[2], table[3])):
        assert accuracy["model"] == slots["model"] == MODELS[model]
        for method, label in METHODS.items():
            runs = usual_rows(method, math.inf if method == "sgd" else 8.0, model)
            assert accuracy[label] == written([run["accuracy"] for run in runs])
            assert slots[label] == written([run["slot_f1"] for run in runs])
    assert {row["DP-SGD (fast)"] for row in table[4::2]} == {"10 (10 to 10)"}


def test_a_method_that_was_not_trained_is_a_dash_and_no_error(rows, tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))
    write_results(result_name("assistant"), [row for row in rows if row["method"] != "dp-sgd"], {"seeds": [0]})
    table = scores_at(3.0)
    assert [row["DP-SGD (loop)"] for row in table] == [None] * 4
    assert all(row["DP-SGD (fast)"] and row["eDP-SGD"] for row in table)


def test_what_k_gives_is_read_off_one_epsilon(rows, written):
    table = micro_batches_against_accuracy()
    assert [(row["method"], row["K"]) for row in table] == [
        *(("eDP-SGD", k) for k in sorted(KS)),
        ("DP-SGD (fast)", "every example"),
    ]
    at = dict(model="bilstm", epsilon=8.0, rule="flat", noise_decay=1.0)
    for row, (k, method) in zip(table, [*((k, "edp-sgd") for k in sorted(KS)), (0, "fast")], strict=True):
        where = dict(at, micro_batches=k, method=method)
        assert row["intents, % right"] == written(values(rows, **where))
        assert row["slots, F1 in %"] == written(values(rows, "slot_f1", **where))


@pytest.mark.parametrize(
    ("varied", "title", "choices"), [("rule", "clipping rule", RULES), ("noise_decay", "γ", {1.0: 1.0, 0.8: 0.8})]
)
@pytest.mark.parametrize("measure", ["accuracy", "slot_f1"])
def test_one_ingredient_varies_at_every_epsilon(varied, title, choices, measure, rows, written):
    table = variants_against_accuracy(varied, measure)
    expected = [(METHODS[method], label) for method in ("edp-sgd", "fast") for label in choices.values()]
    assert [(row["method"], row[title]) for row in table] == expected
    places = [(method, choice) for method in ("edp-sgd", "fast") for choice in choices]
    for row, (method, choice) in zip(table, places, strict=True):
        at = dict(model="bilstm", method=method, micro_batches=64 if method == "edp-sgd" else 0)
        at |= {"rule": "flat", "noise_decay": 1.0, varied: choice}
        for epsilon in EPSILONS:
            shown = row.get("ε = ∞" if math.isinf(epsilon) else f"ε = {epsilon:g}")
            if choice == 0.8 and math.isinf(epsilon):
                assert shown is None  # nothing decays without noise
            else:
                assert shown == written(values(rows, measure, epsilon=epsilon, **at))
