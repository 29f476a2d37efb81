"""What a model says about people of a profession: sampled and counted, and exactly, from its own probabilities.

Both are needed. A sampled share has an error, and top-p sampling cuts off unlikely words: where a model gives "he"
one chance in twenty, it may never write it. The exact share tells what the model thinks, the sampled one what it says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from trustlab.course.n33_role_reversal.working_people import FEMALE, MALE, PROFESSIONS, RELATIVES, prompts
from trustlab.fairness.association import WordVectors
from trustlab.fairness.equity_levels import equity_levels, equity_ratio
from trustlab.fairness.generated_texts import projection_polarity, projection_scores, unigram_polarity
from trustlab.fairness.groups import Groups
from trustlab.models.batching import evaluating, padded
from trustlab.models.continuation import continuations

WORDS_FEMALE = tuple(dict.fromkeys((*FEMALE.values(), *(female for female, _ in RELATIVES))))
WORDS_MALE = tuple(dict.fromkeys((*MALE.values(), *(male for _, male in RELATIVES))))
TOP_P, TOKENS = 0.9, 12
EACH, KEPT = 110, 200  # continuations of an opening, four a profession; gendered texts a profession that are counted


class Said(NamedTuple):
    """N continuations, the index of the profession that each is about, int [N], and its opening."""

    texts: list[str]
    profession: np.ndarray
    openings: list[str]


def next_words(model: Any, tokenizer: Any, *, top_p: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return the probability that a female, and that a male word is next, after each opening: [professions, openings].

    Parameters
    ----------
    top_p
        Below 1, of the words that top-p sampling leaves.
    """
    openings = prompts()
    rows = [tokenizer(each)["input_ids"][:-1] for job in PROFESSIONS for each in openings[job]]
    last = np.array([len(row) for row in rows]) - 1
    with evaluating(model):
        logits = model(**padded(rows, tokenizer.pad_token_id)).logits
    p = logits[np.arange(len(rows)), last].double().softmax(-1).numpy()
    p = nucleus(p, top_p)
    female, male = (
        p[:, [tokenizer.convert_tokens_to_ids(word) for word in words]].sum(1) for words in (WORDS_FEMALE, WORDS_MALE)
    )
    return female.reshape(len(PROFESSIONS), -1), male.reshape(len(PROFESSIONS), -1)


def nucleus(p: np.ndarray, top_p: float) -> np.ndarray:
    """Return probabilities [N, V] with all words outside the nucleus set to 0, normalised again.

    Examples
    --------
    >>> nucleus(np.array([[0.2, 0.5, 0.3]]), 0.7).round(3).tolist()
    [[0.0, 0.625, 0.375]]
    """
    order = np.argsort(-p, axis=1, kind="stable")
    sorted_p = np.take_along_axis(p, order, 1)
    before = np.cumsum(sorted_p, axis=1) - sorted_p
    kept = np.where(before < top_p, sorted_p, 0.0)  # the word that reaches top_p is the last one
    found = np.zeros_like(p)
    np.put_along_axis(found, order, kept, 1)
    return found / found.sum(1, keepdims=True) if top_p < 1 else found


def exact_shares(model: Any, tokenizer: Any, *, top_p: float = 1.0) -> np.ndarray:
    """Return P(female | profession, a gendered word is next) of each profession, over its openings: float [18].

    Exact, without sampling: at `top_p` = 1 what the model thinks, below what its samples begin with.
    """
    female, male = (each.sum(1) for each in next_words(model, tokenizer, top_p=top_p))
    return female / (female + male)


def ratios(shares: np.ndarray) -> np.ndarray:
    """Return min(f/m, m/f) of shares f/(f + m).

    Examples
    --------
    >>> ratios(np.array([0.5, 0.75, 0.25])).round(3).tolist()
    [1.0, 0.333, 0.333]
    """
    return equity_ratio(np.asarray(shares, float), np.ones(np.shape(shares)))


def say(model: Any, tokenizer: Any, *, each: int = EACH, seed: int | Sequence[int] = 0) -> Said:
    """Continue every opening `each` times by top-p sampling, the openings of a profession in turn."""
    openings = prompts()
    told = [(place, opening) for place, job in enumerate(PROFESSIONS) for _ in range(each) for opening in openings[job]]
    rows = {opening: tokenizer(opening)["input_ids"][:-1] for _, opening in told}
    ends = [tokenizer.eos_token_id]
    written = continuations(
        model, [rows[opening] for _, opening in told], tokens=TOKENS, ends=ends, top_p=TOP_P, seed=seed, batch=720
    )
    texts = [" ".join(tokenizer.convert_ids_to_tokens(row)) for row in written]
    return Said(texts, np.array([place for place, _ in told]), [opening for _, opening in told])


def words_polarity(said: Sequence[str]) -> np.ndarray:
    """Return 1, −1 or 0 for each text, by counting words of gender."""
    return unigram_polarity(said, female=WORDS_FEMALE, male=WORDS_MALE)


def vectors_polarity(said: Sequence[str], vectors: WordVectors) -> np.ndarray:
    """Return the same by projection on she − he, beyond 0.25; only words of gender keep their projection."""
    return projection_polarity(projection_scores(said, vectors, gendered=(*WORDS_FEMALE, *WORDS_MALE)))


def input_vectors(model: Any, tokenizer: Any) -> WordVectors:
    """Return a model's input embeddings by word."""
    table = model.get_input_embeddings().weight.detach().double().numpy()
    return WordVectors({word: table[place] for word, place in tokenizer.get_vocab().items()})


def first_gendered(polarity: np.ndarray, profession: np.ndarray, kept: int = KEPT) -> np.ndarray:
    """Return the places of the first `kept` gendered texts of each profession: as many for every model.

    Raises
    ------
    ValueError
        If there are fewer: a ratio of few texts is smaller than one of many from the same writer.
    """
    places = [np.flatnonzero((profession == job) & (polarity != 0))[:kept] for job in range(len(PROFESSIONS))]
    few = {PROFESSIONS[job]: len(each) for job, each in enumerate(places) if len(each) < kept}
    if few:
        raise ValueError(f"Expected {kept} gendered texts of each profession, got {few}. Draw more continuations.")
    return np.concatenate(places)


def equity(polarity: np.ndarray, profession: np.ndarray) -> list[dict[str, Any]]:
    """Return the rows of :func:`~trustlab.fairness.equity_levels.equity_levels` by profession."""
    return equity_levels(polarity, Groups.by([PROFESSIONS[job] for job in profession]))


def muddled(said: Sequence[str]) -> float:
    """Return the share of the texts with words of gender that have female and male ones, which no training text has.

    Examples
    --------
    >>> muddled(["she lost his keys", "he sings", "it rains"])
    0.5
    """
    found = [(bool(words & {*WORDS_FEMALE}), bool(words & {*WORDS_MALE})) for words in (set(t.split()) for t in said)]
    return sum(a and b for a, b in found) / max(1, sum(a or b for a, b in found))
