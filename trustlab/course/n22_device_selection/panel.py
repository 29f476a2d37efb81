"""The panel of notebook 22: selection by activity on a heavy and light fleet, saved for every position, and live."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matplotlib.ticker import FuncFormatter

from trustlab.config import option
from trustlab.course import intents
from trustlab.course.corpora import noting_own
from trustlab.course.n22_device_selection import EXPERIMENT
from trustlab.course.n22_device_selection.experiment import (
    AGGREGATIONS,
    BETAS,
    BETAS_OF_REAL_FLEETS,
    COHORTS,
    FIRST_RATES,
    OTHERS,
    WAYS,
    Setting,
    recipe,
    train,
    tuned,
)
from trustlab.course.n22_device_selection.fleets import (
    AS_IT_IS,
    EMBEDDED,
    FLEETS,
    Problem,
    on_devices,
    problem,
    with_activity,
)
from trustlab.course.n22_device_selection.results import (
    CORPUS_NAMES,
    MEASURES,
    SCORED,
    SELECTIONS,
    curve_of,
    name_of,
    saved,
    trainings,
)
from trustlab.course.once import once
from trustlab.data.own import is_own
from trustlab.lab.curves import Curves
from trustlab.lab.display import number, per_cent
from trustlab.lab.experiment_panel import Training, experiment_panel
from trustlab.lab.figures import FONT_POINTS, Drawing
from trustlab.lab.pace import paced
from trustlab.lab.panel import Answer, Panel
from trustlab.lab.saved import remembered, saved_over

if TYPE_CHECKING:
    import datasets

    from trustlab.models import Examples

MOST_POINTS = 20
SECONDS_PER_ROUND = 0.1  # at least: thirty rounds take a second or two, too little to watch
WHOSE = ("accuracy", "accuracy_device", "accuracy_light")
BESIDE = {"accuracy_device": "the mean device", "accuracy_light": "light devices"}  # reported next to all of them


@dataclass(frozen=True)
class SelectionPosition(Setting):
    """The position of the panel: a training, and the accuracy that is drawn."""

    measure: str = option(
        "accuracy",
        label="Accuracy on",
        help="all test examples; the mean device, all weighted equally; or light devices, those no larger than the "
        "median one.",
        values=WHOSE,
    )

    @property
    def cell(self) -> Setting:
        """The training alone, at the rates that the search chose; for what is not saved at those of its β."""
        here = Setting(*(getattr(self, field.name) for field in dataclasses.fields(Setting)))
        if self.corpus != EMBEDDED:
            return dataclasses.replace(here, learning_rate=FIRST_RATES[self.corpus])
        if self.fleet == AS_IT_IS:
            return tuned(here)
        return dataclasses.replace(tuned(dataclasses.replace(here, strategy="power")), strategy=self.strategy)

    @property
    def beside(self) -> str:
        """The measure reported next to that of all clients: the one drawn, or else that of light devices."""
        return self.measure if self.measure in BESIDE else "accuracy_light"


@dataclass(frozen=True)
class SelectionAnswer(Answer):
    """An answer that also names the accuracy that its numbers are."""

    title: str = ""


def selection_panel(corpus: datasets.DatasetDict, name: str) -> Panel:
    """Return the panel: β and other strategies, weights, fleet skew, and one fleet trained live, at tuned rates.

    Parameters
    ----------
    corpus
        What :func:`trustlab.data.load` returned; the live training reads it.
    name
        Its name, under which the results are saved.
    """
    embedded = name == EMBEDDED
    controls: dict[str, Any] = {
        "beta": BETAS if embedded else BETAS_OF_REAL_FLEETS,
        "aggregation": [(AGGREGATIONS[way], way) for way in WAYS],
        "measure": [(MEASURES[measure], measure) for measure in WHOSE],
    }
    if embedded:
        fleets = {} if is_own(corpus) else {"fleet": tuple(FLEETS)}  # the activity of real users is what it is
        controls = {**fleets, "strategy": ("power", *OTHERS), **controls}
    return experiment_panel(
        SelectionPosition(name, cohort=max(COHORTS[name])),
        title="Which clients should train?",
        drawing=SelectionDrawing((0.0, 1.0) if embedded else None),  # others are far from 1
        answer=noting_own(answer, corpus),
        controls=controls,
        training=Training(
            rows=live_rows, shown=_shown, seconds=_seconds, data=corpus, decides=lambda at: at.cell, prepare=get_ready
        ),
        code=f'selection_panel(corpus, "{name}")',
    )


@remembered
def answer(at: SelectionPosition) -> SelectionAnswer:
    """Read the saved trainings at the panel's position."""
    _, about = saved(at.corpus)
    where = dict(fleet=at.fleet, aggregation=at.aggregation, cohort=at.cohort)
    shown = [f"β = {beta:g}" for beta in BETAS] + ([at.selection] if at.strategy != "power" else [])
    runs = {way: found for way in shown if len(found := trainings(at.corpus, way, **where))}
    rows = [
        {"selected by": SELECTIONS[way], **row}
        for way, found in runs.items()
        for row in _fewer(curve_of(found, at.measure))
    ]
    return SelectionAnswer(
        rows,
        _verdict(at, runs),
        saved_over(about),
        focus={"selected by": SELECTIONS[at.selection], "round": recipe(at.cell).rounds},
        title=f"{MEASURES[at.measure].capitalize()}: at equal rounds",
    )


def _fewer(curve: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first points of a long curve, then every second one, and the last: their markers hide each other."""
    if len(curve) <= MOST_POINTS:
        return curve
    return [row for place, row in enumerate(curve, start=1) if place <= 4 or (len(curve) - place) % 2 == 0]


def _verdict(at: SelectionPosition, runs: dict[str, Any]) -> str:
    if at.selection not in runs:
        return _unsaved(at)
    here, even = runs[at.selection], runs["β = 0"]
    what, done = SCORED[at.corpus]
    drawn = "uniformly" if at.selection == "β = 0" else f"by {at.selection}"
    verdict = (
        f"After {recipe(at.cell).rounds} rounds of {at.cohort} clients drawn {drawn} and {name_of(at.aggregation)}, "
        f"{per_cent(here['accuracy'].mean())} of all {what} are {done} on {CORPUS_NAMES[at.corpus]}, and "
        f"{per_cent(here[at.beside].mean())} on {BESIDE[at.beside]}"
    )
    if at.selection == "β = 0":
        return f"{verdict}."
    times = here["examples"].mean() / even["examples"].mean()
    return (
        f"{verdict}; drawn uniformly {per_cent(even['accuracy'].mean())} and {per_cent(even[at.beside].mean())}. "
        f"It trained on {times:.1f} times as many examples."
    )


def _unsaved(at: SelectionPosition) -> str:
    """Say that strategies other than by β are saved on one fleet only."""
    return (
        f"There is no saved training of {at.selection} here. Move **Fleet** to “{AS_IT_IS}” to see one, or train this "
        "one, at the rates of selection by β."
    )


def get_ready(at: SelectionPosition, corpus: datasets.DatasetDict) -> None:
    """Make and encode the fleet of a position, which takes most of the time before the first round."""
    import torch._dynamo  # noqa: F401  # the first optimizer would import it, which takes seconds

    if at.corpus == EMBEDDED:
        _encoded(corpus, at.fleet)


@once
def _encoded(corpus: datasets.DatasetDict, fleet: str) -> tuple[datasets.DatasetDict, dict[str, Examples]]:
    """Return the embedded corpus with the activity of `fleet`, and its examples."""
    made = with_activity(corpus, fleet)
    return made, intents.prepare(made)


def _problem(at: SelectionPosition, corpus: datasets.DatasetDict) -> Problem:
    """Return what :func:`trustlab.course.n22_device_selection.fleets.problem` does, of what was encoded ahead."""
    if at.corpus != EMBEDDED:
        return problem(at.corpus, corpus, seed=at.seed)
    made, examples = _encoded(corpus, at.fleet)
    return on_devices(at.corpus, made, intents.task(examples, seed=at.seed))


def live_rows(at: SelectionPosition, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one fleet as the saved ones were; yield the rounds measured, with the examples trained on so far."""
    examples = 0
    for row in paced(train(at.cell, _problem(at, corpus)), SECONDS_PER_ROUND):
        examples += row["examples"]
        if "accuracy" in row:
            measured = {name: row[name] for name in (*WHOSE, "progress")}
            yield {"step": row["round"], "round": row["round"], "examples": examples, **measured}


def _shown(at: SelectionPosition, base: SelectionAnswer, rows: list[dict[str, Any]]) -> SelectionAnswer:
    """Show over rounds and examples how far the reader's own training has come, for those whose accuracy is drawn."""
    if not rows:
        return dataclasses.replace(base, verdict="The fleet is training.")
    last, (what, done) = rows[-1], SCORED[at.corpus]
    uniform = curve_of(trainings(at.corpus, "β = 0", fleet=at.fleet, aggregation=at.aggregation, cohort=at.cohort))
    (by_then,) = (row["accuracy"] for row in uniform if row["round"] == last["round"])
    verdict = (
        f"After {last['round']} of {recipe(at.cell).rounds} rounds and {last['examples']:,} examples, "
        f"{per_cent(last['accuracy'])} of all {what} are {done}, and {per_cent(last[at.beside])} on "
        f"{BESIDE[at.beside]}. Drawn uniformly, the saved ones had {per_cent(by_then)} of all by then."
    )
    drawn = [{**row, "accuracy": row[at.measure]} for row in rows]
    return dataclasses.replace(base, verdict=verdict, live=drawn)


def _seconds(at: SelectionPosition) -> float:
    """Return how long most saved trainings took."""
    return EXPERIMENT.seconds(at.corpus, share=0.75)


class SelectionDrawing(Drawing):
    """The same accuracies twice: over the rounds, and over the examples that devices trained on to get there."""

    def __init__(self, y_limits: tuple[float, float] | None) -> None:
        super().__init__(width=900, height=350)
        self.figure.subplots_adjust(left=0.075, right=0.985, bottom=0.16, top=0.77, wspace=0.08)
        left, right = self.figure.subplots(1, 2, sharey=True)
        look: dict[str, Any] = {"y": "accuracy", "series": "selected by", "live_line": True, "y_limits": y_limits}
        look |= {"one_of": tuple(OTHERS)}
        # Both have the same series in the same order, so one legend, over both, is enough.
        self.rounds = Curves("round", x_label="round", y_label="accuracy", legend_at=1.1, axes=left, **look)
        self.work = Curves("examples", x_label="examples trained on", log_x=True, legend_at=None, axes=right, **look)
        right.set_title("… at equal work", fontsize=FONT_POINTS + 1, loc="left")
        right.xaxis.set_major_formatter(
            FuncFormatter(lambda value, _: number(int(value)) if value < 1000 else f"{value / 1000:g}k")
        )

    def draw(self, answer: SelectionAnswer) -> None:
        """Move the curves; the ring is at the end of the chosen one."""
        self.rounds.draw(answer)
        self.rounds.axes.set_title(answer.title, fontsize=FONT_POINTS + 1, loc="left")
        self.work.draw(answer)

    def shown(self) -> dict[str, Any]:
        """Return what both panes show."""
        return {"rounds": self.rounds.shown(), "work": self.work.shown()}
