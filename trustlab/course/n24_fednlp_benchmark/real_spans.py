"""Which spans of a paragraph could answer a question, and how each looks: kind of words, length, words in common.

A paragraph has a few hundred candidates: spans of at most eight words inside one sentence that neither begin nor end
with a sign. In 90 % of XQuAD's questions the right one is among them; the others are answered wrongly. The features
are those of the first models for SQuAD (Rajpurkar et al. 2016): what the question asks for, what the span is made of,
and how close the question's rare words are.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

LONGEST = 8  # words of a span
SCALES = (2.0, 6.0, 20.0)  # words after which a match counts 1/e
# fmt: off
STOP = frozenset((
    "the", "a", "an", "of", "in", "on", "at", "to", "by", "for", "with", "from", "as", "and", "or", "but", "is", "are",
    "was", "were", "be", "been", "being", "has", "have", "had", "do", "does", "did", "not", "it", "its", "this", "that",
    "these", "those", "he", "she", "his", "her", "they", "their", "them", "which", "who", "whom", "what", "when",
    "where", "how", "why", "than", "then", "there", "also", "such", "into", "about", "over", "after", "before",
    "between", "during", "most", "more", "many", "much", "some", "any", "all", "each", "other",
))
CALENDAR = frozenset((
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
))
NUMBERS = frozenset((
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "twenty",
    "thirty", "forty", "fifty", "hundred", "thousand", "million", "billion", "half", "third", "quarter", "first",
    "second",
))
# fmt: on
HOW_MUCH = frozenset(["many", "much", "long", "old", "far", "large", "big", "tall", "high", "often", "fast"])
TIMES = frozenset(["year", "date", "month", "day", "century", "decade", "time"])
AMOUNTS = frozenset(["percentage", "percent", "number", "amount", "population"])
KINDS = ("who", "when", "where", "how many", "how", "why", "what time", "which", "what", "other")
SIGN, FIGURE, YEAR, DAY, NUMBER, SMALL, NAME, MIXED, WORD = range(9)  # classes of words


@dataclass(frozen=True)
class Spans:
    """The candidates of one question.

    Attributes
    ----------
    ends : int64 [C, 2]
        First and last word of each.
    looks : float16 [C, 43]
        What it is made of and how long it is (the first :data:`MADE_OF`), then how it lies to the question's words.
    kind
        What the question wants: a place in :data:`KINDS`.
    """

    ends: np.ndarray
    looks: np.ndarray
    kind: int


def stem(word: str) -> str:
    """Return what words of one family share, roughly.

    Examples
    --------
    >>> stem("Defended"), stem("defenders")
    ('defend', 'defend')
    """
    word = word.lower()
    for ending in ("ing", "ed", "es", "s", "ly"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    return word[:6]


def rarity(paragraphs: Sequence[Sequence[str]]) -> Mapping[str, float]:
    """Return how rare each stem is among `paragraphs`, in [0, 1]; what none of them has is as rare as can be."""
    counts = Counter(each for words in paragraphs for each in {stem(word) for word in words})
    most = math.log(len(paragraphs) + 1)
    rare = {each: math.log((len(paragraphs) + 1) / (count + 1)) / most for each, count in counts.items()}
    return _WithDefault(rare)


class _WithDefault(dict[str, float]):
    def __missing__(self, key: str) -> float:
        return 1.0


def kind_of(question: Sequence[str]) -> int:
    """Return what a question asks for.

    Examples
    --------
    >>> KINDS[kind_of("In what year did it open ?".split())]
    'what time'
    """
    words = [word.lower() for word in question]
    for i, word in enumerate(words):
        after = words[i + 1 : i + 4]
        if word in ("who", "whom", "whose"):
            return KINDS.index("who")
        if word in ("when", "where", "why"):
            return KINDS.index(word)
        if word == "how":
            return KINDS.index("how many" if after[:1] and after[0] in HOW_MUCH else "how")
        if word in ("what", "which"):
            asked = "what time" if TIMES & set(after) else "how many" if AMOUNTS & set(after) else word
            return KINDS.index(asked)
    return KINDS.index("other")


def sentences(words: Sequence[str]) -> list[tuple[int, int]]:
    """Return where the sentences of a paragraph begin and end (exclusive).

    Examples
    --------
    >>> sentences("It is in Bonn today . Then he left .".split())
    [(0, 6), (6, 10)]
    """
    found, start = [], 0
    for i, word in enumerate(words):
        last = i == len(words) - 1
        if last or (word in (".", "?", "!") and words[i + 1][:1].isupper() and i - start > 3):
            found.append((start, i + 1))
            start = i + 1
    return found


def word_class(word: str) -> int:
    """Return what kind of word this is."""
    lower, digits = word.lower(), word.replace(",", "").replace(".", "")
    if not any(letter.isalnum() for letter in word):
        return SIGN
    if digits.isdigit():
        return YEAR if len(word) == 4 and word[0] in "12" else FIGURE
    if lower in CALENDAR and word[0].isupper():
        return DAY
    if lower in NUMBERS:
        return NUMBER
    if lower in STOP:
        return SMALL
    return NAME if word[0].isupper() else MIXED if any(letter.isdigit() for letter in word) else WORD


def spans(words: Sequence[str], question: Sequence[str], rare: Mapping[str, float], alike: Sequence[float]) -> Spans:
    """Return the candidates of a question.

    Parameters
    ----------
    words, question
        The paragraph and the question.
    rare
        Of :func:`rarity`.
    alike
        How similar each sentence of the paragraph is to the question, the cosine of their vectors.
    """
    classes = np.array([word_class(word) for word in words])
    bounds = sentences(words)
    ends = _candidates(words, classes, bounds)
    of = np.array([k for k, (start, end) in enumerate(bounds) for _ in range(start, end)])
    looks = np.concatenate(
        [
            _made_of(words, classes, ends, of),
            _nearby(words, classes, question, rare, np.array(alike), bounds, of, ends),
        ],
        axis=1,
    )
    return Spans(ends, looks.astype(np.float16), kind_of(question))


def _candidates(words: Sequence[str], classes: np.ndarray, bounds: Sequence[tuple[int, int]]) -> np.ndarray:
    begins = [kind != SIGN or word in "$£€" for word, kind in zip(words, classes, strict=True)]
    closes = [kind != SIGN or word == "%" for word, kind in zip(words, classes, strict=True)]
    return np.array([
        (i, j)
        for start, end in bounds
        for i in range(start, end)
        if begins[i]
        for j in range(i, min(i + LONGEST, end))
        if closes[j]
    ]).reshape(-1, 2)  # fmt: skip


def _made_of(words: Sequence[str], classes: np.ndarray, ends: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Return of each span its length and which classes of words it has, begins with and ends with [C, MADE_OF]."""
    first, last = ends.T
    has = {kind: _sum(classes == kind, ends) for kind in range(9)}
    length = last - first + 1
    names, figures = has[NAME] > 0, has[FIGURE] + has[NUMBER] + has[MIXED] > 0
    only_names = names & (has[NAME] + has[SMALL] == length) & (classes[first] != SMALL) & (classes[last] != SMALL)
    is_name = np.concatenate([[False], classes == NAME, [False]])
    place = np.concatenate([[-1], of, [-1]])
    goes_on = (is_name[first] & (place[first] == of[first])) | (is_name[last + 2] & (place[last + 2] == of[last]))
    lower = np.array([word.lower() for word in words])
    kinds = [
        only_names & ~goes_on,
        only_names & goes_on,
        names & ~only_names,
        (length == 1) & (classes[first] == YEAR),
        has[YEAR] > 0,
        has[DAY] > 0,
        figures,
        np.isin(classes[first], (FIGURE, NUMBER, MIXED)),
        ~names & ~figures & (has[YEAR] + has[DAY] == 0),
        classes[last] == SMALL,
        classes[first] == SMALL,
        np.isin(lower[first], ("the", "a", "an")),
        has[SIGN] > 0,
        np.isin(lower, ("%", "percent"))[last],
        (classes[first] == WORD) & (classes[last] == WORD),
        _sum(lower == "and", ends) > 0,
        _sum(lower == "of", ends) > 0,
    ]
    return np.concatenate([np.eye(LONGEST)[length - 1], np.stack(kinds, axis=1)], axis=1)


MADE_OF = LONGEST + 17


def _nearby(
    words: Sequence[str],
    classes: np.ndarray,
    question: Sequence[str],
    rare: Mapping[str, float],
    alike: np.ndarray,
    bounds: Sequence[tuple[int, int]],
    of: np.ndarray,
    ends: np.ndarray,
) -> np.ndarray:
    """Return how each span lies to the question's words: left, right, in it, in its sentence [C, 18]."""
    stems = [stem(word) for word in words]
    asked = {stem(word) for word in question if word_class(word) not in (SIGN, SMALL)}
    total = sum(rare[each] for each in asked) + 1e-6
    hits = np.array([rare[each] if each in asked else 0.0 for each in stems]) * (classes != SMALL) / total
    common = [sum(rare[each] for each in asked & set(stems[a:b])) / total for a, b in bounds]
    near = [
        sum(rare[each] for each in asked & set(stems[bounds[max(k - 1, 0)][0] : bounds[k][1]])) / total
        for k in range(len(bounds))
    ]
    overlap, around = np.array(common), np.array(near)
    first, last = ends.T
    sentence = of[first]
    left, right = _decayed(hits), _decayed(hits[::-1])[:, ::-1]
    inside = _sum(hits, ends)
    less, unlike = overlap[sentence] - overlap.max(), alike[sentence] - alike.max()
    return np.stack(
        [
            inside, inside > 0, hits[first] > 0, hits[last] > 0, *left[:, first], *right[:, last],
            less, less >= 0, around[sentence], unlike, unlike >= 0, alike[sentence], less * unlike,
            _sum(np.array([rare[each] for each in stems]), ends) / (last - first + 1),
        ],
        axis=1,
    )  # fmt: skip


def _decayed(hits: np.ndarray) -> np.ndarray:
    """Return for each word the sum over the words before it of hit · exp(−distance/scale) [scales, words]."""
    found = np.zeros((len(SCALES), len(hits)))
    for row, scale in zip(found, SCALES, strict=True):
        kept = math.exp(-1 / scale)
        for i in range(1, len(hits)):
            row[i] = (row[i - 1] + hits[i - 1]) * kept
    return found


def _sum(values: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return the sum of `values` inside each span."""
    running = np.concatenate([[0.0], np.cumsum(values)])
    return running[ends[:, 1] + 1] - running[ends[:, 0]]
