"""Does a metric measure the bias that is there? Its curve against the planted dose, over models of known bias.

If two metrics agree, both may measure bias, or both something else. A planted dose decides it: a metric to trust is low
where nothing is planted, rises with the dose, and differs more between doses than between two models of the same dose.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from trustlab.columns import as_scores
from trustlab.course.correlation import bootstrap, correlation_matrix
from trustlab.deprecation import old_names

# In units of noise: one model is distinguished from one without bias, one-sided at 5 % if the noise were known. It is
# estimated from a few models of each dose, so that with five the error is about 8 %.
DETECTABLE = 1.645
STEADY = 0.5  # of tau: three of four pairs of models are in the order of their doses


class Response(NamedTuple):
    """How one metric responds to the dose.

    Attributes
    ----------
    slope, slope_low, slope_high
        Change of the metric from dose 0 to 1 by least squares, in its own unit, and 95 % interval over models.
    tau, tau_low, tau_high
        Kendall's tau-b with the dose; 95 % interval over models. A metric that orders all models
        correctly reaches the largest possible value, which is below 1 where models share a dose: 0.91 for five doses of
        five models each.
    floor
        Mean at dose 0: what the metric reports for models without bias.
    noise
        Standard deviation between models of the same dose, pooled.
    scales
        Dose → standard deviation of the difference between one model of that dose and one of dose 0: the root of the
        sum of both variances. Models of a strong bias may differ more than others, or less.
    signal_to_noise
        (Mean at the largest dose − floor) / its scale.
    threshold, threshold_low, threshold_high
        Smallest dose from which on one model can be distinguished from one without bias: beyond it (mean − floor) /
        scale stays above 1.645. Infinite if it is below at the largest dose. 95 % interval over models of each dose.
    """

    slope: float
    slope_low: float
    slope_high: float
    tau: float
    tau_low: float
    tau_high: float
    floor: float
    noise: float
    scales: Mapping[float, float]
    signal_to_noise: float
    threshold: float
    threshold_low: float
    threshold_high: float


def dose_response(doses: Sequence[float], values: Sequence[float], *, resamples: int = 1000, seed: int = 0) -> Response:
    """Return how a metric responds to the dose.

    Parameters
    ----------
    doses, values : [n]
        Of each model; dose 0 and another, two or more models of each.
    resamples, seed
        Of models, for the intervals.

    Raises
    ------
    ValueError
        If there is no dose 0, only one dose, or one model alone of a dose; if a dose or a value is not finite.

    Examples
    --------
    >>> found = dose_response([0, 0, 0.5, 0.5, 1, 1], [0.0, 0.1, 0.5, 0.6, 1.0, 1.1])
    >>> round(found.slope, 2), round(found.floor, 2), round(found.noise, 3), round(found.threshold, 2)
    (1.0, 0.05, 0.071, 0.16)
    """
    x, y = as_scores(doses, "dose"), as_scores(values, "value", rows=len(doses))
    levels, place, count = np.unique(x, return_inverse=True, return_counts=True)
    if levels[0] != 0 or len(levels) < 2 or count.min() < 2:
        raise ValueError(
            f"Expected models at dose 0 and at others, two or more of each, got doses {levels.tolist()}, "
            f"{count.tolist()} models. Without dose 0 there is no floor, without a second model no noise estimate."
        )
    means = np.bincount(place, y) / count
    squares = np.bincount(place, (y - means[place]) ** 2)
    scales, risen = _risen(place, count, y)
    drawn = y[_within(tuple(place.tolist()), resamples, seed)]  # [resamples, n]
    thresholds = _threshold(levels, _risen(place, count, drawn)[1])
    slopes = bootstrap(lambda i: _slope(x[i], y[i]), len(x), resamples=resamples, seed=seed)
    taus = bootstrap(lambda i: _tau(x[i], y[i]), len(x), resamples=resamples, seed=seed)
    return Response(
        float(_slope(x, y)),
        *_interval(slopes),
        float(np.nan_to_num(_tau(x, y))),
        *_interval(np.nan_to_num(taus)),
        float(means[0]),
        math.sqrt(squares.sum() / (len(y) - len(levels))),
        dict(zip(levels.tolist(), scales.tolist(), strict=True)),
        float(risen[-1]),
        float(_threshold(levels, risen)),
        *np.quantile(thresholds, [0.025, 0.975], method="inverted_cdf").tolist(),  # no mean with infinity
    )


def rank(responses: Mapping[str, Response]) -> list[str]:
    """Return the metrics, the most trustworthy first.

    First those whose order clearly follows the dose (tau above 0.5 with its whole interval), then those that follow it
    to some degree (above 0), then the others; within each class by detection threshold. Ties go to the larger
    signal-to-noise ratio.
    """

    def key(name: str) -> tuple[bool, bool, float, float]:
        found = responses[name]
        return found.tau_low <= STEADY, found.tau_low <= 0, found.threshold, -found.signal_to_noise

    return sorted(responses, key=key)


def _risen(place: np.ndarray, count: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the scale of each dose, and how many of them the mean is above the floor, [..., levels] both."""
    samples = np.arange(y.size // len(place)).reshape(*y.shape[:-1], 1)
    cells, shape = (samples * len(count) + place).ravel(), (*y.shape[:-1], len(count))

    def summed(values: np.ndarray) -> np.ndarray:
        return np.bincount(cells, values.ravel(), minlength=samples.size * len(count)).reshape(shape)

    means = summed(y) / count
    spreads = summed((y - means[..., place]) ** 2) / (count - 1)
    scales, rise = np.sqrt(spreads + spreads[..., :1]), means - means[..., :1]
    return scales, np.divide(rise, scales, out=np.where(rise > 1e-12, math.inf, 0.0), where=scales > 0)


@functools.lru_cache(maxsize=8)
def _within(place: tuple[int, ...], resamples: int, seed: int) -> np.ndarray:
    """Return indices that put at each model's place one drawn from the models of its dose, [resamples, models].

    They are the same for every metric of the same models, so they are drawn once.
    """
    rng = np.random.default_rng([seed, 1])
    doses = [np.flatnonzero(np.equal(place, level)) for level in range(max(place) + 1)]
    drawn = np.empty((resamples, len(place)), dtype=int)
    for sample in drawn:
        for own in doses:
            sample[own] = own[rng.integers(len(own), size=len(own))]
    return drawn


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


def _threshold(levels: np.ndarray, risen: np.ndarray) -> np.ndarray:
    """Return the dose from which on `risen` [..., levels] is at least :data:`DETECTABLE`, in a straight line between.

    At dose 0 nothing has risen. Where the last dose is not detected, the threshold is infinite.
    """
    at = len(levels) - np.argmax((risen < DETECTABLE)[..., ::-1], axis=-1)
    above = np.minimum(at, len(levels) - 1)
    below, reached = (np.take_along_axis(risen, i[..., None], axis=-1)[..., 0] for i in (above - 1, above))
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(np.isinf(reached), 1.0, (DETECTABLE - below) / (reached - below))
    crossed = levels[above - 1] + share * (levels[above] - levels[above - 1])
    return np.where(at == len(levels), math.inf, crossed)


__getattr__ = old_names(__name__, {"TOLD_APART": "DETECTABLE"})
