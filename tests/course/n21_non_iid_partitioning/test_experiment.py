import copy
import dataclasses
import json
import math
import re
from pathlib import Path

import numpy as np
import pandas
import pytest
import torch

from trustlab.course import reproduce
from trustlab.course.alpha import ALPHAS, DEFINITIONS, alpha_options
from trustlab.course.corpora import rare_intents
from trustlab.course.intents import prepare, task
from trustlab.course.n21_non_iid_partitioning import experiment, rate_search
from trustlab.course.n21_non_iid_partitioning.claims import accuracy_at, claims_of
from trustlab.course.n21_non_iid_partitioning.experiment import (
    BASELINES,
    CLIENTS,
    CORPORA,
    KEY,
    MEASURED_EVERY,
    PER_ROUND,
    REFERENCES,
    ROUNDS,
    USUAL_RATE,
    Setting,
    divide,
    grid,
    recipe,
    result_name,
    run,
    steady,
    train,
)
from trustlab.course.registry import EXPERIMENTS, experiment_of
from trustlab.course.tuning import at_the_edge, uneven
from trustlab.data import assistant, fingerprint, load
from trustlab.federated.partition import label_counts, partition, skew
from trustlab.lab.claims import claims
from trustlab.results import read_results, write_results

COMMITTED = Path(__file__).resolve().parents[3] / "data" / "results"


@pytest.fixture(scope="module")
def corpus():
    return assistant(2000, devices=20)


@pytest.fixture
def short(monkeypatch):
    """Ten rounds, two of them measured."""
    monkeypatch.setattr(experiment, "ROUNDS", 10)


# What is divided


@pytest.mark.parametrize("scheme", [*DEFINITIONS, *REFERENCES])
def test_every_utterance_has_one_client_and_a_clients_tests_follow_its_training(scheme, corpus):
    made = divide(Setting(scheme=scheme, alpha=0.3), corpus)
    for part, split in zip(made, ("train", "test"), strict=True):
        assert sorted(part.flat.tolist()) == list(range(len(corpus[split])))
        assert len(part) == (1 if scheme == "centralised" else CLIENTS)
    trained, tested = made
    of_all = corpus["train"]["intent"], corpus["test"]["intent"]
    learned = [{of_all[0][j] for j in trained[k]} for k in range(len(trained))]
    known = [sum(of_all[1][i] in own for i in tested[k]) for k, own in enumerate(learned)]
    assert sum(known) >= 0.8 * len(tested.flat)  # a device is tested on labels that it has


def test_equal_sizes_are_what_fednlp_and_pfl_give_and_flower_does_not(corpus):
    spread = {scheme: np.ptp(divide(Setting(scheme=scheme, alpha=0.1), corpus)[0].sizes) for scheme in DEFINITIONS}
    assert spread["fednlp"] <= 1 and spread["pfl"] <= 1 and spread["flower"] > 10


@pytest.mark.parametrize("alpha", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("definition", DEFINITIONS)
def test_the_clients_concentration_is_the_dirichlet_laws(definition, alpha):
    """E Σ q² in closed form: (a + 1)/(S + 1) for a law with parameters a that sum to S, of ten equal labels."""
    labels, clients, kinds = np.repeat(np.arange(10), 4000), 20, 10
    seeds = range(20)
    found = []
    for seed in seeds:
        made = partition(labels, clients=clients, seed=seed, **alpha_options(definition, alpha))
        counts, _ = label_counts(made, labels)
        laws = {"flower": counts.T, "pfl": counts[: clients // 2]}.get(definition, counts)  # pfl's last get the rest
        found.append(((laws / laws.sum(axis=1, keepdims=True)) ** 2).sum(axis=1).mean())
    each, of_all = {
        "fednlp": (alpha / kinds, alpha),
        "pfl": (alpha, alpha * kinds),
        "flower": (alpha, alpha * clients),
    }[definition]
    # Who is served last takes what is left, which is nearer to the mix than its law.
    room = 0.05 if definition == "flower" else 0.12
    assert np.mean(found) == pytest.approx((each + 1) / (of_all + 1), rel=room)


# One training


def test_a_row_has_the_documented_fields_and_is_flat(corpus, short):
    (row,) = run(Setting(scheme="flower", alpha=0.3, seed=2), corpus)
    documented = set(re.findall(r"``(\w+)``", run.__doc__.split("Yields")[1]))
    assert set(row) == documented
    assert row.items() >= {"corpus": "assistant", "scheme": "flower", "alpha": 0.3, "seed": 2}.items()
    assert all(isinstance(value, int | float | str) for value in row.values())
    assert all(0 <= row[name] <= 1 for name in row if name.startswith("accuracy"))


def test_a_row_measures_its_own_model_and_its_own_fleet(corpus, short):
    cell = Setting(scheme="flower", alpha=0.05, seed=1)
    (row,) = run(cell, corpus)
    problem = task(prepare(corpus), seed=1)
    model = copy.deepcopy(problem.model)
    curve = [each["accuracy"] for each in train(cell, corpus, problem, model=model) if "accuracy" in each]
    assert row["curve"] == "|".join(f"{value:.4f}" for value in curve)
    assert len(curve) == 10 // MEASURED_EVERY
    with torch.no_grad():
        right = [int(g) == int(t) for g, t in zip(model(problem.test).argmax(-1), problem.test.intents, strict=True)]
    intents, (clients, tests) = corpus["test"]["intent"], divide(cell, corpus)
    assert row["accuracy"] == pytest.approx(np.mean(right)) == pytest.approx(curve[-1])
    rare = [is_right for is_right, intent in zip(right, intents, strict=True) if intent in rare_intents(corpus)]
    assert row["accuracy_rare"] == pytest.approx(np.mean(rare))
    by_device = {k: np.mean([right[i] for i in tests[k]]) for k in range(CLIENTS) if len(tests[k])}
    assert row["accuracy_device"] == pytest.approx(np.mean(list(by_device.values())))
    median = np.median([len(clients[k]) for k in by_device])
    light = [value for k, value in by_device.items() if len(clients[k]) <= median]
    assert row["accuracy_light"] == pytest.approx(np.mean(light))
    assert len({row["accuracy"], row["accuracy_rare"], row["accuracy_device"], row["accuracy_light"]}) == 4
    assert row["js_distance"] == skew(clients, corpus["train"]["intent"])["JS distance"]


def test_the_seed_decides_the_row_and_the_first_weights(corpus, short):
    def row(seed):
        (found,) = run(Setting(alpha=0.1, seed=seed), corpus)
        return {name: value for name, value in found.items() if name not in ("seconds", "seed")}

    assert row(0) == row(0) != row(1)
    data, before = prepare(corpus), torch.random.get_rng_state()
    first, again, other = (task(data, seed=seed).model.out.weight for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_all_data_in_one_place_see_as_many_examples(corpus):
    alone, fleet = recipe(Setting(scheme="centralised")), recipe(Setting(scheme="iid"))
    passes = fleet.rounds * fleet.clients_per_round / CLIENTS
    assert (alone.rounds * alone.local_epochs, alone.clients_per_round) == (passes, 1)
    same = ("batch_size", "optimizer", "local_epochs")
    assert all(getattr(alone, name) == getattr(fleet, name) for name in same)
    assert (fleet.rounds, fleet.clients_per_round) == (ROUNDS, PER_ROUND)


def test_rare_intents_are_the_quarter_with_the_fewest_utterances(corpus):
    counts = pandas.Series(corpus["train"]["intent"]).value_counts()
    rare = rare_intents(corpus)
    assert len(rare) == len(counts) // 4
    assert max(counts[list(rare)]) <= min(counts.drop(list(rare)))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (dict(scheme="shards"), "Expected scheme='shards' to be one of 'fednlp', 'flower', 'pfl', 'iid'"),
        (dict(alpha=0.0), "Expected alpha=0.0 > 0"),
        (dict(alpha=math.nan), "Expected alpha=nan"),
        (dict(corpus="enron"), "Expected corpus='enron' to be one of 'assistant', 'clinc150'"),
        (dict(seed=-1), "Expected seed=-1 >= 0"),
    ],
)
def test_a_cell_outside_the_experiment_is_refused_before_any_work(bad, message, corpus):
    with pytest.raises(ValueError, match=re.escape(message)):
        next(run(Setting(**bad), corpus))


# The table


def test_the_grid_has_every_definition_at_every_alpha_and_both_references_once():
    cells = grid("assistant", seeds=range(2))
    keys = [tuple(cell.key().values()) for cell in cells]
    assert len(keys) == len(set(keys)) == 2 * (len(DEFINITIONS) * len(ALPHAS) + len(REFERENCES)) + len(BASELINES)
    part = grid("assistant", seeds=[0], schemes=["pfl"])
    assert [(cell.scheme, cell.alpha) for cell in part] == [("pfl", alpha) for alpha in ALPHAS]
    assert all(math.isinf(cell.key()["alpha"]) for cell in grid("assistant", schemes=[*REFERENCES, *BASELINES]))


@pytest.mark.parametrize("corpus_name", CORPORA)
def test_the_committed_table_is_whole_and_about_this_data(corpus_name):
    table, about = read_results(COMMITTED / result_name(corpus_name))
    cells = grid(corpus_name, seeds=about["seeds"])
    assert len(about["seeds"]) >= 3
    committed = list(table[["corpus", *KEY, "seed"]].itertuples(index=False, name=None))
    assert committed == [tuple(cell.key().values()) for cell in cells]
    if corpus_name == "assistant":
        assert about["data_hash"] == fingerprint(load(corpus_name))
    options = json.loads(json.dumps(dataclasses.asdict(recipe(Setting()))))
    assert about["config"]["fednlp"] == {name: options[name] for name in options if name != "learning_rate"}
    trained = table[~table["scheme"].isin(BASELINES)]
    assert trained["learning_rate"].tolist() == [cell.learning_rate for cell in cells if cell.scheme not in BASELINES]


def test_what_was_not_searched_has_the_usual_rate_and_its_claims_say_so():
    assert {cell.learning_rate for cell in grid("clinc150")} == {USUAL_RATE}
    (said,) = {row["setup"] for row in claims_of("clinc150")}
    assert said.endswith("one learning rate for all, 4")
    (said,) = {row["setup"] for row in claims_of("assistant")}
    assert said.endswith("each fleet's best of 8 learning rates")


@pytest.mark.parametrize("corpus_name", rate_search.CORPORA)
def test_every_fleet_was_tuned_alike_and_no_rate_is_at_the_edge(corpus_name):
    search, about = read_results(COMMITTED / rate_search.result_name(corpus_name))
    tried = rate_search.grid(corpus_name, seeds=about["seeds"])
    assert list(search[["corpus", *rate_search.KEY, "seed"]].itertuples(index=False, name=None)) == [
        tuple(cell.key().values()) for cell in tried
    ]
    by = dict(by=KEY, options=["learning_rate"])
    spaces = {scheme: {"learning_rate": rate_search.RATES} for scheme in (*DEFINITIONS, *REFERENCES)}
    assert at_the_edge(steady(search), spaces, of="scheme", **by) == [] and uneven(search, **by) == []
    assert min(about["seeds"]) > max(read_results(COMMITTED / result_name(corpus_name))[1]["seeds"])


def test_a_trial_is_scored_on_the_validation_split_and_one_that_diverges_has_no_score(corpus, short):
    trial = rate_search.Setting(scheme="iid", seed=100, learning_rate=8.0)
    (row,) = rate_search.run(trial, corpus)
    data = prepare(corpus)
    model = copy.deepcopy(task(data, seed=100).model)
    list(train(trial, corpus, task(data, seed=100), model=model))
    with torch.no_grad():
        right = model(data["validation"]).argmax(-1) == data["validation"].intents
    assert row["score"] == pytest.approx(float(right.float().mean()))
    (lost,) = rate_search.run(dataclasses.replace(trial, learning_rate=1e30), corpus)
    assert math.isnan(lost["score"]) and lost["seconds"] >= 0


def test_a_baseline_is_trained_in_one_place_and_judged_on_the_same_examples(corpus):
    (row,) = run(Setting(scheme="majority"), corpus)
    most = pandas.Series(corpus["train"]["intent"]).value_counts().index[0]
    assert row["accuracy"] == pytest.approx(np.mean([intent == most for intent in corpus["test"]["intent"]]))
    assert row["accuracy_rare"] == 0 and math.isinf(row["alpha"])
    (words,) = run(Setting(scheme="tf-idf"), corpus)
    assert words["accuracy"] > 0.5 > row["accuracy"]


# The claims


SETTINGS = [cell for cell in grid("assistant", seeds=range(3)) if cell.scheme not in BASELINES]


def made_up(loss=0.2, number=lambda scheme, alpha: 20 * alpha):
    """A table in which FedNLP's accuracy loses `loss` below α = 1, at its own effective numbers."""
    rows = []
    for cell in SETTINGS:
        alpha = cell.key()["alpha"]
        accuracy = 0.9 - (loss if cell.scheme == "fednlp" and alpha < 1 else 0.0) + 0.001 * cell.seed
        rare = accuracy - (loss / 2 if accuracy < 0.85 else 0.0) + 0.002 * cell.seed * (alpha < 1)
        rows.append(
            {
                **cell.key(),
                "accuracy": accuracy,
                "accuracy_rare": rare,
                "effective_labels": 40.0 if math.isinf(alpha) else number(cell.scheme, alpha) + 0.01 * cell.seed,
            }
        )
    return pandas.DataFrame(rows)


@pytest.fixture
def claimed(tmp_path, monkeypatch):
    """Return a function from a made-up table to the shown claims."""
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))

    def show(table, corpus="assistant"):
        write_results(result_name(corpus), table.to_dict("records"), {"seeds": [0, 1, 2]})
        return [row["outcome"] == "holds" for row in claims(claims_of(corpus)).rows], claims_of(corpus)

    return show


def test_a_loss_under_one_definition_holds_there_and_nowhere_else(claimed):
    outcomes, rows = claimed(made_up())
    assert outcomes[:6] == [True, False, False] * 2
    assert rows[0]["values"] == pytest.approx([0.2] * 3)
    slope = np.polyfit(np.log10(ALPHAS), [0.7 if alpha < 1 else 0.9 for alpha in ALPHAS], 1)[0]
    assert rows[3]["values"] == pytest.approx([slope] * 3)
    assert outcomes[6:] == [True, True, False, False]  # rare ones lose more; the libraries differ at one number too


def test_without_a_loss_nothing_holds(claimed):
    outcomes, _ = claimed(made_up(loss=0.0).assign(accuracy_rare=0.5))
    assert not any(outcomes[:8])


def test_libraries_that_part_by_alpha_alone_agree_at_one_effective_number(claimed):
    scale = {"fednlp": 1.0, "flower": 20.0, "pfl": 20.0}
    table = made_up(number=lambda scheme, alpha: scale.get(scheme, 1.0) * 10 * alpha)
    law = 0.5 + 0.1 * np.log10(table["effective_labels"])
    outcomes, rows = claimed(table.assign(accuracy=law))
    assert outcomes[-3:] == [True, True, True]
    assert rows[-1]["values"] == pytest.approx([0] * 3, abs=0.02)


def test_a_corpus_without_rare_intents_has_no_claim_about_them(claimed):
    _, rows = claimed(made_up(), corpus="clinc150")
    assert not any("Rare" in row["claim"] for row in rows)


def test_between_two_alphas_the_accuracy_is_read_in_logarithms_and_beyond_them_not_at_all():
    table = pandas.DataFrame(
        {"scheme": "pfl", "seed": 0, "alpha": [0.1, 1.0], "effective_labels": [1.0, 100.0], "accuracy": [0.2, 0.6]}
    )
    assert accuracy_at(table, "pfl", 10.0) == pytest.approx([0.4])
    assert math.isnan(accuracy_at(table, "pfl", 0.5)[0]) and math.isnan(accuracy_at(table, "pfl", 200.0)[0])


# Its reproduction


def test_the_experiment_is_known_to_the_command_and_its_code_is_its_own():
    known = EXPERIMENTS["non-iid-partitioning"]
    assert experiment_of(Setting()) is known
    assert set(known.slowest_first) == {*DEFINITIONS, *REFERENCES, *BASELINES} == set(known.parts["schemes"])
    assert {cell.scheme for cell in grid("assistant")} == set(known.slowest_first)
    assert known.code("iid").version != EXPERIMENTS["dp-sgd-vs-edp-sgd"].code("sgd").version


def done(rows):
    """Rows as a reproduction has them, of nobody knows which processor."""
    return [reproduce.Done(row, {}, False) for row in rows]


def test_a_fresh_number_is_compared_with_the_committed_one(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))
    rows = made_up().to_dict("records")
    write_results(result_name("assistant"), rows, {"seeds": [0, 1, 2]})
    known = EXPERIMENTS["non-iid-partitioning"]
    assert reproduce.compare("assistant", done(rows), known).misses == []
    worse = [{**row, "accuracy": row["accuracy"] - 0.06 * (row["scheme"] == "iid")} for row in rows]
    (miss,) = reproduce.compare("assistant", done(worse), known).misses
    assert miss == "assistant, iid at α = inf: expected accuracy 0.901 ± 0.05, got 0.841."
    part = [row for row in rows if row["scheme"] == "pfl"]
    assert reproduce.compare("assistant", done(part), known, schemes=["pfl"]).misses == []
