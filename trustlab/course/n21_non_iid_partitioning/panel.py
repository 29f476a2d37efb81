"""The second panel of notebook 21: what skew does to FedAvg, saved for every α, and one fleet trained live."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from trustlab.config import option
from trustlab.course.corpora import noting_own
from trustlab.course.n21_non_iid_partitioning.experiment import (
    ALPHAS,
    DEFINITIONS,
    REFERENCES,
    ROUNDS,
    Setting,
    prepare,
    task,
    train,
    tuned,
)
from trustlab.course.n21_non_iid_partitioning.results import MEASURES, curves_of, rounds_of, saved
from trustlab.course.once import once
from trustlab.lab.curves import Curves, write_key
from trustlab.lab.display import number, per_cent
from trustlab.lab.experiment_panel import Training, experiment_panel
from trustlab.lab.figures import FONT_POINTS, GREY, Drawing
from trustlab.lab.panel import Answer, Panel
from trustlab.lab.saved import CORPUS_NAMES, remembered, saved_over

if TYPE_CHECKING:
    import datasets

AGAINST = ("α", "effective labels")
SECONDS_PER_ROUND = 0.05  # at least: a hundred rounds take a second, too little to watch
_encoded = once(prepare)  # a corpus is encoded once, for every training of it


@dataclass(frozen=True)
class SkewPosition(Setting):
    """The position of the panel: a training, and how it is looked at."""

    against: str = option(
        "α",
        label="Over",
        help="The x-axis of the left picture: α, or the effective number of labels that it gives.",
        values=AGAINST,
    )
    measure: str = option(
        "accuracy",
        label="Accuracy on",
        help="all intents; rare: the quarter of the intents with the fewest utterances.",
        values=("accuracy", "accuracy_rare"),
    )

    @property
    def cell(self) -> Setting:
        """The training alone, with the learning rate that was found for this fleet."""
        return tuned(self.corpus, self.scheme, self.alpha, self.seed)


@dataclass(frozen=True)
class SkewAnswer(Answer):
    """An answer that also has the accuracies over the rounds, and how to draw those at the end."""

    rounds: tuple[dict[str, Any], ...] = ()
    against: str = "α"
    measure: str = "accuracy"
    without_skew: float = math.nan


def skew_panel(corpus: datasets.DatasetDict, name: str) -> Panel:
    """Return the panel: the definition of α, its value, the picture's axes, and one fleet trained live.

    Parameters
    ----------
    corpus
        What :func:`trustlab.data.load` returned; the live training reads it.
    name
        Its name, under which the results are saved.
    """
    return experiment_panel(
        SkewPosition(name, "fednlp", 0.1),
        title="What does skew do to FedAvg?",
        drawing=SkewDrawing(),
        answer=noting_own(answer, corpus),
        controls={
            "scheme": [(label, scheme) for scheme, label in DEFINITIONS.items()],
            "alpha": ALPHAS,
            "against": None,
            "measure": [(MEASURES[measure], measure) for measure in ("accuracy", "accuracy_rare")],
        },
        training=Training(
            rows=live_rows,
            shown=_shown,
            seconds=_seconds,
            data=corpus,
            decides=lambda at: at.cell,
            prepare=prepare_live,
        ),
        code=f'skew_panel(corpus, "{name}")',
    )


@remembered
def answer(at: SkewPosition) -> SkewAnswer:
    """Read the saved trainings at the panel's position."""
    table, about = saved(at.corpus)
    rows = curves_of(table, at.measure)
    best = {row["α of"]: row["accuracy"] for row in rows if row["α of"] in REFERENCES.values()}
    focus = {"α of": DEFINITIONS[at.scheme], "α": at.alpha}
    (here,) = (row for row in rows if row.items() >= focus.items())
    verdict = (
        f"With {focus['α of']}'s α = {at.alpha:g}, the median client has {here['effective labels']:.1f} effective "
        f"labels, and FedAvg gets {per_cent(here['accuracy'])} of {MEASURES[at.measure]} right on "
        f"{CORPUS_NAMES[at.corpus]}; without skew {per_cent(best['no skew'])}, and with all data in one place "
        f"{per_cent(best[REFERENCES['centralised']])}."
    )
    rounds = [
        {"α of": label, **row}
        for scheme, label in {**DEFINITIONS, "iid": REFERENCES["iid"]}.items()
        for row in rounds_of(table, scheme, math.inf if scheme in REFERENCES else at.alpha)
    ]
    return SkewAnswer(
        rows,
        verdict,
        saved_over(about),
        focus={**focus, at.against: here[at.against]},
        rounds=tuple(rounds),
        against=at.against,
        measure=at.measure,
        without_skew=best["no skew"],
    )


def prepare_live(at: SkewPosition, corpus: datasets.DatasetDict) -> None:
    """Import and encode what :func:`live_rows` begins with, so that its first row comes soon."""
    import torch._dynamo  # noqa: F401  # the first optimizer would import it, which takes seconds

    _encoded(corpus)


def live_rows(at: SkewPosition, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one fleet as the saved ones were, measured after every round, which does not change the training.

    A round takes :data:`SECONDS_PER_ROUND` at least, so that a reader can watch.
    """
    names = ("round", "accuracy", "train_loss", "clients", "progress")
    due = time.monotonic()
    for row in train(at.cell, corpus, task(_encoded(corpus), seed=at.seed), evaluate_every=1):
        yield {"step": row["round"], **{name: row[name] for name in names}}
        due = max(due + SECONDS_PER_ROUND, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))


def _shown(at: SkewPosition, base: SkewAnswer, rows: list[dict[str, Any]]) -> SkewAnswer:
    """Compare the reader's own training with the saved ones at the same round."""
    if not rows:
        return dataclasses.replace(base, verdict="The fleet is training.")
    last = rows[-1]
    verdict = (
        f"After {last['round']} of {ROUNDS} rounds this fleet gets {per_cent(last['accuracy'])} of all intents right"
    )
    # Saved are fewer rounds: the last of them that this training has passed.
    passed = max((row["round"] for row in base.rounds if row["round"] <= last["round"]), default=None)
    saved_by_then = {row["α of"]: row["accuracy"] for row in base.rounds if row["round"] == passed}
    if saved_by_then:
        same, even = (per_cent(saved_by_then[label]) for label in (DEFINITIONS[at.scheme], REFERENCES["iid"]))
        verdict += f"; after {passed} the saved ones with this α had {same}, those without skew {even}"
    verdict += "."
    return dataclasses.replace(base, verdict=verdict, live=rows)


def _seconds(at: SkewPosition) -> float:
    """Return how long nearly all saved trainings took."""
    table, _ = saved(at.corpus)
    return table[table["scheme"].isin(DEFINITIONS)]["seconds"].quantile(0.9)


class SkewDrawing(Drawing):
    """Accuracy over the rounds on the left; at the end, over α or the effective number of labels, on the right."""

    def __init__(self) -> None:
        super().__init__(width=900, height=410)
        self.figure.subplots_adjust(left=0.075, right=0.985, bottom=0.18, top=0.80, wspace=0.08)
        write_key(self.figure)
        left, right = self.figure.subplots(1, 2, sharey=True)
        look: dict[str, Any] = {"y": "accuracy", "series": "α of", "y_limits": (0.0, 1.02)}
        # Both have the same series in the same order, so one legend, over both, is enough.
        self.rounds = Curves(
            "round", x_label="round", y_label="accuracy", live_line=True, legend_at=1.1, axes=left, **look
        )
        self.over = Curves("α", x_label="α", y_label="", log_x=True, legend_at=None, axes=right, **look)
        left.set_title("Over the rounds, all intents", fontsize=FONT_POINTS + 1, loc="left")
        right.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
        right.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        right.xaxis.set_minor_formatter(NullFormatter())
        self._without = right.axhline(0, color=GREY, linewidth=1.2, linestyle="--", zorder=1)
        beside = right.get_yaxis_transform()
        self._name = right.text(0.98, 0, "no skew", color=GREY, fontsize=10, ha="right", va="bottom", transform=beside)

    def draw(self, answer: SkewAnswer) -> None:
        """Move the curves; the reader's own run belongs to the left."""
        label = (answer.focus or {})["α of"]
        at_the_end = {"α of": label, "round": ROUNDS}
        self.rounds.draw(dataclasses.replace(answer, numbers=answer.rounds, focus=at_the_end))
        self.over.x = answer.against
        named = "α" if answer.against == "α" else "effective labels of the median client"
        self.over.axes.set_xlabel(named, fontsize=FONT_POINTS)
        title = f"After {ROUNDS} rounds, {MEASURES[answer.measure]}"
        self.over.axes.set_title(title, fontsize=FONT_POINTS + 1, loc="left")
        self._without.set_ydata([answer.without_skew] * 2)
        self._name.set_y(answer.without_skew + 0.01)
        curves = [row for row in answer.numbers if row["α of"] in DEFINITIONS.values()]  # the others have no α
        self.over.draw(dataclasses.replace(answer, numbers=curves, live=()))

    def shown(self) -> dict[str, Any]:
        """Return what both panes show."""
        return {"rounds": self.rounds.shown(), "over": self.over.shown()}
