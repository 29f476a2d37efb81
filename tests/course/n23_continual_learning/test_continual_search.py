"""The search behind notebook 23: the same trials for all, none of what is reported, and what it chose."""

import math
import re

import pytest

from trustlab.course.n23_continual_learning import EXPERIMENT, TUNING, experiment
from trustlab.course.n23_continual_learning import continual_search as search
from trustlab.course.n23_continual_learning.claims import untuned
from trustlab.course.n23_continual_learning.continual_pictures import whose_rate
from trustlab.course.n23_continual_learning.experiment import TUNED_BY, Setting, assistant_over_time, stream
from trustlab.course.sensitivity import LOST, RATES
from trustlab.course.tuning import at_the_edge, uneven


@pytest.fixture(scope="module")
def table():
    return TUNING.table()


def test_every_training_that_is_compared_had_the_same_trials(table):
    assert uneven(table, by=TUNED_BY, options=RATES) == []
    trained = experiment.grid("assistant", seeds=[0], settings=experiment.SETTINGS)
    compared = {tuple(getattr(each, name) for name in TUNED_BY) for each in trained}
    assert compared == set(table[[*TUNED_BY]].itertuples(index=False, name=None))
    assert len(table) == len(compared) * len(search.TRIALS)


def test_no_rate_that_was_chosen_is_at_an_open_end(table):
    spaces = dict.fromkeys(table["setting"], search.SPACE)
    assert at_the_edge(experiment.candidates("assistant"), spaces, by=TUNED_BY, options=RATES, of="setting") == []


def test_the_search_has_no_seed_that_is_reported(table):
    reported = {each.seed for each in experiment.grid("assistant")}
    assert reported.isdisjoint(table["seed"]) and min(table["seed"]) >= search.FIRST_SEED
    assert {each.seed for each in search.grid("assistant", seeds=[0, 103])} == {100, 103}


def test_the_reported_rates_are_the_best_of_the_candidates_and_none_diverged(table):
    table = experiment.candidates("assistant")
    trained = EXPERIMENT.table()
    trained = trained[trained["setting"].isin(experiment.SETTINGS)]
    for row in trained.to_dict("records"):
        same = table[(table[[*TUNED_BY]] == [row[name] for name in TUNED_BY]).all(axis=1)]
        best = same.loc[same["score"].idxmax()]
        assert [row[name] for name in RATES] == [best[name] for name in RATES]
        assert row["discarded"] == 0
    lows = trained.groupby([*TUNED_BY, "replay", "labels"])["accuracy"].agg(["min", "max"])
    assert (lows["min"] > LOST * lows["max"]).all()  # nor is any lost, though its weights be finite


def test_a_trial_is_measured_on_the_validation_part_of_all_periods():
    said, corpus = stream(1.0, 100, "validation"), assistant_over_time(1.0, 100)
    known = said.problem.test.intent_names
    assert [known[i] for i in said.problem.test.intents] == list(corpus["validation"]["intent"])
    assert said.test_periods.tolist() == list(corpus["validation"]["period"])


def test_a_trial_that_diverges_has_no_score(monkeypatch):
    monkeypatch.setattr(experiment, "ROUNDS", 6)
    (short,), (lost,) = (search.run(search.Setting(learning_rate=rate), None) for rate in (8.0, 1e4))
    assert set(short) == set(re.findall(r"``(\w+)``", search.run.__doc__.split("Yields")[1]))
    assert 0 < short["score"] < 1 and math.isnan(lost["score"])


def test_the_panels_training_is_at_the_chosen_rates(table):
    table = experiment.candidates("assistant")
    at = experiment.tuned(Setting(setting="static", drift=3.0, beta=0.0))
    same = table[(table["setting"] == "static") & (table["drift"] == 3) & (table["beta"] == 0)]
    best = same[same["weighting"] == "examples"].sort_values("score").iloc[-1]
    assert experiment.recipe(at).learning_rate == best["learning_rate"]
    assert experiment.recipe(at).server.learning_rate == best["server_rate"]


def test_the_sensitivity_figure_and_the_small_print_are_the_searchs(table):
    at = table[(table["drift"] == 1) & (table["weighting"] == "examples")]
    first = at[at["learning_rate"] == 4][at["server_rate"] == 1].set_index(["setting", "beta"])["score"]
    gains = {setting: first[setting, 1.0] - first[setting, 0.0] for setting in ("static", "continual")}
    share = first["continual", 1.0] / first["static", 1.0]
    assert untuned(table, 1.0) == pytest.approx((gains["continual"] - gains["static"], share))
    kept = experiment.candidates("assistant")
    kept = kept[(kept["drift"] == 1) & (kept["weighting"] == "examples")]
    best = kept.groupby(["setting", "beta"])["score"].max()
    said = f"and {100 * (best['continual', 1.0] - best['continual', 0.0]):.0f} point"
    assert said in whose_rate().verdict
