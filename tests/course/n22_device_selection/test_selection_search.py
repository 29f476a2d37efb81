"""The search behind notebook 22: the same trials for all, none of what is reported, and what it chose."""

import math
import re

import numpy as np
import pytest

from trustlab.course.n22_device_selection import HARM, TUNING, harm
from trustlab.course.n22_device_selection import experiment as activity
from trustlab.course.n22_device_selection import selection_search as search
from trustlab.course.n22_device_selection.fleets import problem
from trustlab.course.n22_device_selection.selection_baselines import trivial
from trustlab.course.n22_device_selection.selection_pictures import whose_rate
from trustlab.course.sensitivity import RATES, stable
from trustlab.course.tuning import at_the_edge, uneven
from trustlab.data import assistant

BY = ("fleet", "selection", "aggregation")


@pytest.fixture(scope="module")
def corpus():
    return assistant(2000, devices=20)


@pytest.fixture(scope="module")
def table():
    return TUNING.table()


def test_every_method_that_is_compared_had_the_same_trials(table):
    assert uneven(table, by=BY, options=RATES) == []
    compared = {tuple(getattr(each, name) for name in BY) for each in search.methods("assistant")}
    assert compared == set(table[[*BY]].itertuples(index=False, name=None))
    assert len(table) == len(compared) * len(search.TRIALS)


def test_no_rate_that_was_chosen_is_at_an_open_end(table):
    spaces = dict.fromkeys(table["fleet"], search.SPACE)
    assert at_the_edge(stable(table, activity.KEY), spaces, by=BY, options=RATES, of="fleet") == []


def test_the_search_has_no_seed_that_is_reported(table):
    reported = {each.seed for each in (*activity.grid("assistant"), *harm.grid("assistant"))}
    assert reported.isdisjoint(table["seed"]) and min(table["seed"]) >= search.FIRST_SEED
    assert {each.seed for each in search.grid("assistant", seeds=[0, 103])} == {100, 103}


def test_no_candidate_lost_a_training(table):
    kept = stable(table, activity.KEY)
    best = table.groupby([*BY])["score"].max()
    pairs = {tuple(pair) for pair in table[[*RATES]].to_numpy()}
    for pair in pairs:
        of_it = table[(table[[*RATES]] == list(pair)).all(axis=1)]
        fine = all(row["score"] > 0.5 * best[tuple(row[name] for name in BY)] for row in of_it.to_dict("records"))
        assert fine == (kept[[*RATES]] == list(pair)).all(axis=1).any()


def test_the_reported_rates_are_the_best_of_the_candidates(table):
    table = stable(table, activity.KEY)
    for each in (*activity.grid("assistant", seeds=[0]), *harm.grid("assistant", seeds=[0])):
        if each.strategy in activity.TRIVIAL:
            continue
        fleet = harm.NAME if isinstance(each, harm.Setting) else each.fleet
        same = table[(table[[*BY]] == [fleet, each.selection, each.aggregation]).all(axis=1)]
        best = same.loc[same["score"].idxmax()]
        assert (each.learning_rate, each.server_rate) == (best["learning_rate"], best["server_rate"])
    for row in HARM.table().to_dict("records"):
        assert row["learning_rate"] > 0 and row["discarded"] == 0  # no training of the table diverged


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


def test_the_sensitivity_figure_shows_the_search(table):
    shown = whose_rate()
    even = table[(table["fleet"] == "as it is") & (table["aggregation"] == "equal")].set_index("selection")
    at_3 = {way: even.loc[way][even.loc[way]["learning_rate"] == 3]["score"].item() for way in ("β = 0", "β = 1")}
    kept = stable(table, activity.KEY)
    kept = kept[(kept["fleet"] == "as it is") & (kept["aggregation"] == "equal")].set_index("selection")
    best = {way: kept.loc[way]["score"].max() for way in ("β = 0", "β = 1")}
    before, after = (100 * (of["β = 1"] - of["β = 0"]) for of in (at_3, best))
    assert f"weighted equally, from {before:+.0f} to {after:+.0f}" in shown.verdict.replace("−", "-")
    assert sum(row["chosen"] for row in shown.rows) >= 4
