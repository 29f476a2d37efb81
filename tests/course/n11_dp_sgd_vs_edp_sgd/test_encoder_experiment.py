"""Heads on the frozen encoder: what is trained, with which ε, what is measured, and what is searched."""

import math
import re
from collections import Counter

import pytest
import torch

from trustlab.course.n11_dp_sgd_vs_edp_sgd import encoder_experiment, encoder_search, encoder_training
from trustlab.course.n11_dp_sgd_vs_edp_sgd.encoder_experiment import METHODS, STATES, Setting, grid, run, tuned
from trustlab.course.n11_dp_sgd_vs_edp_sgd.encoder_search import BUDGET, EPSILONS, FIXED, OPTIONS, SPACES
from trustlab.course.n11_dp_sgd_vs_edp_sgd.encoder_training import falling, measured, prepare, recipe, trained
from trustlab.course.tuning import trials
from trustlab.data import assistant
from trustlab.models import StateTagger, entity_f1, predict
from trustlab.privacy import epsilon
from trustlab.results import write_results


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A small corpus, whose states are kept in a folder of the test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUSTLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield assistant(600)


@pytest.fixture
def searched(tmp_path, monkeypatch):
    """A made-up search, in which the third trial of every method is the best at ε = 3, and the second elsewhere."""
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))
    cells = encoder_search.grid("assistant")
    rows = [{**cell.key(), "score": 0.5} for cell in cells]
    for group in range(len(rows) // BUDGET):
        rows[group * BUDGET + (2 if rows[group * BUDGET]["epsilon"] == 3.0 else 1)]["score"] = 0.9
    write_results(encoder_search.result_name("assistant"), rows, {"seeds": [100]})
    return rows


def test_settings_are_those_that_the_search_chose_for_this_method_at_this_epsilon(searched):
    for method in METHODS:
        for at in EPSILONS[method]:
            expected = {**FIXED[method], **trials(SPACES[method], BUDGET, encoder_search.ORDER)[2 if at == 3.0 else 1]}
            for corpus in encoder_experiment.CORPORA:
                found = tuned(corpus, method, at, seed=4)
                assert {name: getattr(found, name) for name in OPTIONS} == expected
                assert (found.corpus, found.seed, found.epsilon) == (corpus, 4, at)


def test_every_method_is_trained_at_every_epsilon_with_every_seed_and_what_has_no_seed_stands_there_once(searched):
    cells = grid("snips", seeds=range(5))
    assert len(set(cells)) == len(cells) == 4 * 5 + 4
    assert [cell.method for cell in cells if cell.method not in METHODS] == [STATES, "majority", "tf-idf", "word's tag"]
    assert {cell.seed for cell in cells} == set(range(5))


def test_all_methods_are_searched_alike_on_data_and_seeds_that_are_not_reported():
    cells = encoder_search.grid("assistant", seeds=[0])
    assert (
        len(cells) == 4 * BUDGET and {cell.seed for cell in cells} == {100} and {cell.epochs for cell in cells} == {10}
    )
    for method, space in SPACES.items():
        own = [cell for cell in cells if cell.method == method]
        for name, option in space.items():
            counts = [sum(getattr(cell, name) == value for cell in own) for value in option.values]
            assert min(counts) >= len(EPSILONS[method])  # each value is tried


def test_noise_is_that_of_the_methods_own_sensitivity(corpus):
    for method, sensitivity in (("fast", 1.0), ("edp-sgd", 2.0)):
        cell = Setting("assistant", method, 3.0, share=0.25, epochs=2, micro_batches=8 * (method == "edp-sgd"))
        _, last = trained(cell, corpus)
        again = epsilon(
            noise_multiplier=last["noise_multiplier"],
            sample_rate=last["batch_size"] / len(corpus["train"]),
            steps=2 * 4,
            delta=1e-5,
            sensitivity=sensitivity,
        )
        assert last["epsilon"] == pytest.approx(again, abs=1e-3) and again <= 3.0


def test_a_row_has_the_documented_fields_and_is_measured_on_the_test_split(corpus):
    cell = Setting("assistant", "sgd", math.inf, 1, share=1 / 16, epochs=2, clip_norm=0.0)
    (row,) = run(cell, corpus)
    named = re.findall(r"``(\w+)``", run.__doc__.split("Yields")[1])
    assert set(row) == {*cell.key(), *named} and cell.key().items() <= row.items()
    model, _ = trained(cell, corpus)
    intents, tags = predict(model, prepare(corpus)["test"], valid=True)
    assert row["accuracy"] == sum(a == b for a, b in zip(intents, corpus["test"]["intent"], strict=True)) / len(intents)
    assert row["slot_f1"] == entity_f1(corpus["test"]["slots"], tags) != row["slot_f1_greedy"]
    assert row["accuracy"] > 0.3 and row["batch_size"] == round(len(corpus["train"]) / 16)


def test_a_trial_is_scored_on_validation(corpus):
    cell = encoder_search.Setting("assistant", "sgd", math.inf, 100, share=1 / 16, epochs=1, clip_norm=0.0)
    (row,) = encoder_search.run(cell, corpus)
    model, _ = trained(cell, corpus)
    assert row["score"] == (row["accuracy"] + row["slot_f1"]) / 2
    assert row["slot_f1"] == measured(model, corpus, "validation")["slot_f1"]


def test_baselines_answer_and_the_encoders_seconds_are_a_row_of_its_own(corpus):
    rows = {
        name: next(run(Setting("assistant", name, math.inf), corpus)) for name in ("majority", "word's tag", STATES)
    }
    ((name, _),) = Counter(corpus["train"]["intent"][:]).most_common(1)
    assert rows["majority"]["accuracy"] == corpus["test"]["intent"][:].count(name) / len(corpus["test"])
    assert 0 < rows["word's tag"]["slot_f1"] < 1 and math.isnan(rows["word's tag"]["accuracy"])
    assert rows[STATES]["seconds"] > 0 and math.isnan(rows[STATES]["accuracy"])


def test_states_are_computed_once_and_short_utterances_come_first(corpus, monkeypatch):
    known = prepare(corpus)["train"]
    monkeypatch.setattr(encoder_training, "word_states", None)  # it is not called again, not even in a new process
    encoder_training._kept.clear()
    again = prepare(corpus)
    assert torch.equal(again["train"].input_ids, known.input_ids)
    lengths = known.attention_mask.sum(1)
    assert (lengths.diff() >= 0).all() and len(known) == len(corpus["train"])
    assert again["test"].attention_mask.sum(1).tolist() == [len(row) for row in corpus["test"]["tokens"]]


def test_the_rate_falls_to_zero_in_a_straight_line():
    optimizer = torch.optim.Adam(StateTagger(2, 2, 2).parameters(), lr=0.8)
    rates, schedule = [], falling(optimizer, 4)
    for _ in range(5):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([0.8, 0.6, 0.4, 0.2, 0.0])


def test_plain_sgd_has_neither_epsilon_nor_c():
    config = recipe(Setting("assistant", "sgd", math.inf, clip_norm=0.0), 1000)
    assert (config.method, config.epsilon, config.batch_size) == ("sgd", math.inf, 125)
