"""The panel of an experiment: the saved answer at once, and one training live behind a button that says how long.

A room says what is saved at a position, what the button trains there, and how its rows are shown over the saved ones.
That a run is kept with its provenance, streamed, stopped, named as the reader's own and shown again when its position
is opened later is the same everywhere and written here.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from trustlab.lab.answer import Answer
from trustlab.lab.display import duration
from trustlab.lab.figures import Drawing
from trustlab.lab.job import Row
from trustlab.lab.own_runs import OwnRuns, from_when
from trustlab.lab.panel import Panel


def as_the_first_saved(at: Any) -> str:
    """Return the seed of the reader's own run: that of the first saved run, unless it was moved."""
    return f"seed {at.seed}" + (", the same as the first saved run" if at.seed == 0 else "")


@dataclasses.dataclass(frozen=True)
class Training:
    """What the button of a panel trains, and how it is shown.

    Parameters
    ----------
    rows
        Generator function from the controls' position, and `data` where there is one, to rows. A row has ``step``
        and ``progress`` from 0 to 1. The run store names a run by this function's code, so it is one of a module.
    shown
        Pure function from the position, the saved answer there and the rows so far (none at first) to the answer with
        the reader's own run as ``live``.
    seconds
        How long a training took for the saved results, at a position.
    what
        What is trained, for the button: "Train this fleet, about 20 s".
    data
        The corpus that `rows` reads; None where it reads none.
    decides
        What of the position decides the rows, a dataclass or a mapping; what only decides the picture is left out.
    source
        Where the reader's run differs from a saved one, and where not, at a position.
    unit
        What a step is, in the plural.
    prepare
        Called with the position, and `data` where there is one, in the background as soon as the panel is on the page.
        It imports and builds what `rows` needs first, in functions that keep their results (:func:`.ready.once`), so
        that the first picture comes within a second of the press. Other cells run meanwhile: it makes no model, which
        draws from torch's global random numbers.
    """

    rows: Callable[..., Iterator[Row]]
    shown: Callable[[Any, Answer, list[Row]], Answer]
    seconds: Callable[[Any], float]
    what: str = "this fleet"
    data: Any = None
    decides: Callable[[Any], Any] = lambda at: at
    source: Callable[[Any], str] = as_the_first_saved
    unit: str = "rounds"
    prepare: Callable[..., Any] | None = None

    @property
    def given(self) -> tuple[Any, ...]:
        """What `rows` and `prepare` get after the position."""
        return () if self.data is None else (self.data,)

    def button(self, at: Any) -> str:
        """Return what the button says at a position."""
        return f"Train {self.what}, about {duration(self.seconds(at))}"

    def config(self, at: Any) -> dict[str, Any]:
        """Return the configuration under which a run of this position is kept."""
        decided = self.decides(at)
        return {"live": dataclasses.asdict(decided) if dataclasses.is_dataclass(decided) else dict(decided)}


def experiment_panel(
    config: Any,
    *,
    title: str,
    drawing: Drawing,
    answer: Callable[[Any], Answer],
    training: Training,
    controls: Mapping[str, Sequence[Any] | None] | None = None,
    code: str = "",
) -> Panel:
    """Return a panel over saved results in which a reader can train one position.

    Parameters
    ----------
    config, title, drawing, controls, code
        As for :class:`~trustlab.lab.panel.Panel`.
    answer
        Pure function from a position to what is saved there.
    training
        What the button does.

    Examples
    --------
    >>> from trustlab.config import option
    >>> from trustlab.lab.curves import Curves
    >>> @dataclasses.dataclass(frozen=True)
    ... class Fleet:
    ...     alpha: float = option(0.1, label="α", help="Small is more skewed.", values=(0.1, 1.0))
    ...     seed: int = option(0, label="Seed", help="Of everything random.", low=0)
    >>> saved = [{"round": r, "α": a, "accuracy": 0.1 * r} for a in ("0.1", "1") for r in (1, 2)]
    >>> panel = experiment_panel(
    ...     Fleet(),
    ...     title="What does skew do?",
    ...     drawing=Curves("round", "accuracy", "α", x_label="round"),
    ...     answer=lambda at: Answer(saved, f"At α = {at.alpha:g} it learns.", "saved, seeds 0–4"),
    ...     training=Training(
    ...         rows=lambda at: iter([{"step": 1, "round": 1, "accuracy": 0.05, "progress": 1.0}]),
    ...         shown=lambda at, base, rows: dataclasses.replace(base, live=rows),
    ...         seconds=lambda at: 12.0,
    ...     ),
    ... )
    >>> print(panel.answer.provenance)
    saved, seeds 0–4
    """
    runs = OwnRuns(training.rows, training.data)
    return Panel(
        config,
        title=title,
        drawing=drawing,
        answer=functools.partial(_saved_and_own, answer=answer, training=training, runs=runs),
        controls=controls,
        train=functools.partial(_train, training=training, runs=runs),
        live=functools.partial(_live, answer=answer, training=training),
        train_label=training.button,
        prepare=functools.partial(_prepare, training=training, runs=runs),
        code=code,
    )


def _prepare(at: Any, *, training: Training, runs: OwnRuns) -> None:
    if training.prepare is not None:
        training.prepare(at, *training.given)
    runs.prepare()


def _train(at: Any, *, training: Training, runs: OwnRuns) -> Iterator[Row]:
    yield from runs.keep(training.rows(at, *training.given), training.config(at), at.seed)


def _live(at: Any, rows: list[Row], *, answer: Callable[[Any], Answer], training: Training) -> Answer:
    """Show what is saved and, over it, how far the reader's own training has come."""
    return dataclasses.replace(training.shown(at, answer(at), rows), provenance=training.source(at))


def _saved_and_own(at: Any, *, answer: Callable[[Any], Answer], training: Training, runs: OwnRuns) -> Answer:
    """Show what is saved, which the verdict is about, and over it the reader's own run where there is one."""
    saved = answer(at)
    run = runs.find(training.config(at), at.seed)
    own = training.shown(at, saved, run.rows).live if run and run.rows else ()
    if run is None or not own:
        return saved
    return dataclasses.replace(saved, live=own, provenance=f"{saved.provenance} · {from_when(run, training.unit)}")
