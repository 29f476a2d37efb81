"""The search behind notebook 22: the same trials for all, none of what is reported, and what it chose."""

import collections
import math
import re

import numpy as np
import pytest

from trustlab.course.n22_device_selection import EXPERIMENT, HARM, TUNING, harm
from trustlab.course.n22_device_selection import experiment as activity
from trustlab.course.n22_device_selection import selection_search as search
from trustlab.course.n22_device_selection.fleets import problem
from trustlab.course.n22_device_selection.selection_baselines import trivial
from trustlab.course.n22_device_selection.selection_pictures import whose_rate
from trustlab.course.sensitivity import LOST, RATES
from trustlab.course.tuning import at_the_edge, uneven
from trustlab.data import assistant

BY = ("fleet", "selection", "aggregation")


@pytest.fixture(scope="module")
def corpus():
    return assistant(2000, devices=20)


@pytest.fixture(scope="module")
def table():
    return TUNING.table()


def pair_of(row):
    return row["learning_rate"], row["server_rate"]


@pytest.fixture(scope="module")
def searched(table):
    """The scores by method and pair of rates, one for each seed."""
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    for row in table.to_dict("records"):
        found[tuple(row[name] for name in BY)][pair_of(row)].append(row["score"])
    return found


def test_every_method_that_is_compared_had_the_same_trials(table):
    assert uneven(table, by=BY, options=RATES) == []
    compared = {tuple(getattr(each, name) for name in BY) for each in search.methods("assistant")}
    assert compared == set(table[[*BY]].itertuples(index=False, name=None))
    assert list(table[["corpus", *search.KEY, "seed"]].itertuples(index=False, name=None)) == [
        tuple(trial.key().values()) for trial in search.grid("assistant")
    ]


def test_no_rate_that_was_chosen_is_at_an_open_end(table):
    spaces = dict.fromkeys(table["fleet"], search.SPACE)
    assert at_the_edge(activity.candidates("assistant"), spaces, by=BY, options=RATES, of="fleet") == []


def test_no_clearly_better_rate_was_left_out_because_no_larger_one_was_tried(searched):
    """The largest client's rate with each server's rate is no candidate: hardly better, or the next would be lost.

    What is lost is decided by the product of both rates, and the next client's rate is at most twice as large.
    """
    for method, trials in searched.items():
        best = max(np.mean(scores) for pair, scores in trials.items() if pair in may_be_chosen(trials))
        lost = [np.prod(pair) for pair, scores in trials.items() if not min(scores) >= 0.5 * top(trials)]
        for server in {server for _, server in trials}:
            last = max(pair for pair in trials if pair[1] == server)
            next_is_lost = any(product <= 2 * np.prod(last) for product in lost)
            assert next_is_lost or np.mean(trials[last]) <= best + 0.02, (method, last)


def top(trials):
    return np.nanmax([score for scores in trials.values() for score in scores])


def may_be_chosen(trials):
    """The pairs of one method that lost no training, nor the next larger client's rate: told by looking upwards."""
    found = set()
    for server in {server for _, server in trials}:
        pairs = sorted(pair for pair in trials if pair[1] == server)
        fine = [all(score >= 0.5 * top(trials) for score in trials[pair]) for pair in pairs]
        found |= {pair for pair, own, larger in zip(pairs, fine, fine[1:], strict=False) if own and larger}
    return found


def test_each_method_has_the_candidates_that_it_and_the_next_larger_rate_did_not_lose(searched):
    kept = collections.defaultdict(set)
    for row in activity.candidates("assistant").to_dict("records"):
        kept[tuple(row[name] for name in BY)].add(pair_of(row))
    assert kept == {method: may_be_chosen(trials) for method, trials in searched.items()}


def test_the_reported_rates_are_the_best_of_the_candidates(searched):
    for each in (*activity.grid("assistant", seeds=[0]), *harm.grid("assistant", seeds=[0])):
        if each.strategy in activity.TRIVIAL:
            continue
        fleet = harm.NAME if isinstance(each, harm.Setting) else each.fleet
        trials = searched[fleet, each.selection, each.aggregation]
        best = max(np.mean(trials[pair]) for pair in may_be_chosen(trials))
        assert np.mean(trials[each.learning_rate, each.server_rate]) == best


def test_no_reported_training_was_lost():
    for table in (EXPERIMENT.table(), HARM.table()):
        trained = table[table["learning_rate"] > 0]
        method = [name for name in BY if name in trained]
        assert (trained["discarded"] == 0).all()
        assert (trained["accuracy"] > LOST * trained.groupby(method)["accuracy"].transform("max")).all()


def test_the_search_has_no_seed_that_is_reported(table):
    reported = {each.seed for each in (*activity.grid("assistant"), *harm.grid("assistant"))}
    assert reported.isdisjoint(table["seed"]) and set(table["seed"]) == {100}
    assert {each.seed for each in search.grid("assistant", seeds=[0, 103])} == {100, 103}


def test_a_trial_is_measured_on_the_validation_part_of_other_people(corpus):
    own, others = (problem("assistant", corpus, seed=seed, scored="validation") for seed in (0, 100))
    known = own.task.test.intent_names
    assert [known[i] for i in own.task.test.intents] == list(corpus["validation"]["intent"])
    generated = assistant(2000, devices=20, seed=100)
    known = others.task.test.intent_names
    assert [known[i] for i in others.task.test.intents] == list(generated["validation"]["intent"])
    assert sorted(others.clients.sizes) == sorted(np.bincount(generated["train"]["device"]))


def test_a_trial_that_diverges_has_no_score(corpus, monkeypatch):
    monkeypatch.setattr(activity, "RECIPES", {"assistant": dict(rounds=4, batch_size=32)})
    (short,), (lost,) = (search.run(search.Setting(learning_rate=rate), corpus) for rate in (6.0, 1e4))
    assert set(short) == set(re.findall(r"``(\w+)``", search.run.__doc__.split("Yields")[1]))
    assert 0 < short["score"] < 1 and math.isnan(lost["score"])


def test_baselines_are_scored_on_the_fleets_own_test(corpus):
    for seed, said in ((0, corpus), (3, assistant(2000, devices=20, seed=3))):
        labels = list(said["train"]["intent"])
        most = max(dict.fromkeys(labels), key=labels.count)
        found = trivial(corpus, "majority", seed=seed)
        assert found["accuracy"] == pytest.approx(np.mean([each == most for each in said["test"]["intent"]]))
    assert trivial(corpus, "tf-idf")["accuracy"] > 0.5


def test_the_sensitivity_figure_shows_the_search(searched):
    shown = whose_rate()
    at_3, best = {}, {}
    for way in ("β = 0", "β = 1"):
        trials = searched["as it is", way, "equal"]
        at_3[way], best[way] = np.mean(trials[3, 1]), max(np.mean(trials[pair]) for pair in may_be_chosen(trials))
    before, after = (100 * (of["β = 1"] - of["β = 0"]) for of in (at_3, best))
    assert f"weighted equally, from {before:+.0f} to {after:+.0f}" in shown.verdict.replace("−", "-")
    assert sum(row["chosen"] for row in shown.rows) == 4
    for row in shown.rows:
        way = "β = 1" if row["drawn"] == "β = 1" else "β = 0"
        trials = searched["as it is", way, "equal" if row["weights"] == "weighted equally" else "examples"]
        own = {pair: np.mean(scores) for pair, scores in trials.items() if pair[0] == row["client's rate"]}
        kept = {pair: own[pair] for pair in own if pair in may_be_chosen(trials)}
        finite = [score for score in (kept or own).values() if np.isfinite(score)]
        assert row["stable"] == bool(kept) and row["score"] == (max(finite) if finite else None)
