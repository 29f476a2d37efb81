"""A trained layer above frozen states: what is trained and searched, and what the committed tables and claims say."""

import math
import re
import statistics

import pytest

from trustlab.course.n11_dp_sgd_vs_edp_sgd import LAYERS, LAYERS_SEARCH, layers_experiment, layers_search
from trustlab.course.n11_dp_sgd_vs_edp_sgd.encoder_claims import claims_of_layers
from trustlab.course.n11_dp_sgd_vs_edp_sgd.layers_experiment import (
    CORPORA,
    HEADS,
    LAYER,
    METHODS,
    Setting,
    grid,
    prepare,
    run,
)
from trustlab.course.tuning import at_the_edge, best, uneven
from trustlab.data import assistant
from trustlab.models import entity_f1, predict
from trustlab.models.fitting import fit

TUNED = dict(by=["method"], options=["learning_rate"])


@pytest.fixture(scope="module")
def corpus():
    return assistant(600)


@pytest.fixture
def one_pass(monkeypatch):
    monkeypatch.setitem(layers_experiment.EPOCHS, "snips", 1)


def test_a_row_has_the_documented_fields_and_is_measured_on_the_test_split(corpus, one_pass):
    cell = Setting("snips", HEADS, 1, 8e-3)
    (row,) = run(cell, corpus)
    assert set(row) == set(re.findall(r"``(\w+)``", run.__doc__.split("Yields")[1]))
    model, data = prepare(cell, corpus)
    assert len(list(fit(model, data, layers_experiment.recipe(cell)))) == row["best_epoch"] == 1
    intents, tags = predict(model, data["test"], valid=True)
    assert row["accuracy"] == sum(a == b for a, b in zip(intents, corpus["test"]["intent"], strict=True)) / len(intents)
    assert row["slot_f1"] == entity_f1(corpus["test"]["slots"], tags) > 0.3


def test_a_trial_is_scored_on_validation(corpus, one_pass):
    cell = layers_search.Setting("snips", HEADS, 100, 8e-3)
    (trial,) = layers_search.run(cell, corpus)
    model, data = prepare(cell, corpus)
    *_, last = fit(model, data, layers_experiment.recipe(cell))
    assert (trial["accuracy"], trial["slot_f1"]) == (last["accuracy"], last["slot_f1"])
    assert trial["score"] == (trial["accuracy"] + trial["slot_f1"]) / 2


def test_the_layer_is_trained_and_the_frozen_ones_are_not_there(corpus, one_pass):
    cell = Setting("snips", LAYER, 0, 1e-3)
    model, data = prepare(cell, corpus)
    before = {name: weights.clone() for name, weights in model.named_parameters()}
    list(fit(model, data, layers_experiment.recipe(cell)))
    still = {name for name, weights in model.named_parameters() if bool((weights == before[name]).all())}
    assert len(model.blocks) == 1 and still == set()
    assert len(prepare(Setting("snips", HEADS), corpus)[0].blocks) == 0


@pytest.mark.parametrize("corpus", CORPORA)
def test_both_are_searched_alike_with_a_seed_that_is_not_reported(corpus):
    search = LAYERS_SEARCH.table(corpus)
    expected = [tuple(cell.key().values()) for cell in layers_search.grid(corpus)]
    named = ["corpus", "method", "learning_rate", "seed"]
    assert list(search[named].itertuples(index=False, name=None)) == expected
    assert uneven(search, **TUNED) == [] and set(search["seed"]) == {100}
    assert at_the_edge(search, layers_search.SPACES, **TUNED) == []


@pytest.mark.parametrize("corpus", CORPORA)
def test_the_table_has_five_seeds_of_each_at_the_rate_that_the_search_found(corpus):
    table = LAYERS.table(corpus)
    rates = best(LAYERS_SEARCH.table(corpus), **TUNED).set_index("method")["learning_rate"]
    assert [(row.method, row.seed) for row in table.itertuples()] == [(each.method, each.seed) for each in grid(corpus)]
    for method in METHODS:
        assert set(table[table["method"] == method]["learning_rate"]) == {rates[method]}
        assert table[table["method"] == method]["seed"].tolist() == [0, 1, 2, 3, 4]
    means = table.groupby("method")[["accuracy", "slot_f1"]].mean()
    assert means.loc[LAYER, "slot_f1"] > means.loc[HEADS, "slot_f1"] > 0.85


def test_the_claim_is_the_tables_slot_f1():
    (row,) = claims_of_layers()
    table = LAYERS.table("snips")
    reached = table[table["method"] == LAYER]["slot_f1"].tolist()
    assert row["values"] == reached and row["above"] == 0.93
    half = 2.776 * statistics.stdev(reached) / math.sqrt(5)
    assert statistics.mean(reached) - half > 0.93  # holds
