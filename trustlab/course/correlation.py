"""Do two metrics rank models alike? Correlations over models, and how much they prove at that number of models.

A correlation over twenty models is uncertain, and among forty correlations some look large by chance. So each comes
with an interval (bootstrap over models), a p-value (permutation), the size needed for significance, and the reliability
of both metrics: what is mostly noise cannot correlate with anything (Spearman 1904).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from trustlab.columns import as_scores

Row = dict[str, Any]
METHODS = ("pearson", "spearman", "kendall")
BLOCK = 50  # resamples at once


def correlation_matrix(X: Any, Y: Any, method: str = "spearman") -> np.ndarray:
    """Return the correlation of each column of X with each of Y, float64 [..., p, q]; NaN for a constant column.

    Parameters
    ----------
    X, Y : array [..., n, p], [..., n, q]
        One row a model, one column a metric; leading axes are resamples, of both or of one.
    method
        "pearson", "spearman" (Pearson's of the ranks, ties shared) or "kendall" (tau-b).

    Examples
    --------
    >>> correlation_matrix([[1.0], [2.0], [3.0]], [[1.0, 3.0], [4.0, 2.0], [9.0, 1.0]], "kendall").round(6).tolist()
    [[1.0, -1.0]]
    """
    from scipy import stats

    if method not in METHODS:
        raise ValueError(f"Expected method={method!r} to be one of {', '.join(map(repr, METHODS))}.")
    x, y = np.asarray(X, float), np.asarray(Y, float)
    resampled = {each.shape[:-2] for each in (x, y) if each.ndim > 2}
    if min(x.ndim, y.ndim) < 2 or x.shape[-2] != y.shape[-2] or x.shape[-2] < 3 or len(resampled) > 1:
        raise ValueError(f"Expected three or more models, the same in both, got {x.shape} and {y.shape}.")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("Expected every metric of every model, got NaN or infinity. Leave that model or metric out.")
    if method == "kendall":  # tau-b is the correlation of the signs of the differences between every two models
        one, other = np.triu_indices(x.shape[-2], 1)
        return _cosine(*(np.sign(each[..., one, :] - each[..., other, :]) for each in (x, y)))
    if method == "spearman":
        x, y = (stats.rankdata(each, axis=-2) for each in (x, y))
    return _cosine(x - x.mean(-2, keepdims=True), y - y.mean(-2, keepdims=True))


def _cosine(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    lengths = np.sqrt((x**2).sum(-2))[..., :, None] * np.sqrt((y**2).sum(-2))[..., None, :]
    products = np.swapaxes(x, -1, -2) @ y
    return np.divide(products, lengths, out=np.full_like(products, np.nan), where=lengths > 1e-12)


def needed(models: int, method: str = "pearson", level: float = 0.05) -> float:
    """Return the |r| that a test of one pair calls significant at that number of models, two-sided.

    From t = r √((n − 2) / (1 − r²)), which has Student's t distribution with n − 2 degrees of freedom where nothing
    correlates; for ranks nearly so. Kendall's tau is nearly normal with variance 2 (2n + 5) / (9n (n − 1)).

    Examples
    --------
    >>> round(needed(19), 2), round(needed(45), 2), round(needed(45, "kendall"), 2)
    (0.46, 0.29, 0.2)
    """
    from scipy import stats

    if models < 3:
        raise ValueError(f"Expected models={models} >= 3. Two points are always on a line.")
    if method == "kendall":
        return float(stats.norm.isf(level / 2) * math.sqrt(2 * (2 * models + 5) / (9 * models * (models - 1))))
    t = stats.t.isf(level / 2, models - 2)
    return float(t / math.sqrt(models - 2 + t**2))


def reliability(values: Sequence[float], errors: Sequence[float]) -> float:
    """Return the share of a metric's variance over models that is not error, in [0, 1].

    1 − mean of the squared standard errors / variance of the values. The caller chooses the error: over other words
    and sentences, or between models of the same recipe. Two metrics with independent errors cannot be expected to
    correlate by more than the root of the product of their reliabilities; where all models meet the same words, or
    both metrics the same models, errors are correlated and they can. NaN where the metric is the same for all models.

    Examples
    --------
    >>> reliability([0.0, 2.0, 4.0], [1.0, 1.0, 1.0])
    0.75
    """
    values, errors = as_scores(values, "value"), as_scores(errors, "standard error", rows=len(values), low=0)
    variance = float(np.var(values, ddof=1))
    if variance == 0:
        return math.nan
    return float(np.clip(1 - np.mean(np.square(errors)) / variance, 0, 1))


def bootstrap(
    statistic: Callable[[np.ndarray], np.ndarray], models: int, *, resamples: int = 1000, seed: int = 0
) -> np.ndarray:
    """Return `statistic` of resampled models, [resamples, ...].

    Parameters
    ----------
    statistic
        Takes indices of models, int [block, models], and returns a value for each line.
    """
    rng = np.random.default_rng(seed)
    blocks = [min(BLOCK, resamples - start) for start in range(0, resamples, BLOCK)]
    return np.concatenate([statistic(rng.integers(models, size=(block, models))) for block in blocks])


def correlations(
    first: Mapping[str, Sequence[float]],
    second: Mapping[str, Sequence[float]],
    *,
    method: str = "spearman",
    resamples: int = 1000,
    permutations: int = 1000,
    blocks: Sequence[Any] | None = None,
    seed: int = 0,
) -> list[Row]:
    """Correlate every metric of `first` with every metric of `second`, over the same models.

    Parameters
    ----------
    first, second
        Values of each metric, one a model.
    method
        Of :func:`correlation_matrix`.
    resamples, permutations, seed
        Of models, for intervals and p-values.
    blocks : [n]
        Models are permuted within their block only, such as their recipe. An effect of the recipe
        on all metrics is then no evidence that two of them measure the same thing. None puts all models in one block.

    Returns
    -------
    list of dict
        ``first``, ``second``, ``r``, ``low`` and ``high`` (95 %, percentiles over resampled models), ``p`` (two-sided,
        permutation of the models, the observed order among them), ``p_family``, ``needed`` (see :func:`needed`) and
        ``models``. Of forty ``p``, two are below 0.05 where nothing correlates. ``p_family`` is corrected for the
        number of pairs (Westfall and Young 1993, single-step max T): how often the largest |r| of all pairs in a
        permutation is as large as this one. For correlated metrics this is less strict than Bonferroni.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> bias = rng.random(30)
    >>> (row,) = correlations({"WEAT": bias}, {"gap": bias + 0.1 * rng.random(30)})
    >>> bool(row["r"] > 0.9 and row["p"] < 0.01 and row["low"] > row["needed"])
    True
    """
    X, Y = (np.column_stack([np.asarray(each, float) for each in side.values()]) for side in (first, second))
    found = correlation_matrix(X, Y, method)
    n, rng = len(X), np.random.default_rng([seed, 1])
    drawn = bootstrap(lambda i: correlation_matrix(X[i], Y[i], method), n, resamples=resamples, seed=seed)
    low, high = np.nanquantile(drawn, [0.025, 0.975], axis=0) if np.isfinite(found).any() else (found, found)
    exceeded, topped = np.ones_like(found), np.ones_like(found)
    for start in range(0, permutations, BLOCK):
        orders = _permutations(blocks, rng.random((min(BLOCK, permutations - start), n)))
        chance = abs(correlation_matrix(X, Y[orders], method))
        exceeded += (chance >= abs(found) - 1e-12).sum(0)
        topped += (np.nan_to_num(chance).max((1, 2))[:, None, None] >= abs(found) - 1e-12).sum(0)
    p, p_family = (np.where(np.isnan(found), np.nan, each / (permutations + 1)) for each in (exceeded, topped))
    about = {"needed": needed(n, method), "models": n}
    return [
        {
            "first": a,
            "second": b,
            "r": found[i, j],
            "low": low[i, j],
            "high": high[i, j],
            "p": p[i, j],
            "p_family": p_family[i, j],
            **about,
        }
        for i, a in enumerate(first)
        for j, b in enumerate(second)
    ]


def _permutations(blocks: Sequence[Any] | None, draws: np.ndarray) -> np.ndarray:
    """Return orders of the models, int [m, n], that keep every model in its block, from draws in [0, 1) [m, n]."""
    block = np.zeros(draws.shape[1]) if blocks is None else np.unique(np.asarray(blocks), return_inverse=True)[1]
    orders = np.empty(draws.shape, dtype=int)
    orders[:, np.argsort(block, kind="stable")] = np.argsort(block + draws, axis=1)
    return orders
