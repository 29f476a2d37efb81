"""A panel that plays: a button moves one of its controls from value to value, and every value is drawn.

Nothing is left out where drawing is slow: the same frames are shown on every machine, only later.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Self

import ipywidgets

from trustlab.lab.panel import Panel
from trustlab.lab.shown import weakly
from trustlab.lab.turns import in_turn

FRAMES_PER_SECOND = 18.0
PLAY, STOP = "▶ Play", "■ Stop"


class PlayedPanel(Panel):
    """A panel with a button that plays one of its controls, from where it is to its last value.

    At the last value it starts again from the first. Another move of a control from code, and a reset, end it.

    Parameters
    ----------
    config, **options
        As for :class:`~trustlab.lab.panel.Panel`.
    plays
        The control's name; it has values in an order.
    """

    def __init__(self, config: Any, *, plays: str, **options: Any) -> None:
        super().__init__(config, **options)
        if plays not in self.controls or self.controls[plays].options is None:
            raise ValueError(f"Expected plays={plays!r} to be a control with values among {', '.join(self.controls)}.")
        self._plays = plays
        self._playing: _Playing | None = None
        tip = f"Move {self.controls[plays].label} to its end, one value after another."
        self.button = ipywidgets.Button(description=PLAY, tooltip=tip, layout={"width": "auto"})
        self.button.on_click(weakly(self._pressed_play))
        row = self.widget.children[1]
        row.children = (*row.children, self.button)
        self._own()  # the button too

    @property
    def playing(self) -> bool:
        """Whether it plays now."""
        return self._playing is not None and self._playing.thread.is_alive()

    def play(self) -> Self:
        """Play in the background and return the panel; :meth:`wait` waits for the end."""
        if self.playing:
            return self
        values = [value for _, value in self.controls[self._plays].options or []]
        if self.controls[self._plays].value == values[-1]:
            super().set(**{self._plays: values[0]})
        self.button.description = STOP
        self._playing = _Playing(self, values)
        self._playing.thread.start()
        return self

    def pause(self) -> Self:
        """Stop playing where it is."""
        playing = self._playing
        if playing is not None:
            playing.stop.set()
            if playing.thread is not threading.current_thread():
                playing.thread.join()
        return self

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until it has played to the end, or else for a training, and return the panel.

        Raises
        ------
        TimeoutError
            If it plays longer than `timeout` seconds.
        """
        if self._playing is None:
            return super().wait(timeout)
        self._playing.thread.join(timeout)
        if self._playing.thread.is_alive():
            raise TimeoutError(f"The panel still plays after {timeout:g} s; wait longer or pause() it.")
        return self

    def set(self, **values: Any) -> Self:
        """Stop playing and move controls, see :meth:`trustlab.lab.panel.Panel.set`."""
        self.pause()
        super().set(**values)
        return self

    def reset(self) -> Self:
        """Stop playing and show the start."""
        self.pause()
        super().reset()
        return self

    def _pressed_play(self, _: ipywidgets.Button) -> None:
        self.pause() if self.playing else self.play()

    @in_turn
    def _step(self, values: list[Any]) -> bool:
        """Move to the next value and return whether there is one more."""
        control = self.controls[self._plays]
        place = values.index(control.value)
        if place + 1 < len(values):
            control.widget.value = values[place + 1]
        return place + 2 < len(values)

    def _ended(self) -> None:
        self.button.description = PLAY


class _Playing:
    """One time that a panel plays: its thread holds the panel weakly, so that it ends with its panel."""

    def __init__(self, panel: PlayedPanel, values: list[Any]) -> None:
        self.stop = threading.Event()
        self._step, self._ended, self._values = weakly(panel._step), weakly(panel._ended), values
        self.thread = threading.Thread(target=self._run, name="trustlab-player", daemon=True)

    def _run(self) -> None:
        due = time.monotonic()
        while not self.stop.is_set() and self._step(self._values):
            due = max(due + 1 / FRAMES_PER_SECOND, time.monotonic())
            self.stop.wait(due - time.monotonic())
        self._ended()
