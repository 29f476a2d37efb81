"""A lab panel: a few controls, a picture, one sentence of verdict, and where the numbers come from.

The panel holds widgets and sets their traits; everything it shows comes from pure functions it is given
(``answer``, ``live``) and from one generator (``train``) that a :class:`~trustlab.lab.job.Job` consumes. It is never
blank: the answer to the first position is there when the panel is made, and every viewer without a kernel gets the
picture and a text summary. No ``Output`` or ``interact`` is used: they hide exceptions and cannot be compared.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trustlab import config as options
from trustlab.lab.answer import Answer
from trustlab.lab.controls import Control, controls_for
from trustlab.lab.display import plain
from trustlab.lab.exports import call
from trustlab.lab.figures import Drawing, png, svg, with_picture
from trustlab.lab.job import Job, Row
from trustlab.lab.running import Running
from trustlab.lab.shown import weakly
from trustlab.lab.turns import in_turn
from trustlab.lab.view import View, one_line

if TYPE_CHECKING:
    import pandas

__all__ = ["Answer", "Panel"]


class Panel(Running):
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
        The training button's text, or a function from the configuration to it; say how long it takes: "Train, about
        20 s".
    prepare
        Called once in the background, with the position at that time, when a cell shows the panel: it imports and
        builds what `train` needs first, into caches. Other cells run meanwhile, so it draws no random numbers.
    code
        The call that makes this panel, such as "budget_panel(corpus)", for *Copy as code*; without it the button is
        left out.

    Attributes
    ----------
    controls
        The :class:`~trustlab.lab.controls.Control` of each field that can be moved.
    drawing
        As given; its ``shown()`` says what it shows.
    widgets
        The :class:`~trustlab.lab.view.View` around the picture: its buttons, verdict, provenance, numbers.
    widget
        All of them in one, as a cell shows it.
    job
        The :class:`~trustlab.lab.job.Job` that runs or ran last; None before one and after a reset.

    Raises
    ------
    ValueError
        If a control is no field, a start value is not among its control's values, or `train` comes without `live`.

    Examples
    --------
    >>> from trustlab.lab.curves import Curves
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
        train_label: str | Callable[[Any], str] = "Train",
        prepare: Callable[[Any], Any] | None = None,
        code: str = "",
    ) -> None:
        if (train is None) != (live is None):
            raise ValueError("Expected train and live together, got one: live turns train's rows into an answer.")
        self.title, self._code, self._prepare = title, code, prepare
        self._start_config = config
        self.drawing, self._compute, self._train, self._live = drawing, answer, train, live
        self.controls: dict[str, Control] = controls_for(config, controls)
        self._quiet = False
        self.job: Job | None = None
        self._answer: Answer | None = None
        self._error: BaseException | None = None
        self._train_label = train_label if callable(train_label) else lambda _: train_label
        self.widgets = View(title, list(self.controls.values()), drawing.figure, "Train" if train else None)
        self.widget = self.widgets.widget
        self._listen_to_widgets()
        self._show_saved()

    # What a cell reads

    @property
    def config(self) -> Any:
        """The configuration at the controls' position."""
        return dataclasses.replace(self._start_config, **{name: c.value for name, c in self.controls.items()})

    @property
    def answer(self) -> Answer:
        """The answer shown; raises the error instead where an error is shown."""
        if self._answer is None:
            raise self._error or RuntimeError("The panel has no answer yet.")
        return self._answer

    def answer_at(self, config: Any) -> Answer:
        """Return the answer to a configuration without moving a control.

        Raises
        ------
        ValueError
            If a value is none that its option allows.
        """
        options.check(config)
        return self._compute(config)

    @property
    @in_turn
    def picture(self) -> bytes:
        """The picture as a PNG with title and verdict in it; drawn on demand."""
        verdict = one_line(self._error) if self._answer is None else plain(self._answer.verdict)
        return png(self.drawing.figure, title=self.title, verdict=verdict)

    @property
    def numbers(self) -> pandas.DataFrame:
        """The rows behind the picture, unrounded."""
        import pandas

        return pandas.DataFrame([dict(row) for row in self.answer.numbers])

    @property
    def code(self) -> str:
        """A line of Python that makes this panel at this position; empty where the panel was made without its call."""
        config = self.config
        moved = [name for name in self.controls if getattr(config, name) != getattr(self._start_config, name)]
        return call(self._code, {name: getattr(config, name) for name in moved})

    @property
    def summary(self) -> str:
        """Title, position, verdict and provenance as text: what a viewer without a kernel and nbval see."""
        lines = [self.title, *(f"  {control.label}: {control.text}" for control in self.controls.values())]
        if self._answer is None:
            return "\n".join([*lines, one_line(self._error)])
        return "\n".join([*lines, plain(self._answer.verdict), f"({self._answer.provenance})"])

    # What a cell does

    @in_turn
    def set(self, **values: Any) -> Panel:
        """Move controls and return the panel, so that a cell that ends with it shows the new position.

        Raises
        ------
        ValueError
            If a name has no control or a value is not among its choices; nothing has moved then.
        RuntimeError
            While the training runs.
        Exception
            What ``answer`` raises for the new position; the panel shows it too.
        """
        self._refuse_while_running("move a control")
        unknown = sorted(set(values) - set(self.controls))
        if unknown:
            raise ValueError(f"Expected controls among {', '.join(self.controls)}, got {', '.join(unknown)}.")
        accepted = {name: self.controls[name].accept(value) for name, value in values.items()}
        self._move(accepted)
        self._show_saved()
        return self

    @in_turn
    def reset(self) -> Panel:
        """Stop a running job, move every control back to the start and show the saved answer."""
        if self.job is not None:
            self.job.stop()
        self.job = None  # what the old job still sends is ignored
        self._move({name: getattr(self._start_config, name) for name in self.controls})
        self.widgets.set_running(False)
        self._show_saved()
        return self

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **kwargs: Any) -> tuple[dict, dict]:
        """Give Jupyter the widget, and viewers without a kernel the picture and its summary."""
        return with_picture(super()._repr_mimebundle_(), self.picture)

    # Hands on the widgets

    def _listen_to_widgets(self) -> None:
        """Connect buttons and controls. When the last reference to this panel is gone, its job stops too."""
        for name, button in self.widgets.buttons.items():
            act = operator.methodcaller({"Reset": "reset", "Train": "start", "Stop": "stop"}[name])
            pressed = weakly(self._pressed)
            button.on_click(lambda _, act=act, pressed=pressed: pressed(act))
        for control in self.controls.values():
            control.widget.observe(weakly(self._moved), names="value")
        self._jobs: list[Job] = []  # the latest, where the end can see it without holding the panel
        self._own(lambda jobs=self._jobs: [job.stop() for job in jobs])

    def _pressed(self, act: Callable[[Panel], Any]) -> None:
        """Do what a button says. Its error is shown in the panel: there is no caller to raise it to."""
        try:
            act(self)
        except Exception as error:
            self._show_error(error)

    @in_turn
    def _moved(self, change: Any) -> None:
        if not self._quiet:
            self._pressed(Panel._show_saved)

    @in_turn
    def _move(self, values: Mapping[str, Any]) -> None:
        """Set widgets together, without an answer for each step in between."""
        self._quiet = True
        try:
            for name, value in values.items():
                self.controls[name].widget.value = value
        finally:
            self._quiet = False

    # Showing

    @in_turn
    def _show_saved(self) -> None:
        """Show the saved answer at the controls' position."""
        config = self.config
        self.widgets.hide_progress()
        self.widgets.exports.code = self.code
        if self._train is not None:
            self.widgets.buttons["Train"].description = self._train_label(config)
        self._show(lambda: self.answer_at(config))

    @in_turn
    def _show(self, compute: Callable[[], Answer]) -> None:
        """Compute an answer and show it; show the error and raise it where that fails."""
        try:
            answer = compute()
            self.drawing.draw(answer)
            picture = svg(self.drawing.figure, alt=plain(answer.verdict))
        except Exception as error:
            self._show_error(error)
            raise
        self._answer, self._error = answer, None
        self.widgets.show(answer, picture)

    @in_turn
    def _show_error(self, error: BaseException) -> None:
        self._answer, self._error = None, error
        self.widgets.show_error(one_line(error))
