"""What notebook 31 reads from the committed models: which metrics agree, which respond to the dose, and their noise."""

from __future__ import annotations

import functools
import math
import re
from typing import Any

import numpy as np

from trustlab.course.correlation import correlations, reliability
from trustlab.course.dose import Response
from trustlab.course.n31_fairness_metrics import ASSOCIATION, EXPERIMENT
from trustlab.course.n31_fairness_metrics.alignment import SETTINGS, interval, mean_correlations, sides
from trustlab.course.n31_fairness_metrics.claims import responses
from trustlab.course.n31_fairness_metrics.experiment import column
from trustlab.course.n31_fairness_metrics.extrinsic import EXTRINSIC
from trustlab.course.n31_fairness_metrics.intrinsic import INTRINSIC
from trustlab.course.n31_fairness_metrics.notions import NOTIONS
from trustlab.lab.display import number

Row = dict[str, Any]
METRICS = (*INTRINSIC, *EXTRINSIC)
saved = EXPERIMENT.saved  # the committed table, a row per training, and its provenance


@functools.lru_cache
def agreement(setting: str, notion: str, method: str) -> tuple[Row, ...]:
    """Return the correlation of every intrinsic with every extrinsic metric, see ``comparison.correlations``.

    Models are permuted within their recipe: augmented ones are low on everything.
    """
    table = saved()[0]
    return tuple(correlations(*sides(table, setting, notion), method=method, blocks=table["recipe"]))


@functools.lru_cache
def answers(notion: str) -> dict[str, Response]:
    """Return how every metric about `notion` answers to its dose."""
    return responses(saved()[0], notion)


def aligned() -> list[Row]:
    """Return the mean correlation of each setting with its interval, and how many pairs are significant."""
    table, rows = saved()[0], []
    draws = mean_correlations(table)
    for place, setting in enumerate(SETTINGS):
        mean = interval(draws[:, place], len(table))
        pairs = [row for notion in NOTIONS for row in agreement(setting, notion, "spearman")]
        rows.append({
            "in common": setting,
            "mean r": mean.mean,
            "low": mean.low,
            "high": mean.high,
            "pairs": len(pairs),
            "p < 0.05": int(sum(row["p"] < 0.05 for row in pairs)),
            "corrected": int(sum(row["p_family"] < 0.05 for row in pairs)),
            "largest r": max(row["r"] for row in pairs if not math.isnan(row["r"])),
        })  # fmt: skip
    return rows


def noises(notion: str) -> list[Row]:
    """Return each metric's standard error and that between seeds for `notion`, compared with the whole spread."""
    table, rows = saved()[0], []
    for name in METRICS:
        place = column(notion, name, "" if name in INTRINSIC else "clean")
        values, errors = table[place].to_numpy(), table[f"{place} ±"].to_numpy()
        between_seeds = answers(notion)[name].noise
        rows.append({
            "metric": name,
            "between models": float(values.std(ddof=1)),
            "between seeds": between_seeds,
            "own error": float(np.sqrt(np.mean(errors**2))),
            "words": reliability(values, errors),
            "seeds": reliability(values, [between_seeds] * len(values)),
        })  # fmt: skip
    return rows


def needles(notion: str, dose: float) -> list[Row]:
    """Return how far every metric has risen above dose 0, in noises: mean and 95 % interval over seeds.

    A noise is the standard deviation between a model of this dose and one without bias; without any, it stays at 0.
    The interval is Welch's, of the difference between both means: the floor is an estimate as well.
    """
    here, without = values_at(notion, dose), values_at(notion, 0.0)
    rows = []
    for name, found in answers(notion).items():
        at, floor = here[name], without[name]
        scale = found.scales[dose] or math.inf
        low, high = (end / scale for end in _welch(at, floor)) if dose else (0.0, 0.0)
        risen = float(at.mean() - found.floor) / scale
        rows.append({"metric": name, "value": float(at.mean()), "risen": risen, "low": low, "high": high})
    return rows


def single_models(notion: str, dose: float) -> list[Row]:
    """Return how far every metric of each model of this dose is above dose 0, in the unit of :func:`needles`."""
    rows = []
    for name, values in values_at(notion, dose).items():
        found = answers(notion)[name]
        scale = found.scales[dose] or math.inf
        rows += [{"metric": name, "risen": float(value - found.floor) / scale} for value in values]
    return rows


@functools.lru_cache
def values_at(notion: str, dose: float) -> dict[str, np.ndarray]:
    """Return every metric of the models of the base recipe at this dose, one value a seed."""
    table = saved()[0]
    here = table[(table["recipe"] == "base") & (table[f"{notion}_dose"] == dose)].sort_values("seed")
    return {name: here[column(notion, name, "" if name in INTRINSIC else "clean")].to_numpy() for name in METRICS}


def _welch(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Return the ends of the 95 % interval of the difference between two means of unequal spread."""
    from scipy import stats

    squares = np.array([each.var(ddof=1) / len(each) for each in (one, other)])
    difference, error = float(one.mean() - other.mean()), math.sqrt(squares.sum())
    if not error:  # no spread, no doubt
        return difference, difference
    freedom = squares.sum() ** 2 / (squares**2 / (len(one) - 1, len(other) - 1)).sum()
    half = float(stats.t.ppf(0.975, freedom)) * error
    return difference - half, difference + half


def in_words(found: Response) -> str:
    """Say from which dose on a metric distinguishes one model from one without bias."""
    if math.isinf(found.threshold):
        return "at no dose"
    ends = (number(end, 2) if math.isfinite(end) else "never" for end in (found.threshold_low, found.threshold_high))
    return f"from dose {number(found.threshold, 2)} (95 % {' to '.join(ends)})"


def on_real_vectors() -> list[Row]:
    """Return the committed association tests on word2vec: what was tested, how large, and how likely by chance."""
    table = ASSOCIATION.table("weat")
    return [
        {
            "test": row["test"],
            "targets": _words(row["targets"]),
            "attributes": _words(row["attributes"]),
            "words a side": row["words"],
            "effect size": row["effect_size"],
            "p": row["p_value"],
        }
        for row in table.to_dict("records")
    ]


def _words(sets: str) -> str:
    """Write the names of two sets of words without the numbers that tell lists of one kind apart."""
    return re.sub(r"_\d\w*", "", sets).replace("_", " ")
