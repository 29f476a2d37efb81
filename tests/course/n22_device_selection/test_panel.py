import itertools
import re
import statistics

import numpy as np
import pytest

from trustlab.course.n22_device_selection import experiment
from trustlab.course.n22_device_selection import harm as activity_harm
from trustlab.course.n22_device_selection import toy as toy_file
from trustlab.course.n22_device_selection.experiment import (
    BETAS,
    OTHERS,
    WAYS,
    Setting,
    grid,
    recipe,
    result_name,
    search_name,
    train,
)
from trustlab.course.n22_device_selection.fleets import FLEETS, problem
from trustlab.course.n22_device_selection.panel import WHOSE, selection_panel
from trustlab.course.n22_device_selection.results import (
    MEASURES,
    SELECTIONS,
    by_fleet,
    curve_of,
    every_selection,
    gains,
    trainings,
    who_is_heard,
)
from trustlab.course.n22_device_selection.selection_search import grid as searched
from trustlab.course.n22_device_selection.toy import selection_toy
from trustlab.data import assistant
from trustlab.federated.expectation import expected_weights
from trustlab.federated.selection import Selector
from trustlab.runs import write_results

ROUNDS = recipe(Setting()).rounds


def shares(value):
    """A share in whole per cent, as verdicts write it."""
    return f"{100 * value:.0f}\u00a0%"


@pytest.fixture(scope="module")
def corpus():
    return assistant(2000, devices=20)


def row(place, cell):
    accuracy = 0.3 + 0.002 * place + 0.01 * cell.seed
    every = recipe(cell).evaluate_every
    measured = recipe(cell).rounds // every
    curves = {
        curve: "|".join(f"{value:.4f}" for value in np.linspace(0.1, accuracy - 0.03 * i, measured))
        for i, curve in enumerate(("curve", "curve_device", "curve_light"))
    }
    examples = (100 + place) * np.arange(1, measured + 1)
    return {
        **{measure: accuracy - 0.03 * i for i, measure in enumerate(MEASURES)},
        "examples": int(examples[-1]),
        **curves,
        "curve_examples": "|".join(map(str, examples)),
        "measured_every": every,
        "seconds": 3.0,
    }


@pytest.fixture(scope="module", autouse=True)
def rows(made_up):
    real = "shakespeare_roles"
    made_up(search_name("assistant"), searched("assistant"), lambda place, cell: {"score": 0.5 + 0.001 * (place % 7)})
    made_up(result_name(real), grid(real, seeds=range(3)), row)
    return made_up(result_name("assistant"), grid("assistant", seeds=range(3)), row)


@pytest.fixture
def panel(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RUNS", str(tmp_path))
    return selection_panel(corpus, "assistant")


@pytest.fixture(scope="module")
def values(rows):
    def of(selection, measure="accuracy", *, fleet="as it is", aggregation="examples", cohort=10):
        at = dict(fleet=fleet, selection=selection, aggregation=aggregation, cohort=cohort)
        found = [row[measure] for row in rows if row.items() >= at.items()]
        assert len(found) == 3
        return found

    return of


# The first figure


def test_the_figures_weights_are_the_packages_exact_ones(drawn):
    toy = selection_toy()
    for exponent, cohort, beta, way in ((0.8, 10, 1.0, "examples"), (1.2, 3, 0.5, "equal"), (0.4, 30, 2.0, "examples")):
        n = np.arange(1, toy_file.DEVICES + 1) ** -exponent
        who = Selector(n, strategy="power", beta=beta, design="with-replacement")
        weight = expected_weights(who, n, cohort, aggregation=way).mean[:20].sum()
        share = n[:20].sum() / n.sum()
        answer, shown = drawn(toy, exponent=exponent, cohort=cohort, beta=beta, aggregation=way)
        said = (
            f"has {shares(share)} of the data and {shares(weight)} of the expected weight, {weight / share:.2f} times"
        )
        assert said in answer.verdict
        assert shown["curves"]["ring"] == [(beta, pytest.approx(weight / share))]
        assert shown["bars"][toy_file.WAYS[way]] == pytest.approx(weight)


@pytest.mark.parametrize("cohort", toy_file.COHORTS)
def test_what_the_text_says_of_the_figure_is_so(cohort):
    ratio = {(row["β"], row["weights"]): row["ratio"] for row in toy_file.weights_over_beta(0.8, cohort)}
    assert ratio[1.0, "equally"] == pytest.approx(1) == ratio[0.0, "Horvitz–Thompson"]
    assert ratio[0.0, "by examples"] < 1
    if cohort == 1:
        assert ratio[1.0, "by examples"] == pytest.approx(1)  # who is alone weighs 1
    else:
        assert ratio[1.0, "by examples"] > 1.2


def test_in_a_fleet_of_equals_everybody_has_a_share():
    toy = selection_toy()
    verdicts = {toy.answer_at(toy_file.ToyPosition(exponent=0.0, beta=beta)).verdict for beta in toy_file.BETAS}
    assert verdicts == {
        "The heaviest tenth of the devices has 10\u00a0% of the data and 10\u00a0% of the expected weight, 1.00 times "
        "its share: fair to the data."
    }


# What is read off the table


def test_a_curve_has_the_mean_and_the_interval_over_seeds(values, interval):
    curve = curve_of(trainings("assistant", "β = 1"), "accuracy_light")
    assert [row["round"] for row in curve] == list(range(1, ROUNDS + 1))
    runs = [value - 0.06 for value in values("β = 1")]
    mean, half = interval(runs)
    assert curve[-1]["accuracy"] == pytest.approx(mean, abs=1e-4)
    assert curve[-1]["low"] == pytest.approx(mean - half, abs=3e-4)
    assert curve[-1]["examples"] == pytest.approx(statistics.mean(values("β = 1", "examples")))
    assert [row["round"] for row in curve_of(trainings("shakespeare_roles", "β = 1"))] == [4, 8, 12, 16, 20]


def test_a_band_stays_between_nothing_and_everything():
    runs = trainings("assistant", "β = 1").assign(curve=["0.01|0.99", "0.02|1.0", "0.15|0.85"])
    runs["curve_examples"] = "10|20"
    first, last = curve_of(runs)
    assert first["low"] == 0 < first["high"] < 0.5 < last["low"] < 1 == last["high"]


def test_findings_say_whom_each_selection_serves(values, written, interval):
    rows = {(row["selected by"], row["weighted"]): row for row in every_selection("assistant")}
    assert list(dict.fromkeys(selected for selected, _ in rows)) == list(SELECTIONS.values())
    for selection, label in SELECTIONS.items():
        row = rows[label, "weighted equally"]
        mean, half = interval(values(selection, aggregation="equal"))
        assert (row["accuracy"], row["high"]) == (pytest.approx(mean), pytest.approx(min(mean + half, 1)))
        assert row["light devices, %"] == written(values(selection, "accuracy_light", aggregation="equal"))
    even, active = (statistics.mean(values(way, "examples", aggregation="equal")) for way in ("β = 0", "β = 1"))
    assert rows["β = 1", "weighted equally"]["examples, × uniform"] == pytest.approx(active / even)


def test_gains_are_those_of_each_group(values, written):
    rows = {row["measured on"]: row for row in gains("assistant")}
    for way, words in {"examples": "weighted by examples", "equal": "weighted equally"}.items():
        for measure, group in MEASURES.items():
            row = rows[f"{group}, {words}"]
            even, active = (values(f"β = {beta}", measure, aggregation=way) for beta in (0, 1))
            assert [row["uniform"], row["β = 1"]] == pytest.approx([statistics.mean(even), statistics.mean(active)])
            assert (row["uniform, %"], row["β = 1, %"]) == (written(even), written(active))


def test_fleets_whose_table_is_not_there_are_left_out(values, written):
    rows = by_fleet("examples")
    assert list(dict.fromkeys(row["fleet"] for row in rows)) == ["the embedded corpus", "Shakespeare's roles"]
    assert [row["drawn"] for row in rows[:3]] == ["uniform", "β = 1, equal rounds", "β = 1, equal work"]
    assert rows[0]["accuracy"] == pytest.approx(statistics.mean(values("β = 0")))
    assert rows[1]["light devices, %"] == written(values("β = 1", "accuracy_light"))


def test_the_travellers_rows_have_a_line_per_group_and_weighting():
    made_up = [
        {**cell.key(), **{name: 0.5 + cell.beta / 10 for name in (*MEASURES, "accuracy_few")}}
        for cell in activity_harm.grid("assistant", seeds=[0])
    ]
    write_results(activity_harm.result_name("assistant"), made_up, {"seeds": [0]})
    shown = who_is_heard()
    assert [row["who"] for row in shown][:2] == ["travellers, weighted by examples", "travellers, weighted equally"]
    assert [value for row in shown for value in (row["uniform"], row["β = 1"])] == pytest.approx([0.5, 0.6] * 6)
    assert [row["β = 0.5, %"] for row in shown] == ["55"] * 6


# The panel


def test_every_saved_position_has_its_own_sentence_and_rings_its_end(panel, values, drawn):
    seen = set()
    for fleet, beta, way in itertools.product(FLEETS, BETAS, WAYS):
        at = dict(fleet=fleet, aggregation=way)
        found, shown = drawn(panel, beta=beta, **at)
        verdict = found.verdict
        mean = statistics.mean(values(f"β = {beta:g}", **at))
        assert f"{shares(mean)} of all requests are understood on the embedded corpus" in verdict
        assert ("times as many examples" in verdict) == (beta > 0)
        assert f"clients drawn {f'by β = {beta:g}' if beta else 'uniformly'} and weighted" in verdict
        ((x, y),) = shown["rounds"]["ring"]
        assert (x, y) == (ROUNDS, pytest.approx(mean, abs=1e-4))
        ((x, y),) = shown["work"]["ring"]
        assert x == pytest.approx(statistics.mean(values(f"β = {beta:g}", "examples", **at)))
        seen.add(verdict)
    assert len(seen) == len(FLEETS) * len(BETAS) * len(WAYS)


@pytest.mark.parametrize("strategy", OTHERS)
def test_another_strategy_has_a_curve_of_its_own_where_it_was_trained(strategy, panel):
    panel.set(strategy=strategy)
    assert list(panel.drawing.shown()["rounds"]["series"]) == [
        *[SELECTIONS[f"β = {beta:g}"] for beta in BETAS],
        strategy,
    ]
    assert f"drawn by {strategy} and weighted by examples, " in panel.answer.verdict
    panel.set(fleet="steep")
    assert panel.answer.verdict.startswith(f"There is no saved training of {strategy} here. Move **Fleet** to ")
    assert panel.drawing.shown()["rounds"]["ring"] == []


def test_whose_accuracy_is_drawn_can_be_chosen(panel, values):
    ends = {}
    for measure in WHOSE:
        panel.set(measure=measure)
        ends[measure] = panel.drawing.shown()["rounds"]["ring"][0][1]
        assert panel.drawing.rounds.axes.get_title(loc="left").lower().startswith(MEASURES[measure])
        beside = "the mean device" if measure == "accuracy_device" else "light devices"
        runs = values("β = 1", "accuracy_light" if measure == "accuracy" else measure)
        assert f"and {shares(statistics.mean(runs))} on {beside}; drawn uniformly" in panel.answer.verdict
    assert ends["accuracy"] > ends["accuracy_device"] > ends["accuracy_light"]


def test_a_real_fleet_has_no_dials_for_its_activity():
    real = selection_panel(None, "shakespeare_roles")
    assert set(real.controls) == {"beta", "aggregation", "measure"}
    assert "of all next characters are guessed on Shakespeare's roles" in real.answer.verdict


@pytest.mark.parametrize("position", [dict(beta=2.0, measure="accuracy_light"), dict(strategy="oort", fleet="steep")])
def test_a_fleet_is_trained_live_as_the_saved_ones_were(position, panel, corpus, monkeypatch):
    monkeypatch.setattr(experiment, "RECIPES", {"assistant": {**experiment.RECIPES["assistant"], "rounds": 3}})
    panel.set(**position).start().wait(120)
    cell = panel.config.cell
    made = problem("assistant", corpus, fleet=cell.fleet)
    expected = list(train(cell, made))
    drawn = [row["accuracy"] for row in panel.answer.live]
    assert drawn == [row[panel.config.measure] for row in expected]
    assert [row["accuracy"] for row in panel.rows] == [row["accuracy"] for row in expected]
    assert [row["examples"] for row in panel.rows] == np.cumsum([row["examples"] for row in expected]).tolist()
    assert panel.drawing.shown()["rounds"]["live"] == list(zip([1, 2, 3], drawn, strict=True))
    told = (
        rf"After 3 of 3 rounds and [\d,]+ examples, {shares(expected[-1]['accuracy'])} of all requests are understood, "
    )
    assert re.match(told, panel.answer.verdict)
    again = selection_panel(corpus, "assistant").set(**position)
    assert again.answer.live == panel.answer.live and " · yours, from " in again.answer.provenance
    other = again.set(measure="accuracy_device").answer  # the same training, looked at by other eyes
    assert [row["accuracy"] for row in other.live] == [row["accuracy_device"] for row in expected]
