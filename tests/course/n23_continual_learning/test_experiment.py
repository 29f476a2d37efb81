import copy
import dataclasses
import re
from pathlib import Path

import numpy as np
import pandas
import pytest
import torch

from trustlab.course.experiment import without_rates
from trustlab.course.n23_continual_learning import experiment
from trustlab.course.n23_continual_learning.claims import behind, claims_of, gain, gain_per_example
from trustlab.course.n23_continual_learning.experiment import (
    BASELINES,
    BETAS,
    BUDGETS,
    CORPORA,
    DRIFTS,
    KEY,
    MEASURED_EVERY,
    PERIODS,
    ROUNDS,
    SETTINGS,
    Setting,
    assistant_over_time,
    grid,
    period_of,
    recipe,
    result_name,
    run,
    search_name,
    stream,
    train,
)
from trustlab.course.n23_continual_learning.table import MEASURED
from trustlab.course.registry import EXPERIMENTS, experiment_of
from trustlab.data import fingerprint, load
from trustlab.federated.continual import accuracy_matrix
from trustlab.lab.claims import claims
from trustlab.results import read_results, write_results

COMMITTED = Path(__file__).resolve().parents[3] / "data" / "results"


@pytest.fixture
def short(monkeypatch):
    """Two rounds in each period, both measured together."""
    monkeypatch.setattr(experiment, "ROUNDS", 12)


# What is trained


def test_new_intents_arrive_late_and_drift_moves_the_others():
    counts = {}
    for drift in (0.0, 3.0):
        rows = assistant_over_time(drift, seed=0)["train"]
        intents, periods = np.unique(rows["intent"], return_inverse=True)[1], np.array(rows["period"])
        counts[drift] = np.array([np.bincount(intents[periods == t], minlength=40) for t in range(PERIODS)])
    new = ((counts[3.0][0] == 0) & (counts[3.0][-1] > 0)).sum()
    assert new >= 3
    np.testing.assert_array_equal((counts[0.0] > 0).all(axis=0), (counts[0.0] > 0).any(axis=0))  # the same in all

    def moved(table):
        laws = table / table.sum(axis=1, keepdims=True)
        return np.abs(laws[0] - laws[-1]).sum() / 2

    assert moved(counts[3.0]) > 0.5 > 0.15 > moved(counts[0.0])


def test_a_row_has_the_documented_fields_and_is_flat(short):
    (row,) = run(Setting(drift=1.0, replay=20, beta=0.0), None)
    documented = set(re.findall(r"``(\w+)``", run.__doc__.split("Yields")[1]))
    assert set(row) == documented
    assert row.items() >= {"setting": "continual", "drift": 1.0, "replay": 20, "beta": 0.0, "seed": 0}.items()
    assert all(isinstance(value, int | float | str) for value in row.values())


def test_a_row_measures_its_own_model(short):
    cell = Setting(drift=1.0, replay=20)
    (row,) = run(cell, None)
    said = stream(1.0, seed=0)
    model = copy.deepcopy(said.problem.model)
    rows = [each for each in train(cell, said, model=model) if "accuracy" in each]
    with torch.no_grad():
        right = (model(said.problem.test).argmax(-1) == said.problem.test.intents).numpy()
    assert row["accuracy"] == pytest.approx(right.mean()) == pytest.approx(rows[-1]["accuracy"])
    by_device = {k: right[said.tests[k]].mean() for k in range(len(said.tests)) if len(said.tests[k])}
    assert row["accuracy_device"] == pytest.approx(np.mean(list(by_device.values())))
    median = np.median([len(said.clients[k]) for k in by_device])
    light = [value for k, value in by_device.items() if len(said.clients[k]) <= median]
    assert row["accuracy_light"] == pytest.approx(np.mean(light))
    last = [right[said.test_periods == t].mean() for t in range(PERIODS)]
    matrix = np.array([float(value) for value in row["matrix"].split("|")]).reshape(PERIODS, PERIODS)
    np.testing.assert_allclose(matrix[-1], last, atol=1e-4)
    np.testing.assert_allclose(matrix, accuracy_matrix(rows), atol=1e-4)
    assert row["curve"].split("|") == [f"{each['accuracy']:.4f}" for each in rows]
    assert row["now"].split("|") == [f"{matrix[t, t]:.4f}" for t in range(PERIODS)]


def test_the_static_reference_sees_everything_in_as_many_rounds_and_forgets_nothing(short):
    (row,) = run(Setting(setting="static", beta=0.0), None)
    (over_time,) = run(Setting(beta=0.0), None)
    assert row["forgetting"] == 0 and len(row["curve"].split("|")) == len(over_time["curve"].split("|"))
    assert len(row["matrix"].split("|")) == PERIODS
    assert row["examples"] > 3 * over_time["examples"]


def test_the_recipes_differ_in_their_periods_alone():
    static, over_time = (dataclasses.asdict(recipe(Setting(setting=setting))) for setting in SETTINGS)
    assert static.pop("rounds") == PERIODS * over_time.pop("rounds") == ROUNDS
    assert static == over_time


def test_rounds_fall_into_their_periods():
    found = [period_of(round) for round in range(1, ROUNDS + 1)]
    assert np.bincount(found).tolist() == [0, *[ROUNDS // PERIODS] * PERIODS] and found == sorted(found)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (dict(drift=2.0), "Expected drift=2.0 to be one of 0.0, 1.0, 3.0"),
        (dict(setting="online"), "Expected setting='online' to be one of 'static', 'continual'"),
        (dict(replay=-5), "Expected replay=-5 to be one of"),
        (dict(seed=-1), "Expected seed=-1 >= 0"),
    ],
)
def test_a_cell_outside_the_experiment_is_refused_before_any_work(bad, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        next(run(Setting(**bad), None))


# The table


def test_the_grid_has_every_cell_once():
    cells = grid("assistant", seeds=range(2))
    keys = [tuple(cell.key().values()) for cell in cells]
    settings = len(DRIFTS) * len(BETAS) * 2
    assert len(keys) == len(set(keys)) == 2 * (settings + settings * len(BUDGETS) + (2 + len(BASELINES)) * len(DRIFTS))
    part = grid("assistant", seeds=[0], settings=["static"])
    assert {cell.setting for cell in part} == {"static"} and {cell.replay for cell in part} == {0}


@pytest.mark.parametrize("corpus_name", CORPORA)
def test_the_committed_table_is_whole_and_about_this_data(corpus_name):
    table, about = read_results(COMMITTED / result_name(corpus_name))
    cells = grid(corpus_name, seeds=about["seeds"])
    assert len(about["seeds"]) >= 5
    committed = list(table[["corpus", *KEY, "seed"]].itertuples(index=False, name=None))
    assert committed == [tuple(cell.key().values()) for cell in cells]
    assert about["data_hash"] == fingerprint(load(corpus_name))
    assert about["config"]["continual"] == without_rates(recipe(Setting()))
    trained = table[table["setting"].isin(SETTINGS)]
    assert all(len(curve.split("|")) == ROUNDS // MEASURED_EVERY for curve in trained["curve"])


def test_the_experiment_is_known_to_the_command():
    known = EXPERIMENTS["continual-learning"]
    assert experiment_of(Setting()) is known
    assert {cell.setting for cell in grid("assistant")} == set(known.slowest_first) == set(known.parts["settings"])
    name = known.named("continual", 1.0, 5, 1.0, "examples", "feedback")
    assert name == "continual, drift 1, β = 1, weights examples, replay 5, labels from feedback"
    assert known.code("static").version == known.code("continual").version


# The claims


def made_up(gains, *, static=0.9, faster=False, behind=0.1):
    """A table in which activity selection gains so much in each setting, and loses to all data at once by 0.1."""
    rows = []
    for cell in grid("assistant", seeds=range(5), settings=SETTINGS):
        over_time = cell.setting == "continual"
        accuracy = static - behind * over_time + gains[cell.setting] * cell.beta + 0.001 * cell.seed * cell.drift
        accuracy -= 0.2 * (cell.labels == "feedback")
        periods = PERIODS if over_time else 1
        matrix = np.full((periods, PERIODS), 0.6) + 0.2 * np.eye(periods, PERIODS) * over_time
        curve = np.full(len(MEASURED), accuracy)
        if faster and not over_time and cell.beta == 0:
            curve = accuracy * np.array(MEASURED) / ROUNDS  # uniform selection is slower, and ends as high
        rows.append(
            {
                **cell.key(),
                "learning_rate": cell.learning_rate,
                "server_rate": cell.server_rate,
                "accuracy": accuracy,
                "accuracy_light": accuracy - 0.5 * gains[cell.setting] * cell.beta,
                "forgetting": 0.2 - 0.005 * cell.replay,
                "examples": 4000 if cell.beta else 1000,
                "curve": "|".join(f"{value:.4f}" for value in curve),
                "matrix": "|".join(f"{value:.4f}" for value in matrix.ravel()),
            }
        )
    return pandas.DataFrame(rows)


@pytest.fixture
def outcomes(tmp_path, monkeypatch):
    """Return a function from a made-up table to the outcome of each claim, with the committed search beside it."""
    search = read_results(COMMITTED / search_name("assistant"))[0]
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))
    write_results(search_name("assistant"), search.to_dict("records"), {"seeds": [100]})

    def show(table):
        write_results(result_name("assistant"), table.to_dict("records"), {"seeds": [0, 1, 2, 3, 4]})
        return [row["outcome"] for row in claims(claims_of()).rows]

    return show


WIDENS, NEAR_IT, SHARE_OF_IT = slice(0, 9, 3), slice(1, 9, 3), slice(2, 9, 3)  # a line for each drift


def test_a_gap_that_widens_holds_and_one_that_does_not_is_refuted(outcomes):
    wide = outcomes(made_up({"static": 0.02, "continual": 0.12}))
    assert wide[:9] == ["holds"] * 9  # 0.9 + 0.02 against 0.8 + 0.12
    narrow = outcomes(made_up({"static": 0.12, "continual": 0.02}))
    assert narrow[:9] == ["refuted"] * 9


@pytest.mark.parametrize(
    ("behind", "near", "share"),
    [(0.01, "holds", "holds"), (0.03, "refuted", "holds"), (0.06, "refuted", "refuted"), (0.1, "refuted", "refuted")],
)
def test_near_is_two_points_of_a_hundred_and_caught_up_is_95_of_them(behind, near, share, outcomes):
    """All at once ends at 0.9 in truth, over time `behind` less: nearer than 0.02, and at least 0.95 of it, or not."""
    found = outcomes(made_up({"static": 0.0, "continual": 0.0}, behind=behind))
    assert found[NEAR_IT] == [near] * 3 and found[SHARE_OF_IT] == [share] * 3


def test_gains_are_differences_between_trainings_of_the_same_seed():
    table = made_up({"static": 0.02, "continual": 0.12})
    np.testing.assert_allclose(gain(table, 1.0), 0.12)
    np.testing.assert_allclose(gain(table, 1.0, measure="accuracy_light"), 0.06)
    np.testing.assert_allclose(gain(table, 3.0, setting="static"), 0.02)
    np.testing.assert_allclose(behind(table, 1.0), 0.0, atol=1e-12)


def test_a_gain_by_volume_alone_is_seen_through(outcomes):
    """Uniform selection that is slower and ends as high: activity is ahead at round 10, and not over time."""
    table = made_up({"static": 0.0, "continual": 0.0}, faster=True)
    assert gain(table, 1.0, setting="static", round=10).mean() == pytest.approx(0.9 * 5 / 6, abs=1e-2)
    assert outcomes(table)[9] == "refuted"  # no gain over time, and 0.75 on all data at once, stopped at round 10
    active = table["beta"] == 1
    steep = "|".join(f"{0.01 * round:.4f}" for round in MEASURED)
    slow = table.assign(curve=table["curve"].where(~active, steep))
    np.testing.assert_allclose(gain_per_example(slow, 0.0), 0.01 * ROUNDS / 4 - 0.9, atol=1e-3)


def test_the_past_and_the_labels_are_read_where_they_stand(outcomes):
    found = outcomes(made_up({"static": 0.02, "continual": 0.12}))
    assert found[-4:] == [
        "holds",
        "holds",
        "refuted",
        "holds",
    ]  # 0.2 less forgotten; feedback 0.2 below
    light = outcomes(made_up({"static": 0.02, "continual": -0.1}))
    assert light[10] == "refuted"


def test_no_end_is_written_more_finely_than_accuracies_are():
    assert not [row for row in claims(claims_of(), digits=2).rows if "e-" in row["measured"]]


def test_a_trivial_baseline_answers_the_same_test_requests():
    (row,) = run(Setting(setting="majority", drift=3.0, seed=1, learning_rate=0.0, server_rate=0.0), None)
    said, corpus = stream(3.0, 1), assistant_over_time(3.0, 1)
    intents = list(corpus["train"]["intent"])
    most = max(sorted(set(intents)), key=intents.count)
    right = [intent == most for intent in corpus["test"]["intent"]]
    assert row["accuracy"] == np.mean(right) and row["examples"] == len(said.periods) and row["curve"] == ""
    assert 0 < row["accuracy_device"] < 0.3
