import gc
import itertools
import json
import math
import re
from pathlib import Path

import pytest
from ipywidgets.widgets.widget import _instances

from trustlab.course.found import found
from trustlab.course.n10_what_epsilon_promises import panel as panel_file
from trustlab.course.n10_what_epsilon_promises.panel import AUTOPLAY, Game
from trustlab.course.n10_what_epsilon_promises.toy import (
    EPSILONS,
    NOISES,
    GamePosition,
    bound,
    noise_std,
    optimal_hit_rate,
)
from trustlab.lab.notes import notes
from trustlab.privacy.accounting import epsilon

NOTEBOOK = Path(__file__).resolve().parents[3] / "notebooks" / "10_what_epsilon_promises.ipynb"


@pytest.fixture
def game(monkeypatch):
    monkeypatch.setattr(panel_file, "PAUSE", 0.0)
    return Game()


def truth(game):
    return "in" if game._state.at(game.config).now.anna else "out"


def lie(game):
    return {"in": "out", "out": "in"}[truth(game)]


def test_guesses_are_counted_and_the_last_one_is_answered(game):
    was = truth(game)
    game.guess(was)
    assert "✓ Right: Anna was" in game.summary and ("was not there" in game.summary) == (was == "out")
    game.guess(lie(game))
    assert "✗ Not this time" in game.summary and "You: 1 of 2 right" in game.summary
    assert (game.score.right, game.score.guesses) == (1, 2)


def test_the_readers_hit_rate_is_drawn_at_their_epsilon_with_its_interval(game):
    for _ in range(3):
        game.guess(truth(game))
    game.guess(lie(game))
    shown = game.drawing.shown()
    place = EPSILONS.index(8.0)
    assert shown["yours"] == [(place, 0.75)] and shown["guide"] == place
    assert shown["bars"][:2] == [(place, pytest.approx(0.194, abs=1e-3)), (place, pytest.approx(0.994, abs=1e-3))]
    game.set(epsilon=1.0).guess(lie(game))
    assert game.drawing.shown()["yours"] == [(1, 0.0), (place, 0.75)]


def test_the_next_counts_are_new_and_as_the_numbers_say(game):
    before = game.drawing.shown()["counts"]
    game.guess("in")
    after = game.drawing.shown()["counts"]
    assert before != after == [row["published count"] for row in game.answer.numbers]


def test_the_same_guesses_make_the_same_game_and_another_seed_another():
    def play(seed):
        return Game(seed).guess("in").guess("out").guess("in").summary

    assert play(0) == play(0) != play(1)


def test_playing_again_flips_other_coins_and_keeps_other_positions(game):
    first = game.drawing.shown()["counts"]
    game.guess("in").set(epsilon=1.0).guess("in").guess("in").again()
    assert game.score.guesses == 0 and game.config.epsilon == 1.0
    game.set(epsilon=8.0)
    assert game.score.guesses == 1
    assert game.again().drawing.shown()["counts"] != first


def test_a_reset_forgets_everything(game):
    start = game.summary
    game.guess("in").set(epsilon=1.0).guess("in").start().wait(60)
    assert game.reset().summary == start
    assert game.drawing.shown()["yours"] == game.drawing.shown()["played"] == []


def test_the_optimal_guesser_plays_a_thousand_rounds_near_its_exact_rate(game):
    """A correct game is off by more than 0.08 at either place with probability below 1e-6."""
    for position in (GamePosition(1.0), GamePosition(4.0, "coin")):
        game.set(epsilon=position.epsilon, noise=position.noise).start().wait(60)
        ((place, rate),) = game.drawing.shown()["played"]
        assert place == EPSILONS.index(position.epsilon)
        assert rate == pytest.approx(optimal_hit_rate(position), abs=0.08)
        assert f"of {AUTOPLAY:,})" in game.summary
    assert [row["guesses"] for row in game.answer.live] == [AUTOPLAY, AUTOPLAY]


def test_nobody_guesses_while_the_optimal_guesser_plays(monkeypatch):
    monkeypatch.setattr(panel_file, "PAUSE", 30.0)
    game = Game()
    game.widgets.buttons["Train"].click()
    assert all(button.disabled for button in game.guesses.values())
    with pytest.raises(RuntimeError, match="before you guess"):
        game.guess("in")
    game.reset()
    assert not any(button.disabled for button in game.guesses.values())


def test_the_buttons_do_what_the_methods_do(game):
    game.guesses["in"].click()
    game.guesses["out"].click()
    assert game.summary == Game().guess("in").guess("out").summary
    game.again_button.click()
    assert game.score.guesses == 0
    game.widgets.buttons["Train"].click()
    game.wait(60)
    assert not game.guesses["in"].disabled
    game.widgets.buttons["Reset"].click()
    assert game.summary == Game().summary


def test_ten_guesses_are_kept_for_the_end_of_the_notebook(game, monkeypatch, tmp_path):
    monkeypatch.setenv("TRUSTLAB_RUNS", str(tmp_path))
    for _ in range(9):
        game.guess(truth(game))
    assert notes() == []
    game.guess(lie(game))
    (note,) = notes()
    assert (note.where, note.kind) == ("10", "game") and note.name == "Was Anna there? ε = 8, bell-shaped noise"
    assert (note.what["right"], note.what["guesses"]) == (9, 10)
    assert "Games" in found("10").listed.value and "right 9, guesses 10" in found("10").listed.value


def test_another_guess_is_refused(game):
    with pytest.raises(ValueError, match="'in' or 'out', got 'maybe'"):
        game.guess("maybe")


def test_every_position_has_its_words_and_the_curves_of_its_noise(game, drawn):
    verdicts = set()
    for noise in NOISES:
        for given in EPSILONS:
            answer, shown = drawn(game, epsilon=given, noise=noise)
            verdicts.add(answer.verdict)
            exact = [optimal_hit_rate(GamePosition(e, noise)) for e in EPSILONS]
            assert [rate for _, rate in shown["optimal"]] == pytest.approx(exact)
            assert not re.search(r"\d%", answer.verdict)
    assert len(verdicts) == len(EPSILONS)  # before a guess the noise is not mentioned


def test_the_game_shows_a_picture_and_its_buttons_above_the_verdict(game):
    data, _ = game._repr_mimebundle_()
    assert data["text/plain"] == game.summary and data["image/png"]
    order = list(game.widget.children)
    (row,) = (each for each in order if game.again_button in getattr(each, "children", ()))
    assert order.index(row) == order.index(game.widgets.verdict) - 1


def test_numbers_in_the_prose_are_those_of_the_game():
    prose = " ".join("".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"])
    assert f"the best you can do is {100 * optimal_hit_rate(GamePosition(1.0)):.0f} %" in prose
    assert "right four times out of five" in prose and round(5 * optimal_hit_rate(GamePosition(8.0))) == 4
    assert "a lie once in 3,000 times" in prose and round(1 / (1 - bound(8.0)), -3) == 3000
    spent = [
        epsilon(noise_multiplier=noise_std(1.0), steps=n, delta=1e-5, sampling="none", accountant="gaussian")
        for n in (10, 100, 1000)
    ]
    ratios = [more / less for less, more in itertools.pairwise(spent)]
    assert "cost nearly four times as much ε" in prose and all(3.5 < ratio < 4 for ratio in ratios)
    assert math.isclose(1 - optimal_hit_rate(GamePosition(8.0)), 0.2, abs_tol=0.01)


def test_a_game_that_is_gone_leaves_no_widget_and_no_thread():
    gc.collect()
    before = len(_instances)
    game = Game().start()
    job = game.job
    del game
    gc.collect()
    job.wait(10)  # while it draws, its thread holds the game
    assert job.status == "stopped"
    gc.collect()
    assert len(_instances) == before
