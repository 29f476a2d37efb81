import dataclasses
import functools
import itertools
import re
from pathlib import Path

import numpy as np
import pandas
import pytest

from trustlab.course.baselines import NAMES
from trustlab.course.n24_fednlp_benchmark import experiment as fednlp
from trustlab.course.n24_fednlp_benchmark.claims import claims_of, column, not_claimed
from trustlab.course.n24_fednlp_benchmark.experiment import (
    ALGORITHMS,
    ALONE,
    CENTRALISED,
    CENTRALISED_ADAM,
    CONFOUNDED,
    CORPORA,
    ENCODERS,
    KEY,
    PARTITIONS,
    SHARE,
    Setting,
    divide,
    examples,
    grid,
    problem,
    recipe,
    result_name,
    run,
    tasks_of,
    tuned,
)
from trustlab.course.n24_fednlp_benchmark.task_baselines import BASELINES
from trustlab.course.n24_fednlp_benchmark.task_findings import unclaimed
from trustlab.course.registry import EXPERIMENTS, experiment_of
from trustlab.course.reproduce import judge
from trustlab.course.tuning import FIRST_SEED
from trustlab.data import assistant, fingerprint, load
from trustlab.federated.batch_weights import by_batches, by_examples
from trustlab.federated.simulation import FederatedConfig, simulate
from trustlab.federated.tasks import FAMILIES
from trustlab.lab.claims import claims
from trustlab.results import read_results, write_results

COMMITTED = Path(__file__).resolve().parents[3] / "data" / "results"


@pytest.fixture(scope="module")
def corpus():
    return assistant(2000, devices=20)


@pytest.fixture
def short(monkeypatch):
    """Few rounds on few examples."""
    monkeypatch.setattr(fednlp, "ROUNDS", 6)
    monkeypatch.setattr(fednlp, "MEASURED_EVERY", 3)
    monkeypatch.setattr(fednlp, "SIZES", dict.fromkeys(FAMILIES, (60, 20)))


# What is divided


@pytest.mark.parametrize("name", [name for name in PARTITIONS if name != "feature"])
def test_every_example_has_one_client(name, corpus, short):
    train, _ = examples(Setting(task="qa", partition=name), corpus)
    made = divide(Setting(task="qa", partition=name), train)
    assert sorted(made.flat.tolist()) == list(range(60))
    assert len(made) == (len({e.holder for e in train}) if name == "natural" else fednlp.CLIENTS)


def test_feature_skew_divides_by_meaning(corpus, short, monkeypatch):
    asked = []

    def embed(texts):
        asked.append(texts)
        return np.random.default_rng(0).normal(size=(len(texts), 8))

    monkeypatch.setattr(fednlp, "sentence_embeddings", embed)
    fednlp._features.cache_clear()
    train, _ = examples(Setting(partition="feature"), corpus)
    for seed in (0, 1):
        assert sorted(divide(Setting(partition="feature", seed=seed), train).flat.tolist()) == list(range(60))
    texts = [" ".join(row["tokens"]) for row in corpus["train"].select(range(60))]
    assert asked == [list(dict.fromkeys(texts))]  # once, and each text once
    fednlp._features.cache_clear()


@pytest.mark.parametrize("task", FAMILIES)
def test_a_trial_has_as_many_examples_as_a_training_none_of_them_reported(task):
    whole = load("assistant")
    setting = Setting(task=task)
    reported = examples(setting, whole)[0]
    seen = []
    for seed in range(FIRST_SEED, FIRST_SEED + 40):
        known, asked = fednlp.trial_examples(dataclasses.replace(setting, seed=seed), whole)
        assert len(known) == len(reported) and len(asked) == fednlp.VALIDATED
        seen.append([example.text for example in known])
        assert seen[-1] != [example.text for example in reported]
    assert seen[0] != seen[1]
    said = {" ".join(row["tokens"]) for row in whole["validation"]}
    assert task == "seq2seq" or {example.text for example in asked} <= said


# One training


@pytest.mark.parametrize("task", FAMILIES)
def test_a_row_has_the_documented_fields_and_is_the_simulations(task, corpus, short):
    cell = Setting(task=task, algorithm="fedyogi", partition="label", seed=1)
    (row,) = run(cell, corpus)
    assert set(row) == set(re.findall(r"``(\w+)``", run.__doc__.split("Yields")[1]))
    assert row.items() >= cell.key().items()
    assert all(isinstance(value, int | float | str) for value in row.values())
    train, test = examples(cell, corpus)
    rows = list(simulate(problem(cell, train, test), divide(cell, train), recipe(cell)))
    assert (row["score"], row["exact"]) == (rows[-1]["score"], rows[-1]["exact"])
    assert row["curve"] == "|".join(f"{each['score']:.4f}" for each in rows if "score" in each)
    assert row["passes"] == pytest.approx(sum(each["examples"] for each in rows) / 60)


def test_algorithms_differ_in_the_server_or_the_term_and_in_nothing_else():
    usual = recipe(Setting())
    rates = dict(client_rate=0.3, server_rate=1.0)
    differ = {
        name: {
            f.name
            for f in dataclasses.fields(usual)
            if getattr(recipe(Setting(algorithm=name, **rates)), f.name) != getattr(usual, f.name)
        }
        for name in (*ALGORITHMS, *CONFOUNDED)
    }
    assert differ == {
        "fedavg": set(), "fedprox": set(), "fedadam": {"server"}, "fedyogi": {"server"},
        "fedavg, adam clients": {"optimizer"}, "fedadam, adam clients": {"optimizer", "server"},
    }  # fmt: skip
    own = recipe(Setting(client_rate=0.1, server_rate=2.0, mu=0.01, batch=5))
    assert (own.learning_rate, own.server.learning_rate, own.proximal, own.batch_size) == (0.1, 2.0, 0.01, 5)


def test_all_data_in_one_place_make_as_many_passes(corpus, short):
    (alone,) = run(Setting(algorithm=CENTRALISED), corpus)
    assert alone["passes"] == pytest.approx(fednlp.ROUNDS * SHARE)
    (fleet,) = run(Setting(), corpus)
    assert fleet["passes"] == pytest.approx(alone["passes"], rel=0.1)
    one, many = recipe(Setting(algorithm=CENTRALISED)), recipe(Setting())
    same = ("batch_size", "learning_rate", "optimizer", "local_epochs", "server", "proximal")
    assert all(getattr(one, name) == getattr(many, name) for name in same)
    assert recipe(Setting(algorithm=CENTRALISED_ADAM)) == dataclasses.replace(one, optimizer="adam")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (dict(algorithm="fedsgd"), "Expected algorithm='fedsgd' to be one of 'fedavg'"),
        (dict(partition="shards"), "Expected partition='shards' to be one of 'uniform'"),
        (dict(task="parsing"), "Expected task='parsing' to be one of 'classification'"),
        (dict(corpus="snips"), "Expected corpus='snips' to be one of 'assistant'"),
    ],
)
def test_a_cell_outside_the_experiment_is_refused_before_any_work(bad, message, corpus):
    with pytest.raises(ValueError, match=re.escape(message)):
        next(run(Setting(**bad), corpus))


# The table


def test_the_grid_has_every_algorithm_on_every_partition_of_every_task_once():
    cells = grid("assistant", seeds=range(2))
    assert all(cell == tuned(cell) for cell in cells)
    keys = [tuple(cell.key().values()) for cell in cells]
    assert len(keys) == len(set(keys))
    crossed = {(task, a, p, s) for task, a, p, s in itertools.product(FAMILIES, ALGORITHMS, PARTITIONS, range(2))}
    assert crossed <= {(c.task, c.algorithm, c.partition, c.seed) for c in cells if c.model == "small"}
    assert {(c.task, c.algorithm) for c in cells if c.algorithm in ALONE} == {*itertools.product(FAMILIES, ALONE)}
    assert {(c.task, c.algorithm) for c in cells if c.model == "none"} == {
        (t, b) for t in FAMILIES for b in BASELINES[t]
    }
    assert {c.task for c in grid("assistant", tasks=["qa"])} == {"qa"}


@pytest.mark.parametrize("name", CORPORA)
def test_the_committed_table_is_whole_and_about_this_data(name):
    table, about = read_results(COMMITTED / result_name(name))
    assert len(about["seeds"]) >= 3
    committed = list(table[["corpus", *KEY, "seed"]].itertuples(index=False, name=None))
    assert committed == [tuple(cell.key().values()) for cell in grid(name, seeds=about["seeds"])]
    assert about["data_hash"] == fingerprint(load(name))
    assert about["config"]["fedadam"] == dataclasses.asdict(
        recipe(tuned(Setting(name, tasks_of(name)[0], algorithm="fedadam")))
    )


def test_the_experiment_is_known_to_the_command():
    known = EXPERIMENTS["fednlp-benchmark"]
    assert experiment_of(Setting()) is known
    assert {cell.task for cell in grid("assistant")} == set(known.slowest_first) == set(known.parts["tasks"])
    assert set(known.recipes("assistant")) == {*ALGORITHMS, *CONFOUNDED, *ALONE}


# The claims


def made_up(skew=0.1, centralised=0.1, adaptive=0.2, adam=0.0, trivial=0.2):
    """A table in which label skew costs `skew`, and so on; on tagging Adam on the devices leaves `adam` of the gain."""
    rows = []
    for cell in grid("assistant", seeds=range(3)):
        key = cell.key()
        score = 0.4 + 0.001 * cell.seed * (1 + len(key["algorithm"]))
        score -= skew * (key["partition"] == "label")
        score += centralised * (key["algorithm"] == CENTRALISED)
        score += {"fedadam": adaptive, "fedadam, adam clients": adam}.get(key["algorithm"], 0.0)
        score += 0.05 * (ENCODERS.get(key["model"], 0))
        score = trivial if key["algorithm"] in NAMES else score
        rows.append({**key, "score": score, "exact": score / 2, "curve": "0.1", "passes": 10.0, "seconds": 1.0})
    return pandas.DataFrame(rows)


@pytest.fixture
def claimed(tmp_path, monkeypatch):
    """Return a function from a made-up table to the claims' outcomes by their first words."""

    def show(table):
        monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))
        write_results(result_name("assistant"), table.to_dict("records"), {"seeds": [0, 1, 2]})
        return {row["claim"]: row["outcome"] == "holds" for row in claims(claims_of()).rows}

    return show


def test_claims_hold_where_they_were_put_in(claimed):
    outcomes = claimed(made_up())
    assert len(outcomes) == 3 * len(FAMILIES) + 3
    assert all(outcomes.values())


def test_a_difference_below_the_trivial_baseline_is_no_claim(claimed):
    table = made_up(trivial=0.45)  # FedAvg has 0.4 without skew, one place 0.5, FedAdam 0.5 under skew
    assert {claim[:3] for claim in claimed(table)} == {"(b)", "(c)", "(Ou"}
    said = [line["claim"][:3] for line in not_claimed(table)]
    assert said.count("(a)") == len(FAMILIES) and len(said) == len(FAMILIES) + 2
    assert all(line["better"] < line["trivial"] == pytest.approx(0.45) for line in not_claimed(table))


def test_a_difference_with_a_lost_training_is_no_claim(claimed):
    table = made_up()
    gone = (table["task"] == "qa") & (table["algorithm"] == "fedavg") & (table["partition"] == "label")
    table.loc[gone & (table["seed"] == 1), "score"] = 0.01
    assert not [claim for claim in claimed(table) if claim.startswith(("(a) qa", "(c) qa"))]
    assert {line["claim"][:6]: line["lost"] for line in not_claimed(table)} == {"(a) qa": 1, "(c) qa": 1}
    assert unclaimed().startswith("Not judged because trainings were lost")


@pytest.mark.parametrize(
    ("without", "lost"),
    [
        (dict(skew=0.0), "(a)"), (dict(centralised=0.0), "(b)"), (dict(adaptive=0.0), "(c)"),
        (dict(adam=0.2), "(Ours) tagging: with Adam"),
    ],
)  # fmt: skip
def test_and_not_where_they_were_not(without, lost, claimed):
    outcomes = claimed(made_up(**without))
    gone = {claim for claim, holds in outcomes.items() if not holds}
    wanted = {claim for claim in outcomes if claim.startswith(lost)}
    extra = {claim for claim in outcomes if claim.startswith("(Ours) tagging: with Adam")} if lost == "(c)" else set()
    assert wanted <= gone <= wanted | extra


def test_a_claim_that_only_the_fresh_table_judges_is_reported_as_such():
    table = read_results(COMMITTED / result_name("assistant"))[0]
    raised = table.assign(
        score=table["score"] + 0.3 * (table["task"] == "classification") * (table["model"] == "small")
    )
    said = judge("assistant", raised.to_dict("records"), EXPERIMENTS["fednlp-benchmark"])
    fresh = [sentence for sentence in said if "classification" in sentence]
    assert len(fresh) == 3 and all(sentence.endswith("(not judged in data/results).") for sentence in fresh)
    assert not any("not judged" in sentence for sentence in said if sentence not in fresh)


def test_differences_are_between_trainings_of_one_seed(claimed):
    table = made_up()
    claimed(table)
    shuffled = table.sample(frac=1, random_state=0)
    assert column(shuffled, "qa", "fedavg", "label") == column(table, "qa", "fedavg", "label")
    with pytest.raises(ValueError, match="Expected a saved training of"):
        column(table, "qa", "fedavg", "none")


# Weighting by minibatches


def test_weights_by_examples_are_the_simulations_rounds(corpus, short):
    cell = Setting(task="classification", partition="quantity")
    train, test = examples(cell, corpus)
    learned, clients = problem(cell, train, test), divide(cell, train)
    config = FederatedConfig(rounds=3, clients_per_round=8, batch_size=4, learning_rate=0.3, seed=2)
    theirs = [row["score"] for row in simulate(learned, clients, config)]
    ours, other = (
        list(simulate(learned, clients, config, weigh=functools.partial(weigh, batch_size=4)))
        for weigh in (by_examples, by_batches)
    )
    assert [row["score"] for row in ours] == theirs
    assert [row["round"] for row in other] == [1, 2, 3]


def test_a_device_of_one_example_counts_as_much_as_one_of_a_whole_batch():
    sizes = np.array([1, 16, 17])
    assert by_batches(sizes, 16).tolist() == [0.25, 0.25, 0.5]
    np.testing.assert_allclose(by_examples(sizes, 16), sizes / 34)
    np.testing.assert_allclose(by_batches(sizes, 1), by_examples(sizes, 1))  # with B = 1 both are the same
    assert by_batches(sizes, 100) == pytest.approx([1 / 3] * 3)  # and with a large one all devices are equal
