"""What notebook 22 reads off the committed trainings: the curves of its panel, the tables of its text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.course.n22_device_selection import EXPERIMENT, HARM
from trustlab.course.n22_device_selection.claims import accuracy_at, gain
from trustlab.course.n22_device_selection.experiment import (
    AGGREGATIONS,
    BETAS,
    COHORTS,
    CORPORA,
    CURVES,
    OTHERS,
)
from trustlab.course.n22_device_selection.fleets import AS_IT_IS
from trustlab.lab import saved as tables
from trustlab.lab.display import Display, paragraph
from trustlab.lab.saved import numbers, per_cent, select

if TYPE_CHECKING:
    import pandas

Row = dict[str, Any]
CORPUS_NAMES = {**tables.CORPUS_NAMES, "20newsgroups": "senders of 20 Newsgroups"}
SCORED = {
    "assistant": ("requests", "understood"),
    "shakespeare_roles": ("next characters", "guessed"),
    "20newsgroups": ("posts", "put in their group"),
}
MEASURES = {
    "accuracy": "all",
    "accuracy_device": "mean device",
    "accuracy_light": "light devices",
    "accuracy_heavy": "heavy devices",
}
WEIGHTS = {**AGGREGATIONS, "hajek": "Hájek"}
SELECTIONS = {"β = 0": "uniform (β = 0)", **{f"β = {beta:g}": f"β = {beta:g}" for beta in BETAS[1:]}}
SELECTIONS |= {other: other for other in OTHERS}
saved = EXPERIMENT.saved  # the committed table, a row per training, and its provenance


def trainings(
    corpus: str, selection: str, *, fleet: str = AS_IT_IS, aggregation: str = "examples", cohort: int | None = None
) -> pandas.DataFrame:
    """Return the trainings of one cell, a row per seed; none where it was not trained. None is the largest cohort."""
    cohort = max(COHORTS[corpus]) if cohort is None else cohort
    return select(saved(corpus)[0], fleet=fleet, selection=selection, aggregation=aggregation, cohort=cohort)


def curve_of(runs: pandas.DataFrame, measure: str = "accuracy") -> list[Row]:
    """Return how one cell learns: a row per measured round, mean and 95 % interval over seeds, cut at 0 and 1.

    Parameters
    ----------
    runs
        What :func:`trainings` returned.
    measure
        One that was measured on the way: all, mean device or light devices.
    """
    column = next(name for name, measured in CURVES.items() if measured == measure)
    examples = numbers(runs["curve_examples"]).mean(axis=0)
    every = int(runs["measured_every"].iloc[0])
    rows = tables.curve(runs[column], range(every, every * len(examples) + 1, every), limits=(0.0, 1.0))
    return [{"round": row["round"], "examples": float(n), **row} for row, n in zip(rows, examples, strict=True)]


def who_gains(corpus: str, *, selections: Sequence[str] = tuple(SELECTIONS), **at: Any) -> list[Row]:
    """Return each selection's accuracy after the last round, in per cent, and how many examples it trained on.

    A selection that was not trained there is left out; `at` are options of :func:`trainings`.
    """
    uniform = trainings(corpus, "β = 0", **at)["examples"].mean()
    rows = []
    for selection in selections:
        if len(runs := trainings(corpus, selection, **at)):
            row = {"selected by": SELECTIONS[selection]}
            row |= {words: per_cent(runs[measure]) for measure, words in MEASURES.items()}
            rows.append({**row, "examples, × uniform": float(runs["examples"].mean() / uniform)})
    return rows


def by_fleet(corpora: Sequence[str] = CORPORA, aggregation: str = "examples") -> list[Row]:
    """Return uniform selection and β = 1, at equal rounds and equal work: a row per corpus whose table is there."""
    rows = []
    for corpus in EXPERIMENT.corpora(corpora):
        even, active = (trainings(corpus, f"β = {beta}", aggregation=aggregation) for beta in (0, 1))
        work = even["examples"].to_numpy()
        same = [accuracy_at(run, examples) for (_, run), examples in zip(active.iterrows(), work, strict=True)]
        row = {"fleet": CORPUS_NAMES[corpus], "uniform": per_cent(even["accuracy"])}
        row |= {"β = 1, equal rounds": per_cent(active["accuracy"]), "β = 1, equal work": per_cent(same)}
        row |= {"light, uniform": per_cent(even["accuracy_light"]), "light, β = 1": per_cent(active["accuracy_light"])}
        rows.append(row)
    return rows


def who_is_heard() -> list[Row]:
    """Return what each selection gives to all and to travellers where these are inactive, in per cent.

    A row per selection and aggregation, from the committed table of :mod:`trustlab.course.n22_device_selection.harm`.
    """
    runs, rows = HARM.table(), []
    for (selection, way), found in runs.groupby(["selection", "aggregation"], sort=False):
        row = {"selected by": SELECTIONS[selection], "weighted": AGGREGATIONS[way]}
        row |= {"all": per_cent(found["accuracy"]), "light devices": per_cent(found["accuracy_light"])}
        row |= {"heavy devices": per_cent(found["accuracy_heavy"]), "travellers": per_cent(found["accuracy_few"])}
        rows.append(row)
    return rows


def pairs(rows: Iterable[Row]) -> list[Row]:
    """Return one row per selection, a column per aggregation: the heavy devices' expected weight over their share.

    Parameters
    ----------
    rows
        What :func:`trustlab.federated.expectation.compare` yields.

    Examples
    --------
    >>> from trustlab.federated.expectation import compare
    >>> systematic = dict(strategy="power", beta=1.0, design="systematic")
    >>> pairs(compare([80, 10, 10], 2, [systematic], heavy=0.4))[0]["equally"]
    0.625
    """
    found: dict[str, Row] = {}
    how = {}
    for row in rows:
        strategy = row["strategy"] if row["strategy"] != "power" else f"n^{row['beta']:g}"
        name = strategy if row["design"] == row["strategy"] else f"{strategy}, {row['design'].replace('-', ' ')}"
        here = found.setdefault(name, {"selection": name})
        here[WEIGHTS[row["aggregation"]]] = row["ratio"]
        how[name] = "drawn" if row["method"] == "Monte Carlo" else how.get(name, "exact")
    return [{**row, "how": how[name]} for name, row in found.items()]


def light_devices_say(corpus: str) -> Display:
    """Show in a sentence what β = 1 instead of 0 gives to all and to light devices, in points of a hundred.

    By examples, on the fleet as it is, with the larger cohort; the mean over seeds.
    """
    table, _ = saved(corpus)
    gains = {who: 100 * float(np.mean(gain(table, measure))) for measure, who in MEASURES.items()}
    told = ", ".join(f"{who} {points:+.0f}" for who, points in gains.items())
    ahead = gains["heavy devices"] - gains["light devices"]
    better = f"{'Heavy' if ahead > 0 else 'Light'} devices gain {abs(ahead):.0f} more."
    read = "Heavy and light devices gain equally." if abs(ahead) < 0.5 else better
    return paragraph(f"From β = 0 to 1, in points: {told}. {read}")


def name_of(aggregation: str) -> str:
    """Say how updates are weighted.

    Examples
    --------
    >>> name_of("equal")
    'weighted equally'
    """
    words = AGGREGATIONS[aggregation]
    return f"weighted {words}" if aggregation != "horvitz-thompson" else f"weighted by {words}"
