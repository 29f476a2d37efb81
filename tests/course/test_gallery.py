import itertools
import re

import numpy as np
import pytest

from trustlab.course.gallery import ALL
from trustlab.lab import figures
from trustlab.lab.figures import svg

MOVES = 20
STEPS = 7  # of a continuous slider


def values(control):
    if control.options is not None:
        return [value for _, value in control.options]
    if not hasattr(control.widget, "min"):
        return [control.value, "play some music"]
    low, high = control.widget.min, control.widget.max
    return [float(value) for value in np.linspace(low, high, STEPS)]


def positions(panel):
    """Positions in an order of chance, so that most moves change several controls; the same in every run."""
    choices = {name: values(control) for name, control in panel.controls.items()}
    every = [dict(zip(choices, place, strict=True)) for place in itertools.product(*choices.values())]
    order = np.random.default_rng(0).permutation(len(every))[:MOVES]
    return [every[i] for i in order]


def inside(html):
    return html.partition(">")[2]


@pytest.mark.parametrize("name", ALL)
def test_a_picture_that_was_moved_there_is_the_one_drawn_from_nothing(name):
    """What is kept of a picture is right: nothing of an earlier position is left, at any of many positions."""
    panel = ALL[name]()
    figure = panel.drawing.figure
    for place in positions(panel):
        moved = panel.set(**place).widgets.picture.value
        assert inside(svg(figure, alt="again")) == inside(moved)
        del figures._FRAGMENTS[figure]
        assert inside(svg(figure, alt="from nothing")) == inside(moved), place
    last = ALL[name]().set(**place)
    assert last.widgets.picture.value == moved


@pytest.mark.parametrize("name", ALL)
def test_a_picture_has_no_ids_and_tells_its_colours_by_the_theme(name):
    picture = ALL[name]().widgets.picture.value
    assert " id=" not in picture and "url(" not in picture  # two panels on a page cannot clash
    assert "currentColor" in picture
    assert not re.search("<(?!text)[^>]*#(ffffff|000000)", picture)  # only digits on coloured cells keep black or white
