"""What notebook 21 reads off the committed trainings under skew: the curves of its panel, the tables of its text."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.course.n11_dp_sgd_vs_edp_sgd.results import per_cent
from trustlab.course.n21_non_iid_partitioning.experiment import (
    CORPORA,
    DEFINITIONS,
    MEASURED_EVERY,
    REFERENCES,
    result_name,
)
from trustlab.intervals import mean_interval
from trustlab.results import read_results

if TYPE_CHECKING:
    import pandas

Row = dict[str, Any]
CORPUS_NAMES = {"assistant": "the embedded corpus", "clinc150": "CLINC150"}
MEASURES = {
    "accuracy": "all intents",
    "accuracy_rare": "rare intents",
    "accuracy_device": "mean device",
    "accuracy_light": "light devices",
}


@functools.lru_cache
def saved(corpus: str) -> tuple[pandas.DataFrame, dict[str, Any]]:
    """Return the committed trainings on `corpus`, one row each, and their provenance."""
    return read_results(result_name(corpus))


def curves_of(trainings: pandas.DataFrame, measure: str = "accuracy") -> list[Row]:
    """Return one row per definition and α: mean and 95 % interval over seeds, and the mean effective labels.

    The end without skew is a row as well, ``"no skew"`` at α = ∞, and so is ``"all data in one place"``.

    Parameters
    ----------
    trainings
        Rows of :func:`saved`.
    measure
        A key of :data:`MEASURES`.
    """
    rows = []
    for (scheme, alpha), runs in trainings.groupby(["scheme", "alpha"]):
        mean, low, high, _ = mean_interval(list(runs[measure]))
        row = {"α of": {**DEFINITIONS, **REFERENCES}[scheme], "α": alpha}
        row["effective labels"] = float(runs["effective_labels"].mean())
        rows.append({**row, "accuracy": mean, "low": low, "high": high})
    return rows


def rounds_of(trainings: pandas.DataFrame, scheme: str, alpha: float) -> list[Row]:
    """Return the accuracy over the rounds of one cell: a row per measured round, mean and 95 % interval over seeds."""
    runs = trainings[(trainings["scheme"] == scheme) & (trainings["alpha"] == alpha)]
    curves = np.array([[float(part) for part in curve.split("|")] for curve in runs["curve"]])  # [seeds, measurements]
    rows = []
    for place, values in enumerate(curves.T, start=1):
        mean, low, high, _ = mean_interval(values.tolist())
        rows.append({"round": place * MEASURED_EVERY, "accuracy": mean, "low": low, "high": high})
    return rows


def harm(corpus: str, scheme: str = "flower", alphas: Sequence[float] = (100.0, 1.0, 0.1, 0.03, 0.01)) -> list[Row]:
    """Return, in per cent, who understands how much less as α falls: a row per α, a column per measure."""
    table, _ = saved(corpus)
    rows = []
    for alpha in alphas:
        runs = table[(table["scheme"] == scheme) & (table["alpha"] == alpha)]
        rows.append({"α": alpha} | {words: per_cent(runs[measure]) for measure, words in MEASURES.items()})
    return rows


def at_one_alpha(alpha: float, corpora: Sequence[str] = CORPORA) -> list[Row]:
    """Return what FedAvg reaches at one α in each library, and without skew: a row per corpus.

    A corpus whose table is not there is left out.
    """
    rows = []
    for corpus in corpora:
        try:
            table, _ = saved(corpus)
        except FileNotFoundError:
            continue
        row = {"corpus": CORPUS_NAMES[corpus]}
        for scheme, label in {**DEFINITIONS, **REFERENCES}.items():
            at = math.inf if scheme in REFERENCES else alpha
            row[label] = per_cent(table[(table["scheme"] == scheme) & (table["alpha"] == at)]["accuracy"])
        rows.append(row)
    return rows
