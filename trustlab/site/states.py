"""Every state of a panel: its controls as a page needs them, and what it shows at each position.

The panel is moved by :meth:`~trustlab.lab.panel.Panel.set`, as a notebook's cell does, and each state is read off it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trustlab.durable import digest
from trustlab.lab.controls import Control
from trustlab.lab.display import inline, number, table_html
from trustlab.lab.figures import FONTS, PIXELS_PER_INCH, css_size
from trustlab.lab.panel import Panel
from trustlab.lab.panes import NARROW, cuts_of
from trustlab.lab.vector import THEMED, Writer

MOST_ROWS = 60  # of a table of numbers; a longer one is for the notebook
MARK = 16  # digits of a picture's sha256 by which two pictures differ


@dataclasses.dataclass(frozen=True)
class Choice:
    """A control of a page.

    Attributes
    ----------
    name, label, help
        As the panel's control has them.
    kind
        ``"slider"``, ``"buttons"`` or ``"list"``.
    values, labels
        What can be chosen, and how it is written.
    start
        The place of the value at the start; of a continuous slider, which has no `values`, the value.
    low, high, step, digits, unit
        The slider's ends, by place or by value; of a continuous one also its step, and how a value is written.
    """

    name: str
    label: str
    help: str
    kind: str
    values: tuple[Any, ...]
    labels: tuple[str, ...]
    start: float
    low: float = 0
    high: float = 0
    step: float = 0
    digits: int = 0
    unit: str = ""

    @property
    def written(self) -> str:
        """The start as a reader sees it."""
        return self.labels[int(self.start)] if self.labels else f"{self.start:.{self.digits}f}{self.unit}"


@dataclasses.dataclass(frozen=True)
class State:
    """What a panel shows at one position: the picture as SVG, the others as HTML; ``numbers`` may be empty."""

    picture: str
    verdict: str
    source: str
    numbers: str

    @property
    def mark(self) -> str:
        """The first digits of the picture's sha256."""
        return digest(self.picture)[:MARK]


def choices(
    panel: Panel,
    only: Mapping[str, Sequence[Any]] | None = None,
    *,
    ranges: Mapping[str, tuple[float, float, float]] | None = None,
) -> list[Choice]:
    """Return the panel's controls as a page has them.

    Parameters
    ----------
    panel
        At its start.
    only
        Control → the values that the page offers; one value leaves the control out, and the page stays there.
    ranges
        Control → (lowest value, highest value, step), where the page computes its states; None where it does not.

    Raises
    ------
    ValueError
        If a name has no control, the start is not among the values, or a control with a range has no values.
    """
    only = dict(only or {})
    if unknown := sorted(set(only) - set(panel.controls)):
        raise ValueError(f"Expected controls among {', '.join(panel.controls)}, got {', '.join(unknown)}.")
    every = [
        _choice(control, only.get(name)) if ranges is None or not (found := _range(control, ranges)) else found
        for name, control in panel.controls.items()
        if control.widget.kind != "text"  # what a reader types has no list of states
    ]
    return [each for each in every if len(each.values) != 1]


def _choice(control: Control, values: Sequence[Any] | None) -> Choice:
    offered = None if control.options is None else {value: label for label, value in control.options}
    if values is None and offered is None:
        raise ValueError(
            f"Expected the values at which {control.name} is drawn, got a range. "
            f"Name them: only={{{control.name!r}: (...)}}."
        )
    values = tuple(offered or ()) if values is None else tuple(values)
    if control.value not in values:
        raise ValueError(f"Expected {control.name}={control.value!r}, the start, to be one of {values}.")
    labels = tuple(offered[control.accept(value)] if offered else number(value) for value in values)
    named = (control.name, control.label, control.help)
    return Choice(*named, control.widget.kind, values, labels, values.index(control.value), high=len(values) - 1)


def _range(control: Control, ranges: Mapping[str, tuple[float, float, float]]) -> Choice | None:
    """Return a control that moves without stops; None for one between names."""
    if control.name in ranges:
        low, high, step = ranges[control.name]
    elif control.options is None:
        low, high, step = control.widget.min, control.widget.max, control.widget.step
    else:
        return None
    digits = max(0, -math.floor(math.log10(step)))
    look = dict(low=low, high=high, step=step, digits=digits, unit=f" {control.unit}" if control.unit else "")
    return Choice(control.name, control.label, control.help, "slider", (), (), control.value, **look)


def strides(chosen: Sequence[Choice]) -> list[int]:
    """Return by how much the number of a position grows with one step of each control.

    Sliders have the small strides: a slider's states are near each other, in one file.

    Examples
    --------
    >>> slider, buttons = (Choice("x", "x", "", kind, (0, 1, 2), (), 0) for kind in ("slider", "buttons"))
    >>> strides([slider, buttons, slider])
    [3, 9, 1]
    """
    order = sorted(range(len(chosen)), key=lambda i: chosen[i].kind == "slider")
    each, found = 1, [0] * len(chosen)
    for i in reversed(order):
        found[i] = each
        each *= len(chosen[i].values)
    return found


def positions(chosen: Sequence[Choice]) -> Iterator[dict[str, Any]]:
    """Yield every position of the controls, in the order of their numbers."""
    steps = strides(chosen)
    for n in range(count(chosen)):
        yield {each.name: each.values[n // step % len(each.values)] for each, step in zip(chosen, steps, strict=True)}


def count(chosen: Sequence[Choice]) -> int:
    """Return how many positions there are."""
    return math.prod(len(each.values) for each in chosen)


def state(panel: Panel, position: Mapping[str, Any]) -> State:
    """Move the panel and return what it shows."""
    panel.set(**position)
    answer = panel.answer
    rows = list(answer.numbers)
    numbers = table_html(rows, focus=answer.focus) if 0 < len(rows) <= MOST_ROWS else ""
    return State(panel.widgets.picture.value, inline(answer.verdict), inline(answer.provenance), numbers)


def places(panel: Panel) -> dict[str, Any]:
    """Return where a panel's picture has its axes: for a page that draws the same picture itself.

    Returns
    -------
    dict
        ``size``: width and height of the picture; ``axes``: left, top, width and height of each; ``cuts``: where its
        panes end; ``narrow``: the width below which they stack, all in CSS pixels; ``fonts``.
    """
    figure = panel.drawing.figure
    width, height = css_size(figure)
    boxes = [axes.get_window_extent().transformed(figure.dpi_scale_trans.inverted()) for axes in figure.axes]
    scale = PIXELS_PER_INCH
    axes = [
        [round(scale * each, 2) for each in (box.x0, height / scale - box.y1, box.width, box.height)] for box in boxes
    ]
    cuts = cuts_of(figure, Writer(width, height))
    return {"size": [width, height], "axes": axes, "cuts": cuts, "narrow": NARROW, "fonts": FONTS}


def themed(colours: Sequence[str]) -> list[str]:
    """Return colours as a panel's picture writes them: a dark theme may make them brighter.

    Examples
    --------
    >>> themed(["#0072B2", "#123456"])
    ['var(--trustlab-blue,#0072b2)', '#123456']
    """
    low = [colour.lower() for colour in colours]
    return [f"var(--trustlab-{THEMED[colour]},{colour})" if colour in THEMED else colour for colour in low]
