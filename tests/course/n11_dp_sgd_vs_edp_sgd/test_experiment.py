import dataclasses
import math
import re
from collections import Counter
from pathlib import Path

import datasets
import pandas
import pytest
import torch

from trustlab.course.n11_dp_sgd_vs_edp_sgd import experiment as comparison
from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import (
    CORPORA,
    KEY,
    METHODS,
    MODELS,
    SHOWN,
    K,
    Setting,
    grid,
    prepare,
    rare_intents,
    recipe,
    result_name,
    run,
    shown,
    usual,
)
from trustlab.course.reproduce import SEEDS
from trustlab.data import assistant, fingerprint, load
from trustlab.models import build, evaluate, predict
from trustlab.privacy import epsilon
from trustlab.runs import read_results

COMMITTED = Path(__file__).resolve().parents[3] / "data" / "results"
TRAINING_UTTERANCES = {"assistant": 16_000, "snips": 13_084, "atis": 4_478}


@pytest.fixture(scope="module")
def corpus():
    """Just over one expected batch of 512 training utterances, so that an epoch is one step."""
    return assistant(800)


def made_up(train, test=()):
    """A corpus of intents in `train`, and in `test` of (number of tokens, intent)."""
    rows = {
        "train": [(["word"], intent) for intent in train],
        "validation": [(["word"], "a")],
        "test": [(["word"] * length, intent) for length, intent in test] or [(["word"], "a")],
    }
    return datasets.DatasetDict(
        {
            split: datasets.Dataset.from_list(
                [{"tokens": tokens, "slots": ["O"] * len(tokens), "intent": intent} for tokens, intent in part]
            )
            for split, part in rows.items()
        }
    )


# One training


def test_a_row_has_the_documented_fields(corpus):
    cell = Setting("assistant", "edp-sgd", 8.0, seed=1, rule="equal", noise_decay=0.9)
    (row,) = run(cell, corpus)
    documented = re.findall(r"``(\w+)``", run.__doc__.split("Yields")[1])
    assert set(row) == set(documented)
    assert dataclasses.asdict(cell).items() <= row.items()
    assert all(isinstance(value, int | float | str) for value in row.values())
    assert 7.9 < row["epsilon_spent"] <= 8.0
    assert row["noise_multiplier"] > 0 and row["seconds"] > 0 and 0 <= row["clipped"] <= 1


def test_a_row_measures_its_model_on_the_test_split(corpus, monkeypatch):
    models = []
    monkeypatch.setattr(comparison, "build", lambda *a, **k: models.append(build(*a, **k)) or models[-1])
    quick = dict(batch_size=32, epochs=6)
    monkeypatch.setattr(comparison, "recipe", lambda cell: dataclasses.replace(recipe(cell), **quick))
    forwarded = []
    monkeypatch.setattr(
        comparison, "predict", lambda model, examples: forwarded.append(examples) or predict(model, examples)
    )
    (row,) = run(Setting("assistant", "sgd"), corpus)
    assert len(forwarded) == 1
    _, data = prepare(corpus)
    test = corpus["test"]
    intents, _ = predict(models[0], data["test"])
    right = [guess == true for guess, true in zip(intents, test["intent"], strict=True)]
    rare = rare_intents(corpus)
    of_rare = [is_right for is_right, true in zip(right, test["intent"], strict=True) if true in rare]
    assert row["accuracy"] == pytest.approx(evaluate(models[0], data["test"])["accuracy"])
    assert row["accuracy_rare"] == pytest.approx(sum(of_rare) / len(of_rare))
    assert row["slot_f1"] == pytest.approx(evaluate(models[0], data["test"])["slot_f1"])
    assert row["answers"].split("|") == [intents[i] for i in shown(corpus)]
    # It has learned something, and another split or all intents alike would give other numbers.
    elsewhere = evaluate(models[0], data["validation"])
    assert len({row["accuracy"], row["accuracy_rare"], elsewhere["accuracy"]}) == 3
    assert len({row["slot_f1"], elsewhere["slot_f1"], 0.0}) == 3


@pytest.mark.parametrize("kind", MODELS)
def test_the_cell_decides_the_model_and_the_seed_its_first_weights(kind, corpus, monkeypatch):
    class Stopped(Exception):
        pass

    def stop(model, data, config):
        raise Stopped(model)

    monkeypatch.setattr(comparison, "train", stop)
    vocabulary, _ = prepare(corpus)
    for seed in (0, 3):
        with pytest.raises(Stopped) as stopped:
            next(run(Setting("assistant", "sgd", seed=seed, model=kind), corpus))
        (model,) = stopped.value.args
        expected = build(kind, vocabulary, seed=seed).state_dict()
        assert all(torch.equal(value, expected[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_row_and_another_seed_another(method, corpus, monkeypatch):
    # Shorter, and without the search for σ: what is compared is what the seed decides.
    quick = dict(batch_size=64, epochs=1)
    monkeypatch.setattr(comparison, "recipe", lambda cell: dataclasses.replace(recipe(cell), **quick))
    monkeypatch.setattr("trustlab.privacy.training_options.noise_multiplier_for", lambda **_: 1.0)

    def measured(seed):
        (row,) = run(Setting("assistant", method, math.inf if method == "sgd" else 8.0, seed), corpus)
        row.pop("seconds")
        return {name: "nan" if value != value else value for name, value in row.items()}

    first = measured(0)
    assert measured(0) == first
    assert {**measured(1), "seed": 0} != first


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (dict(method="opacus"), "Expected method='opacus' to be one of 'sgd', 'dp-sgd', 'edp-sgd', 'fast'"),
        (dict(epsilon=2.0), "Expected epsilon=2.0 to be one of 1.0, 3.0, 8.0, inf"),
        (dict(corpus="enron"), "Expected corpus='enron' to be one of 'assistant', 'snips', 'atis'"),
        (dict(model="encoder"), "Expected model='encoder' to be one of 'bilstm', 'transformer'"),
        (dict(epsilon=math.nan), "Expected epsilon=nan"),
        (dict(seed=-1), "Expected seed=-1 >= 0"),
        (dict(micro_batches=0), "Expected micro_batches=0 >= 1"),
        (dict(method="sgd", epsilon=1.0), "Plain SGD guarantees nothing"),
    ],
)
def test_a_cell_outside_the_comparison_is_refused(bad, message, corpus):
    with pytest.raises(ValueError, match=message):
        next(run(dataclasses.replace(Setting(), **bad), corpus))


# What is trained alike, and what is not


@pytest.mark.parametrize("model", MODELS)
def test_methods_differ_in_the_mechanism_and_in_nothing_else(model):
    configs = {method: recipe(Setting(method=method, epsilon=8.0, seed=2, model=model)) for method in METHODS}
    alike = {method: dataclasses.replace(config, method="sgd", engine="fast") for method, config in configs.items()}
    assert alike["sgd"] == alike["dp-sgd"] == alike["fast"]
    assert dataclasses.replace(alike["edp-sgd"], clip_norm=alike["sgd"].clip_norm) == alike["sgd"]
    assert alike["sgd"].epsilon == 8.0 and alike["sgd"].seed == 2
    assert [(config.method, config.engine) for config in configs.values()] == [
        ("sgd", "fast"),
        ("dp-sgd", "loop"),
        ("edp-sgd", "fast"),
        ("dp-sgd", "fast"),
    ]


@pytest.mark.parametrize("variant", comparison.VARIANTS, ids=lambda variant: "-".join(map(str, variant.values())))
def test_a_variant_differs_from_the_usual_training_in_what_it_varies(variant):
    at, varied = {name: variant[name] for name in ("method", "epsilon")}, dict(variant)
    for name in at:
        del varied[name]
    if "rule" in varied:
        rule = varied.pop("rule")
        varied = {"automatic": True} if rule == "automatic" else {"layerwise": rule}
    usual_recipe = recipe(Setting(**at))
    assert recipe(Setting(**variant)) == dataclasses.replace(usual_recipe, **varied) != usual_recipe


def test_models_are_trained_alike():
    one, other = (recipe(Setting(model=model)) for model in MODELS)
    assert one == other


def test_every_corpus_takes_about_as_many_steps():
    """So that the small ATIS is trained at all; the rule reads N, which is public."""
    steps = {name: _steps(name) for name in CORPORA}
    assert steps == {"assistant": 155, "snips": 130, "atis": 135}


def _steps(name):
    config = recipe(Setting(name))
    return config.epochs * round(TRAINING_UTTERANCES[name] / config.batch_size)


@pytest.mark.parametrize("name", TRAINING_UTTERANCES)
def test_delta_is_below_one_over_n_and_corpora_differ_in_their_epochs_only(name):
    config, embedded = recipe(Setting(name, "dp-sgd", 1.0)), recipe(Setting("assistant", "dp-sgd", 1.0))
    assert config.delta < 1 / TRAINING_UTTERANCES[name]
    assert dataclasses.replace(config, epochs=embedded.epochs) == embedded


def test_the_vocabulary_looks_at_no_utterance(corpus):
    mute = corpus.map(lambda row: {"tokens": ["quiet"] * len(row["tokens"])})
    vocabulary, data = prepare(corpus)
    assert prepare(mute)[0] == vocabulary
    assert vocabulary.words == ()
    assert {split: len(part) for split, part in data.items()} == {split: len(part) for split, part in corpus.items()}


# The grid


def test_the_grid_is_complete_and_every_cell_stands_in_it_once():
    private = [(method, epsilon) for method in ("dp-sgd", "edp-sgd", "fast") for epsilon in (1.0, 3.0, 8.0, math.inf)]
    budgets = [("sgd", math.inf), *private]
    expected = {(model, *budget, K, "flat", 1.0) for model in ("bilstm", "transformer") for budget in budgets}
    assert Counter(map(_seedless, grid("snips", seeds=range(2)))) == dict.fromkeys(expected, 2)
    assert {cell.corpus for cell in grid("snips")} == {"snips"}
    expected |= {("bilstm", "edp-sgd", 8.0, k, "flat", 1.0) for k in (16, 256)}
    for method, target in private[4:]:
        expected |= {("bilstm", method, target, K, rule, 1.0) for rule in ("equal", "dimension", "automatic")}
        expected |= {("bilstm", method, target, K, "flat", 0.8)} if math.isfinite(target) else set()
    assert Counter(map(_seedless, grid("assistant"))) == dict.fromkeys(expected, 3)


def _seedless(cell):
    return tuple(getattr(cell, name) for name in KEY)


def test_a_part_of_the_grid_is_what_was_asked_for_of_it():
    whole, part = grid("assistant"), grid("assistant", models=["bilstm"], methods=["edp-sgd", "sgd"])
    assert part == [cell for cell in whole if cell.model == "bilstm" and cell.method in ("edp-sgd", "sgd")]


def test_the_usual_rows_are_the_ones_without_a_variant():
    cells = grid("assistant", seeds=[0])
    kept = usual(pandas.DataFrame([cell.key() for cell in cells]))
    assert len(cells) - len(kept) == len(comparison.VARIANTS)
    assert len(kept) == len(grid("snips", seeds=[0]))


# What is read off the corpus


def test_rare_intents_are_the_quarter_with_the_fewest_training_utterances():
    corpus = made_up([name for count, name in enumerate("hgfedcba", start=1) for _ in range(count)])
    assert rare_intents(corpus) == {"h", "g"}


def test_there_is_always_one_rare_intent_and_only_training_utterances_count():
    assert rare_intents(made_up("aab", test=[(4, "a"), (5, "c"), (5, "b"), (5, "b")])) == {"b"}


def test_shown_are_the_first_short_utterances_of_different_intents():
    test = [(3, "a"), (4, "b"), (8, "c"), (9, "d"), (5, "b"), (5, "a"), *((6, name) for name in "efghi")]
    corpus = made_up("abcdefghi", test=test)
    assert shown(corpus) == [1, 2, 5, 6, 7, 8]
    assert len(shown(corpus)) == SHOWN
    assert shown(made_up("ab", test=[(1, "a"), (20, "b")])) == []


# The committed tables


@pytest.fixture(scope="module", params=CORPORA)
def committed(request):
    table, about = read_results(COMMITTED / result_name(request.param))  # refuses a CSV that its JSON does not describe
    return request.param, table, about


def test_every_cell_of_the_grid_was_trained_once(committed):
    name, table, about = committed
    cells = grid(name, seeds=range(SEEDS))
    there = Counter(table[[*KEY, "seed"]].itertuples(index=False, name=None))
    assert there == Counter(tuple(cell.key()[column] for column in (*KEY, "seed")) for cell in cells)
    assert set(table["corpus"]) == {name}
    assert about["seeds"] == list(range(SEEDS))
    assert about["status"] == "complete"
    assert set(about["config"]) == {f"{model} {method}" for model in MODELS for method in METHODS}
    for label, config in about["config"].items():
        model, method = label.split()
        # Written before an engine was an option of its own: "fast" was a method, and "dp-sgd" meant the loop.
        then = {} if "engine" in config else {"engine": {"dp-sgd": "loop"}.get(config["method"], "fast")}
        then |= {"method": "dp-sgd"} if config["method"] == "fast" else {}
        assert {**config, **then} == pytest.approx(dataclasses.asdict(recipe(Setting(name, method, model=model))))


def test_every_number_is_a_share_and_private_training_clipped_something(committed):
    name, table, _ = committed
    for column in ("accuracy", "slot_f1"):
        assert table[column].between(0, 1).all(), column
    rare = table["accuracy_rare"]  # no rare intent of ATIS occurs in its test split
    assert rare.isna().all() if name == "atis" else rare.between(0, 1).all()
    private = table[table["method"] != "sgd"]
    assert private["clipped"].between(0.01, 1).all()
    assert (table["seconds"] > 0).all()


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
    config, examples = recipe(Setting(name)), TRAINING_UTTERANCES[name]
    noisy = table[(table["epsilon"] != math.inf) & (table["noise_decay"] == 1)]
    for (method, target), rows in noisy.groupby(["method", "epsilon"])[["noise_multiplier", "epsilon_spent"]]:
        assert rows.nunique().tolist() == [1, 1]  # neither model, K, clipping rule nor seed move ε
        sigma, spent = rows.iloc[0]
        again = epsilon(
            noise_multiplier=sigma,
            sample_rate=config.batch_size / examples,
            steps=_steps(name),
            delta=config.delta,
            sensitivity=2.0 if method == "edp-sgd" else 1.0,
            accountant=config.accountant,
        )
        assert again <= spent + 1e-3 and again == pytest.approx(spent, abs=1e-3), (method, target)


def test_decaying_noise_spends_no_more_and_ends_with_less_noise(committed):
    _, table, _ = committed
    decaying = table[table["noise_decay"] != 1]
    at = ["model", "method", "epsilon", "seed"]
    both = decaying.merge(usual(table), on=at, suffixes=("", "_constant"))
    assert len(both) == len(decaying)
    assert (both["noise_multiplier"] < both["noise_multiplier_constant"]).all()


def test_privacy_costs_accuracy(committed):
    _, table, _ = committed
    means = usual(table).groupby(["model", "method", "epsilon"])["accuracy"].mean()
    for model in MODELS:
        for method in set(means[model].index.get_level_values("method")) - {"sgd"}:
            assert means[model, method, 1.0] < means[model, "sgd", math.inf]
            assert means[model, method, 1.0] < means[model, method, math.inf]


def test_the_answers_kept_are_intents_of_the_corpus():
    corpus = load("assistant")
    table, about = read_results(COMMITTED / result_name("assistant"))
    assert about["data_hash"] == fingerprint(corpus)  # the table is about the corpus that is generated today
    assert set(table["answers"].str.split("|").map(len)) == {len(shown(corpus))}
    assert set(table["answers"].str.split("|").explode()) <= set(corpus["train"].unique("intent"))
