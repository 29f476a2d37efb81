"""A notebook's kernel hears widgets in more than one thread: what a panel shows must belong to where it stands."""

import threading
import time

import pytest

from trustlab.lab.fold import Numbers
from trustlab.lab.turns import TURN

from .test_panel import live, panel, training, widget

SOON = 0.3  # seconds in which another thread would come in between, if it could


@pytest.fixture
def beside():
    """Call functions in threads of their own, and wait for their ends."""
    threads = []

    def call(function):
        threads.append(threading.Thread(target=function))
        threads[-1].start()

    yield call
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def until(condition):
    ends = time.monotonic() + 20
    while not condition() and time.monotonic() < ends:
        time.sleep(0.01)
    return condition()


def says(index):
    """The message of a page on which the choice at this place was taken."""
    return {"content": {"data": {"method": "update", "state": {"index": index}}}}


def test_a_control_that_moves_during_a_reset_is_shown(beside):
    resetting, moved = threading.Event(), threading.Event()

    def label(config):  # called between reading the position and its picture
        if config.epsilon == 1.0 and resetting.is_set():
            beside(lambda: (widget(p, "epsilon")._handle_msg(says(2)), moved.set()))
            moved.wait(SOON)
        return "Train"

    p = panel(train=training(threading.Semaphore(0)), live=live, train_label=label).set(epsilon=0.5)
    resetting.set()
    p.reset()
    assert moved.wait(20)
    assert p.config.epsilon == 2.0
    assert "at ε = 2 it is" in p.answer.verdict


def test_what_the_page_says_waits_for_the_move_of_a_cell(beside):
    p, heard = panel(), threading.Event()
    with TURN:
        beside(lambda: (widget(p, "epsilon")._handle_msg(says(3)), heard.set()))
        assert not heard.wait(SOON)
        p.set(epsilon=0.5)
        assert "at ε = 0.5 it is" in p.answer.verdict
    assert heard.wait(20)
    assert "at ε = inf it is" in p.answer.verdict


def test_one_training_starts_when_two_threads_press(beside):
    gate, began, refused = threading.Semaphore(0), [], []

    def train(config):
        began.append(config)
        time.sleep(SOON)
        return training(gate)(config)

    p = panel(train=train, live=live)

    def press():
        try:
            p.start()
        except RuntimeError as error:
            refused.append(str(error))

    beside(press)
    beside(press)
    assert until(lambda: refused or len(began) == 2)
    gate.release(4)
    p.wait(20)
    assert len(began) == 1 and "A training is running" in refused[0]


def test_the_table_that_opens_while_another_answer_comes_shows_that_one(beside):
    shown, opened = ["old"], threading.Event()

    def tables():
        now = shown[0]
        if not opened.is_set():
            opened.set()
            beside(lambda: (shown.__setitem__(0, "new"), numbers.fill()))
            time.sleep(SOON)
        return f"<table>{now}</table>"

    numbers = Numbers(tables)
    numbers.button.click()
    assert until(lambda: "new" in numbers.table.value)
