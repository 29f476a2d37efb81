"""Weights of tokens: on the words of a list, as given, or learnt from examples whose unfairness is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.columns import as_scores, as_texts
from trustlab.fairness.sensitivity.token_batch import TokenBatch
from trustlab.fairness.swaps.word_pairs import BY_RULE, CLITICS, OWN_PAIRS

if TYPE_CHECKING:
    from trustlab.fairness.sensitivity.accumulated import Sensitivity

GENDERED = frozenset({*OWN_PAIRS.counterpart, *OWN_PAIRS.left_out, *BY_RULE})


def protected_tokens(tokens: TokenBatch, protected: Any, shape: tuple[int, int], subwords: str) -> np.ndarray:
    """Return which tokens (or words) are protected, bool of `shape` [N, T].

    Parameters
    ----------
    tokens
        The batch.
    protected
        A list of words, compared in lower case and without what an apostrophe joins to them; a mask; or None for the
        gendered words of :mod:`trustlab.fairness.swaps`.
    shape, subwords
        Of tokens or of words.

    Raises
    ------
    ValueError
        If the list is empty, words are not known, or a mask has another shape.
    """
    array = None if protected is None or isinstance(protected, str | set | frozenset) else np.asarray(protected)
    if array is not None and array.dtype == bool:
        if array.shape != shape:
            raise ValueError(f"Expected a mask of protected tokens {list(shape)}, got {list(array.shape)}.")
        return array
    listed = GENDERED if protected is None else _word_list(protected)
    if tokens.words is None:
        raise ValueError(
            "Expected words to find the protected ones in, got ids only. Give texts and a reader to the classifier, or "
            "a mask [examples, tokens] as protected."
        )
    found = np.zeros(shape, dtype=bool)
    for row, words in enumerate(tokens.words):
        folded = [word.lower().replace("’", "'") for word in words]
        hit = np.array([not listed.isdisjoint((word, CLITICS.sub("", word))) for word in folded] + [False])
        if subwords == "word":
            found[row, : len(words)] = hit[:-1]
        else:
            found[row] = hit[tokens.word[row].numpy()]  # no word is −1, the last one: False
    return found


def _word_list(words: Any) -> frozenset[str]:
    if isinstance(words, set | frozenset):
        words = sorted(words)
    listed = as_texts(words, "protected word")
    if not listed or any(word != word.lower() for word in listed):
        raise ValueError(
            f"Expected protected words in lower case, got {listed[:3] or 'none'}. Texts are read in lower case; "
            "without a word nothing is protected."
        )
    return frozenset(listed)


def as_weights(given: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    """Return weights as numbers of `shape`, finite and not negative, or refuse them."""
    array = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
    if array.shape != shape or array.dtype.kind not in "biuf":
        raise ValueError(f"Expected {what}s of shape {list(shape)}, got {array.dtype} {list(array.shape)}.")
    array = array.astype(float)
    if not np.isfinite(array).all() or (array < 0).any():
        raise ValueError(f"Expected finite {what}s >= 0, got {array[~((array >= 0) & (array < np.inf))].flat[0]:g}.")
    return array


def unit_rows(weights: np.ndarray) -> np.ndarray:
    """Return rows divided by their sum, rows of zeros as they are.

    Examples
    --------
    >>> unit_rows(np.array([[1, 3], [0, 0]])).tolist()
    [[0.25, 0.75], [0.0, 0.0]]
    """
    total = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, total, out=np.zeros(weights.shape), where=total > 0)


def learn_token_weights(schemes: Mapping[str, Sensitivity], target: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
    """Learn which mixture of token weights gives the sensitivity closest to a target, by non-negative least squares.

    P is linear in v, and a mixture of weights of sum 1 has sum 1. So the shares a_m of M ways to weigh tokens follow
    from the M sensitivities alone: min_a ‖Σ_m a_m P_m − c·target‖ with a ≥ 0, divided by their sum. Learn on some
    examples and judge on others.

    Parameters
    ----------
    schemes
        By name, sensitivities of one classifier, the same N examples and the same choices but for `token_weights`.
    target : [N]
        What is known of each example: a planted effect, or people's judgements.

    Returns
    -------
    dict, float [N, T]
        The share of each, and the mixed weights, to give as `token_weights`.

    Raises
    ------
    ValueError
        If the sensitivities are of different examples, or none of them grows with the target.
    """
    from scipy.optimize import nnls

    if not schemes or len({each.movement.shape for each in schemes.values()}) != 1:
        raise ValueError(f"Expected sensitivities of the same examples, got {sorted(schemes)}.")
    known = as_scores(target, "target", rows=len(next(iter(schemes.values())).score))
    told = np.column_stack([np.nan_to_num(each.score) for each in schemes.values()])  # no weight moves nothing
    shares, _ = nnls(told, known)
    if not shares.sum() > 0:
        raise ValueError("Expected a sensitivity that grows with the target, got none. No mixture is near it.")
    shares /= shares.sum()
    mixed = sum(share * each.token_weights for share, each in zip(shares, schemes.values(), strict=True))
    return dict(zip(schemes, shares.tolist(), strict=True)), mixed
