"""ADePT's experiment in notebook 14: its grid, who is public, and one row of each kind."""

import dataclasses

import numpy as np
import pytest

from trustlab.course.n14_private_text import adept_experiment, experiment
from trustlab.course.n14_private_text.adept_experiment import BASELINES, EPSILONS, NOISES, Setting, grid, run, strangers
from trustlab.course.n14_private_text.experiment import drawn
from trustlab.data import assistant


@pytest.fixture(scope="module")
def corpus():
    return assistant(1000, devices=10)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(experiment, "TRAIN", 150)
    monkeypatch.setattr(experiment, "TEST", 60)
    for name, value in {"TRAIN": 150, "ATTACKED": 30, "PUBLIC": 500, "LATENT": 8}.items():
        monkeypatch.setattr(adept_experiment, name, value)
    recipe = dataclasses.replace(adept_experiment.RECIPE, epochs=12)
    monkeypatch.setattr(adept_experiment, "RECIPE", recipe)
    adept_experiment._repeating.cache_clear()
    yield
    adept_experiment._repeating.cache_clear()


def test_the_grid_has_every_noise_at_one_list_of_epsilons_and_the_baselines():
    settings = grid("assistant", seeds=range(2))
    assert len(settings) == 2 * (len(NOISES) * len(EPSILONS) + len(BASELINES))
    assert len({tuple(each.key().values()) for each in settings}) == len(settings)
    assert {each.noise for each in grid("assistant", noises=["gaussian"])} == {"gaussian"}


def test_no_text_is_both_private_and_public(small, corpus):
    """The corpus has few texts twice; drawn by number they are told apart by where they came from."""
    order = np.random.default_rng([3, 14]).permutation(len(corpus["train"]))
    said, public = drawn(corpus, 3), strangers(corpus, 3)
    rows = experiment.lowered(corpus["train"]["tokens"][:])
    assert said.train == [rows[i] for i in order[:150]]
    assert list(map(list, public)) == [rows[i] for i in order[150:650]]


def test_weak_noise_teaches_and_tells_more_than_strong_noise(small, corpus):
    (weak,), (strong,) = (list(run(Setting(noise="corrected", epsilon=e), corpus)) for e in (1e4, 1.0))
    (alone,) = run(Setting(noise="no noise", epsilon=0.0), corpus)
    assert weak["found"] > strong["found"] + 0.2 and weak["same"] > strong["same"]
    assert weak["accuracy"] >= strong["accuracy"] and alone["found"] > 0.15  # by chance 1 in 30
    assert next(run(Setting(noise="corrected", epsilon=1.0), corpus))["found"] == strong["found"]


def test_the_published_noise_is_the_corrected_one_of_a_larger_epsilon(small, corpus):
    (published,) = run(Setting(noise="published", epsilon=16.0), corpus)
    assert published["true_epsilon"] == pytest.approx(16 * 8**0.5)
    (corrected,) = run(Setting(noise="corrected", epsilon=published["true_epsilon"]), corpus)
    assert all(published[name] == corrected[name] for name in ("accuracy", "same", "found"))


def test_baselines_are_what_their_names_say(small, corpus):
    (majority,), (plain,) = (list(run(Setting(noise=each, epsilon=0.0), corpus)) for each in ("majority", "tf-idf"))
    assert majority["found"] == 1 / 30 and plain["found"] == plain["same"] == 1
    assert majority["accuracy"] < 0.3 < plain["accuracy"]


def test_what_is_no_setting_is_refused(corpus):
    with pytest.raises(ValueError, match="noise='rot13'"):
        next(run(Setting(noise="rot13"), corpus))
    with pytest.raises(ValueError, match="epsilon"):
        next(run(Setting(noise="corrected", epsilon=0.0), corpus))
