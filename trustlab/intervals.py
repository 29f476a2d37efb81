"""Mean and 95 % interval over seeds: the one place where repeated runs become a number with its uncertainty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class Interval(NamedTuple):
    """A mean over `n` runs and the ends of its confidence interval; a single run has no interval: NaN ends."""

    mean: float
    low: float
    high: float
    n: int


def mean_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Return the mean of `values` and its Student t interval.

    The interval is about the mean over seeds, on this data and with these settings; it says nothing about other data.

    Parameters
    ----------
    values
        One finite number per independent run.
    level
        Confidence of the interval, between 0 and 1.

    Raises
    ------
    ValueError
        If there is no value, or one is NaN or infinite: a run that diverged must be reported, not averaged away.

    Examples
    --------
    >>> mean, low, high, n = mean_interval([0.8, 0.9, 0.85])
    >>> round(mean, 3), round(low, 3), round(high, 3), n
    (0.85, 0.726, 0.974, 3)
    """
    from scipy import special  # Student's quantile; scipy.stats has it too, and takes a second to import

    runs = [float(value) for value in values]
    if not runs or not all(map(math.isfinite, runs)):
        raise ValueError(f"Expected one finite number per run, got {runs}. Report failed runs separately.")
    if not 0 < level < 1:
        raise ValueError(f"Expected level={level} between 0 and 1, such as 0.95.")
    n, mean = len(runs), math.fsum(runs) / len(runs)
    if n == 1:
        return Interval(mean, math.nan, math.nan, 1)
    deviation = math.sqrt(math.fsum((run - mean) ** 2 for run in runs) / (n - 1))
    half = float(special.stdtrit(n - 1, (1 + level) / 2)) * deviation / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n)
