"""Which clients does the average represent? The aggregation weight that each client has on average over cohorts.

Over many rounds, client i moves the model as if it had the weight E[Σ p] that its places in the cohorts carry. Fair to
the data is its share of all examples, n_i / n. Selection and aggregation each decide half of it:

* by activity with replacement, equal weights: q_i = n_i / n, unbiased;
* by activity, weights n_k: the activity counts twice, and heavy clients dominate;
* uniform, weights n_k / Σ n over the cohort: a heavy client makes the sum that it is divided by heavy, and has less
  than its share;
* Horvitz–Thompson: unbiased for every selection that can reach every client.

Every normalised aggregation gives a client its value a_i over the cohort's sum of values: a_i = n_i ("examples"), 1
("equal"), n_i / π_i ("hajek"). The expectation of such a ratio looks as if every cohort had to be listed, but with
1/A = ∫₀^∞ e^{−sA} ds it becomes one integral over s of products of single clients' terms, O(N) for each s. It is exact
with replacement and for Poisson sampling; systematic cohorts can be listed, as they depend on one number only; for
successive sampling and power-of-choice cohorts are drawn, with a standard error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from trustlab.federated.aggregation import AGGREGATIONS, client_weights
from trustlab.federated.partition.statistics import heaviest
from trustlab.federated.selection import Selector, UnknownInclusionError
from trustlab.federated.selection.selector import Losses

HEAVY = 0.1  # share of the devices that counts as heavy
MOST_AT_ONCE = 500_000  # values of an integrand in memory
STEP = 0.2  # of the trapezoidal rule in log s, whose error is of the order exp(−π²/STEP)


class ExpectedWeights(NamedTuple):
    """Expected aggregation weights.

    Attributes
    ----------
    mean : float64 [N], or [G] for groups
        E[Σ p] of each client or group. Under Horvitz–Thompson and under Poisson sampling, which may draw no client,
        they may sum to less than 1.
    error : float64 [N] or [G]
        Standard errors; 0 where the method is exact, and 1/draws for a client that no cohort held.
    method : str
        ``"closed form"``, ``"integral"``, ``"enumeration"`` or ``"Monte Carlo"``.
    """

    mean: np.ndarray
    error: np.ndarray
    method: str


def expected_weights(
    selector: Selector,
    examples: np.ndarray,
    k: int,
    *,
    aggregation: str,
    groups: np.ndarray | None = None,
    losses: Losses | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> ExpectedWeights:
    """Return every client's expected aggregation weight in cohorts of `k`.

    Parameters
    ----------
    selector
        Which clients are drawn.
    examples : array [N]
        n_i, which count in the aggregation; > 0 for every client that can be drawn.
    k
        Size of the cohort.
    aggregation
        One of :data:`trustlab.federated.aggregation.AGGREGATIONS`.
    groups : int array [N]
        Number from 0 of each client's group: weights are added up in groups, and errors are the groups'.
    losses
        For power-of-choice, see :meth:`trustlab.federated.selection.Selector.draw`.
    draws, seed
        Cohorts drawn where there is no exact method, and their seed.

    Raises
    ------
    UnknownInclusionError
        For Horvitz–Thompson or Hájek weights where the inclusion probabilities are not known: a ``ValueError``.

    Examples
    --------
    >>> n = np.array([80, 10, 10])
    >>> uniform = Selector(n, strategy="uniform", design="with-replacement")
    >>> expected_weights(uniform, n, 2, aggregation="examples").mean.round(3).tolist()
    [0.506, 0.247, 0.247]
    >>> active = Selector(n, strategy="power", beta=1.0, design="with-replacement")
    >>> expected_weights(active, n, 2, aggregation="examples").mean.round(3).tolist()
    [0.924, 0.038, 0.038]
    >>> expected_weights(active, n, 2, aggregation="equal").mean.round(3).tolist()
    [0.8, 0.1, 0.1]
    """
    n = np.asarray(examples, float)
    _check(selector, n, aggregation)
    groups = np.arange(len(n)) if groups is None else np.asarray(groups)
    drawn_only = selector.design in ("without-replacement", "power-of-choice")
    inverse = aggregation in ("horvitz-thompson", "hajek")
    inclusion = selector.inclusion(k) if inverse or not drawn_only else None
    if aggregation == "horvitz-thompson":
        mean, method = np.where(inclusion > 0, n / n.sum(), 0.0), "closed form"
    elif drawn_only:
        return _by_drawing(selector, n, inclusion, k, aggregation, groups, losses, draws, seed)
    else:
        mean, method = _exactly(selector.design, inclusion, n, k, aggregation)
    mean = np.bincount(groups, mean)
    return ExpectedWeights(mean, np.zeros_like(mean), method)


def compare(
    activity: np.ndarray, k: int, selections: Iterable[Mapping[str, Any]], *, heavy: float = HEAVY, **options: Any
) -> Iterator[dict[str, Any]]:
    """Yield one flat row for every selection and aggregation: the weight of the heaviest clients, against their share.

    Parameters
    ----------
    activity : array [N]
        n_i, by which clients are selected and weighted.
    selections
        Options of :class:`trustlab.federated.selection.Selector`, one mapping for each selection.
    heavy
        Share of the clients, in (0, 1), that counts as heavy: the most active ones.
    **options
        Of :func:`expected_weights`.

    Yields
    ------
    dict
        ``strategy``, ``design``, the selection's options, ``aggregation``, ``share`` (the heavy clients' of all
        examples), ``weight`` (their expected one), ``error``, ``ratio`` (weight over share; 1 is fair to the data) and
        ``method``. Where inclusion probabilities are not known the weight is NaN and the method ``"not known"``.

    Examples
    --------
    >>> rows = compare([80, 10, 10], 2, [dict(strategy="power", design="systematic")], heavy=0.4)
    >>> [(row["aggregation"], round(row["ratio"], 2)) for row in rows]
    [('examples', 1.11), ('equal', 0.62), ('horvitz-thompson', 1.0), ('hajek', 1.0)]
    """
    n = np.asarray(activity, float)
    if not 0 < heavy < 1:
        raise ValueError(f"Expected heavy={heavy:g} in (0, 1), the share of the clients that counts as heavy.")
    groups = np.ones(len(n), np.int64)
    groups[heaviest(n, heavy)] = 0
    share = float(n[groups == 0].sum() / n.sum())
    for selection in selections:
        selector = Selector(activity, **selection)
        for aggregation in AGGREGATIONS:
            chosen = {name: value for name, value in selection.items() if np.isscalar(value)}
            row = {"strategy": selector.config.strategy, "design": selector.design} | chosen
            try:
                found = expected_weights(selector, n, k, aggregation=aggregation, groups=groups, **options)
                weight, error, method = float(found.mean[0]), float(found.error[0]), found.method
            except UnknownInclusionError:
                weight, error, method = np.nan, np.nan, "not known"
            about = {"aggregation": aggregation, "share": share, "weight": weight, "error": error}
            yield row | about | {"ratio": weight / share, "method": method}


def _check(selector: Selector, n: np.ndarray, aggregation: str) -> None:
    """Refuse what has no expectation."""
    if aggregation not in AGGREGATIONS:
        raise ValueError(f"Expected aggregation={aggregation!r} to be one of {', '.join(map(repr, AGGREGATIONS))}.")
    if n.shape != (len(selector),) or not (np.isfinite(n) & (n >= 0)).all() or not n.any():
        raise ValueError(
            f"Expected finite examples >= 0 of {len(selector)} clients, some of them > 0, got shape {list(n.shape)}."
        )


def _exactly(design: str, inclusion: np.ndarray, n: np.ndarray, k: int, aggregation: str) -> tuple[np.ndarray, str]:
    """Return the expected weights [N] under a normalised aggregation, and by what method."""
    if (n[inclusion > 0] == 0).any():
        raise ValueError("Expected examples > 0 for every client that can be drawn. One without cannot train.")
    if aggregation == "examples":
        a = n
    elif aggregation == "equal":
        a = np.ones_like(n)
    else:
        a = n / np.where(inclusion > 0, inclusion, np.inf)
    if design == "top-k":
        return inclusion * a / (inclusion @ a), "closed form"
    if design == "poisson":
        return _poisson(inclusion, a), "integral"
    if aggregation == "equal":
        return inclusion / k, "closed form"
    if design == "with-replacement":
        return _with_replacement(inclusion, a, k), "integral"
    return _over_starts(inclusion, a, k), "enumeration"


def _integral(log_integrand: Callable[[np.ndarray], np.ndarray], a: np.ndarray) -> np.ndarray:
    """Integrate exp(log_integrand(s)) [S, N], of s [S, 1], over s from 0 to infinity.

    In x = log s the integrand falls like e^x to the left and like exp(−a e^x) to the right, and is smooth: there the
    trapezoidal rule converges exponentially. The range reaches from where the heaviest cohort's exponential is still 1
    to where the lightest client alone has fallen to e^−50.
    """
    positive = a[a > 0]
    x = np.arange(np.log(1e-16 / positive.sum()), np.log(50 / positive.min()) + STEP, STEP)
    total = np.zeros(len(a))
    for some in np.array_split(x[:, None], math.ceil(len(x) * len(a) / MOST_AT_ONCE)):
        total += np.exp(log_integrand(np.exp(some)) + some).sum(axis=0)
    return STEP * total


def _with_replacement(inclusion: np.ndarray, a: np.ndarray, k: int) -> np.ndarray:
    """E[c_i a_i / Σ c_j a_j] for k independent draws: ∫ k q_i a_i e^{−s a_i} (Σ_j q_j e^{−s a_j})^{k−1} ds."""
    q = inclusion / k
    with np.errstate(divide="ignore"):
        front = np.log(inclusion * a)

    def log_integrand(s: np.ndarray) -> np.ndarray:
        # Σ_j q_j e^{−s a_j} relative to its largest term, which alone may underflow.
        least = a[q > 0].min()
        return front - s * a + (k - 1) * (np.log(np.exp(-s * (a - least).clip(0)) @ q)[:, None] - s * least)

    return _integral(log_integrand, a)


def _poisson(inclusion: np.ndarray, a: np.ndarray) -> np.ndarray:
    """E[I_i a_i / Σ I_j a_j], each client for itself: ∫ π_i a_i e^{−s a_i} Π_{j≠i} (1 − π_j + π_j e^{−s a_j}) ds."""
    with np.errstate(divide="ignore"):
        front, inside, outside = np.log(inclusion * a), np.log(inclusion), np.log1p(-inclusion)

    def log_integrand(s: np.ndarray) -> np.ndarray:
        each = np.logaddexp(outside, inside - s * a)
        return front - s * a + each.sum(axis=1, keepdims=True) - each

    return _integral(log_integrand, a)


def _over_starts(inclusion: np.ndarray, a: np.ndarray, k: int) -> np.ndarray:
    """Average over systematic sampling's one random number U: the cohort changes only where U passes an end."""
    ends = inclusion.cumsum()
    starts = np.unique(np.concatenate([[0.0], ends % 1.0]))
    lengths = np.diff(np.append(starts, 1.0))
    mean = np.zeros(len(a))
    for middle, length in zip(starts + lengths / 2, lengths, strict=True):
        if length < 1e-12:  # a rounding error between two ends that are one
            continue
        cohort = np.searchsorted(ends, middle + np.arange(k), side="right")
        mean[cohort] += length * a[cohort] / a[cohort].sum()
    return mean


def _by_drawing(
    selector: Selector,
    n: np.ndarray,
    inclusion: np.ndarray | None,
    k: int,
    aggregation: str,
    groups: np.ndarray,
    losses: Losses | None,
    draws: int,
    seed: int,
) -> ExpectedWeights:
    """Draw cohorts and average their weights."""
    if draws < 2:
        raise ValueError(f"Expected draws={draws} >= 2. One cohort has no standard error.")
    rng = np.random.default_rng(seed)
    total, squares = np.zeros(groups.max() + 1), np.zeros(groups.max() + 1)
    for _ in range(draws):
        cohort = selector.draw(k, rng, losses=losses)
        known = inclusion[cohort] if aggregation == "hajek" else None
        weights = client_weights(aggregation, examples=n[cohort], inclusion=known).numpy()
        members, place = np.unique(groups[cohort], return_inverse=True)
        added = np.bincount(place, weights)
        total[members] += added
        squares[members] += added**2
    mean = total / draws
    error = np.sqrt(np.maximum(squares / draws - mean**2, 0.0) / (draws - 1))
    return ExpectedWeights(mean, np.where(total > 0, error, 1 / draws), "Monte Carlo")
