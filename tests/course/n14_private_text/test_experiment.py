"""The experiment of notebook 14: its grid, what a seed draws, and one row of each kind."""

import pytest

from trustlab.course.n14_private_text import EXPERIMENT, experiment
from trustlab.course.n14_private_text.experiment import BASELINES, COMPARED, Setting, drawn, grid, run
from trustlab.course.n14_private_text.word_mechanisms import EXPONENTIAL, GUMBEL, LAPLACE, RANDOM, lowered
from trustlab.data import assistant


@pytest.fixture(scope="module")
def corpus():
    return assistant(1000, devices=10)


@pytest.fixture
def small(monkeypatch):
    for name, value in {"TRAIN": 150, "TEST": 60, "ATTACKED": 30, "CANDIDATES": 120, "DRAWS": 20}.items():
        monkeypatch.setattr(experiment, name, value)


def test_the_grid_has_every_mechanism_at_its_epsilons_and_the_baselines_once():
    settings = grid("assistant", seeds=range(2))
    assert len(settings) == 2 * (sum(map(len, COMPARED.values())) + len(BASELINES))
    assert len({tuple(each.key().values()) for each in settings}) == len(settings)
    assert {each.mechanism for each in grid("snips", mechanisms=[GUMBEL])} == {GUMBEL}
    assert all(list(values) == sorted(values) for values in COMPARED.values())


def test_a_seed_draws_its_texts_and_public_ones_are_the_validation_split(corpus):
    first, again, other = (drawn(corpus, seed) for seed in (0, 0, 1))
    assert first == again and first.train != other.train
    assert first.public == lowered(corpus["validation"]["tokens"][:])
    assert all(word == word.lower() for text in first.test for word in text)


def test_more_noise_keeps_less_teaches_less_and_tells_less(small, corpus):
    (strong,), (weak,) = (list(run(Setting(mechanism=EXPONENTIAL, epsilon=e), corpus)) for e in (12.0, 50.0))
    assert strong["kept"] < weak["kept"] and strong["guessed"] < weak["guessed"]
    assert strong["accuracy"] < weak["accuracy"] and strong["distinct"] > weak["distinct"]
    assert next(iter(run(Setting(mechanism=EXPONENTIAL, epsilon=50.0), corpus)))["guessed"] == weak["guessed"]


def test_baselines_are_what_their_names_say(small, corpus):
    (majority,), (plain,), (noise,) = (list(run(Setting(mechanism=each, epsilon=0.0), corpus)) for each in BASELINES)
    assert plain["kept"] == plain["guessed"] == 1 and plain["accuracy"] > 0.4
    assert majority["accuracy"] < 0.3 and noise["accuracy"] < 0.3 and noise["kept"] < 0.05
    assert BASELINES[2] == RANDOM


def test_what_is_no_setting_is_refused(corpus):
    with pytest.raises(ValueError, match="mechanism='rot13'"):
        list(run(Setting(mechanism="rot13"), corpus))
    with pytest.raises(ValueError, match="epsilon"):
        list(run(Setting(mechanism=LAPLACE, epsilon=0.0), corpus))


def test_the_recipe_has_the_sizes():
    assert EXPERIMENT.recipes("assistant")["all"]["train"] == experiment.TRAIN
