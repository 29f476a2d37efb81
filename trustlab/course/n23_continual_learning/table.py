"""Reading the committed trainings over time: which rows, which curves, which matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.course.n23_continual_learning.experiment import MEASURED_EVERY, PERIODS, ROUNDS
from trustlab.federated.continual import catch_up_round
from trustlab.lab.saved import numbers, select

if TYPE_CHECKING:
    import pandas

MEASURED = tuple(range(MEASURED_EVERY, ROUNDS + 1, MEASURED_EVERY))


def chosen(table: pandas.DataFrame, **values: Any) -> pandas.DataFrame:
    """Return the rows that have these values, in the order of their seeds.

    Options that are not given keep their defaults: continual, no replay, weights by examples, true labels.
    """
    usual: dict[str, Any] = {"setting": "continual", "replay": 0, "weighting": "examples", "labels": "true"}
    wanted = usual | values
    rows = select(table, **wanted)
    if rows.empty:
        raise ValueError(f"Expected trainings with {wanted} in the table, got none. It lacks a part of the grid.")
    return rows


def curves(runs: pandas.DataFrame) -> np.ndarray:
    """Return the accuracies on the way, [seeds, measurements at the rounds of :data:`MEASURED`]."""
    return numbers(runs["curve"])


def matrices(runs: pandas.DataFrame) -> np.ndarray:
    """Return the forgetting matrices, [seeds, periods trained, periods tested]."""
    return numbers(runs["matrix"]).reshape(len(runs), -1, PERIODS)


def kept_and_true(runs: pandas.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return what sums of metrics reveal about all periods, and the truth, [seeds] each.

    Kept is the mean over periods of R(t, t), measured while their data were there; true that of R(T, t), the last
    model's on the same data. Both count every period equally.
    """
    found = matrices(runs)
    return found.diagonal(axis1=1, axis2=2).mean(axis=1), found[:, -1].mean(axis=1)


def catch_ups(runs: pandas.DataFrame, reference: pandas.DataFrame, share: float = 1.0) -> list[int | None]:
    """Return, for each seed, the first round with `share` of what the reference of the same seed ends with."""
    bars = dict(zip(reference["seed"], share * reference["accuracy"], strict=True))
    own = zip(runs["seed"], curves(runs), strict=True)
    return [catch_up_round(MEASURED, curve.tolist(), bars[seed]) for seed, curve in own]
