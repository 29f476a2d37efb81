"""The search for each algorithm's own rates, and the trivial baselines beside it."""

import math

import pytest

from trustlab.course.n24_fednlp_benchmark import algorithm_search
from trustlab.course.n24_fednlp_benchmark import experiment as fednlp
from trustlab.course.n24_fednlp_benchmark.algorithm_search import SEEDS, Setting, grid, run
from trustlab.course.n24_fednlp_benchmark.task_baselines import baseline_answers
from trustlab.course.n24_fednlp_benchmark.tuned_rates import (
    DIALS,
    SEARCH,
    SEARCHED,
    SPACES,
    TRIALS,
    TUNED_BY,
    candidates,
    chosen_rates,
    method,
)
from trustlab.course.tuning import FIRST_SEED, at_the_edge, uneven
from trustlab.data import assistant
from trustlab.federated.tasks import Example
from trustlab.results import read_results


@pytest.fixture(scope="module")
def search():
    return read_results(SEARCH)[0]


def test_the_committed_search_is_the_grid_and_everything_has_as_many_trials(search):
    keys = [tuple(setting.key().values()) for setting in grid()]
    assert list(search[["corpus", *TUNED_BY, "seed", *DIALS]].itertuples(
        index=False, name=None)) == keys  # fmt: skip
    assert uneven(search, by=TUNED_BY, options=DIALS) == []
    for task, own in search.groupby("task"):
        assert set(own["seed"]) == {*range(FIRST_SEED, FIRST_SEED + SEEDS.get(task, 1))}
        assert len(own) == TRIALS * own["seed"].nunique() * len(own.drop_duplicates([*TUNED_BY]))


def test_no_chosen_rate_is_at_an_end_without_a_reason():
    kept = candidates()
    kept["method"] = [method(*pair) for pair in zip(kept["model"], kept["algorithm"], strict=True)]
    assert at_the_edge(kept, SPACES, by=[*TUNED_BY, "method"], options=DIALS, of="method") == []


def test_beyond_a_chosen_rate_no_training_was_lost(search):
    for key, rates in chosen_rates().items():
        own = search[(search[[*TUNED_BY]] == list(key)).all(axis=1)]
        own = own[(own["server_rate"] == rates["server_rate"]) & (own["batch"] == rates["batch"])]
        larger = own[own["client_rate"] > rates["client_rate"]]
        beyond = larger[larger["client_rate"] == larger["client_rate"].min()]
        assert (beyond["score"] >= 0.5 * own["score"].max()).all(), key  # a NaN is not


def test_no_clearly_better_rate_can_lie_beyond_the_largest_that_was_tried(search):
    for key, rates in chosen_rates().items():
        own = search[(search[[*TUNED_BY]] == list(key)).all(axis=1)]
        means = own.groupby([*DIALS])["score"].agg(lambda scores: scores.mean(skipna=False)).reset_index()
        largest = means[means["client_rate"] == means["client_rate"].max()]["score"].max()
        (taken,) = means[(means[[*DIALS]] == [rates[name] for name in DIALS]).all(axis=1)]["score"]
        assert not largest > taken + 0.02, key  # the adaptive servers' scores are flat there


def test_every_training_that_is_reported_has_rates_of_the_search():
    found = chosen_rates()
    for setting in fednlp.grid("assistant", seeds=[0]):
        if setting.model == "none" or setting.algorithm in ("majority", "tf-idf", "frozen encoder"):
            assert setting == fednlp.tuned(setting)
            continue
        prox = (setting.task, setting.algorithm) == ("seq2seq", "fedprox")
        where = ("none",) if setting.algorithm in fednlp.ALONE else (setting.partition,)
        if where[0] not in (*SEARCHED, "none"):
            where = SEARCHED
        tried = [found[setting.task, setting.model, "fedavg" if prox else setting.algorithm, each] for each in where]
        rates = {name: getattr(setting, name) for name in DIALS}
        assert rates in [{**each, **({"mu": 0.1} if prox else {})} for each in tried]
        assert setting.client_rate == min(each["client_rate"] for each in tried)


def test_a_trial_is_measured_on_validation_and_one_that_diverges_has_no_score(monkeypatch):
    monkeypatch.setattr(fednlp, "ROUNDS", 3)
    monkeypatch.setattr(fednlp, "SIZES", {"tagging": (60, 20)})
    monkeypatch.setattr(fednlp, "VALIDATED", 20)
    corpus = assistant(2000, devices=20)
    trial = Setting(task="tagging", seed=FIRST_SEED)
    (row,) = run(trial, corpus)
    assert set(row) == {"corpus", *TUNED_BY, *DIALS, "seed", "score", "seconds"} and 0 <= row["score"] <= 1
    monkeypatch.setattr(fednlp, "examples", fednlp.trial_examples)
    (same,) = fednlp.run(fednlp.Setting(task="tagging", seed=FIRST_SEED), corpus)
    assert row["score"] == same["score"]
    (lost,) = run(Setting(task="tagging", seed=FIRST_SEED, client_rate=1e30), corpus)
    assert math.isnan(lost["score"])


def test_other_errors_than_divergence_are_errors(monkeypatch):
    def broken(*arguments, **options):
        raise ValueError("Expected something else.")
        yield

    monkeypatch.setattr(algorithm_search, "simulate", broken)
    with pytest.raises(ValueError, match="something else"):
        list(run(Setting(task="tagging", seed=FIRST_SEED), assistant(2000, devices=5)))


def test_a_corpus_without_examples_of_its_own_for_trials_is_refused():
    with pytest.raises(ValueError, match="Expected at least 1600 utterances to train on, got 320"):
        list(run(Setting(task="tagging", seed=FIRST_SEED), assistant(400, devices=5)))


# Trivial baselines


def test_the_baselines_of_a_question_mark_words_by_what_answered_such_questions():
    when, who = ("which", "time"), ("which", "contact")
    known = [
        Example(("call", "ann", "at", "six"), (3, 3), "time", question=when),
        Example(("call", "ann", "at", "six"), (1, 1), "contact", question=who),
        Example(("at", "half", "past", "six"), (1, 3), "time", question=when),
    ]
    asked = [
        Example(("six", "or", "half", "past", "six"), (2, 4), "time", question=when),
        Example(("ann", "at", "six"), (0, 0), "contact", question=who),
        Example(("nothing", "known"), (0, 0), "time", question=when),
    ]
    assert baseline_answers("qa", "word's tag", known, asked) == [(2, 4), (0, 0), (0, 0)]


def test_the_other_baselines_are_the_courses():
    known = [Example(("play", "it"), "play", "play"), Example(("stop", "it"), "stop", "stop")]
    asked = [Example(("stop", "now"), "stop", "stop")]
    assert baseline_answers("classification", "majority", known, asked) == ["play"]
    assert baseline_answers("classification", "tf-idf", known, asked) == ["stop"]
    tagged = [Example(("play", "thriller"), ("O", "B-song"), "song")]
    assert baseline_answers("tagging", "word's tag", tagged, tagged) == [("O", "B-song")]
    spoken = [Example(("<play>", "<song>", "thriller"), ("play", "thriller"), "play")]
    assert baseline_answers("seq2seq", "copied input", spoken, spoken) == [("thriller",)]
