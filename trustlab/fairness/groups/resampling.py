"""How sure a number is: the bootstrap, stratified, and over whole units where rows belong together.

A resample of N rows is described by how often each row was drawn. So a block of resamples is one matrix of counts
``[block, rows]``, and every sum over every resample and group is a matrix product with it: no row is copied and no
metric is called a thousand times. That is why 1,000 resamples of 20,000 rows in 12 groups take well under two seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.columns import as_ids
from trustlab.config import check, option
from trustlab.fairness.groups.masks import Groups
from trustlab.fairness.groups.metric_names import MetricName

MOST_UNDEFINED = 0.05  # larger shares of resamples without a value leave a biased sample
_BLOCK = 1_000_000  # counts held at once: 8 MB in double precision, so that a block stays near the processor

Key = tuple[str, str]  # metric and group
Statistics = dict[Key, np.ndarray]  # a value per resample


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """How to resample.

    The interval is the percentile interval (Efron 1979). It says how much the number would move with another sample
    like this one, for this one model; not how much with another seed of training. A difference between groups (largest
    minus smallest rate) is never negative, so its interval never covers 0 however fair the model: ask
    :func:`~trustlab.fairness.groups.gaps` what it is worth, or "…_minus_rest" whether a group differs. A rate of
    exactly 0 or 1 gets an interval without width: resamples of agreeing rows agree.

    Attributes
    ----------
    resamples, level, seed
        How many, the interval's confidence, and the only source of randomness.
    strata : [N] or None
        Rows are drawn within these classes, whose sizes stay as they are. None takes the true labels where a metric has
        them, and one class otherwise, also where one of those classes has a single row: drawn within it, that row would
        never vary, so all rows are drawn as one, and what depends on it is undefined in a third of the resamples.
        Small strata make intervals too short (by a factor (n − 1)/n in the variance).
    units : [N] or None
        Rows of the same unit are drawn together: fillings of one template, both members of a pair, one author's posts.
        None draws rows singly. Without this, rows that repeat one another make intervals far too short.
    """

    resamples: int = option(1000, label="Resamples", help="More of them make the interval's ends more stable.", low=1)
    level: float = option(0.95, label="Level", help="Confidence of the interval.", above=0, high=0.9999)
    seed: int = option(0, label="Seed", help="Fixes every draw.", low=0)
    strata: np.ndarray | None = None
    units: np.ndarray | None = None

    def __post_init__(self) -> None:
        check(self)
        for name, what in (("strata", "stratum"), ("units", "unit")):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, as_ids(getattr(self, name), what))


def draw_counts(rows: int, bootstrap: Bootstrap, strata: np.ndarray | None = None) -> Iterator[np.ndarray]:
    """Yield how often each row was drawn in each resample: float [block, N], `bootstrap.resamples` lines in all.

    Parameters
    ----------
    rows
        N.
    strata : [N]
        Used where the bootstrap names neither strata nor units, and each of them has two rows or more.

    Raises
    ------
    ValueError
        If strata or units have another length, a named stratum holds a single unit, or a unit is in two strata.

    Examples
    --------
    >>> (counts,) = draw_counts(4, Bootstrap(resamples=2, strata=np.array([0, 0, 1, 1])))
    >>> counts.shape, (counts[:, :2].sum(axis=1)).tolist()
    ((2, 4), [2.0, 2.0])
    """
    unit_of_row, members = _design(rows, bootstrap, strata)
    units = sum(map(len, members))
    rng = np.random.default_rng(bootstrap.seed)
    step = max(1, _BLOCK // rows)
    for start in range(0, bootstrap.resamples, step):
        block = min(step, bootstrap.resamples - start)
        offset = np.arange(block)[:, None] * units  # each resample counts in its own range
        drawn = [(inside[rng.integers(len(inside), size=(block, len(inside)))] + offset).ravel() for inside in members]
        counts = np.bincount(np.concatenate(drawn), minlength=block * units).reshape(block, units).astype(float)
        yield counts if unit_of_row is None else counts[:, unit_of_row]


def _design(rows: int, bootstrap: Bootstrap, default: np.ndarray | None) -> tuple[np.ndarray | None, list[np.ndarray]]:
    """Return the unit of each row (None: rows are units) and the units of each stratum."""
    strata = default if bootstrap.strata is None and bootstrap.units is None else bootstrap.strata
    for name, given in (("strata", strata), ("units", bootstrap.units)):
        if given is not None and len(given) != rows:
            raise ValueError(f"Expected {name} for {rows} rows, got {len(given)}.")
    if bootstrap.strata is None and strata is not None and np.unique(strata, return_counts=True)[1].min() < 2:
        strata = None  # they were a default
    unit_of_row, first = None, np.arange(rows)
    if bootstrap.units is not None:
        _, first, unit_of_row = np.unique(bootstrap.units, return_index=True, return_inverse=True)
    codes = np.zeros(rows, int) if strata is None else np.unique(strata, return_inverse=True)[1]
    if unit_of_row is not None and (codes != codes[first][unit_of_row]).any():
        raise ValueError("Expected each unit inside one stratum, some are in two. They cannot be drawn as a whole.")
    members = [np.flatnonzero(codes[first] == code) for code in range(codes.max() + 1)]
    if min(map(len, members)) < 2:
        raise ValueError(
            "Expected two or more units in each stratum, got one. It would never vary, and the interval would be too "
            "short: merge small strata."
        )
    return unit_of_row, members


def measure(
    statistics: Callable[[np.ndarray], Statistics],
    reasons: Callable[[Mapping[Key, float]], Mapping[Key, str]],
    groups: Groups,
    bootstrap: Bootstrap | None,
    strata: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> list[dict[str, Any]]:
    """Return one flat row per metric and group: its value on the rows as they are, and its interval.

    Parameters
    ----------
    statistics
        Every number, arrays [R], of the lines of a matrix of counts [R, N]; NaN where a number is undefined.
    reasons
        Why a value is NaN, from the values.
    groups, bootstrap, strata
        Of N rows; without a bootstrap there are no intervals; `strata` are those to use unless it names its own.
    weights : [N] or None
        How much each row counts; None counts rows alike. Rows are drawn as they are, and then weighted.

    Returns
    -------
    list of rows
        ``low`` and ``high`` are NaN without a bootstrap, and where a number is undefined in more than 5 % of the
        resamples: what is left would be a biased sample. ``undefined`` counts the resamples without a value,
        ``reason`` says why ``value``, or the interval, is NaN and is empty otherwise.
    """
    once = np.ones((1, len(groups))) if weights is None else weights[None]
    values = {key: float(value[0]) for key, value in statistics(once).items()}
    why = reasons(values)
    drawn = [] if bootstrap is None else draw_counts(len(groups), bootstrap, strata)
    blocks = [statistics(counts if weights is None else counts * weights) for counts in drawn]
    sizes = dict(zip(groups.names, groups.sizes.tolist(), strict=True))
    rows = []
    for (metric, group), value in values.items():
        row: dict[str, Any] = {"metric": MetricName(metric), "group": group, "value": value}
        row |= {"low": math.nan, "high": math.nan, "rows": sizes.get(group, len(groups))}
        row |= {"undefined": 0, "reason": why.get((metric, group), "")}
        if bootstrap is not None and not math.isnan(value):
            row |= _interval(np.concatenate([block[metric, group] for block in blocks]), bootstrap.level)
        rows.append(row)
    return rows


def _interval(draws: np.ndarray, level: float) -> dict[str, Any]:
    """Return the percentile interval of the resampled values [R], or why there is none."""
    known = draws[~np.isnan(draws)]
    undefined = len(draws) - len(known)
    if undefined > MOST_UNDEFINED * len(draws):
        return {"undefined": undefined, "reason": f"no interval: undefined in {undefined} of {len(draws)} resamples"}
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return {"undefined": undefined, "low": low, "high": high}
