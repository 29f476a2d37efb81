"""The committed tables of notebook 11: the reported trainings are those of the grid, at the ε that they state."""

import math
from collections import Counter

import pytest

from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import (
    CORPORA,
    KEY,
    METHODS,
    grid,
    result_name,
    shown,
    usual,
)
from trustlab.course.n11_dp_sgd_vs_edp_sgd.training_seconds import UTTERANCES
from trustlab.data import fingerprint, load
from trustlab.privacy import epsilon
from trustlab.runs import read_results

SEEDS = 5


@pytest.fixture(scope="module", params=CORPORA)
def committed(request):
    table, about = read_results(result_name(request.param))  # refuses a CSV that its JSON does not describe
    return request.param, table, about


def test_every_cell_of_the_grid_was_trained_once(committed):
    name, table, about = committed
    cells = grid(name, seeds=range(SEEDS))
    there = Counter(table[[*KEY, "seed"]].itertuples(index=False, name=None))
    assert there == Counter(tuple(cell.key()[column] for column in (*KEY, "seed")) for cell in cells)
    assert set(table["corpus"]) == {name}
    assert about["seeds"] == list(range(SEEDS))
    assert about["status"] == "complete"


def test_every_number_is_a_share_and_nearly_every_gradient_was_clipped(committed):
    name, table, _ = committed
    trained = table[table["method"].isin(METHODS)]
    for column in ("accuracy", "slot_f1"):
        assert trained[column].between(0, 1).all(), column
    rare = trained["accuracy_rare"]  # no rare intent of ATIS occurs in its test split
    assert rare.isna().all() if name == "atis" else rare.between(0, 1).all()
    private = trained[trained["method"] != "sgd"]
    assert private["clipped"].between(0.5, 1).all()
    assert (trained["seconds"] > 0).all()


def test_no_training_spent_more_than_its_budget_or_much_less(committed):
    _, table, _ = committed
    finite = table[table["epsilon"] != math.inf]
    assert (finite["epsilon_spent"] <= finite["epsilon"]).all()
    assert (finite["epsilon_spent"] >= 0.97 * finite["epsilon"]).all()
    free = table[table["epsilon"] == math.inf]
    assert (free["epsilon_spent"] == math.inf).all()
    assert (free["noise_multiplier"] == 0).all()


def test_the_noise_used_gives_the_epsilon_stated(committed):
    name, table, _ = committed
    noisy = usual(table)[usual(table)["epsilon"] != math.inf]
    for (method, _), rows in noisy.groupby(["method", "epsilon"]):
        assert rows[["noise_multiplier", "epsilon_spent", "batch_size", "epochs"]].nunique().tolist() == [1, 1, 1, 1]
        first = rows.iloc[0]
        again = epsilon(
            noise_multiplier=first["noise_multiplier"],
            sample_rate=first["batch_size"] / UTTERANCES[name],
            steps=int(first["epochs"]) * round(UTTERANCES[name] / first["batch_size"]),
            delta=1e-5,
            sensitivity=2.0 if method == "edp-sgd" else 1.0,
        )
        assert again <= first["epsilon_spent"] + 1e-3 and again == pytest.approx(first["epsilon_spent"], abs=1e-3)


def test_decaying_noise_spends_no_more_and_ends_with_less_noise(committed):
    _, table, _ = committed
    decaying = table[table["noise_decay"] != 1]
    both = decaying.merge(usual(table), on=["method", "epsilon", "seed"], suffixes=("", "_constant"))
    assert len(both) == len(decaying)
    assert (both["noise_multiplier"] < both["noise_multiplier_constant"]).all()


def test_privacy_costs_accuracy(committed):
    _, table, _ = committed
    means = usual(table).groupby(["method", "epsilon"])["accuracy"].mean()
    for method in ("fast", "edp-sgd"):
        assert means[method, 1.0] < means["sgd", math.inf]
        assert means[method, 1.0] < means[method, 8.0]


def test_the_answers_kept_are_intents_of_the_corpus():
    corpus = load("assistant")
    table, about = read_results(result_name("assistant"))
    assert about["data_hash"] == fingerprint(corpus)  # the table is about the corpus that is generated today
    said = table[table["method"] != "word's tag"]["answers"].str.split("|")
    assert set(said.map(len)) == {len(shown(corpus))}
    assert set(said.explode()) <= set(corpus["train"].unique("intent"))
    assert {name: len(load(name)["train"]) for name in ("assistant",)} == {"assistant": UTTERANCES["assistant"]}
