"""What notebook 21 reads off the committed trainings under skew: the curves of its panel, the tables of its text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trustlab.course.n21_non_iid_partitioning import EXPERIMENT
from trustlab.course.n21_non_iid_partitioning.experiment import (
    CORPORA,
    DEFINITIONS,
    MEASURED_EVERY,
    REFERENCES,
    ROUNDS,
)
from trustlab.lab.saved import CORPUS_NAMES, curve, over_seeds, per_cent, select

if TYPE_CHECKING:
    import pandas

Row = dict[str, Any]
MEASURES = {
    "accuracy": "all intents",
    "accuracy_rare": "rare intents",
    "accuracy_device": "mean device",
    "accuracy_light": "light devices",
}
saved = EXPERIMENT.saved  # the committed table, a row per training, and its provenance


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
        row = {"α of": {**DEFINITIONS, **REFERENCES}[scheme], "α": alpha}
        row["effective labels"] = float(runs["effective_labels"].mean())
        rows.append({**row, **over_seeds(runs[measure])})
    return rows


def rounds_of(trainings: pandas.DataFrame, scheme: str, alpha: float) -> list[Row]:
    """Return the accuracy over the rounds of one cell: a row per measured round, mean and 95 % interval over seeds."""
    runs = select(trainings, scheme=scheme, alpha=alpha)
    return curve(runs["curve"], range(MEASURED_EVERY, ROUNDS + 1, MEASURED_EVERY))


def harm(corpus: str, scheme: str = "flower", alphas: Sequence[float] = (100.0, 1.0, 0.1, 0.03, 0.01)) -> list[Row]:
    """Return, in per cent, how much each measure loses as α falls: a row per α, a column per measure."""
    rows = []
    for alpha in alphas:
        runs = EXPERIMENT.where(corpus, scheme=scheme, alpha=alpha)
        rows.append({"α": alpha} | {words: per_cent(runs[measure]) for measure, words in MEASURES.items()})
    return rows


def at_one_alpha(alpha: float, corpora: Sequence[str] = CORPORA) -> list[Row]:
    """Return what FedAvg reaches at one α in each library, and without skew: a row per corpus.

    A corpus whose table is not there is left out.
    """
    rows = []
    for corpus in EXPERIMENT.corpora(corpora):
        table, _ = saved(corpus)
        row = {"corpus": CORPUS_NAMES[corpus]}
        for scheme, label in {**DEFINITIONS, **REFERENCES}.items():
            at = math.inf if scheme in REFERENCES else alpha
            row[label] = per_cent(select(table, scheme=scheme, alpha=at)["accuracy"])
        rows.append(row)
    return rows
