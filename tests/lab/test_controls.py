import dataclasses
import math

import pytest

from trustlab.config import option
from trustlab.lab.controls import controls_for
from trustlab.lab.inputs import Chooser, Slider, WholeSlider


@dataclasses.dataclass(frozen=True)
class Dial:
    epsilon: float = option(1.0, label="ε", help="Privacy budget.", values=(0.5, 1.0, math.inf))
    method: str = option("sgd", label="method", help="How to train.", values=("sgd", "dp-sgd"))
    task: str = option("t0", label="task", help="What to learn.", values=tuple(f"t{i}" for i in range(9)))
    share: float = option(0.1, label="q", help="Sampling rate.", low=0.01, high=1.0)
    rounds: int = option(3, label="rounds", help="Rounds of training.", unit="rounds", low=1, high=20)
    clip_norm: float = option(1.0, label="C", help="Largest norm.", above=0)
    odd: float = option(1 / 3, label="odd", help="No short decimal.", low=0.0, high=1.0)


def one(name, choices=None):
    return controls_for(Dial(), {name: choices})[name]


def test_by_default_every_field_with_values_moves():
    assert list(controls_for(Dial(), None)) == ["epsilon", "method", "task"]


@pytest.mark.parametrize(
    ("name", "choices", "kind", "shown"),
    [
        ("epsilon", None, Chooser, "slider"),
        ("clip_norm", (0.5, 1.0, 2.0), Chooser, "slider"),
        ("clip_norm", (0.5, 1.0), Chooser, "buttons"),  # two stops
        ("method", None, Chooser, "buttons"),
        ("task", None, Chooser, "list"),
        ("share", None, Slider, "slider"),
        ("rounds", None, WholeSlider, "slider"),
    ],
)
def test_the_widget_fits_the_option_and_says_what_it_does(name, choices, kind, shown):
    control = one(name, choices)
    widget = control.widget
    assert type(widget).__name__ == kind.__name__ and isinstance(widget, kind) and widget.kind == shown
    assert widget.description == control.label
    assert widget.tooltip == control.help
    assert control.value == getattr(Dial(), name)


def test_the_page_gets_labels_and_sends_a_position_or_a_number():
    epsilon, share, rounds = one("epsilon").widget, one("share").widget, one("rounds").widget
    assert epsilon.get_state()["labels"] == ["0.5", "1", "∞"]
    assert "value" not in epsilon.get_state()  # infinity is no JSON
    epsilon.set_state({"index": 2})
    assert epsilon.value == math.inf
    epsilon.value = 0.5
    assert epsilon.index == 0
    share.set_state({"value": 1})  # JSON's 1.0
    assert share.value == 1.0 and type(share.value) is float
    rounds.set_state({"value": 7})
    assert rounds.value == 7 and type(rounds.value) is int


def test_a_hand_is_heard_once():
    heard = []
    widget = one("epsilon").widget
    widget.observe(lambda change: heard.append(change["new"]), names="value")
    widget.set_state({"index": 2})
    widget.value = 0.5
    assert heard == [math.inf, 0.5]


def test_infinity_is_readable():
    assert [label for label, _ in one("epsilon").options] == ["0.5", "1", "∞"]


def test_a_value_has_its_unit():
    assert one("rounds").text == "3 rounds"


def test_the_step_is_round_and_meets_the_start():
    slider = one("share").widget
    assert slider.step == 0.01
    assert slider.decimals == 2


@pytest.mark.parametrize(
    ("name", "choices", "message"),
    [
        ("clip_norm", None, "to have values, or both low and high"),
        ("epsilon", (2.0, 4.0), "Expected epsilon=1.0 to be one of 2.0, 4.0"),
        ("odd", None, "a start of a few digits"),
        ("delta", None, "got delta"),
    ],
)
def test_what_cannot_be_moved_is_said_at_once(name, choices, message):
    with pytest.raises(ValueError, match=message):
        one(name, choices)


@pytest.mark.parametrize("value", [0.0, 1.1, "half", True, math.nan])
def test_a_continuous_value_outside_the_range_is_refused(value):
    with pytest.raises(ValueError, match=r"to be a number from 0\.01 to 1\. Sampling rate"):
        one("share").accept(value)


def test_a_panel_without_anything_to_move_is_refused():
    @dataclasses.dataclass(frozen=True)
    class Still:
        seed: int = option(0, label="seed", help="Randomness.")

    with pytest.raises(ValueError, match="no field of Still declares values"):
        controls_for(Still(), None)
