"""A panel that plays: every value of one control is drawn, in order, until its end or until it is stopped."""

import dataclasses
import gc
import threading
import time
import weakref

import pytest

from trustlab.config import option
from trustlab.lab import player
from trustlab.lab.answer import Answer
from trustlab.lab.figures import Drawing
from trustlab.lab.player import PLAY, STOP, PlayedPanel


@dataclasses.dataclass(frozen=True)
class Story:
    round: int = option(1, label="Round", help="How far it is.", values=range(1, 9))
    speed: float = option(1.0, label="Speed", help="Of nothing.", low=0.0, high=2.0)


class Frames(Drawing):
    def __init__(self):
        super().__init__(200, 100)
        self.drawn = []

    def draw(self, answer):
        self.drawn.append(answer.numbers[0]["round"])

    def shown(self):
        return {"frames": list(self.drawn)}


def told(at):
    return Answer([{"round": at.round}], f"Round {at.round}.", "made up")


def made(answer=told):
    return PlayedPanel(
        Story(), title="A story", drawing=Frames(), answer=answer, controls={"round": None}, plays="round"
    )


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(player, "FRAMES_PER_SECOND", 1000.0)


def test_every_value_is_drawn_once_and_in_order():
    panel = made().play().wait(20)
    assert panel.drawing.drawn == list(range(1, 9))
    assert panel.config.round == 8 and panel.answer.verdict == "Round 8."
    assert not panel.playing and panel.button.description == PLAY


def test_it_goes_on_from_where_it_is_and_starts_again_at_the_end():
    panel = made().set(round=6)
    panel.drawing.drawn.clear()
    assert panel.play().wait(20).drawing.drawn == [7, 8]
    panel.drawing.drawn.clear()
    assert panel.play().wait(20).drawing.drawn == list(range(1, 9))


def test_slow_drawing_leaves_no_frame_out():
    def slowly(at):
        time.sleep(0.02)
        return told(at)

    assert made(slowly).play().wait(20).drawing.drawn == list(range(1, 9))


def test_the_button_plays_and_stops(monkeypatch):
    monkeypatch.setattr(player, "FRAMES_PER_SECOND", 5.0)
    panel = made()
    panel.button.click()
    assert panel.playing and panel.button.description == STOP
    panel.button.click()
    assert not panel.playing and panel.button.description == PLAY
    assert panel.config.round < 8
    assert panel.button in panel.widget.children[1].children  # in the controls' row


@pytest.mark.parametrize("ended", [lambda panel: panel.set(round=3), lambda panel: panel.reset()])
def test_a_move_from_code_and_a_reset_stop_it(ended, monkeypatch):
    monkeypatch.setattr(player, "FRAMES_PER_SECOND", 5.0)
    panel = made().play()
    ended(panel)
    assert not panel.playing and panel.config.round in (1, 3)


def test_waiting_too_long_is_an_error(monkeypatch):
    monkeypatch.setattr(player, "FRAMES_PER_SECOND", 2.0)
    panel = made().play()
    with pytest.raises(TimeoutError, match=r"still plays after 0\.1 s"):
        panel.wait(0.1)
    assert panel.pause().config.round < 8


def test_a_control_without_steps_cannot_be_played():
    with pytest.raises(ValueError, match="plays='speed' to be a control with values among speed"):
        PlayedPanel(Story(), title="A", drawing=Frames(), answer=told, controls={"speed": None}, plays="speed")


def test_a_panel_that_is_gone_plays_no_more(monkeypatch):
    monkeypatch.setattr(player, "FRAMES_PER_SECOND", 5.0)
    panel = made().play()
    thread, gone = panel._playing.thread, weakref.ref(panel)
    del panel
    gc.collect()
    thread.join(5)
    assert gone() is None and not thread.is_alive()
    assert "trustlab-player" not in [each.name for each in threading.enumerate()]
