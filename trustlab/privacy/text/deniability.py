"""Plausible deniability of a word: how often it stays, and among how many it hides.

Feyisetan et al. (2020): N_w is the probability that a word is said as it is, S_w the number of different words that are
said for it. N_w is estimated from draws with Clopper and Pearson's interval, which covers at any N_w, also at 0 and 1.
The number of different words grows with the number of draws, so S_w is stated per 100 draws, its interval over
independent hundreds. A mechanism that knows its probabilities has both exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from trustlab.intervals import mean_interval
from trustlab.models.utterances import word_list
from trustlab.privacy.text.word_table import UNKNOWN

PER = 100  # draws for which different words are counted


def deniability(
    mechanism: Any, words: Sequence[str], *, rounds: int = 10, rng: np.random.Generator, level: float = 0.95
) -> Iterator[dict[str, Any]]:
    """Yield how often each word stays, and how many different words are said for it.

    Parameters
    ----------
    mechanism
        With ``table`` and ``draw(ids, rng)``, such as :class:`trustlab.privacy.text.NoisyVectors`.
    words
        Words of the table; one outside it never stays and has no N_w.
    rounds
        Independent hundreds of draws of each word, at least 2.
    level
        Confidence of the intervals.

    Yields
    ------
    dict
        ``word``; ``kept`` (N_w), ``kept_low``, ``kept_high``; ``distinct`` (S_w per 100 draws), ``distinct_low``,
        ``distinct_high``; ``draws``.

    Examples
    --------
    >>> from trustlab.privacy.text import NoisyVectors, WordTable
    >>> table = WordTable(["tea", "coffee", "train"], [[0.0, 0.0], [0.1, 0.0], [1.0, 1.0]])
    >>> (row,) = deniability(NoisyVectors(table, epsilon=60.0), ["tea"], rng=np.random.default_rng(0))
    >>> round(row["kept"], 1), row["distinct"]
    (1.0, 2.0)
    """
    listed = word_list(words, "words")
    if rounds < 2:
        raise ValueError(f"Expected rounds={rounds} >= 2. One hundred draws have no interval for S_w.")
    known = mechanism.table.ids(listed)
    if (known == UNKNOWN).any():
        missing = listed[int(np.flatnonzero(known == UNKNOWN)[0])]
        raise ValueError(f"Expected words of the table, got {missing!r}. It never stays as it is: it has no N_w.")
    for word, number in zip(listed, known, strict=True):
        said = mechanism.draw(np.full(rounds * PER, number), rng).reshape(rounds, PER)
        kept = int((said == number).sum())
        low, high = share_interval(kept, said.size, level)
        distinct = mean_interval([len(np.unique(each)) for each in said], level)
        yield {
            "word": word, "kept": kept / said.size, "kept_low": low, "kept_high": high,
            "distinct": distinct.mean, "distinct_low": distinct.low, "distinct_high": distinct.high,
            "draws": said.size,
        }  # fmt: skip


def exact_deniability(mechanism: Any, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return N_w and the expected S_w per 100 draws, float64 [n] each, of a mechanism with ``log_probabilities``.

    Examples
    --------
    >>> from trustlab.privacy.text import TruncatedExponential, WordTable
    >>> table = WordTable(["tea", "coffee", "train"], [[0.0, 0.0], [0.1, 0.0], [1.0, 1.0]])
    >>> kept, distinct = exact_deniability(TruncatedExponential(table, epsilon=8.0), ["tea"])
    >>> kept.round(2).tolist(), distinct.round(2).tolist()
    ([0.6], [2.19])
    """
    known = mechanism.table.ids(words)
    log_probabilities = mechanism.log_probabilities(known)
    kept = np.exp(log_probabilities[np.arange(len(known)), known])
    with np.errstate(divide="ignore"):
        never = PER * np.log1p(-np.exp(log_probabilities))  # log probability that it is in none of 100 draws
    return np.where(known == UNKNOWN, 0.0, kept), -np.expm1(never).sum(axis=1)


def share_interval(hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return Clopper and Pearson's interval of a share of which `hits` of `n` were seen.

    Examples
    --------
    >>> low, high = share_interval(0, 100)
    >>> low, round(high, 4)
    (0.0, 0.0362)
    """
    from scipy import special

    if not 0 <= hits <= n or n < 1 or not 0 < level < 1:
        raise ValueError(f"Expected 0 <= hits <= n and a level in (0, 1), got hits={hits}, n={n}, level={level}.")
    tail = (1 - level) / 2
    low = float(special.betaincinv(hits, n - hits + 1, tail)) if hits else 0.0
    return low, float(special.betaincinv(hits + 1, n - hits, 1 - tail)) if hits < n else 1.0
