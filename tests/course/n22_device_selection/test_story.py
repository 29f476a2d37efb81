"""The panel in which notebook 22 tells itself: what lights up, what is said, and that the numbers are the tables'."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

from trustlab.course.lessons import questions
from trustlab.course.n22_device_selection import HARM, ROUNDS, over_rounds
from trustlab.course.n22_device_selection.experiment import selector
from trustlab.course.n22_device_selection.fleets import made_of
from trustlab.course.n22_device_selection.harm import FEW, without_heavy_travellers
from trustlab.course.n22_device_selection.over_rounds import Setting, cohort, grid, recipe, result_name, run
from trustlab.course.n22_device_selection.selection_pictures import who_pays, whose_epsilon
from trustlab.course.n22_device_selection.story import Fleet, StoryPosition, story_panel, weights_over_rounds
from trustlab.course.n22_device_selection.story_drawing import DARK, packed
from trustlab.data import assistant, fingerprint, load
from trustlab.federated.aggregation import client_weights
from trustlab.federated.simulation import simulate
from trustlab.lab.saved import numbers
from trustlab.results import read_results

COMMITTED = Path(__file__).resolve().parents[3] / "data" / "results"
NOTEBOOK = Path(__file__).resolve().parents[3] / "notebooks" / "22_device_selection.ipynb"


@pytest.fixture(scope="module")
def corpus():
    return load("assistant")


@pytest.fixture(scope="module")
def fleet(corpus):
    return Fleet.of(corpus)


@pytest.fixture(scope="module")
def panel(corpus):
    return story_panel(corpus)


# What is saved


def test_the_committed_table_is_whole_and_about_this_data():
    table, about = read_results(COMMITTED / result_name("assistant"))
    cells = grid("assistant", seeds=about["seeds"])
    committed = list(table[["corpus", *over_rounds.KEY, "seed"]].itertuples(index=False, name=None))
    assert committed == [tuple(cell.key().values()) for cell in cells]
    assert about["data_hash"] == fingerprint(load("assistant"))
    assert {len(text.split("|")) for text in [*table["curve"], *table["curve_few"]]} == {100}


def test_the_last_round_is_what_the_other_table_measured_at_the_end():
    for row in ROUNDS.table().to_dict("records"):
        where = {name: row[name] for name in ("selection", "aggregation", "seed")}
        (end,) = HARM.where(**where).to_dict("records")
        assert (row["accuracy"], row["accuracy_few"]) == pytest.approx(
            (end["accuracy"], end["accuracy_few"]), abs=1e-12
        )
        last = numbers([row["curve"], row["curve_few"]])[:, -1]
        assert last == pytest.approx([row["accuracy"], row["accuracy_few"]], abs=1e-4)


def test_a_row_has_the_documented_fields_and_measures_after_every_round(monkeypatch):
    monkeypatch.setattr(over_rounds.harm, "ROUNDS", 3)
    (row,) = run(Setting(cohort=3), assistant(2000, devices=40))
    assert set(row) == set(re.findall(r"``(\w+)``", run.__doc__.split("Yields")[1]))
    assert len(row["curve"].split("|")) == len(row["curve_few"].split("|")) == 3


def test_cohorts_drawn_again_are_those_that_the_training_drew(fleet, monkeypatch):
    """Independent: the numbers of different clients and of their examples that the simulation itself reports."""
    monkeypatch.setattr(over_rounds.harm, "ROUNDS", 4)
    small = without_heavy_travellers(assistant(2000, devices=40))
    made = made_of("assistant", small, seed=2)
    setting = Setting(beta=1.0, cohort=5, seed=2)
    chosen = selector(setting, made.clients)
    drawn = [np.unique(cohort(setting, chosen, round)) for round in range(1, 5)]
    told = [
        (row["clients"], row["examples"]) for row in simulate(made.task, made.clients, recipe(setting), selector=chosen)
    ]
    assert told == [(len(clients), made.clients.sizes[clients].sum()) for clients in drawn]


@pytest.mark.parametrize("way", ["examples", "equal"])
def test_the_weights_are_those_of_the_server(way, fleet):
    setting = Setting(beta=1.0, aggregation=way)
    weights = weights_over_rounds(fleet, setting)
    drawn = cohort(setting, selector(setting, fleet.clients), 17)
    expected = client_weights(way, examples=fleet.clients.sizes[drawn]).numpy()
    for client in np.unique(drawn):
        assert weights[16, client] == pytest.approx(expected[drawn == client].sum())
    np.testing.assert_allclose(weights.sum(axis=1), 1)


# What is drawn and said


def test_whom_a_round_has_drawn_lights_up_by_its_weight(panel, fleet, drawn):
    at = StoryPosition()
    weights = weights_over_rounds(fleet, at.setting)
    answer, shown = drawn(panel, round=30)
    assert shown["ringed"] == np.flatnonzero(weights[29]).tolist()
    lit = shown["lit"]
    assert all(lit[client] > DARK for client in shown["ringed"])
    heavy, light = (pick(shown["ringed"], key=lambda client: weights[29, client]) for pick in (max, min))
    assert lit[heavy] > lit[light]
    before = set(np.flatnonzero(weights[28])) - set(shown["ringed"])
    assert before and before <= set(lit)  # the round before still glows
    assert len(answer.numbers) == 2 * 30


def test_travellers_stay_dark_and_are_not_understood(panel, fleet):
    travellers = fleet.personas == FEW
    weights = weights_over_rounds(fleet, StoryPosition().setting)
    share, weight = (
        fleet.clients.sizes[travellers].sum() / fleet.clients.sizes.sum(),
        weights[:, travellers].sum() / 100,
    )
    (row,) = ROUNDS.where(selection="β = 1", aggregation="examples", seed=0).to_dict("records")
    told = panel.answer_at(StoryPosition()).verdict.replace("\u00a0", " ")
    assert f"travellers have {100 * share:.0f} % of the data and {100 * weight:.0f} % of the weight so far" in told
    assert (
        f"{100 * row['accuracy_few']:.0f} % of their requests are understood, and {100 * row['accuracy']:.0f} %" in told
    )
    # The notebook's text and questions name these numbers.
    text = "".join("".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"])
    assert f"With {100 * share:.0f} % of the data they get {100 * weight:.0f} % of the weight" in text
    assert f"speak little ({100 * share:.0f} % of the data)" in text
    assert f"have {100 * share:.0f} % of the data" in questions("22")["travellers"]["question"]


@pytest.mark.parametrize(("selection", "way"), [("β = 0", "examples"), ("β = 1", "equal")])
def test_with_uniform_selection_or_equal_weights_they_get_about_their_share(selection, way, fleet):
    at = dataclasses.replace(StoryPosition(), selection=selection, aggregation=way)
    travellers = fleet.personas == FEW
    share = fleet.clients.sizes[travellers].sum() / fleet.clients.sizes.sum()
    weight = weights_over_rounds(fleet, at.setting)[:, travellers].sum() / 100
    assert 0.8 * share < weight < 1.4 * share


def test_every_round_has_its_own_picture_and_sentence(panel, drawn):
    seen = []
    for selection in ("β = 0", "β = 0.5", "β = 1"):
        for way in ("examples", "equal"):
            for round in (1, 2, 50, 100):
                answer, shown = drawn(panel, selection=selection, aggregation=way, round=round)
                assert f"After round {round}, " in answer.verdict
                assert ("with uniform selection it would be" in answer.verdict) == (selection != "β = 0")
                seen.append(str(shown))
    assert len(set(seen)) == len(seen)


def test_dots_do_not_overlap(panel):
    drawing = panel.drawing
    apart = np.linalg.norm(drawing.places[:, None] - drawing.places[None], axis=2) + 1e9 * np.eye(len(drawing.places))
    assert (apart >= drawing._radii[:, None] + drawing._radii[None]).all()
    low, high = (drawing.places - drawing._radii[:, None]).min(0), (drawing.places + drawing._radii[:, None]).max(0)
    assert (low >= 0).all() and (high <= [0.56 * 920, 0.92 * 400 + 8]).all()


def test_the_first_circle_is_in_the_middle():
    assert packed([5.0, 4.0, 1.0, 1.0])[0].tolist() == [0.0, 0.0]


def test_it_plays_the_same_frames_every_time(panel, monkeypatch):
    monkeypatch.setattr("trustlab.lab.player.FRAMES_PER_SECOND", 1000.0)
    runs = []
    for _ in range(2):
        frames = []
        monkeypatch.setattr(panel, "_show", lambda compute, frames=frames: frames.append(compute().verdict))
        panel.set(round=95).play().wait(60)
        runs.append(frames[1:])
    assert runs[0] == runs[1] and len(runs[0]) == 5 and "After round 100, " in runs[0][-1]


# The findings


def test_the_travellers_finding_names_the_means_of_the_table():
    found = HARM.table().groupby(["selection", "aggregation"])[["accuracy", "accuracy_few"]].mean()
    few = [100 * found.loc[(beta, "examples"), "accuracy_few"] for beta in ("β = 1", "β = 0")]
    said = who_pays().verdict.replace("\u00a0", " ")
    assert f"{few[0]:.0f} % of the travellers' requests are understood instead of {few[1]:.0f} %" in said


def test_the_gauge_of_epsilon_says_what_the_question_asks_for():
    sizes = load("assistant")["train"]["device"]
    counts = np.unique(np.array(sizes[:]), return_counts=True)[1]
    shown = whose_epsilon(counts, 10, noise_multiplier=2.0, steps=30, delta=0.2 / len(counts))
    claimed, true = (shown.rows[-1][name] for name in ("claimed with the average rate", "true, most active client"))
    asked = questions("22")["privacy"]
    assert f"ε = {claimed:.2f}" in asked["question"] and f"{true:.1f}" in asked["because"]
    assert asked["choices"][asked["answer"]] == "More than thirty times as large" and true > 30 * claimed
    assert shown.rows[0]["true, most active client"] == pytest.approx(claimed)


def test_the_roles_that_the_text_counts_are_those_of_the_plays(real_data):
    plays = load("shakespeare_roles", directory=real_data / "shakespeare_roles")
    counts = np.unique(np.array(plays["train"]["role"][:]), return_counts=True)[1]
    text = "".join("".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"])
    assert counts.min() == 1
    assert f"{len(counts):,} roles, from one line of training text to Hamlet's {counts.max():,}" in text
