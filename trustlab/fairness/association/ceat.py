"""CEAT, the contextualized embedding association test (Guo & Caliskan 2021, AIES).

In a contextual encoder a word has another vector in every sentence, so WEAT has not one effect size but a distribution.
CEAT draws one context for each word, many times over, and combines the effect sizes by a random-effects meta-analysis.

What its p-value does *not* show: draws from the same contexts are treated as independent studies, so the standard error
shrinks with one over the root of `samples`, and any effect becomes significant when enough is drawn. Compare combined
effect sizes, and their spread over contexts; repeat with other sentences for an interval.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from trustlab.fairness.association.sets import distinct_sets
from trustlab.fairness.association.weat import unit_sets

CHUNK = 1024  # samples at once: one word's vectors of so many stay in a core's cache


class CombinedAssociation(NamedTuple):
    """Result of CEAT.

    Attributes
    ----------
    effect_size
        CES, the combined effect size.
    p_two_sided
        ``2 (1 − Φ(|CES| / SE))``, the convention of the paper's text.
    p_one_sided
        1 − Φ(CES / SE), for X nearer to A; the convention of published code.
    standard_error
        SE = (Σ v)^−½, of the combined effect size over draws.
    between
        τ², variance between draws beyond what V explains.
    heterogeneity
        Cochran's Q.
    effect_sizes : float64 [samples]
        Effect size of each draw.
    variances : float64 [samples]
        V of each draw.
    """

    effect_size: float
    p_two_sided: float
    p_one_sided: float
    standard_error: float
    between: float
    heterogeneity: float
    effect_sizes: np.ndarray
    variances: np.ndarray


def ceat(
    contexts: Mapping[str, Any],
    X: Sequence[str],
    Y: Sequence[str],
    A: Sequence[str],
    B: Sequence[str],
    *,
    samples: int = 10_000,
    seed: int = 0,
) -> CombinedAssociation:
    """Combine WEAT's effect sizes over random contexts of the words.

    Parameters
    ----------
    contexts
        Vectors [contexts of the word, d] of each word, see :func:`trustlab.fairness.contexts.embed_in_context`. They
        are computed with in their own precision: float32 gives effect sizes to about six digits.
    X, Y, A, B
        Words of the targets and the attributes, at least two each; X and Y need not have equal size.
    samples
        Draws, at least 2. In each, every word gets one of its contexts, all equally likely.
    seed
        Of the draws.

    Raises
    ------
    ValueError
        For words without contexts or that occur twice, fewer than two words, vectors that are zero, not finite or of
        different width, and draws in which all targets have one association.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> centres = {"rose": [3, 0], "tulip": [3, 1], "wasp": [0, 3], "flea": [1, 3], "joy": [3, 0], "pain": [0, 3],
    ...            "love": [3, 0], "fear": [0, 3]}
    >>> contexts = {word: rng.normal(centre, 0.5, (40, 2)) for word, centre in centres.items()}
    >>> found = ceat(contexts, ["rose", "tulip"], ["wasp", "flea"], ["joy", "love"], ["pain", "fear"], samples=500)
    >>> round(found.effect_size, 1), found.effect_sizes.shape
    (1.7, (500,))
    """
    sets = distinct_sets(X, Y, A, B)
    X, Y, A, B = sets.values()
    if samples < 2:
        raise ValueError(f"Expected samples={samples} >= 2. One draw has no spread to combine.")
    units = _unit_contexts(contexts, sets)
    effects, variances = np.empty(samples), np.empty(samples)
    rng = np.random.default_rng(seed)
    for start in range(0, samples, CHUNK):
        stop = min(start + CHUNK, samples)
        direction = _mean_draw(units, A, stop - start, rng) - _mean_draw(units, B, stop - start, rng)  # [chunk, d]
        s = np.stack([np.einsum("nd,nd->n", _draw(units[word], stop - start, rng), direction) for word in (*X, *Y)], 1)
        s = s.astype(np.float64)  # [chunk, words]: mean cosine with A's contexts minus that with B's
        spread = s.std(1, ddof=1)
        if spread.min() < 1e-9:
            raise ValueError(
                "Expected targets with different associations in every draw, got the same for all in one. Its effect "
                "size would be 0/0: the encoder gives these words one vector in every context."
            )
        effects[start:stop] = (s[:, : len(X)].mean(1) - s[:, len(X) :].mean(1)) / spread
        variances[start:stop] = spread**2
    return combine(effects, variances)


def combine(effect_sizes: Any, variances: Any) -> CombinedAssociation:
    """Combine effect sizes by the random-effects model (DerSimonian & Laird), as CEAT does.

    With V the variances and W = 1/V: Q = Σ W ES² − (Σ W ES)² / Σ W, c = Σ W − Σ W² / Σ W,
    τ² = max(0, (Q − (N − 1)) / c), v = 1 / (V + τ²), CES = Σ v ES / Σ v, SE = (Σ v)^−½.

    CEAT's V_i is the squared standard deviation of the associations in draw i, by which that draw's effect size was
    divided. It is not the sampling variance of an effect size, which a meta-analysis would ask for.

    Parameters
    ----------
    effect_sizes, variances : array [N]
        At least two; variances > 0.

    Examples
    --------
    >>> found = combine([1.0, 2.0], [0.25, 0.25])
    >>> found.effect_size, found.heterogeneity, found.between, found.standard_error
    (1.5, 2.0, 0.25, 0.5)
    """
    from scipy import stats

    es, V = np.asarray(effect_sizes, float), np.asarray(variances, float)
    if es.shape != V.shape or es.ndim != 1 or len(es) < 2 or not (np.isfinite(es) & np.isfinite(V) & (V > 0)).all():
        raise ValueError(
            f"Expected two or more finite effect sizes, each with a variance > 0, got {es.shape} and {V.shape}. "
            "A draw without spread among its words has none."
        )
    W = 1 / V
    # Σ W (ES − weighted mean)² is Q without the difference of two large numbers.
    Q = (W * (es - (W @ es) / W.sum()) ** 2).sum()
    c = W.sum() - (W @ W) / W.sum()
    between = max(0.0, float((Q - (len(es) - 1)) / c))
    v = 1 / (V + between)
    effect, error = float(v @ es / v.sum()), float(1 / math.sqrt(v.sum()))
    two, one = 2 * stats.norm.sf(abs(effect) / error), stats.norm.sf(effect / error)
    return CombinedAssociation(effect, float(two), float(one), error, between, float(Q), es, V)


def _unit_contexts(contexts: Mapping[str, Any], sets: Mapping[str, Sequence[str]]) -> dict[str, np.ndarray]:
    """Return every requested word's contexts at length 1, in their own precision."""
    for name, words in sets.items():
        if len(words) < 2:
            raise ValueError(f"Expected at least two words in {name}, got {len(words)}. One word is not a set.")
    asked = list(dict.fromkeys(word for words in sets.values() for word in words))
    missing = [word for word in asked if word not in contexts or len(contexts[word]) == 0]
    if missing:
        raise ValueError(
            f"Expected contexts of every word, got none of {', '.join(missing)}. Leave them out of their sets and "
            "report it with the result, or give more sentences."
        )
    # A word with one context is drawn with that one every time; it is doubled, as sets of vectors have two rows.
    rows = {word: np.atleast_2d(np.asarray(contexts[word])) for word in asked}
    types = {word: each.dtype if each.dtype.kind == "f" else np.float64 for word, each in rows.items()}
    unit = unit_sets(**{repr(word): np.repeat(each, 2, 0) if len(each) == 1 else each for word, each in rows.items()})
    return {word: each[: len(rows[word])].astype(types[word]) for word, each in zip(asked, unit, strict=True)}


def _draw(vectors: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    return vectors[rng.integers(len(vectors), size=count)]


def _mean_draw(
    units: Mapping[str, np.ndarray], words: Sequence[str], count: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the mean unit vector [count, d] of `words`, each in its own context in every draw."""
    total = _draw(units[words[0]], count, rng)
    for word in words[1:]:
        total += _draw(units[word], count, rng)
    return total / len(words)
