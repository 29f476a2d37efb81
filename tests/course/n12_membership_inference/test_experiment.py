"""The pools, one stacked training of each kind, and what its row says."""

import dataclasses
import math
import re

import numpy as np
import pytest

from trustlab.course.n12_membership_inference import experiment, membership_search
from trustlab.course.n12_membership_inference.attacked import FPRS
from trustlab.course.n12_membership_inference.experiment import BASELINES, TRAINED_SIZES, Setting, grid, run
from trustlab.course.n12_membership_inference.stacked_training import (
    BUCKETS,
    POPULATION,
    SIZES,
    asked_for,
    bags,
    distinct,
    pool,
    recipe,
)
from trustlab.data import load
from trustlab.lab.saved import numbers
from trustlab.privacy.membership import permitted


@pytest.fixture(scope="module")
def corpus():
    return load("assistant")


def test_pools_of_reported_seeds_and_of_the_search_have_no_utterance_in_common(corpus):
    tokens = corpus["train"]["tokens"][:]
    seen, total = set(), 0
    for seed in (*range(5), 100):
        own = pool(corpus, SIZES[-1], seed)
        texts = {" ".join(tokens[row]).lower() for row in own.rows}
        assert len(texts) == 2 * SIZES[-1]
        seen |= texts
        total += len(texts)
    assert len(seen) == total
    others = {" ".join(tokens).lower() for tokens in corpus["validation"]["tokens"][:]}
    assert 0.9 * POPULATION < len(own.population[1]) <= len(others - {" ".join(each).lower() for each in tokens})
    small = pool(corpus, SIZES[0], 0)
    assert small.rows.tolist() == pool(corpus, SIZES[-1], 0).rows[: 2 * SIZES[0]].tolist()


def test_a_readers_seed_has_a_pool_and_too_large_a_one_is_refused(corpus):
    assert len(pool(corpus, 100, 7).rows) == 200
    with pytest.raises(ValueError, match="Pools of different seeds would overlap"):
        pool(corpus, 2000, 0)


def test_words_are_counted_and_scaled_to_length_one(corpus):
    words, labels = bags(corpus)["train"]
    assert words.shape == (len(corpus["train"]), BUCKETS + 1) and not words[:, 0].any()
    np.testing.assert_allclose(words.norm(dim=1).numpy(), 1, rtol=1e-5)
    assert int(labels.max()) + 1 == len(set(corpus["train"][asked_for(corpus)]))
    assert len(distinct(corpus)) < len(corpus["train"])


@pytest.mark.parametrize(
    "setting",
    [
        Setting(method="dp-sgd", epsilon=2.0, size=100, share=1.0, epochs=3),
        Setting(method="edp-sgd", epsilon=2.0, size=100, share=0.25, epochs=3, micro_batches=4),
        Setting(method="sgd", epsilon=math.inf, size=100, epochs=3, clip_norm=0.0),
    ],
    ids=lambda setting: setting.method,
)
def test_a_row_has_what_it_says_and_keeps_its_epsilon(setting, corpus):
    (row,) = run(setting, corpus)
    assert set(re.findall(r"``(\w+)``", experiment.run.__doc__.split("Yields")[1])) <= set(row)
    assert row["epsilon_spent"] <= setting.epsilon and row["points_above"] == 0
    assert row["epsilon_shown"] <= row["epsilon_spent"]
    (found,) = numbers([row["lira_online_30"]])
    assert [row["auc"], row["advantage"], row["tpr_001"], row["tpr_01"]] == found[[0, 1, 2, 5]].tolist()
    (most,) = numbers([row["permitted"]])
    assert (most == 1).all() if setting.method == "sgd" else (np.diff(most) > 0).all() and most[0] < 0.1


def test_the_permitted_curve_is_that_of_the_steps_taken_and_of_the_methods_sensitivity():
    setting = Setting(method="edp-sgd", epsilon=2.0, size=100, share=0.25, epochs=3, micro_batches=4)
    ((sigma, steps),) = experiment.noise_schedule(recipe(setting), 100)
    expected = permitted(((sigma / 2, steps),), sample_rate=0.25)
    np.testing.assert_allclose(experiment.permitted_by(setting).tpr(FPRS), expected.tpr(FPRS))


def test_baselines_answer_and_are_not_attacked(corpus):
    found = {}
    for setting in grid("assistant", seeds=[0], methods=BASELINES)[:: len(TRAINED_SIZES)]:
        (row,) = run(setting, corpus)
        assert row["lira_online_30"] == "none" and math.isnan(row["auc"])
        found[setting.method] = row["accuracy"]
    assert 0.05 < found["majority"] < found["tf-idf"] < 1


def test_the_search_trains_on_a_pool_of_its_own_and_scores_on_validation(corpus):
    setting = membership_search.Setting(method="dp-sgd", epsilon=8.0, size=100, seed=100, epochs=2)
    (row,) = membership_search.run(setting, corpus)
    assert 0 <= row["score"] <= 1 and row["epsilon_spent"] <= 8
    seeds = {each.seed for each in membership_search.grid("assistant")}
    assert seeds == {100} and seeds.isdisjoint(each.seed for each in grid("assistant"))


def test_the_grid_has_every_method_epsilon_and_size_once_a_seed():
    settings = grid("assistant", seeds=[0, 1])
    assert len(set(settings)) == len(settings) == 2 * (2 * (1 + 7) + 7) + 2 * len(TRAINED_SIZES)
    assert {(each.method, each.epsilon) for each in settings if each.method == "sgd"} == {("sgd", math.inf)}
    assert dataclasses.replace(settings[0], seed=1) in settings
