"""A lab panel: a few controls, a picture, one sentence of verdict, and where the numbers come from.

The panel holds widgets and sets their traits; everything it shows comes from pure functions it is given
(``answer``, ``live``) and from one generator (``train``) that a :class:`~trustlab.lab.job.Job` consumes. It is never
blank: the answer to the first position is there when the panel is made, and every viewer without a kernel gets the
picture and a text summary. No ``Output`` or ``interact`` is used: they hide exceptions and nothing can compare them.
"""

from __future__ import annotations

import base64
import dataclasses
import html
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets

from trustlab import config as options
from trustlab.lab.answer import Answer
from trustlab.lab.controls import Control, controls_for
from trustlab.lab.display import number, plain, table_html
from trustlab.lab.figures import Drawing, css_size, image_html, png
from trustlab.lab.job import Job, Row
from trustlab.lab.look import STYLE, message_html

if TYPE_CHECKING:
    import pandas

__all__ = ["Answer", "Panel"]

# What a training row says while it runs: enough for epoch, loss, accuracy and ε spent.
FIELDS_IN_PROGRESS = 5


class Panel:
    """Controls, picture and verdict for one question.

    Parameters
    ----------
    config
        An instance of a frozen dataclass made of :func:`trustlab.config.option`; its values are the start position.
    title
        A few words; the question the panel answers.
    drawing
        A :class:`~trustlab.lab.figures.Drawing`: its ``draw(answer)`` shows an answer in its ``figure``.
    answer
        Pure function from a configuration to an :class:`Answer`, fast enough to call on every step of a slider.
    controls
        Field → values, (label, value) pairs, or None for what the option declares; default every field with values.
    train
        Generator function from a configuration to rows. A row may carry ``progress`` from 0 to 1.
    live
        Pure function from a configuration and the rows so far (none at first) to an :class:`Answer`.
    train_label
        The training button's text; say how long it takes: "Train, about 20 s".

    Raises
    ------
    ValueError
        If a control is no field, a start value is not among its control's values, or `train` comes without `live`.

    Examples
    --------
    >>> from trustlab.lab.figures import Curves
    >>> @dataclasses.dataclass(frozen=True)
    ... class Dial:
    ...     epsilon: float = options.option(1.0, label="ε", help="Privacy budget.", values=(1.0, 8.0))
    >>> rows = [{"method": "DP-SGD", "epsilon": e, "accuracy": a} for e, a in [(1.0, 0.7), (8.0, 0.9)]]
    >>> panel = Panel(
    ...     Dial(),
    ...     title="What does privacy cost?",
    ...     drawing=Curves("epsilon", "accuracy", "method", grid=(1.0, 8.0), x_label="ε", y_label="accuracy"),
    ...     answer=lambda c: Answer(rows, f"At ε = {c.epsilon:g} the tagger still works.", "saved, seed 0"),
    ... )
    >>> print(panel.set(epsilon=8.0).summary)
    What does privacy cost?
      ε: 8
    At ε = 8 the tagger still works.
    (saved, seed 0)
    """

    def __init__(
        self,
        config: Any,
        *,
        title: str,
        drawing: Drawing,
        answer: Callable[[Any], Answer],
        controls: Mapping[str, Sequence[Any] | None] | None = None,
        train: Callable[[Any], Iterator[Row]] | None = None,
        live: Callable[[Any, list[Row]], Answer] | None = None,
        train_label: str = "Train",
    ) -> None:
        if (train is None) != (live is None):
            raise ValueError("Expected train and live together, got one: live turns train's rows into an answer.")
        self.title = title
        self._start_config = config
        self._drawing, self._compute, self._train, self._live = drawing, answer, train, live
        self._controls: dict[str, Control] = controls_for(config, controls)
        self._lock = threading.RLock()  # the job's thread and the kernel's thread share one figure
        self._quiet = False
        self._job: Job | None = None
        self._answer: Answer | None = None
        self._error: BaseException | None = None
        self._png = b""
        self._build(train_label)
        self._show_saved()

    # What a cell reads

    @property
    def config(self) -> Any:
        """The configuration at the controls' position."""
        return dataclasses.replace(self._start_config, **{name: c.value for name, c in self._controls.items()})

    @property
    def answer(self) -> Answer:
        """The answer shown; raises the error instead where an error is shown."""
        if self._answer is None:
            raise self._error or RuntimeError("The panel has no answer yet.")
        return self._answer

    @property
    def numbers(self) -> pandas.DataFrame:
        """The rows behind the picture, unrounded."""
        import pandas

        return pandas.DataFrame([dict(row) for row in self.answer.numbers])

    @property
    def summary(self) -> str:
        """Title, position, verdict and provenance as text: what a viewer without a kernel and nbval see."""
        lines = [self.title, *(f"  {control.label}: {control.text}" for control in self._controls.values())]
        if self._answer is None:
            return "\n".join([*lines, _one_line(self._error)])
        return "\n".join([*lines, plain(self._answer.verdict), f"({self._answer.provenance})"])

    # What a cell does

    def set(self, **values: Any) -> Panel:
        """Move controls and return the panel, so that a cell that ends with it shows the new position.

        Raises
        ------
        ValueError
            If a name has no control or a value is not among its choices; nothing has moved then.
        RuntimeError
            While the training runs.
        Exception
            Whatever ``answer`` raises for the new position; the panel shows it too.
        """
        self._refuse_while_running("move a control")
        unknown = sorted(set(values) - set(self._controls))
        if unknown:
            raise ValueError(f"Expected controls among {', '.join(self._controls)}, got {', '.join(unknown)}.")
        accepted = {name: self._controls[name].accept(value) for name, value in values.items()}
        self._move(accepted)
        self._show_saved()
        return self

    def reset(self) -> Panel:
        """Stop a running job, move every control back to the start and show the saved answer."""
        with self._lock:
            if self._job is not None:
                self._job.stop()
            self._job = None  # whatever the old job still sends is ignored
        self._move({name: getattr(self._start_config, name) for name in self._controls})
        self._show_idle()
        self._show_saved()
        return self

    def start(self) -> Panel:
        """Start the training at the controls' position, as the training button does."""
        if self._train is None or self._live is None:
            raise RuntimeError("This panel shows saved results only; it was made without train.")
        self._refuse_while_running("start another training")
        config = self.config
        self._job = Job(self._train(config), lambda job: self._follow(job, config))
        self._show_busy()
        self._show(lambda: self._as_live(self._live(config, []), "yours, live"))
        self._job.start()
        return self

    def stop(self) -> Panel:
        """Ask a running training to stop after its current step; what it reached stays shown."""
        if self._job is not None:
            self._job.stop()
        return self

    def wait(self, timeout: float | None = None) -> Panel:
        """Wait until the training has ended and return the panel.

        Raises
        ------
        TimeoutError
            If it runs longer than `timeout` seconds.
        RuntimeError
            If no training was started.
        Exception
            Whatever the training raised.
        """
        if self._job is None:
            raise RuntimeError("Expected a training in progress or done; call start() before wait().")
        self._job.wait(timeout)
        return self

    def __repr__(self) -> str:
        return self.summary

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **kwargs: Any) -> tuple[dict, dict]:
        """Give Jupyter the widget, and viewers without a kernel the picture and its summary."""
        with self._lock:
            picture = base64.b64encode(self._png).decode("ascii")
        width, height = css_size(self._drawing.figure)
        view = {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}
        data = {
            "application/vnd.jupyter.widget-view+json": view,
            "image/png": picture,
            "text/plain": self.summary,
        }
        return data, {"image/png": {"width": width, "height": height}}

    # Widgets

    def _build(self, train_label: str) -> None:
        self._picture, self._verdict, self._source = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HTML()
        self._table = ipywidgets.HTML(layout={"display": "none", "max_height": "320px", "overflow": "auto"})
        self._reset_button = _button("Reset", "Back to the start position and its saved result.", self.reset)
        self._numbers_button = _button("Show numbers", "The rounded numbers behind the picture.", self._toggle_numbers)
        buttons = [self._reset_button, self._numbers_button]
        work = []
        if self._train is not None:
            hint = "Compute this position here and now, instead of showing the saved result."
            self._train_button = _button(train_label, hint, self.start, button_style="primary")
            self._stop_button = _button("Stop", "Stop after the current step and keep what is there.", self.stop)
            self._stop_button.disabled = True
            self._progress = ipywidgets.FloatProgress(min=0, max=1, layout={"width": "180px", "display": "none"})
            self._status = ipywidgets.HTML()
            buttons = [self._train_button, self._stop_button, *buttons]
            work = [_row([self._progress, self._status])]
        for control in self._controls.values():
            control.widget.observe(self._moved, names="value")
        title = ipywidgets.HTML(f'{STYLE}<div class="trustlab-title">{html.escape(self.title)}</div>')
        controls = _row([control.widget for control in self._controls.values()])
        about = ipywidgets.HTML(_about(list(self._controls.values())))
        shown = [title, controls, self._picture, self._verdict, self._source, _row(buttons), *work, self._table, about]
        self.widget = ipywidgets.VBox(shown, layout={"max_width": "900px"})
        self.widget.add_class("trustlab-panel")

    def _move(self, values: Mapping[str, Any]) -> None:
        """Set widgets together, without an answer for each step in between."""
        self._quiet = True
        try:
            for name, value in values.items():
                self._controls[name].widget.value = value
        finally:
            self._quiet = False

    def _moved(self, change: Any) -> None:
        """Answer a hand on a control. An error is shown in the panel; there is no caller to raise it to."""
        if self._quiet:
            return
        try:
            self._show_saved()
        except Exception:
            return  # _show has put it into the panel

    def _toggle_numbers(self) -> None:
        shown = self._table.layout.display != "none"
        self._table.layout.display = "none" if shown else None
        self._numbers_button.description = "Show numbers" if shown else "Hide numbers"

    # Showing

    def _show_saved(self) -> None:
        """Show the saved answer at the controls' position."""
        config = self.config
        if self._train is not None:
            self._progress.layout.display, self._status.value = "none", ""

        def compute() -> Answer:
            options.check(config)
            return self._compute(config)

        self._show(compute)

    def _show(self, compute: Callable[[], Answer]) -> None:
        """Compute an answer and show it; show the error and raise it where that fails."""
        with self._lock:
            try:
                answer = compute()
                self._drawing.draw(answer)
                picture = png(self._drawing.figure)
            except Exception as error:
                self._show_error(error)
                raise
            self._answer, self._error, self._png = answer, None, picture
            alt = plain(answer.verdict)
            self._picture.value = image_html(picture, alt, *css_size(self._drawing.figure))
            self._picture.layout.display = None
            self._verdict.value = message_html("verdict", answer.verdict)
            self._source.value = message_html("source", answer.provenance)
            self._table.value = _numbers_html(answer)

    def _show_error(self, error: BaseException) -> None:
        """Put `error` in the place of the verdict and take the picture away: it would show another position."""
        self._answer, self._error = None, error
        self._picture.layout.display = "none"
        self._verdict.value = message_html("error", _one_line(error))
        self._source.value = self._table.value = ""

    # Training

    def _follow(self, job: Job, config: Any) -> None:
        """Show the rows so far; called in the job's thread."""
        with self._lock:
            if job is not self._job:
                return  # the panel was reset since
            rows = job.rows
            if job.status != "running":
                self._show_idle()
            if job.error is not None:
                self._show_error(job.error)
                return
            self._progress.value = float(rows[-1].get("progress", self._progress.value)) if rows else 0.0
            self._status.value = message_html("source", _progress_text(rows, job.status))
            steps = f"{len(rows)} step" + ("" if len(rows) == 1 else "s")
            told = {
                "running": "yours, live",
                "stopped": f"yours, stopped after {steps}",
                "complete": f"yours, complete after {steps}",
            }
            live: Any = self._live
            self._show(lambda: self._as_live(live(config, rows), told[job.status]))

    def _as_live(self, answer: Answer, told: str) -> Answer:
        return dataclasses.replace(answer, provenance=f"{told} · {answer.provenance}")

    def _show_busy(self) -> None:
        self._progress.value, self._progress.layout.display = 0.0, None
        self._status.value = message_html("source", "starting")
        self._set_running(True)

    def _show_idle(self) -> None:
        if self._train is not None:
            self._set_running(False)

    def _set_running(self, running: bool) -> None:
        """Lock what defines the run while it runs: a picture must belong to the position shown."""
        self._train_button.disabled, self._stop_button.disabled = running, not running
        for control in self._controls.values():
            control.widget.disabled = running

    def _refuse_while_running(self, what: str) -> None:
        if self._job is not None and self._job.running:
            raise RuntimeError(f"A training is running; wait() for it, stop() or reset() it before you {what}.")


def _button(label: str, tooltip: str, act: Callable[[], Any], **look: str) -> ipywidgets.Button:
    """Return a button as wide as its label. What `act` raises is shown in the panel by `act` itself."""
    button = ipywidgets.Button(description=label, tooltip=tooltip, layout={"width": "auto"}, **look)
    button.on_click(lambda _: act())
    return button


def _row(children: Sequence[ipywidgets.Widget]) -> ipywidgets.HBox:
    return ipywidgets.HBox(children, layout={"flex_flow": "row wrap", "align_items": "center", "grid_gap": "4px 16px"})


def _one_line(error: BaseException | None) -> str:
    """Return the error as one readable sentence."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def _progress_text(rows: Sequence[Row], status: str) -> str:
    if not rows:
        return status
    fields = [f"{name} {number(value)}" for name, value in rows[-1].items() if name != "progress"]
    return " · ".join([status, *fields[:FIELDS_IN_PROGRESS]])


def _numbers_html(answer: Answer) -> str:
    parts = [table_html(answer.numbers, focus=answer.focus)] if answer.numbers else []
    if answer.live:
        parts += ["<p><strong>Yours</strong></p>", table_html(answer.live)]
    return f'<div class="trustlab-numbers">{"".join(parts)}</div>'


def _about(controls: Sequence[Control]) -> str:
    """Say what each control means, for hands without a mouse to hover with."""
    items = "".join(f"<dt>{html.escape(c.label)}</dt><dd>{html.escape(c.help)}</dd>" for c in controls)
    return f'<details class="trustlab-about"><summary>About the controls</summary><dl>{items}</dl></details>'
