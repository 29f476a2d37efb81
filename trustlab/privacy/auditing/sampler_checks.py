"""Are batches what the accountant assumes: Poisson samples, independent of one another and of the data.

Of Poisson sampling each example is in each batch with probability q, all independent. So batch sizes and the counts of
each example are binomial, neighbouring batches have no more and no fewer examples in common than chance gives, and
nothing depends on what the examples hold. The number of batches is a part of what is published: one example more must
not change it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from scipy.special import ndtr
from scipy.stats import binomtest, chi2

from trustlab.privacy.auditing.counts import Array
from trustlab.privacy.auditing.report import Check

Sampler = Callable[[Array], Iterable[Sequence[int]]]
BATCH = 20  # expected examples, where the number of examples can be chosen
SEEN = 60  # how often each example is expected to be drawn
RUNS = 2000  # of a sampler, at most, to get there
MEANS = "The batches are not those that the accountant assumes, and its ε does not hold (Chua et al. 2024)."
DO = "Draw every batch as a Poisson sample, each example with probability q, or account for the sampler used."


def made_up(examples: int) -> Array:
    """Return examples [N, 4] of two kinds in turn, short and long ones: rows of ones, and of hundreds."""
    return np.where(np.arange(examples)[:, None] % 2, 100.0, 1.0) * np.ones((1, 4))


def sampler_checks(sampler: Sampler, *, sample_rate: float, examples: int | None = None) -> list[Check]:
    """Draw batches and check them against Poisson sampling of rate `sample_rate`.

    Parameters
    ----------
    sampler
        ``sampler(examples)`` takes an array [N, 4] as the data set and returns the indices of each batch, of one
        training; it is called until each example should have been seen :data:`SEEN` times.
    sample_rate
        q in (0, 1).
    examples
        N; by default so many that a batch has :data:`BATCH`.
    """
    count = examples or round(BATCH / sample_rate)
    steps = _number_of_steps(sampler, count)
    rows: list[Array] = []
    for _ in range(RUNS):
        rows += _counts(sampler, made_up(count))
        if len(rows) * sample_rate >= SEEN:
            break
    drawn = np.stack(rows)  # [T, N]
    return [steps, *_binomial(drawn, sample_rate), _between(drawn, sample_rate), _by_kind(drawn, sample_rate)]


def _counts(sampler: Sampler, data: Array) -> list[Array]:
    return [np.bincount(_indices(batch), minlength=len(data)).astype(float) for batch in sampler(data)]


def _indices(batch: Any) -> np.ndarray:
    return np.asarray([int(i) for i in batch], dtype=np.int64)


def _number_of_steps(sampler: Sampler, count: int) -> Check:
    """Count the batches for N examples and for one more and one less, short ones or long ones."""
    data = made_up(count + 2)
    variants = {f"N = {count}": data[:count], f"N = {count + 1}": data[: count + 1], f"N = {count - 1}": data[1:count]}
    variants |= {"short examples": 0 * data[:count] + 1, "long examples": 0 * data[:count] + 100}
    found = {name: sum(1 for _ in sampler(each)) for name, each in variants.items()}
    usual = found[f"N = {count}"]
    others = [f"{steps} for {name}" for name, steps in found.items() if steps != usual]
    return Check(
        name="number of steps",
        expected="the same with one example more or less",
        measured=f"{usual}" + (f", but {', '.join(others)}" if others else " in each case"),
        p=float(not others),
        means="How many steps were taken is seen by everybody; here it shows the number or the length of examples.",
        do="Fix the number of steps beforehand, and take every one, also on short and empty batches.",
    )


def _binomial(drawn: Array, q: float) -> list[Check]:
    """Check batch sizes and each example's count against their binomial distributions."""
    steps, examples = drawn.shape
    total, sizes, counts = int(drawn.sum()), drawn.sum(1), drawn.sum(0)
    told = dict(means=MEANS, do=DO)
    mean = binomtest(min(total, drawn.size), drawn.size, q).pvalue if drawn.max() <= 1 else 0.0
    twice = "" if drawn.max() <= 1 else "; an example is in a batch more than once"
    spread = float(np.sqrt(np.square(sizes - examples * q).mean()))
    seen = float(np.sqrt(np.square(counts - steps * q).mean()))
    return [
        Check("batch sizes: mean", f"{examples * q:.4g}", f"{sizes.mean():.4g}{twice}", float(mean), **told),
        Check(
            "batch sizes: spread",
            f"standard deviation {math.sqrt(examples * q * (1 - q)):.3g}",
            f"{spread:.3g} in {steps} batches",
            _dispersion(sizes, examples, q),
            **told,
        ),
        Check(
            "counts of each example",
            f"standard deviation {math.sqrt(steps * q * (1 - q)):.3g}",
            f"{seen:.3g}, of {counts.min():.0f} to {counts.max():.0f} times drawn",
            _dispersion(counts, steps, q),
            **told,
        ),
    ]


def _dispersion(values: Array, trials: int, q: float) -> float:
    """Return a two-sided p of binomial counts' variance: χ², with the degrees of freedom that its variance has.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> _dispersion(rng.binomial(100, 0.2, size=500), 100, 0.2) > 0.01, _dispersion(np.full(500, 20), 100, 0.2) < 1e-9
    (True, True)
    """
    scaled = np.square(values - trials * q) / (trials * q * (1 - q))
    kurtosis = (1 - 6 * q * (1 - q)) / (trials * q * (1 - q))
    shrink = 2 / (2 + kurtosis)  # the square of a binomial number varies a little more than that of a normal one
    total = float(scaled.sum()) * shrink
    freedom = len(values) * shrink
    return min(2 * min(float(chi2.cdf(total, freedom)), float(chi2.sf(total, freedom))), 1.0)


def _between(drawn: Array, q: float) -> Check:
    """Check that an example's presence in one batch says nothing about the next one."""
    away = drawn - q
    pairs = (away[1:] * away[:-1]).sum()
    deviation = q * (1 - q) * math.sqrt(drawn[1:].size)
    return Check(
        name="batches between steps",
        expected="no correlation between neighbouring batches",
        measured=f"{pairs / deviation / math.sqrt(drawn[1:].size):.4f}",
        p=2 * float(ndtr(-abs(pairs / deviation))),
        means=MEANS,
        do=DO,
    )


def _by_kind(drawn: Array, q: float) -> Check:
    """Check that short and long examples, and early and late ones, are drawn alike."""
    steps, examples = drawn.shape
    order = np.arange(examples)
    kinds = {"short": order % 2 == 0, "long": order % 2 == 1, "first half": order < examples // 2}
    rates = {name: float(drawn[:, of].mean()) for name, of in kinds.items()}
    p = [
        2 * float(ndtr(-abs(rates[name] - q) / math.sqrt(q * (1 - q) / (steps * of.sum()))))
        for name, of in kinds.items()
    ]
    company = _in_company(drawn, kinds["long"], q)
    return Check(
        name="batches and data",
        expected=f"each kind of example drawn at rate {q:.4g}, independent of the others",
        measured=", ".join(f"{name} {rate:.4g}" for name, rate in rates.items()),
        p=min(min([*p, company]) * (len(p) + 1), 1.0),
        means="Which examples are drawn depends on what they hold: the accountant's q is not every example's.",
        do="Draw by index alone, without sorting or grouping by length, and do not skip batches.",
    )


def _in_company(drawn: Array, long: np.ndarray, q: float) -> float:
    """Return a p of the correlation between the numbers of long and short examples in a batch."""
    one, other = drawn[:, long].sum(1) - long.sum() * q, drawn[:, ~long].sum(1) - (~long).sum() * q
    deviation = q * (1 - q) * math.sqrt(float(long.sum()) * float((~long).sum()) * len(drawn))
    return 2 * float(ndtr(-abs(float(one @ other)) / deviation))
