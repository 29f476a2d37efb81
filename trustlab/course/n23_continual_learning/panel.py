"""The panel of notebook 23: drift, replay, selection and aggregation over six periods, saved, and one trained live."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from trustlab.course import intents
from trustlab.course.corpora import noting_own
from trustlab.course.n23_continual_learning import EXPERIMENT
from trustlab.course.n23_continual_learning.drawing import ContinualAnswer, ContinualDrawing
from trustlab.course.n23_continual_learning.experiment import (
    BETAS,
    PERIODS,
    ROUNDS,
    WEIGHTINGS,
    Setting,
    Stream,
    assistant_over_time,
    over_periods,
    period_of,
    train,
    tuned,
)
from trustlab.course.n23_continual_learning.own_stream import prepared, stream_of
from trustlab.course.n23_continual_learning.results import AT_ONCE, CLOSE, SELECTIONS, curves_of, in_words, saved
from trustlab.course.n23_continual_learning.table import catch_ups, chosen, matrices
from trustlab.data.own import is_own
from trustlab.federated.continual import accuracy_matrix
from trustlab.lab.display import per_cent
from trustlab.lab.experiment_panel import Training, experiment_panel
from trustlab.lab.pace import paced
from trustlab.lab.panel import Panel
from trustlab.lab.saved import CORPUS_NAMES, remembered, saved_over

if TYPE_CHECKING:
    import datasets

    from trustlab.models import Examples

SECONDS_PER_ROUND = 0.06  # at least: sixty rounds take two seconds, too little to watch
Row = dict[str, Any]
WEIGHED = {"examples": "updates weighted by examples", "equal": "updates weighted equally"}


def continual_panel(corpus: datasets.DatasetDict | None = None) -> Panel:
    """Return the panel over the committed trainings on the assistant's devices.

    Parameters
    ----------
    corpus
        The notebook's. A reader's own is trained on, with the drift that is in it, if it has as many periods as the
        saved ones; otherwise the panel says how to cut it into them.
    """
    own, drifts = is_own(corpus), {"drift": None}
    if own:
        drifts = {}  # the drift of real requests is what it is
    trains = own and len(set(corpus["train"]["period"])) == PERIODS
    button = "the button trains on it" if trains else f"and none is trained: load_own(…, periods={PERIODS}) would do"
    return experiment_panel(
        Setting(),
        title="What is activity worth when data arrive and are deleted?",
        drawing=ContinualDrawing(),
        answer=noting_own(answer, corpus, button),
        controls={
            **drifts,
            "replay": None,
            "beta": [(SELECTIONS[beta], beta) for beta in BETAS],
            "weighting": [(WEIGHED[name].removeprefix("updates weighted "), name) for name in WEIGHTINGS],
        },
        training=_own_training(corpus) if trains else TRAINING,
        code="continual_panel(corpus)" if own else "continual_panel()",
    )


@remembered
def answer(at: Setting) -> ContinualAnswer:
    """Read the saved trainings at the panel's position."""
    table, about = saved(at.corpus)
    same = {"drift": at.drift, "weighting": at.weighting}
    runs = chosen(table, **same, replay=at.replay, beta=at.beta)
    reference = chosen(table, **same, setting="static", beta=at.beta)
    others = {beta: chosen(table, **same, replay=at.replay, beta=beta)["accuracy"].mean() for beta in (0.0, 1.0)}
    other = "by activity" if at.beta == 0 else "uniform"
    verdict = (
        f"Drift {at.drift:g}, {_kept(at.replay)}, {_drawn(at.beta)}, {WEIGHED[at.weighting]}: "
        f"{per_cent(runs['accuracy'].mean())} of all periods' requests are understood at the end ({other}: "
        f"{per_cent(others[float(at.beta == 0)])}; all data at once: {per_cent(reference['accuracy'].mean())}). "
        f"It {_reached(catch_ups(runs, reference, CLOSE))}. {_forgotten(100 * runs['forgetting'].mean())}."
    )
    return ContinualAnswer(
        curves_of(table, at.drift, at.replay, at.weighting, at.beta),
        verdict,
        saved_over(about),
        focus={"selection": SELECTIONS[at.beta], "round": ROUNDS},
        matrix=matrices(runs).mean(axis=0).tolist(),
    )


def _kept(replay: int) -> str:
    return f"{replay} old utterances kept on each device" if replay else "nothing kept"


def _drawn(beta: float) -> str:
    return "uniform selection" if beta == 0 else "selection by activity"


def _reached(rounds: Sequence[int | None]) -> str:
    """Say when training over time reached almost the accuracy of all data at once, if it did."""
    when, bar = in_words(rounds), f"{per_cent(CLOSE)} of all data at once"
    return f"never reaches {bar}" if when == "never" else f"reaches {bar} {when}"


def _forgotten(points: float) -> str:
    """Say how many points of 100 are lost on the mean earlier period: the best that it ever was, minus the end."""
    if points < 0.5:
        return "On average nothing from earlier periods is forgotten"
    return f"On average {points:.0f} of 100 points on earlier periods are forgotten"


def get_ready(at: Setting) -> None:
    """Make and encode the corpus of a position, which takes most of the time before the first round."""
    import torch._dynamo  # noqa: F401  # the first optimizer would import it, which takes seconds

    _encoded(at.drift, at.seed)


@functools.lru_cache(maxsize=4)
def _encoded(drift: float, seed: int) -> tuple[datasets.DatasetDict, dict[str, Examples]]:
    """Return the corpus with its drift, and its examples."""
    corpus = assistant_over_time(drift, seed)
    return corpus, intents.prepare(corpus)


def live_rows(at: Setting) -> Iterator[Row]:
    """Train this position as the saved ones were, at its tuned rates; yield the rounds that are measured."""
    corpus, examples = _encoded(at.drift, at.seed)
    return _measured(at, over_periods(corpus, intents.task(examples, seed=at.seed)))


def own_rows(at: Setting, corpus: datasets.DatasetDict) -> Iterator[Row]:
    """Train this position on a reader's own rows, at the rates that were tuned on the embedded corpus."""
    return _measured(at, stream_of(corpus, seed=at.seed))


def _measured(at: Setting, said: Stream) -> Iterator[Row]:
    """Train and yield the rounds that are measured."""
    for row in paced(train(tuned(at), said), SECONDS_PER_ROUND):
        if "accuracy" in row:
            shown = {name: row[name] for name in ("round", "period", "accuracy", "stored", "progress")}
            by_period = {name: value for name, value in row.items() if name.startswith("accuracy_")}
            yield {"step": row["round"], **shown, **by_period}


def _own_ready(at: Setting, corpus: datasets.DatasetDict) -> None:
    import torch._dynamo  # noqa: F401  # as in get_ready

    prepared(corpus)


def _shown(at: Setting, base: ContinualAnswer, rows: list[Row], *, own: bool = False) -> ContinualAnswer:
    """Compare the reader's own training with the saved ones, and show its own matrix as far as it has come.

    With `own`, it is of the reader's rows.
    """
    if not rows:
        return dataclasses.replace(base, verdict="The clients are training.", matrix=())
    last = rows[-1]
    by_then = {row["selection"]: row["accuracy"] for row in base.numbers if row["round"] == last["round"]}
    verdict = (
        f"After {last['round']} of {ROUNDS} rounds, in period {period_of(last['round'])}, {per_cent(last['accuracy'])} "
        f"of all periods' requests{' of your corpus' if own else ''} are understood; the saved ones"
        f"{f' on {CORPUS_NAMES[at.corpus]}' if own else ''} with this selection had "
        f"{per_cent(by_then[SELECTIONS[at.beta]])} by then, all data at once {per_cent(by_then[AT_ONCE])}."
    )
    matrix = accuracy_matrix(rows).tolist()
    return dataclasses.replace(base, verdict=verdict, live=rows, matrix=matrix)


def _seconds(at: Setting) -> float:
    """Return how long nearly all saved trainings took."""
    return EXPERIMENT.seconds(at.corpus, share=0.9, setting="continual")


TRAINING = Training(
    rows=live_rows, shown=_shown, seconds=_seconds, what="these six periods", decides=tuned, prepare=get_ready
)


def _own_training(corpus: datasets.DatasetDict) -> Training:
    """Return what the button does on a reader's own rows."""
    shown = functools.partial(_shown, own=True)
    return dataclasses.replace(
        TRAINING, rows=own_rows, shown=shown, what="your six periods", data=corpus, prepare=_own_ready
    )
