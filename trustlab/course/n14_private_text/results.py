"""What notebook 14 reads off its committed table: curves over ε, and mechanisms at equal shares of recovered words."""

from __future__ import annotations

from typing import Any

import numpy as np

from trustlab.course.corpora import EMBEDDED
from trustlab.course.n14_private_text import EXPERIMENT
from trustlab.course.n14_private_text.claims import at_recovered, levels_of
from trustlab.course.n14_private_text.experiment import BASELINES, EPSILONS
from trustlab.lab.saved import over_seeds, per_cent

Row = dict[str, Any]
saved = EXPERIMENT.saved  # the committed table and its provenance
MEASURES = ("kept", "guessed_alone", "guessed", "accuracy", "accuracy_rewritten")


def points(corpus: str = EMBEDDED) -> list[Row]:
    """Return a row per mechanism and ε: means over seeds, the accuracy's 95 % interval; in the order of ε."""
    rows = []
    for mechanism, values in EPSILONS.items():
        for level, epsilon in enumerate(values, start=1):
            runs = EXPERIMENT.where(corpus, mechanism=mechanism, epsilon=epsilon)
            row = {"mechanism": mechanism, "level": level, "ε": epsilon, "guessed": runs["guessed"].mean()}
            row |= {"kept": runs["kept"].mean(), "S_w": runs["distinct"].mean()}
            rows.append({**row, **over_seeds(runs["accuracy"], limits=(0, 1))})
    return rows


def baselines(corpus: str = EMBEDDED) -> dict[str, float]:
    """Return the accuracy of each baseline, mean over seeds."""
    return {name: float(EXPERIMENT.where(corpus, mechanism=name)["accuracy"].mean()) for name in BASELINES}


def at_equal_risk(corpus: str = EMBEDDED) -> list[Row]:
    """Return the accuracy of each mechanism where an attacker recovers a quarter, half, and 70 % of the words.

    A row per share and mechanism; without an accuracy where the mechanism never hides so much, or so little.
    """
    table, rows = saved(corpus)[0], []
    for share in (0.25, 0.5, 0.7):
        for mechanism in EPSILONS:
            row = {"recovered": f"{100 * share:.0f} % recovered", "mechanism": mechanism}
            low, high = levels_of(table, mechanism)
            reached = over_seeds(at_recovered(table, mechanism, share), limits=(0, 1)) if low <= share <= high else {}
            rows.append(row | {"accuracy": None, "low": None, "high": None} | reached)
    return rows


def same_epsilon(corpus: str = EMBEDDED) -> list[Row]:
    """Return what an attacker recovers from each mechanism whose grid has such an ε, interpolated at ε = 40.

    Examples
    --------
    >>> [row["mechanism"] for row in same_epsilon()][:2]
    ['Laplace', 'Mahalanobis']
    """
    rows = []
    for mechanism, values in EPSILONS.items():
        if not values[0] <= 40 <= values[-1]:
            continue
        runs = [EXPERIMENT.where(corpus, mechanism=mechanism, epsilon=each) for each in values]
        guessed, accuracy = (
            [float(np.interp(40, values, column)) for column in np.array([run[name].to_numpy() for run in runs]).T]
            for name in ("guessed", "accuracy")
        )
        rows.append({"mechanism": mechanism, "recovered, %": per_cent(guessed), "accuracy, %": per_cent(accuracy)})
    return rows
