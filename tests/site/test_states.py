"""A page's controls are the panel's, and each position has one number and what the panel shows there."""

import itertools

import pytest

from trustlab.lab.display import inline
from trustlab.site.page import per_file
from trustlab.site.states import choices, count, places, positions, state, strides


def test_controls_are_the_panels(make_panel):
    found = choices(make_panel())
    assert [(each.name, each.kind, each.values, each.start) for each in found] == [
        ("height", "slider", (0, 1, 2, 3), 1),
        ("way", "buttons", ("up", "down"), 0),
        ("width", "slider", (2, 4, 6), 1),
    ]
    assert found[2].labels == ("2 steps", "4 steps", "6 steps") and found[2].written == "4 steps"


def test_each_position_comes_once_at_its_number(make_panel):
    found = choices(make_panel())
    every = list(positions(found))
    assert len(every) == count(found) == 24 == len({tuple(each.items()) for each in every})
    steps = strides(found)
    assert min(step for step, each in zip(steps, found, strict=True) if each.kind != "slider") == 12  # sliders inside
    for at in itertools.product(*(range(len(each.values)) for each in found)):
        number = sum(step * place for step, place in zip(steps, at, strict=True))
        expected = {each.name: each.values[place] for each, place in zip(found, at, strict=True)}
        assert every[number] == expected
    assert per_file(found) == 24


def test_fewer_values_and_fewer_controls(make_panel):
    found = choices(make_panel(), {"width": (4,), "height": (1, 3)})
    assert [(each.name, each.values, each.start) for each in found] == [
        ("height", (1, 3), 0),
        ("way", ("up", "down"), 0),
    ]


def test_what_a_page_cannot_offer_is_refused(make_panel):
    with pytest.raises(ValueError, match="controls among height, way, width, got depth"):
        choices(make_panel(), {"depth": (1,)})
    with pytest.raises(ValueError, match="height=1, the start"):
        choices(make_panel(), {"height": (2, 3)})
    with pytest.raises(ValueError, match="values at which share is drawn"):
        choices(make_panel(("height", "share")))


def test_a_range_is_drawn_at_named_values_or_computed(make_panel):
    panel = make_panel(("height", "share"))
    drawn = choices(panel, {"share": (0.25, 0.5)})[1]
    assert (drawn.kind, drawn.values, drawn.labels, drawn.start) == ("slider", (0.25, 0.5), ("0.25", "0.5"), 1)
    height, share = choices(panel, ranges={"height": (0, 3, 0.5)})
    assert (height.low, height.high, height.step, height.start, height.written) == (0, 3, 0.5, 1, "1.0")
    assert (share.low, share.high, share.step, share.written) == (0.0, 1.0, 0.01, "0.50")


def test_a_state_is_what_the_panel_shows(make_panel):
    panel = make_panel()
    found = state(panel, {"way": "down", "height": 3})
    assert panel.config.way == "down" and found.picture == panel.widgets.picture.value
    assert found.verdict == inline(panel.answer.verdict) == "<strong>It</strong> goes down by 3 &lt; 9 &amp; more."
    assert "<td" in found.numbers and found.mark != state(panel, {"height": 2}).mark


def test_places_are_those_of_the_axes(make_panel):
    panel = make_panel()
    found = places(panel)
    width, height = found["size"]
    assert (width, height) == (720, 380)
    x, y, wide, high = found["axes"][0]
    box = panel.drawing.axes.get_position()
    assert [x, y, wide, high] == pytest.approx(
        [width * box.x0, height * (1 - box.y1), width * box.width, height * box.height], abs=0.01
    )
