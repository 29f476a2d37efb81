"""Intervals: of a mean over seeds, the one place where repeated runs become a number, and of a rate of hits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike


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


def rate_bounds(hits: ArrayLike, trials: ArrayLike, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and the upper Clopper–Pearson bound of a probability, each of which fails with at most `alpha`.

    Examples
    --------
    >>> low, high = rate_bounds([0, 5, 10], 10, 0.025)
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.0, 0.187, 0.692], [0.308, 0.813, 1.0])
    """
    import numpy as np
    from scipy.special import betaincinv

    hits, trials = np.broadcast_arrays(np.asarray(hits, float), np.asarray(trials, float))
    inside = np.maximum(hits, 1), np.minimum(hits, trials - 1)  # the ends are 0 and 1 by definition
    low = np.where(hits > 0, betaincinv(inside[0], trials - inside[0] + 1, alpha), 0.0)
    high = np.where(hits < trials, betaincinv(inside[1] + 1, trials - inside[1], 1 - alpha), 1.0)
    return low, high
