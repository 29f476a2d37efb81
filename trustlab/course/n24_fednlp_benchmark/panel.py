"""The panel of notebook 24: every algorithm on every partition of every task, saved, and one of them trained live."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from trustlab.course.corpora import noting_own
from trustlab.course.n24_fednlp_benchmark import EXPERIMENT
from trustlab.course.n24_fednlp_benchmark.drawing import MatrixAnswer, MatrixDrawing
from trustlab.course.n24_fednlp_benchmark.experiment import (
    ALGORITHMS,
    CENTRALISED,
    PARTITIONS,
    ROUNDS,
    Setting,
    divide,
    examples,
    problem,
    recipe,
    tuned,
)
from trustlab.course.n24_fednlp_benchmark.results import NAMES, matrix, reference, rounds_of, saved, trainings_lost
from trustlab.course.once import once
from trustlab.federated.tasks import FAMILIES, SMALL, Example
from trustlab.lab.display import per_cent
from trustlab.lab.experiment_panel import Training, experiment_panel
from trustlab.lab.panel import Panel
from trustlab.lab.saved import remembered, saved_over

if TYPE_CHECKING:
    import datasets

MEASURED_LIVE = 2  # rounds between points of the reader's own curve


def fednlp_panel(corpus: datasets.DatasetDict) -> Panel:
    """Return the panel: task, algorithm, partition, and one cell trained live.

    Parameters
    ----------
    corpus
        The embedded corpus, which the live training reads.
    """
    return experiment_panel(
        Setting(algorithm="fedavg", partition="label"),
        title="Which algorithm, on which partition?",
        drawing=MatrixDrawing(tuple(NAMES[name] for name in ALGORITHMS), tuple(PARTITIONS)),
        answer=noting_own(answer, corpus),
        controls={
            "task": tuple(FAMILIES),
            "algorithm": [(NAMES[name], name) for name in ALGORITHMS],
            "partition": tuple(PARTITIONS),
        },
        training=Training(
            rows=live_rows, shown=_shown, seconds=_seconds, what="this setting", data=corpus, prepare=_prepare
        ),
        code="fednlp_panel(corpus)",
    )


@remembered
def answer(at: Setting) -> MatrixAnswer:
    """Read the saved trainings at the controls' position."""
    _, about = saved()
    rows, best = matrix(at.task), reference(at.task)
    focus = {"algorithm": NAMES[at.algorithm], "partition": at.partition}
    scores = {(row["algorithm"], row["partition"]): row["score"] for row in rows}
    here, even = scores[NAMES[at.algorithm], at.partition], scores[NAMES[at.algorithm], "uniform"]
    metric = FAMILIES[at.task].metric
    skewed = "" if at.partition == "uniform" else f", without skew {per_cent(even)}"
    gone, runs = trainings_lost(at.task, at.algorithm, at.partition)
    learned = f" ({gone} of {runs} trainings learned next to nothing)" if gone else ""
    verdict = (
        f"{at.task}: {NAMES[at.algorithm]} on the {at.partition} partition reaches {per_cent(here)} {metric}{learned}"
        f"{skewed}; "
        f"all data in one place, with as many passes, {per_cent(best)}."
    )
    curves = [
        {"algorithm": NAMES[name], **row}
        for name in (*ALGORITHMS, CENTRALISED)
        for row in rounds_of(at.task, name, "none" if name == CENTRALISED else at.partition)
    ]
    return MatrixAnswer(
        rows,
        verdict,
        saved_over(about),
        focus=focus,
        curves=tuple(_in_per_cent(row) for row in curves),
        metric=metric,
        one_place=best,
    )


def _in_per_cent(row: dict[str, Any]) -> dict[str, Any]:
    """Return a point of a curve in per cent, its interval cut where a score ends."""
    ends = {name: min(max(100 * row[name], 0.0), 100.0) for name in ("low", "high") if name in row}
    return {**row, "score": 100 * row["score"], **ends}


@once
def _examples(task: str, corpus: datasets.DatasetDict) -> tuple[list[Example], list[Example]]:
    """Read a task's examples; every partition divides the same ones."""
    return examples(Setting(task=task), corpus)


def _prepare(at: Setting, corpus: datasets.DatasetDict) -> None:
    """Import what trains clients together, and read the examples of this position's task."""
    import torch._dynamo  # noqa: F401  # the first optimizer would import it, which takes seconds

    from trustlab.federated.simulation import simulate

    _ = simulate, _examples(at.task, corpus)


def live_rows(at: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one cell as the saved ones were, measured more often; yield a row for each round that was measured."""
    from trustlab.federated.simulation import simulate

    at = tuned(at)
    known, asked = _examples(at.task, corpus)
    clients = divide(at, known)
    config = dataclasses.replace(recipe(at, len(clients)), evaluate_every=MEASURED_LIVE)
    seen = 0
    for row in simulate(problem(at, known, asked), clients, config):
        seen += row["examples"]
        if "score" in row:
            measured = {"step": row["round"], "passes": seen / len(known), "score": row["score"]}
            yield {**measured, "train_loss": row["train_loss"], "progress": row["progress"]}


def _shown(at: Setting, base: MatrixAnswer, rows: list[dict[str, Any]]) -> MatrixAnswer:
    """Say how far the reader's own training has come, and where the saved ones end."""
    if not rows:
        return dataclasses.replace(base, verdict="The fleet is training.")
    last = rows[-1]
    ends = next(row for row in base.numbers if row.items() >= dict(base.focus or {}).items())
    verdict = (
        f"After {last['step']} of {ROUNDS} rounds, {last['passes']:.1f} passes over the data, this fleet has "
        f"{per_cent(last['score'])} {base.metric}; the saved ones end at {per_cent(ends['score'])}."
    )
    return dataclasses.replace(base, verdict=verdict, live=[_in_per_cent(row) for row in rows])


def _seconds(at: Setting) -> float:
    """Return how long the saved trainings of this task and partition took."""
    return EXPERIMENT.seconds(model=SMALL, task=at.task, partition=at.partition)
