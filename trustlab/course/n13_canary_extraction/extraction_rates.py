"""How much of a secret several trainings give away: a share of hits with its exact interval, and bits of exposure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.course.n13_canary_extraction.drawing import CODES
from trustlab.intervals import Interval, rate_bounds
from trustlab.privacy.inversion import exposure

if TYPE_CHECKING:
    import pandas


def rate(hits: Sequence[Any]) -> Interval:
    """Return a share of hits and its exact 95 % interval (Clopper and Pearson 1934).

    Examples
    --------
    >>> [round(part, 2) for part in rate([True] * 10)]
    [1.0, 0.69, 1.0, 10]
    """
    got, n = int(np.sum(hits)), len(hits)
    low, high = rate_bounds(got, n, 0.025)
    return Interval(got / n, float(low), float(high), n)


def bits(runs: pandas.DataFrame, column: str = "rank") -> np.ndarray:
    """Return how many bits of the code each training exposes, by one of the ranks."""
    return np.array([exposure(max(1.0, rank), CODES) for rank in runs[column]])
