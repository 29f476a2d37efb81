"""The inputs of a panel as widgets of our own: native elements of the page, so that everybody can use them.

The sliders of ipywidgets have no accessible name and read out a position instead of a value, and its toggle buttons do
not say which of them is pressed. Here Python keeps the state; ``control.js`` shows it with the page's own ``range``,
``button`` and ``select``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from trustlab.lab.shown import weakly
from trustlab.lab.turns import in_turn

SCRIPT = (Path(__file__).parent / "control.js").read_text(encoding="utf-8")


class Input(anywidget.AnyWidget):
    """One input; ``description`` is its name on the page, and ``tooltip`` says what it does."""

    _esm = SCRIPT
    kind = traitlets.Unicode().tag(sync=True)
    description = traitlets.Unicode().tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)

    @in_turn
    def _handle_msg(self, msg: Any) -> None:
        super()._handle_msg(msg)  # takes what the page says into the traits, and tells the page about it


class Chooser(Input):
    """Choose one of several labelled values.

    Parameters
    ----------
    options
        (label, value) pairs.
    value
        The value chosen at first; None where none is, as among the answers to a question.
    kind
        "slider", "buttons", "radios" or "list".

    Examples
    --------
    >>> chooser = Chooser([("1 (strong)", 1.0), ("8 (weak)", 8.0)], 8.0, kind="slider", description="ε")
    >>> chooser.index = 0  # what the page sends
    >>> chooser.value
    1.0
    """

    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    index = traitlets.Int(None, allow_none=True).tag(sync=True)
    value = traitlets.Any()  # of any kind, so it stays here

    def __init__(self, options: Sequence[tuple[str, Any]], value: Any, **traits: Any) -> None:
        self._values = [each for _, each in options]
        super().__init__(labels=[label for label, _ in options], value=value, index=self._position(value), **traits)
        self.on_msg(weakly(self._heard))

    def _heard(self, _: Any, content: dict[str, Any], __: Any) -> None:
        self.index = content["index"]

    def _position(self, value: Any) -> int | None:
        return self._values.index(value) if value in self._values else None

    @traitlets.observe("index")
    def _took(self, change: Any) -> None:
        self.value = None if change["new"] is None else self._values[change["new"]]

    @traitlets.observe("value")
    def _placed(self, change: Any) -> None:
        self.index = self._position(change["new"])


class Slider(Input):
    """A number from ``min`` to ``max`` in steps, written with ``decimals`` and ``unit``."""

    min = traitlets.Float().tag(sync=True)
    max = traitlets.Float().tag(sync=True)
    step = traitlets.Float(1.0).tag(sync=True)
    decimals = traitlets.Int(0).tag(sync=True)
    unit = traitlets.Unicode().tag(sync=True)
    value = traitlets.Float().tag(sync=True)


class WholeSlider(Slider):
    """A slider over whole numbers."""

    value = traitlets.Int().tag(sync=True)


class Words(Input):
    """A few words that the reader types; every letter is sent."""

    value = traitlets.Unicode().tag(sync=True)
    placeholder = traitlets.Unicode().tag(sync=True)
    most = traitlets.Int(200).tag(sync=True)
