"""A small panel: two sliders and two buttons, whose picture has a line that all states share and one of their own."""

import dataclasses

import pytest

from trustlab.config import option
from trustlab.lab.curves import Curves
from trustlab.lab.panel import Answer, Panel


@dataclasses.dataclass(frozen=True)
class Place:
    height: int = option(1, label="Height", help="Of the line.", values=(0, 1, 2, 3))
    way: str = option("up", label="Way", help="Up or down.", values=("up", "down"))
    width: int = option(4, label="Width", help="Of the line.", unit="steps", values=(2, 4, 6))
    share: float = option(0.5, label="Share", help="Changes nothing.", low=0.0, high=1.0)


def answer(at):
    sign = 1 if at.way == "up" else -1
    rows = [{"step": x, "value": sign * at.height * x, "line": "it"} for x in range(at.width)]
    rows += [{"step": x, "value": 0.5, "line": "same"} for x in range(6)]
    return Answer(rows, f"**It** goes {at.way} by {at.height} < 9 & more.", "computed here")


@pytest.fixture
def make_panel():
    """Make the panel; by default without its continuous control."""

    def make(controls=("height", "way", "width")):
        drawing = Curves("step", "value", "line", x_label="step", y_limits=(-20, 20))
        named = {name: None for name in controls}
        return Panel(Place(), title="Up or down?", drawing=drawing, answer=answer, controls=named)

    return make
