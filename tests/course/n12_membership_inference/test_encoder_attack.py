"""Heads on the frozen encoder: their pools, their search, their committed tables."""

import dataclasses
import math
import re
from collections import Counter

import pytest
import torch

from trustlab.course import baselines
from trustlab.course.n12_membership_inference import ENCODER, ENCODER_TUNING, encoder_attack, encoder_attack_search
from trustlab.course.n12_membership_inference.attacked import FPRS, REFERENCES, column
from trustlab.course.n12_membership_inference.encoder_attack import BASELINES, CORPORA, KEY, METHODS, grid
from trustlab.course.n12_membership_inference.encoder_attack_search import SIZES, SPACES, half, sentences
from trustlab.course.n12_membership_inference.experiment import trained_and_attacked
from trustlab.course.n12_membership_inference.stacked_training import OPTIONS, distinct
from trustlab.course.tuning import at_the_edge, best, uneven
from trustlab.data import assistant, load
from trustlab.lab.saved import numbers

TUNED = dict(by=("method", "epsilon"), options=OPTIONS)


@pytest.fixture(scope="module")
def corpus():
    return assistant(400, seed=0)


@pytest.fixture(scope="module", params=ENCODER.corpora())
def table(request):
    return ENCODER.table(request.param)


def test_a_pool_is_the_same_utterances_for_every_seed_with_other_coins(corpus):
    one, other = (half(corpus, 100, seed) for seed in (0, 1))
    assert one.rows.tolist() == other.rows.tolist() and len(set(one.rows.tolist())) == 200
    assert (one.inside != other.inside).any()
    assert one.candidates[0].shape == (200, 384)
    texts = [" ".join(corpus["train"]["tokens"][int(row)]) for row in one.rows[:3]]
    torch.testing.assert_close(one.candidates[0][:3], torch.from_numpy(baselines.sentence_embeddings(texts)))
    assert sentences(corpus, "test", range(2)).shape == (2, 384)
    with pytest.raises(ValueError, match="Take fewer"):
        half(corpus, len(distinct(corpus)), 0)


@pytest.mark.parametrize("name", CORPORA)
def test_each_training_has_half_of_the_distinct_utterances(name, real_data):
    assert SIZES[name] == len(distinct(load(name, directory=real_data))) // 2


def test_a_row_has_what_it_says_and_keeps_its_epsilon(corpus):
    setting = encoder_attack.Setting("assistant", "dp-sgd", 2.0, 100, 0, share=0.25, epochs=2, clip_norm=1.0)
    (row,) = encoder_attack.run(setting, corpus)
    assert set(re.findall(r"``(\w+)``", trained_and_attacked.__doc__)) <= set(row)
    assert 1.9 < row["epsilon_spent"] <= 2 and row["points_above"] == 0
    assert row["quantile"] == "none"  # tried without privacy only
    (answered,) = encoder_attack.run(dataclasses.replace(setting, method="majority"), corpus)
    assert list(answered) == list(row) or set(answered) == set(row)


def test_the_search_scores_on_validation_with_a_seed_that_no_table_reports(corpus):
    (row,) = encoder_attack_search.run(
        encoder_attack_search.Setting("assistant", "dp-sgd", 8.0, 100, 100, epochs=1), corpus
    )
    assert 0 <= row["score"] <= 1 and row["epsilon_spent"] <= 8
    assert {each.seed for each in encoder_attack_search.grid("assistant")} == {100}


def test_every_method_had_the_same_trials_at_every_epsilon_and_none_is_at_an_open_end():
    tried = ENCODER_TUNING.table()
    assert uneven(tried, **TUNED) == [] and at_the_edge(tried, SPACES, **TUNED) == []
    assert len(tried) == encoder_attack_search.BUDGET * sum(map(len, encoder_attack_search.EPSILONS.values()))


def test_every_setting_was_trained_once_at_the_chosen_options_within_its_epsilon(table):
    corpus = table["corpus"].iloc[0]
    there = Counter(table[[*KEY, "seed"]].itertuples(index=False, name=None))
    assert there == Counter(tuple(cell.key()[name] for name in (*KEY, "seed")) for cell in grid(corpus, seeds=range(5)))
    for row in best(ENCODER_TUNING.table(), **TUNED).to_dict("records"):
        runs = table[(table["method"] == row["method"]) & (table["epsilon"] == row["epsilon"])]
        assert len(runs) == 5 and all((runs[name] == row[name]).all() for name in OPTIONS)
    held = table[table["method"] == "dp-sgd"]
    assert (held["epsilon_spent"] <= held["epsilon"]).all() and (held["epsilon_spent"] > 0.97 * held["epsilon"]).all()
    assert set(table["method"]) == {*METHODS, *BASELINES}


def test_nothing_is_above_what_is_permitted(table):
    held = table[table["method"] == "dp-sgd"]
    assert (held["epsilon_shown"] <= held["epsilon_spent"]).all() and (held["points_above"] == 0).all()
    allowed = numbers(held[(held["epsilon"] == 0.5)]["permitted"])[0]
    plain = numbers(table[table["method"] == "sgd"][column("lira-online", REFERENCES[-1])])[:, 2:]
    assert (plain[:, 2:6] > allowed[2:6]).all(), "without privacy it would be"
    assert len(FPRS) == plain.shape[1]


def test_a_model_to_ship_comes_close_to_counting_words_and_private_ones_beat_the_most_frequent_intent(table):
    means = table.groupby(["method", "epsilon"])["accuracy"].mean()
    assert means["sgd", math.inf] > means["tf-idf", math.inf] - 0.03
    assert (means["dp-sgd"] > means["majority", math.inf]).all()
