"""What notebook 21 reads off the committed trainings under skew: the curves of its panel, and its findings."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trustlab.course.n21_non_iid_partitioning import EXPERIMENT
from trustlab.course.n21_non_iid_partitioning.experiment import (
    BASELINES,
    CORPORA,
    DEFINITIONS,
    MEASURED_EVERY,
    REFERENCES,
    ROUNDS,
    SEARCH,
    tuned,
)
from trustlab.lab.saved import CORPUS_NAMES, curve, over_seeds, read, select

if TYPE_CHECKING:
    import pandas

Row = dict[str, Any]
MEASURES = {
    "accuracy": "all intents",
    "accuracy_rare": "rare intents",
    "accuracy_device": "mean client",
    "accuracy_light": "light clients",
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
    for (scheme, alpha), runs in trainings[~trainings["scheme"].isin(BASELINES)].groupby(["scheme", "alpha"]):
        row = {"α of": {**DEFINITIONS, **REFERENCES}[scheme], "α": alpha}
        row["effective labels"] = float(runs["effective_labels"].mean())
        rows.append({**row, **over_seeds(runs[measure])})
    return rows


def rounds_of(trainings: pandas.DataFrame, scheme: str, alpha: float) -> list[Row]:
    """Return the accuracy over the rounds of one cell: a row per measured round, mean and 95 % interval over seeds."""
    runs = select(trainings, scheme=scheme, alpha=alpha)
    return curve(runs["curve"], range(MEASURED_EVERY, ROUNDS + 1, MEASURED_EVERY))


def harm(corpus: str, alphas: tuple[float, float] = (100.0, 0.1)) -> list[Row]:
    """Return how many are right at a large and at a small α, in per cent: all intents, rare ones, light clients.

    A row per definition of α (FedNLP's, Flower's) and measure.
    """
    rows = []
    for scheme, measure in itertools.product(("fednlp", "flower"), ("accuracy", "accuracy_rare", "accuracy_light")):
        means = [EXPERIMENT.where(corpus, scheme=scheme, alpha=alpha)[measure].mean() for alpha in alphas]
        at = {f"α = {alpha:g}": 100 * mean for alpha, mean in zip(alphas, means, strict=True)}
        rows.append({"who": f"{DEFINITIONS[scheme]}: {MEASURES[measure]}", **at})
    return rows


def at_one_alpha(alpha: float, corpora: Sequence[str] = CORPORA) -> list[Row]:
    """Return what FedAvg reaches at one α in each library, without skew, and baselines, in per cent.

    A row per fleet and corpus. A corpus whose table is not there is left out.
    """
    rows, fleets = [], {**DEFINITIONS, **REFERENCES, **BASELINES}
    for corpus, (scheme, label) in itertools.product(EXPERIMENT.corpora(corpora), fleets.items()):
        at = alpha if scheme in DEFINITIONS else math.inf
        runs = select(saved(corpus)[0], scheme=scheme, alpha=at)
        if len(runs):
            scores = over_seeds((100 * runs["accuracy"]).tolist(), "% right", limits=(0.0, 100.0))
            rows.append({"fleet": label, "corpus": CORPUS_NAMES[corpus], **scores})
    return rows


def over_rates(corpus: str, alphas: Sequence[float] = (0.1, 1.0, 100.0)) -> list[Row]:
    """Return the search's mean score at each learning rate, for some α of each library: a row per library, α and rate.

    The score is NaN where a seed's training diverged; ``chosen`` says which rate the fleet then has.
    """
    rows, search = [], read(SEARCH.format(corpus))[0]
    for (scheme, label), alpha in itertools.product(DEFINITIONS.items(), alphas):
        scores = select(search, scheme=scheme, alpha=alpha).groupby("learning_rate")["score"]
        fleet, own = {"α of": label, "α": f"α = {alpha:g}"}, tuned(corpus, scheme, alpha).learning_rate
        rows += [
            {**fleet, "learning rate": rate, "intents right": score, "chosen": rate == own}
            for rate, score in scores.agg(lambda runs: runs.mean(skipna=False)).items()
        ]
    return rows
