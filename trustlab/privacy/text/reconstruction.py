"""Undo a private text: guess each word from what was said for it, from how people talk, and from the words around it.

Three attackers, each of which knows the mechanism and its ε. One reads what is said as it is. One asks which word says
it most probably, P(w)·P(y | w), with word frequencies of public text (Bayes' rule: no guess from a single word is right
more often, if the frequencies are). One also knows how words follow each other, from pairs of words in public text, and
finds the most probable sentence (Viterbi's algorithm). Metric differential privacy limits what one y says about one w.
What a language says about its words it does not limit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.models.utterances import word_list

STATES = 64  # candidates for a word that Viterbi's algorithm keeps
SHARED = 1.0  # pseudo-draws of a word: those of all words together, where a word itself was rarely drawn


@dataclass(frozen=True)
class Language:
    """Words and pairs of words of public text, counted.

    Attributes
    ----------
    words
        The C candidates that an attacker guesses from, most frequent first.
    log_prior : float64 [C]
        Log share of each.
    log_first : float64 [C]
        Log share at the start of a text.
    log_next : float64 [C, C]
        Log share of a word (column) after another one (row): pairs interpolated with the shares of single words.
    """

    words: tuple[str, ...]
    log_prior: np.ndarray
    log_first: np.ndarray
    log_next: np.ndarray

    @classmethod
    def of(cls, texts: Sequence[Sequence[str]], *, most: int = 600, pairs: float = 0.8) -> Language:
        """Count the words of public `texts`, each a list of words.

        Parameters
        ----------
        most
            How many of the most frequent words are candidates.
        pairs
            Weight of pairs against single words, in [0, 1).

        Examples
        --------
        >>> Language.of([["play", "jazz"], ["play", "rock"]]).words
        ('play', 'jazz', 'rock')
        """
        listed = [word_list(text, f"text {i}") for i, text in enumerate(texts)]
        counts = Counter(word for text in listed for word in text)
        if not counts or most < 1 or not 0 <= pairs < 1:
            raise ValueError(
                f"Expected public texts, most >= 1 and pairs in [0, 1), got {len(listed)} texts with {len(counts)} "
                f"words, most={most} and pairs={pairs}. Without words there is nothing to guess from."
            )
        words = tuple(word for word, _ in counts.most_common(most))
        index = {word: i for i, word in enumerate(words)}
        prior = np.array([counts[word] for word in words], dtype=float)
        prior /= prior.sum()
        first, after = np.zeros(len(words)), np.zeros((len(words), len(words)))
        for text in listed:
            places = [index.get(word, -1) for word in text]
            for i, place in enumerate(places):
                before = places[i - 1] if i else None
                if place >= 0 and before is None:
                    first[place] += 1
                elif place >= 0 and before is not None and before >= 0:
                    after[before, place] += 1
        first, after = _shares(first, prior, pairs), _shares(after, prior, pairs)
        return cls(words, np.log(prior), np.log(first), np.log(after))


def _shares(counts: np.ndarray, prior: np.ndarray, weight: float) -> np.ndarray:
    """Return shares of each row, interpolated with `prior`; `prior` alone where nothing was counted."""
    total = counts.sum(axis=-1, keepdims=True)
    shares = np.divide(counts, total, out=np.broadcast_to(prior, counts.shape).copy(), where=total > 0)
    return weight * shares + (1 - weight) * prior


@dataclass(frozen=True)
class Attacker:
    """Knows a language and how a mechanism replaces its words.

    Attributes
    ----------
    language
        Of public text.
    table
        The mechanism's words.
    log_channel : float32 [C, V]
        Log probability of every word of the table for each of the language's.
    """

    language: Language
    table: Any
    log_channel: np.ndarray

    @classmethod
    def on(
        cls, mechanism: Any, language: Language, *, draws: int = 200, exact: bool = True, rng: np.random.Generator
    ) -> Attacker:
        """Learn a mechanism: its probabilities where it knows them, and otherwise `draws` of each of C words.

        Where a word says y in none of its draws, y's share of all words' draws counts as a small part of one. Without
        `exact`, draws are all that an attacker learns from, so that no mechanism is better known than another.
        """
        ids = mechanism.table.ids(language.words)
        if exact and hasattr(mechanism, "log_probabilities"):
            return cls(language, mechanism.table, mechanism.log_probabilities(ids).astype(np.float32))
        if draws < 1:
            raise ValueError(f"Expected draws={draws} >= 1. An attacker who never saw the mechanism knows nothing.")
        size = len(mechanism.table)
        counts = np.zeros((len(ids), size), dtype=np.float32)
        for row, number in enumerate(ids):
            counts[row] = np.bincount(mechanism.draw(np.full(draws, number), rng), minlength=size)
        shared = (counts.sum(axis=0) + 1 / size) / (counts.sum() + 1)
        counts += SHARED * shared
        return cls(language, mechanism.table, np.log(counts / (draws + SHARED)))

    def words(self, said: Sequence[Sequence[str]]) -> list[list[str]]:
        """Guess each word on its own, by Bayes' rule."""
        scores = self.language.log_prior.astype(np.float32)[:, None] + self.log_channel
        best = scores.argmax(axis=0)  # of each word of the table
        return [[self.language.words[best[i]] for i in self._ids(text)] for text in said]

    def sentences(self, said: Sequence[Sequence[str]]) -> list[list[str]]:
        """Guess the most probable sentence, by Viterbi's algorithm over the best candidates for each word."""
        return [[self.language.words[i] for i in self._path(self._ids(text))] for text in said]

    def _ids(self, text: Sequence[str]) -> np.ndarray:
        ids = self.table.ids(text)
        if (ids < 0).any():
            raise ValueError(f"Expected words of the mechanism's table, got {text[int(ids.argmin())]!r}.")
        return ids

    def _path(self, ids: np.ndarray) -> list[int]:
        """Return the most probable candidates for what was said."""
        if not len(ids):
            return []
        language, kept, backs = self.language, [], []
        for place, number in enumerate(ids):
            channel = self.log_channel[:, number]
            likely = channel + language.log_prior
            here = np.argpartition(-likely, min(STATES, len(likely)) - 1)[:STATES]
            if place == 0:
                score = language.log_first[here] + channel[here]
            else:
                steps = score[:, None] + language.log_next[np.ix_(kept[-1], here)]
                backs.append(steps.argmax(axis=0))
                score = steps.max(axis=0) + channel[here]
            kept.append(here)
        path = [int(score.argmax())]
        for back in reversed(backs):
            path.append(int(back[path[-1]]))
        return [int(here[i]) for here, i in zip(kept, reversed(path), strict=True)]


def recovered(guesses: Sequence[Sequence[str]], truth: Sequence[Sequence[str]]) -> float:
    """Return the share of words that were guessed.

    Raises
    ------
    ValueError
        If there is no word, or a guess has another length than its text.

    Examples
    --------
    >>> recovered([["play", "rock"]], [["play", "jazz"]])
    0.5
    """
    if len(guesses) != len(truth) or any(len(a) != len(b) for a, b in zip(guesses, truth, strict=False)):
        raise ValueError("Expected a guess for each word of each text. They are compared place by place.")
    hits = [a == b for text, words in zip(guesses, truth, strict=True) for a, b in zip(text, words, strict=True)]
    if not hits:
        raise ValueError("Expected at least one word, got none. There is nothing to recover.")
    return float(np.mean(hits))
