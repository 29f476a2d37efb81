"""The widgets of a panel: how they are laid out, and which traits show an answer, an error or a running job."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import ipywidgets
from matplotlib.figure import Figure

from trustlab.lab.answer import Answer
from trustlab.lab.controls import Control
from trustlab.lab.display import number, table_html
from trustlab.lab.exports import Exports, csv_file
from trustlab.lab.figures import css_size
from trustlab.lab.fold import Numbers
from trustlab.lab.job import Row
from trustlab.lab.look import STYLE, em, message_html
from trustlab.lab.shown import weakly

# What a training row says while it runs: enough for epoch, loss, accuracy and ε spent.
FIELDS_IN_PROGRESS = 5
PADDING = 30  # CSS pixels next to the picture


class View:
    """The widgets around `figure`, top to bottom: title, controls and Train, verdict, picture, provenance, numbers.

    It knows nothing of what is computed: the panel hands it answers and errors and listens to ``buttons``. The widgets
    are ``picture``, ``verdict``, ``source``, ``numbers`` with ``numbers_button``, ``exports``, ``work`` (``progress``
    and ``status`` of a running job), and ``widget``, which holds them all.

    Parameters
    ----------
    title
        Shown as a heading.
    controls
        Their widgets are shown in a row that wraps.
    figure
        Gives the picture's size on the page.
    train_label
        Text of the training button; None leaves training out.
    """

    def __init__(self, title: str, controls: Sequence[Control], figure: Figure, train_label: str | None) -> None:
        self._title, self._controls = title, controls
        width, _ = css_size(figure)
        self._answer: Answer | None = None
        self.verdict, self.source = ipywidgets.HTML(), ipywidgets.HTML()
        self.picture = ipywidgets.HTML(layout={"width": em(width), "max_width": "100%"})
        self.progress = ipywidgets.FloatProgress(min=0, max=1, layout={"width": "13em"})
        self.status = ipywidgets.HTML()
        self.work = _row([self.progress, self.status])
        self.buttons, self.exports = _buttons(train_label), Exports(weakly(self._csv))
        self._numbers = Numbers(weakly(self._tables))
        self.numbers, self.numbers_button = self._numbers.table, self._numbers.button
        heading = ipywidgets.HTML(f'{STYLE}<div class="trustlab-title">{html.escape(title)}</div>')
        moved = _row([*(control.widget for control in controls), *self.buttons.values()])
        foot = _row([self.source, self.numbers_button, self.exports, _about(controls)])
        shown = [heading, moved, self.verdict, self.picture, self.work, foot, self.numbers]
        self.widget = ipywidgets.VBox(shown, layout={"max_width": em(width + PADDING)})
        for widget, name in {self.widget: "panel", self.verdict: "says", foot: "foot"}.items():
            widget.add_class(f"trustlab-{name}")
        self.hide_progress()

    def show(self, answer: Answer, picture: str) -> None:
        """Show `answer` with its `picture`, an SVG; the table of its numbers is made once it is open."""
        self._answer = answer
        self.picture.value = picture
        self.picture.layout.display = None
        self.verdict.value = message_html("verdict", answer.verdict)
        self.source.value = message_html("source", answer.provenance)
        self._numbers.fill()

    def show_error(self, sentence: str) -> None:
        """Put an error in the place of the verdict and take the picture away: it would show another position."""
        self.picture.layout.display = "none"
        self.verdict.value = message_html("error", sentence)
        self.source.value = ""
        self._answer = None
        self._numbers.fill()

    def show_progress(self, rows: Sequence[Row], status: str) -> None:
        """Show how far a job is: its last row, and the bar where rows say their ``progress``."""
        last: Row = rows[-1] if rows else {}
        self.progress.value = float(last.get("progress", 0.0))
        self.progress.layout.display = None if "progress" in last or not rows else "none"
        fields = [f"{name.replace('_', ' ')} {number(value)}" for name, value in last.items() if name != "progress"]
        self.status.value = message_html("source", " · ".join([status, *fields[:FIELDS_IN_PROGRESS]]))
        self.work.layout.display = "flex"

    def show_stopping(self) -> None:
        """Show immediately that a stop was requested; the step in progress still ends."""
        self.buttons["Stop"].disabled = True
        self.status.value = message_html("source", "stopping after this step …")

    def hide_progress(self) -> None:
        """Take bar and status away: what is shown is a saved answer."""
        self.work.layout.display = "none"

    def set_running(self, running: bool) -> None:
        """Lock what defines a run while it runs: a picture must belong to the position shown."""
        for name, disabled in {"Train": running, "Stop": not running}.items():
            if name in self.buttons:
                self.buttons[name].disabled = disabled
        for control in self._controls:
            control.widget.disabled = running

    def _csv(self) -> tuple[str, str] | None:
        if self._answer is None:
            return None
        position = "; ".join(f"{control.label}: {control.text}" for control in self._controls)
        return csv_file(self._title, self._answer.numbers, self._answer.live, position)

    def _tables(self) -> str:
        if self._answer is None:
            return ""
        parts = [table_html(self._answer.numbers, focus=self._answer.focus)] if self._answer.numbers else []
        if self._answer.live:
            parts += ["<p><strong>Yours</strong></p>", table_html(self._answer.live)]
        return "".join(parts)


def one_line(error: BaseException | None) -> str:
    """Return the error as one readable line; our own errors are sentences, others need their name to be understood.

    Examples
    --------
    >>> one_line(ValueError("Expected ε > 0.")), one_line(KeyError("epsilon"))
    ('Expected ε > 0.', "KeyError: 'epsilon'")
    """
    lines = str(error).strip().splitlines()
    name = type(error).__name__
    if not lines:
        return name
    return lines[0] if isinstance(error, ValueError | RuntimeError) else f"{name}: {lines[0]}"


def _buttons(train_label: str | None) -> dict[str, ipywidgets.Button]:
    """Return the buttons a panel listens to, by what they do."""
    reset = {"Reset": _button("Reset", "Back to the start position and its saved result.")}
    if train_label is None:
        return reset
    hint = "Compute this position here and now, instead of showing the saved result."
    train = _button(train_label, hint, button_style="primary")
    stop = _button("Stop", "Stop after the current step and keep what is there.", disabled=True)
    return {"Train": train, "Stop": stop, **reset}


def _button(label: str, tooltip: str, **look: Any) -> ipywidgets.Button:
    return ipywidgets.Button(description=label, tooltip=tooltip, layout={"width": "auto"}, **look)


def _row(children: Sequence[ipywidgets.Widget]) -> ipywidgets.HBox:
    row = ipywidgets.HBox(children)
    row.add_class("trustlab-row")
    return row


def _about(controls: Sequence[Control]) -> ipywidgets.HTML:
    """Show what each control means, for those who cannot hover with a mouse."""
    items = "".join(f"<dt>{html.escape(c.label)}</dt><dd>{html.escape(c.help)}</dd>" for c in controls)
    lists = f"<summary>About the controls</summary><dl>{items}</dl>"
    return ipywidgets.HTML(f'<details class="trustlab-about">{lists}</details>')
