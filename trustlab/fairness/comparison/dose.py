"""Does a metric measure the bias that is there? Its curve against the planted dose, over models of known bias.

Good agreement between two metrics can mean that both measure bias, or that both measure something else. A dose that was
planted decides it: a metric to trust is low where nothing is planted, rises with the dose, and moves more between doses
than between two models of the same dose.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from trustlab.fairness.comparison.correlation import bootstrap, correlation_matrix

TOLD_APART = 1.645 * math.sqrt(2)  # noises: one model told from one without bias, one-sided at 5 %


class Response(NamedTuple):
    """How one metric answers to the dose.

    Attributes
    ----------
    slope, slope_low, slope_high
        Change of the metric from dose 0 to 1 by least squares, in its own unit, and 95 % interval over models.
    tau, tau_low, tau_high
        Kendall's tau-b with the dose, 1 for a metric that never errs in order; 95 % interval over models.
    floor
        Mean at dose 0: what the metric says of models without bias.
    noise
        Standard deviation between models of the same dose, pooled.
    signal_to_noise
        (Mean at the largest dose − floor) / noise.
    threshold
        Smallest dose at which one model would be told from one model without bias: where the curve of means, made
        monotone, has risen by 1.645 √2 noises. Infinite if it never has.
    """

    slope: float
    slope_low: float
    slope_high: float
    tau: float
    tau_low: float
    tau_high: float
    floor: float
    noise: float
    signal_to_noise: float
    threshold: float


def dose_response(doses: Sequence[float], values: Sequence[float], *, resamples: int = 1000, seed: int = 0) -> Response:
    """Return how a metric answers to the dose.

    Parameters
    ----------
    doses, values : [n]
        Of each model; two or more models at dose 0 and at some other dose.
    resamples, seed
        Of models, for the intervals.

    Raises
    ------
    ValueError
        If there is no dose 0, only one dose, or never two models of one dose.

    Examples
    --------
    >>> found = dose_response([0, 0, 0.5, 0.5, 1, 1], [0.0, 0.1, 0.5, 0.6, 1.0, 1.1])
    >>> round(found.slope, 2), round(found.floor, 2), round(found.noise, 3), round(found.threshold, 2)
    (1.0, 0.05, 0.071, 0.16)
    """
    x, y = np.asarray(doses, float), np.asarray(values, float)
    levels, place, count = np.unique(x, return_inverse=True, return_counts=True)
    if levels[0] != 0 or len(levels) < 2 or count.max() < 2:
        raise ValueError(
            f"Expected models at dose 0 and at others, two or more of a dose, got doses {levels.tolist()}, "
            f"{count.tolist()} models. Without dose 0 there is no floor, without a second model no noise."
        )
    means = np.bincount(place, y) / count
    noise = math.sqrt(((y - means[place]) ** 2).sum() / (len(y) - len(levels)))
    slopes = bootstrap(lambda i: _slope(x[i], y[i]), len(x), resamples=resamples, seed=seed)
    taus = bootstrap(lambda i: _tau(x[i], y[i]), len(x), resamples=resamples, seed=seed)
    rise = means[-1] - means[0]
    return Response(
        float(_slope(x, y)),
        *_interval(slopes),
        float(np.nan_to_num(_tau(x, y))),
        *_interval(np.nan_to_num(taus)),
        float(means[0]),
        noise,
        rise / noise if noise > 0 else math.copysign(math.inf, rise) if rise else 0.0,
        _threshold(levels, means, count, TOLD_APART * noise),
    )


def rank(responses: Mapping[str, Response]) -> list[str]:
    """Return the metrics, the most trustworthy first.

    First those whose order certainly follows the dose (the interval of tau is above 0), by their detection threshold;
    then the others. Ties go to the larger signal-to-noise ratio.
    """

    def key(name: str) -> tuple[bool, float, float]:
        found = responses[name]
        return found.tau_low <= 0, found.threshold, -found.signal_to_noise

    return sorted(responses, key=key)


def _slope(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the least-squares slope along the last axis; NaN where all doses are the same."""
    centred = x - x.mean(-1, keepdims=True)
    square = (centred**2).sum(-1)
    return np.divide((centred * y).sum(-1), square, out=np.full_like(square, np.nan), where=square > 0)


def _tau(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return correlation_matrix(x[..., None], y[..., None], "kendall")[..., 0, 0]


def _interval(draws: np.ndarray) -> tuple[float, float]:
    low, high = np.nanquantile(draws, [0.025, 0.975]).tolist()
    return low, high


def _threshold(levels: np.ndarray, means: np.ndarray, count: np.ndarray, needed: float) -> float:
    """Return the dose at which the monotone curve through the means has risen by `needed` above dose 0."""
    from scipy.optimize import isotonic_regression

    curve: Any = isotonic_regression(means, weights=count).x
    goal = curve[0] + needed
    above = np.flatnonzero((curve >= goal) & (curve > curve[0]))
    if not len(above):
        return math.inf
    at = int(above[0])
    share = (goal - curve[at - 1]) / (curve[at] - curve[at - 1])
    return float(levels[at - 1] + share * (levels[at] - levels[at - 1]))
