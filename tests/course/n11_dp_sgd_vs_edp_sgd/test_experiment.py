import dataclasses
import math
import re
from collections import Counter
from pathlib import Path

import datasets
import pandas
import pytest
import torch

from trustlab.course import baselines
from trustlab.course.n11_dp_sgd_vs_edp_sgd import experiment as comparison
from trustlab.course.n11_dp_sgd_vs_edp_sgd import method_search
from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import (
    BASELINES,
    METHODS,
    SHOWN,
    Setting,
    grid,
    prepare,
    rare_intents,
    recipe,
    run,
    shown,
    tuned,
    usual,
)
from trustlab.course.n11_dp_sgd_vs_edp_sgd.one_training import by_length
from trustlab.course.n11_dp_sgd_vs_edp_sgd.training_seconds import UTTERANCES
from trustlab.data import assistant
from trustlab.models import build, evaluate, predict

COMMITTED = Path(__file__).resolve().parents[3] / "data" / "results"
SEEDS = 5
SHORT = dict(batch_size=64, epochs=1)


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
    cell = Setting("assistant", "edp-sgd", 8.0, 1, **SHORT, micro_batches=16, rule="equal", noise_decay=0.9)
    (row,) = run(cell, corpus)
    documented = re.findall(r"``(\w+)``", run.__doc__.split("Yields")[1])
    assert set(row) == set(documented)
    assert cell.key().items() <= row.items()
    assert all(isinstance(value, int | float | str) for value in row.values())
    assert 7.9 < row["epsilon_spent"] <= 8.0
    assert row["noise_multiplier"] > 0 and row["seconds"] > 0 and 0 <= row["clipped"] <= 1


def test_a_row_measures_its_model_on_the_test_split(corpus, monkeypatch):
    models = []
    monkeypatch.setattr(comparison, "build", lambda *a, **k: models.append(build(*a, **k)) or models[-1])
    forwarded = []
    monkeypatch.setattr(
        comparison, "predict", lambda model, examples: forwarded.append(examples) or predict(model, examples)
    )
    (row,) = run(Setting("assistant", "sgd", math.inf, batch_size=32, epochs=6), corpus)
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


def test_a_baseline_answers_the_same_test_utterances(corpus):
    (row,) = run(Setting("assistant", "tf-idf", math.inf), corpus)
    texts = [[" ".join(tokens) for tokens in corpus[split]["tokens"]] for split in ("train", "test")]
    said = baselines.tfidf_logistic(texts[0], corpus["train"]["intent"], texts[1])
    right = [guess == true for guess, true in zip(said, corpus["test"]["intent"], strict=True)]
    assert row["accuracy"] == sum(right) / len(right) and math.isnan(row["slot_f1"])
    (row,) = run(Setting("assistant", "word's tag", math.inf), corpus)
    assert row["slot_f1"] > 0.1 and math.isnan(row["accuracy"]) and row["answers"] == "none"


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_row_and_another_seed_another(method, corpus, monkeypatch):
    # Without the search for σ: what is compared is what the seed decides.
    monkeypatch.setattr("trustlab.privacy.training_options.noise_multiplier_for", lambda **_: 1.0)

    def measured(seed):
        k = 16 if method == "edp-sgd" else 0
        cell = Setting("assistant", method, math.inf if method == "sgd" else 8.0, seed, **SHORT, micro_batches=k)
        (row,) = run(cell, corpus)
        row.pop("seconds")
        return {name: "nan" if value != value else value for name, value in row.items()}

    first = measured(0)
    assert measured(0) == first
    assert {**measured(1), "seed": 0} != first


def test_training_in_order_of_length_and_in_parts_changes_no_gradient(corpus):
    """What is summed is the same, whatever lies next to what and however much is computed at once."""
    from trustlab.models import tagging_loss
    from trustlab.privacy import private_gradients

    vocabulary, data = prepare(corpus)
    model = build("bilstm", vocabulary)
    some = data["train"][:120]
    ordered = by_length(some)
    assert sorted(ordered.input_ids.sum(1).tolist()) == sorted(some.input_ids.sum(1).tolist())
    lengths = ordered.attention_mask.sum(1)
    assert (lengths[1:] >= lengths[:-1]).all()
    sums = []
    for examples, at_once in ((some, None), (ordered, 50)):
        how = dict(method="dp-sgd", clip_norm=0.1, expected_batch_size=1.0, physical_batch=at_once)
        private_gradients(model, tagging_loss, examples, **how)
        sums.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    torch.testing.assert_close(*sums, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (dict(method="opacus"), "Expected method='opacus' to be one of 'sgd', 'fast', 'edp-sgd', 'majority'"),
        (dict(epsilon=2.0), "Expected epsilon=2.0 to be one of 1.0, 3.0, 8.0, inf"),
        (dict(corpus="enron"), "Expected corpus='enron' to be one of 'assistant', 'snips', 'atis'"),
        (dict(epsilon=math.nan), "Expected epsilon=nan"),
        (dict(seed=-1), "Expected seed=-1 >= 0"),
        (dict(method="edp-sgd"), "Expected micro_batches=0 >= 1"),
        (dict(rule="quantile"), "Expected rule='quantile' to be one of 'flat', 'equal', 'dimension', 'automatic'"),
    ],
)
def test_a_cell_outside_the_comparison_is_refused(bad, message, corpus):
    with pytest.raises(ValueError, match=message):
        next(run(dataclasses.replace(Setting(), **bad), corpus))


# What is trained alike, and what is not


def test_a_recipe_is_the_setting_in_the_trainings_words():
    config = recipe(Setting("assistant", "edp-sgd", 3.0, 2, 256, 7, 0.01, 0.1, 64, "equal", 0.9))
    assert (config.method, config.engine, config.epsilon, config.seed) == ("edp-sgd", "fast", 3.0, 2)
    assert (config.batch_size, config.epochs, config.learning_rate) == (256, 7, 0.01)
    assert (config.clip_norm, config.micro_batches, config.layerwise, config.noise_decay) == (0.1, 64, "equal", 0.9)
    automatic = recipe(Setting(rule="automatic"))
    assert automatic.automatic and automatic.layerwise == "flat"
    plain = recipe(Setting(method="sgd", epsilon=8.0, clip_norm=0.0))
    assert plain.method == "sgd" and plain.epsilon == math.inf and plain.clip_norm > 0  # which it does not read


def test_the_setting_of_a_method_is_the_best_trial_of_its_own_search(searched):
    for method, epsilons in method_search.EPSILONS.items():
        for target in epsilons:
            trials = [row for row in searched if row["method"] == method and row["epsilon"] == target]
            found = max(trials, key=lambda row: row["score"])
            setting = tuned("snips", method, target, 3)
            assert (setting.corpus, setting.seed, setting.rule, setting.noise_decay) == ("snips", 3, "flat", 1.0)
            assert all(getattr(setting, name) == found[name] for name in method_search.OPTIONS)


@pytest.mark.usefixtures("searched")
@pytest.mark.parametrize("name", UTTERANCES)
def test_delta_is_below_one_over_n(name):
    assert recipe(tuned(name, "fast", 1.0)).delta < 1 / UTTERANCES[name]


def test_the_vocabulary_looks_at_no_utterance(corpus):
    mute = corpus.map(lambda row: {"tokens": ["quiet"] * len(row["tokens"])})
    vocabulary, data = prepare(corpus)
    assert prepare(mute)[0] == vocabulary
    assert vocabulary.words == ()
    assert {split: len(part) for split, part in data.items()} == {split: len(part) for split, part in corpus.items()}


# The grid


@pytest.mark.usefixtures("searched")
def test_the_grid_is_complete_and_every_cell_stands_in_it_once():
    private = [(method, epsilon) for method in ("fast", "edp-sgd") for epsilon in (1.0, 3.0, 8.0)]
    expected = {(*budget, "flat", 1.0) for budget in [("sgd", math.inf), *private]}
    once = {(name, math.inf, "flat", 1.0) for name in BASELINES}
    assert Counter(map(_named, grid("snips", seeds=range(2)))) == {
        **dict.fromkeys(expected, 2),
        **dict.fromkeys(once, 1),
    }
    assert {cell.corpus for cell in grid("snips")} == {"snips"}
    for method in ("fast", "edp-sgd"):
        expected |= {(method, 8.0, "equal", 1.0), (method, 8.0, "flat", 0.8)}
    assert Counter(map(_named, grid("assistant"))) == {**dict.fromkeys(expected, SEEDS), **dict.fromkeys(once, 1)}


def _named(cell):
    return cell.method, cell.epsilon, cell.rule, cell.noise_decay


@pytest.mark.usefixtures("searched")
def test_a_variant_differs_from_the_usual_training_in_what_it_varies():
    varied = [cell for cell in grid("assistant", seeds=[0]) if cell.rule != "flat" or cell.noise_decay != 1]
    assert len(varied) == 4
    for cell in varied:
        as_usual = dataclasses.replace(cell, rule="flat", noise_decay=1.0)
        assert as_usual == tuned("assistant", cell.method, 8.0)


@pytest.mark.usefixtures("searched")
def test_a_part_of_the_grid_is_what_was_asked_for_of_it():
    whole, part = grid("assistant"), grid("assistant", methods=["edp-sgd", "majority"])
    assert part == [cell for cell in whole if cell.method in ("edp-sgd", "majority")]


@pytest.mark.usefixtures("searched")
def test_the_usual_rows_are_the_trainings_without_a_variant():
    cells = grid("assistant", seeds=[0])
    kept = usual(pandas.DataFrame([cell.key() for cell in cells]))
    assert len(cells) - len(kept) == 2 * len(comparison.VARIANTS) + len(BASELINES)
    assert len(kept) == 7


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
