"""What notebook 22 reads off the committed trainings: the curves of its panel, the tables of its text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from trustlab.course.corpora import EMBEDDED
from trustlab.course.n22_device_selection import EXPERIMENT, HARM, TUNING
from trustlab.course.n22_device_selection.claims import accuracy_at
from trustlab.course.n22_device_selection.experiment import (
    AGGREGATIONS,
    BETAS,
    COHORTS,
    CORPORA,
    CURVES,
    OTHERS,
    TRIVIAL,
    WAYS,
    candidates,
)
from trustlab.course.n22_device_selection.fleets import AS_IT_IS
from trustlab.course.sensitivity import by_client_rate
from trustlab.intervals import Interval, mean_interval
from trustlab.lab import saved as tables
from trustlab.lab.saved import numbers, over_seeds, per_cent, select

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
UNIFORM = "uniform"
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


def gains(corpus: str) -> list[Row]:
    """Return what uniform selection and β = 1 reach after the last round: a row per group of users and weighting."""
    rows = []
    for way in ("examples", "equal"):
        even, active = (trainings(corpus, selection, aggregation=way) for selection in ("β = 0", "β = 1"))
        for measure, words in MEASURES.items():
            row = {
                "measured on": f"{words}, {name_of(way)}",
                UNIFORM: even[measure].mean(),
                "β = 1": active[measure].mean(),
            }
            rows.append(row | {f"{UNIFORM}, %": per_cent(even[measure]), "β = 1, %": per_cent(active[measure])})
    return rows


def lead_of_heavy(corpus: str) -> Interval:
    """Return how much more heavy devices gain by β = 1 than light ones, weighted by examples, as a share over seeds."""
    even, active = (trainings(corpus, selection) for selection in ("β = 0", "β = 1"))
    columns = ("accuracy_light", "accuracy_heavy")
    light, heavy = (active[name].to_numpy() - even[name].to_numpy() for name in columns)
    return mean_interval(heavy - light)


def lead_of_activity(corpus: str, aggregation: str) -> Interval:
    """Return how much more β = 1 reaches than uniform selection after the same rounds, over seeds."""
    even, active = (trainings(corpus, selection, aggregation=aggregation) for selection in ("β = 0", "β = 1"))
    return mean_interval(active["accuracy"].to_numpy() - even["accuracy"].to_numpy())


def every_selection(corpus: str) -> list[Row]:
    """Return the accuracy of each selection after the last round, and what it costs: a row per way of weighting.

    A selection that was not trained on `corpus` is left out. Each is at its own rates.
    """
    rows = []
    for selection, words in SELECTIONS.items():
        for way in AGGREGATIONS:
            if len(runs := trainings(corpus, selection, aggregation=way)):
                uniform = trainings(corpus, "β = 0", aggregation=way)["examples"].mean()
                row = {"selected by": words, "weighted": name_of(way), **over_seeds(runs["accuracy"], limits=(0, 1))}
                row |= {"light devices, %": per_cent(runs["accuracy_light"])}
                rows.append({**row, "examples, × uniform": float(runs["examples"].mean() / uniform)})
    return rows


def beaten(corpus: str) -> dict[str, float]:
    """Return the accuracies of the trivial baselines in the table of `corpus`, by their names; mean over seeds."""
    found = {name: trainings(corpus, name) for name in TRIVIAL}
    return {name: float(runs["accuracy"].mean()) for name, runs in found.items() if len(runs)}


def sensitivity_rows(fleet: str) -> list[Row]:
    """Return the search's accuracies over the client's rate on one fleet: a row per weighting, selection and rate."""
    search, may, rows = TUNING.table(), candidates(EMBEDDED), []
    for way in WAYS:
        for selection, words in {"β = 0": UNIFORM, "β = 1": "β = 1"}.items():
            method = dict(fleet=fleet, selection=selection, aggregation=way)
            found = by_client_rate(select(search, **method), select(may, **method))
            rows += [{"weights": name_of(way), "drawn": words, **row} for row in found]
    return rows


def by_fleet(aggregation: str, corpora: Sequence[str] = CORPORA) -> list[Row]:
    """Return uniform selection and β = 1, at equal rounds and at equal work: three rows per corpus with a table.

    *Equal work* is β = 1 at the point where it has trained on as many examples as uniform selection in all.
    """
    rows = []
    for corpus in EXPERIMENT.corpora(corpora):
        even, active = (trainings(corpus, f"β = {beta}", aggregation=aggregation) for beta in (0, 1))
        work = even["examples"].to_numpy()
        same = [accuracy_at(run, examples) for (_, run), examples in zip(active.iterrows(), work, strict=True)]
        found = {UNIFORM: even["accuracy"], "β = 1, equal rounds": active["accuracy"], "β = 1, equal work": same}
        light = {UNIFORM: even["accuracy_light"], "β = 1, equal rounds": active["accuracy_light"]}
        for drawn, values in found.items():
            row = {"fleet": CORPUS_NAMES[corpus], "drawn": drawn, **over_seeds(values, limits=(0, 1))}
            rows.append(row | {"light devices, %": per_cent(light[drawn]) if drawn in light else None})
    return rows


def who_is_heard() -> list[Row]:
    """Return what uniform selection and β = 1 give to all and to travellers where these are inactive.

    A row per group and aggregation, from the committed table of :mod:`trustlab.course.n22_device_selection.harm`.
    """
    rows = []
    for measure, who in {"accuracy_few": "travellers", "accuracy_light": "light devices", "accuracy": "all"}.items():
        for way in ("examples", "equal"):
            found = {
                beta: HARM.where(selection=beta, aggregation=way)[measure] for beta in ("β = 0", "β = 0.5", "β = 1")
            }
            row = {"who": f"{who}, {name_of(way)}", UNIFORM: found["β = 0"].mean(), "β = 1": found["β = 1"].mean()}
            rows.append(row | {f"{beta}, %": per_cent(shares) for beta, shares in found.items()})
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


def points(gain: float) -> str:
    """Write a gain in whole points of a hundred.

    Examples
    --------
    >>> points(0.087), points(-0.004), points(-0.031)
    ('+9', '0', '−3')
    """
    whole = round(100 * gain)
    return f"{whole:+d}".replace("-", "−") if whole else "0"


def name_of(aggregation: str) -> str:
    """Say how updates are weighted.

    Examples
    --------
    >>> name_of("equal")
    'weighted equally'
    """
    words = AGGREGATIONS[aggregation]
    return f"weighted {words}" if aggregation != "horvitz-thompson" else f"weighted by {words}"
