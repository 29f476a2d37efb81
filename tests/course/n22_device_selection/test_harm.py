import copy
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from trustlab.course.n22_device_selection import harm as experiment
from trustlab.course.n22_device_selection.experiment import selector
from trustlab.course.n22_device_selection.fleets import made_of
from trustlab.course.n22_device_selection.harm import (
    FEW,
    KEY,
    Setting,
    grid,
    recipe,
    result_name,
    run,
    without_heavy_travellers,
)
from trustlab.course.registry import EXPERIMENTS, experiment_of
from trustlab.data import assistant, fingerprint, load
from trustlab.federated.simulation import simulate
from trustlab.results import read_results

COMMITTED = Path(__file__).resolve().parents[3] / "data" / "results"


@pytest.fixture(scope="module")
def corpus():
    return assistant(2000, devices=40)


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(experiment, "ROUNDS", 3)


def test_travellers_are_light_and_nobody_else_wants_to_travel(corpus):
    train = without_heavy_travellers(corpus)["train"]
    travelling = np.array(train["persona"]) == FEW
    devices, domains = np.array(train["device"]), np.array(train["domain"])
    assert 0 < travelling.sum() < len(travelling)
    assert devices[travelling].min() >= 4
    sizes = np.bincount(devices)
    assert sizes[np.unique(devices[travelling])].max() < sizes.max() / 2
    assert not set(domains[travelling]) <= set(domains[~travelling])  # some of it only they ask for
    whole = assistant(2000, devices=40, label_skew=1.0)["train"]
    assert len(whole) - len(train) == sum(
        who == FEW and device < 4 for who, device in zip(whole["persona"], whole["device"], strict=True)
    )


def test_a_row_has_the_documented_fields_and_measures_its_own_model(corpus, short):
    cell = Setting(strategy="top-k", cohort=3, seed=1)
    (row,) = run(cell, corpus)
    assert set(row) == set(re.findall(r"``(\w+)``", run.__doc__.split("Yields")[1]))
    whole = assistant(2000, devices=40, label_skew=1.0, seed=1)  # the seed decides the people too
    quiet = {
        name: part.filter(lambda said: said["persona"] != FEW or said["device"] >= 4) for name, part in whole.items()
    }
    made = made_of("assistant", quiet, seed=1)
    model = copy.deepcopy(made.task.model)
    rows = list(simulate(made.task, made.clients, recipe(cell), selector=selector(cell, made.clients), model=model))
    with torch.no_grad():
        guessed = model(made.task.test).argmax(-1).tolist()
    right = [
        guess == true
        for guess, true, who in zip(guessed, made.task.test.intents.tolist(), quiet["test"]["persona"], strict=True)
        if who == FEW
    ]
    assert row["accuracy_few"] == pytest.approx(np.mean(right))
    assert row["accuracy"] == rows[-1]["accuracy"] and len(rows) == 3
    assert row["examples"] == sum(each["examples"] for each in rows)
    assert row["share_few"] == pytest.approx(np.mean(np.array(quiet["train"]["persona"]) == FEW))


def test_the_committed_table_is_whole_and_about_this_data():
    table, about = read_results(COMMITTED / result_name("assistant"))
    cells = grid("assistant", seeds=about["seeds"])
    assert len(about["seeds"]) >= 5
    committed = list(table[["corpus", *KEY, "seed"]].itertuples(index=False, name=None))
    assert committed == [tuple(cell.key().values()) for cell in cells]
    assert about["data_hash"] == fingerprint(load("assistant"))


def test_the_share_that_the_notebook_names_is_the_tables():
    shares = read_results(COMMITTED / result_name("assistant"))[0].groupby("seed")["share_few"].mean()
    assert f"{shares.mean():.0%}" == f"{shares[0]:.0%}" == "13%"  # of the fleets, and of the one that is played


def test_the_experiment_is_known_to_the_command():
    known = EXPERIMENTS["device-selection-harm"]
    assert experiment_of(Setting()) is known
    assert {cell.aggregation for cell in grid("assistant")} == set(known.slowest_first)
    assert known.named(*[Setting().key()[name] for name in KEY]) == "β = 1, weighted examples"
