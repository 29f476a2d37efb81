import math
import statistics

import numpy as np
import pytest

from trustlab.course.n21_non_iid_partitioning import experiment, rate_search
from trustlab.course.n21_non_iid_partitioning import panel as skew
from trustlab.course.n21_non_iid_partitioning.experiment import (
    ALPHAS,
    BASELINES,
    DEFINITIONS,
    MEASURED_EVERY,
    REFERENCES,
    ROUNDS,
    grid,
    result_name,
    tuned,
)
from trustlab.course.n21_non_iid_partitioning.panel import skew_panel
from trustlab.course.n21_non_iid_partitioning.results import MEASURES, at_one_alpha, curves_of, harm, rounds_of, saved
from trustlab.data import assistant


@pytest.fixture(scope="module")
def corpus():
    return assistant(2000)


@pytest.fixture(scope="module", autouse=True)
def rows(made_up):
    def row(place, cell):
        accuracy = 0.3 + 0.004 * place + 0.01 * cell.seed
        curve = np.linspace(0.1, accuracy, ROUNDS // MEASURED_EVERY)
        return {
            **{measure: accuracy - 0.03 * i for i, measure in enumerate(MEASURES)},
            "effective_labels": 1.0 + 0.3 * place,
            "curve": "|".join(f"{value:.4f}" for value in curve),
            "seconds": 2.0,
        }

    def searched(place, cell):
        return {"score": -abs(math.log(cell.learning_rate / 8))}

    made_up(rate_search.result_name("assistant"), rate_search.grid("assistant"), searched)
    return made_up(result_name("assistant"), grid("assistant", seeds=range(5)), row)


@pytest.fixture
def panel(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RUNS", str(tmp_path))
    return skew_panel(corpus, "assistant")


def values(rows, scheme, alpha, measure="accuracy"):
    found = [row[measure] for row in rows if row["scheme"] == scheme and row["alpha"] == alpha]
    assert len(found) == 5
    return found


# What is read off the table


@pytest.mark.parametrize("measure", MEASURES)
def test_curves_have_the_mean_and_the_interval_over_seeds(measure, rows, interval):
    curves = curves_of(saved("assistant")[0], measure)
    assert len(curves) == len(DEFINITIONS) * len(ALPHAS) + len(REFERENCES)
    names = {label: scheme for scheme, label in {**DEFINITIONS, **REFERENCES}.items()}
    for row in curves:
        runs = values(rows, names[row["α of"]], row["α"], measure)
        mean, half = interval(runs)
        assert row["accuracy"] == pytest.approx(mean)
        assert (row["low"], row["high"]) == pytest.approx((row["accuracy"] - half, row["accuracy"] + half))
        assert row["effective labels"] == pytest.approx(
            statistics.mean(values(rows, names[row["α of"]], row["α"], "effective_labels"))
        )


def test_the_rounds_end_at_the_accuracy_and_are_counted_in_rounds(rows):
    curve = rounds_of(saved("assistant")[0], "flower", 0.1)
    assert [row["round"] for row in curve] == list(range(MEASURED_EVERY, ROUNDS + 1, MEASURED_EVERY))
    assert curve[0]["accuracy"] == pytest.approx(0.1)
    assert curve[-1]["accuracy"] == pytest.approx(statistics.mean(values(rows, "flower", 0.1)), abs=1e-4)


def test_one_alpha_is_read_in_every_library_and_a_corpus_that_is_not_there_is_left_out(rows, interval):
    found = at_one_alpha(0.1)  # CLINC150 has no table here
    assert [row["fleet"] for row in found] == [*DEFINITIONS.values(), *REFERENCES.values(), *BASELINES.values()]
    assert {row["corpus"] for row in found} == {"the embedded corpus"}
    by_fleet = {row["fleet"]: row for row in found}
    for fleet, scheme, alpha in (("Flower", "flower", 0.1), ("no skew", "iid", math.inf)):
        mean, half = interval([100 * value for value in values(rows, scheme, alpha)])
        row = by_fleet[fleet]
        assert (row["% right"], row["low"], row["high"]) == pytest.approx((mean, mean - half, min(mean + half, 100)))


def test_harm_is_read_for_all_for_rare_intents_and_for_light_clients(rows):
    found = {row["who"]: row for row in harm("assistant")}
    assert len(found) == 2 * 3
    for scheme, label in (("fednlp", "FedNLP"), ("flower", "Flower")):
        for measure in ("accuracy", "accuracy_rare", "accuracy_light"):
            row = found[f"{label}: {MEASURES[measure]}"]
            for alpha in (100.0, 0.1):
                mean = statistics.mean(values(rows, scheme, alpha, measure))
                assert row[f"α = {alpha:g}"] == pytest.approx(100 * mean)


# The panel


def test_every_position_has_its_own_sentence_and_rings_its_point(panel, rows, drawn):
    seen = set()
    for scheme in DEFINITIONS:
        for alpha in ALPHAS:
            for measure in ("accuracy", "accuracy_rare"):
                found, shown = drawn(panel, scheme=scheme, alpha=alpha, measure=measure)
                mean = statistics.mean(values(rows, scheme, alpha, measure))
                verdict = found.verdict.replace("\u00a0", "")
                assert f"With {DEFINITIONS[scheme]}'s α = {alpha:g}, the median client has " in verdict
                assert f"FedAvg gets {mean:.0%} of {MEASURES[measure]} right on the embedded corpus" in verdict
                even = statistics.mean(values(rows, "iid", math.inf, measure))
                assert f"without skew {even:.0%}, and with all data in one place" in verdict
                assert shown["over"]["ring"] == [(alpha, pytest.approx(mean))]
                seen.add(verdict)
    assert len(seen) == len(DEFINITIONS) * len(ALPHAS) * 2


def test_over_effective_labels_the_point_moves_there(panel, rows):
    panel.set(scheme="pfl", alpha=3.0, against="effective labels")
    number = statistics.mean(values(rows, "pfl", 3.0, "effective_labels"))
    mean = statistics.mean(values(rows, "pfl", 3.0))
    assert panel.drawing.shown()["over"]["ring"] == [(pytest.approx(number), pytest.approx(mean))]
    assert panel.drawing.over.axes.get_xlabel() == "effective labels of the median client"
    panel.reset()
    assert panel.drawing.over.axes.get_xlabel() == "α"


def test_on_the_left_are_the_rounds_of_this_alpha_in_every_library(panel, rows):
    panel.set(scheme="flower", alpha=0.3)
    lines = panel.drawing.shown()["rounds"]["series"]
    assert list(lines) == [*DEFINITIONS.values(), "no skew"]
    for scheme, label in DEFINITIONS.items():
        end = lines[label][-1][1]
        assert end == pytest.approx(statistics.mean(values(rows, scheme, 0.3)), abs=1e-4)
    assert panel.drawing.shown()["rounds"]["ring"][0][0] == ROUNDS


def test_a_fleet_is_trained_live_as_the_saved_ones_were(panel, corpus, monkeypatch):
    monkeypatch.setattr(experiment, "ROUNDS", 10)
    panel.set(scheme="flower", alpha=0.3).start().wait(120)
    problem = experiment.task(experiment.prepare(corpus), seed=0)
    expected = {
        row["round"]: row["accuracy"]
        for row in experiment.train(tuned("assistant", "flower", 0.3), corpus, problem)
        if "accuracy" in row
    }
    live = {row["round"]: row["accuracy"] for row in panel.rows}
    assert list(expected) == [5, 10] and list(live) == list(range(1, 11))
    assert live.items() >= expected.items()  # measuring after every round changes nothing
    assert panel.drawing.shown()["rounds"]["live"] == list(live.items())
    verdict = panel.answer.verdict.replace("\u00a0", "")
    assert verdict.startswith(f"After 10 of {ROUNDS} rounds this fleet gets {expected[10]:.0%} of all intents right; ")
    assert panel.answer.provenance.startswith("yours, complete after 10 steps")
    again = skew_panel(corpus, "assistant").set(scheme="flower", alpha=0.3, measure="accuracy_rare")
    assert again.answer.live == panel.rows and " · yours, from " in again.answer.provenance
    assert panel.reset().drawing.shown()["rounds"]["live"] == []


def test_between_measured_rounds_a_live_fleet_is_compared_with_the_last_one_that_is_saved(panel, rows):
    at, base = panel.config, skew.answer(panel.config)
    row = {"step": 3, "round": 3, "accuracy": 0.25, "progress": 0.03}
    early = skew._shown(at, base, [row]).verdict
    assert early == "After 3 of 100 rounds this fleet gets 25\u00a0% of all intents right."
    later = skew._shown(at, base, [row, row | {"step": 13, "round": 13}]).verdict
    same, even = (
        statistics.mean(float(row["curve"].split("|")[1]) for row in rows if (row["scheme"], row["alpha"]) == place)
        for place in ((at.scheme, at.alpha), ("iid", math.inf))
    )
    wanted = f"; after 10 the saved ones with this α had {same:.0%}, those without skew {even:.0%}."
    assert later.replace("\u00a0", "").endswith(wanted)


def test_a_live_training_is_slow_enough_to_be_seen(panel, corpus, monkeypatch):
    monkeypatch.setattr(experiment, "ROUNDS", 10)
    slept = []
    monkeypatch.setattr(skew.time, "sleep", slept.append)
    monkeypatch.setattr(skew.time, "monotonic", lambda: 0.0)  # a machine that needs no time at all
    assert len(list(skew.live_rows(panel.config, corpus))) == 10
    assert sum(slept) == pytest.approx(sum(k * skew.SECONDS_PER_ROUND for k in range(1, 11)))


def test_the_button_says_how_long_it_takes(panel):
    assert panel.widgets.buttons["Train"].description == "Train this fleet, about 5 s"
