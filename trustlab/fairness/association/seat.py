"""SEAT, the sentence encoder association test (May et al. 2019, NAACL): WEAT on words in plain sentences.

A sentence encoder has no vector for a word, so each word is put into sentences with hardly any meaning of their own.
The templates are written after those of May and colleagues, not copied from their files: one list for each
kind of word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from trustlab.columns import as_texts
from trustlab.deprecation import old_names
from trustlab.fairness.association.sets import distinct_sets
from trustlab.fairness.association.weat import Association, weat

# Sentences with a place for a word, by the kind of word.
TEMPLATES: dict[str, tuple[str, ...]] = {
    "name": (
        "This is {word}.",
        "That is {word}.",
        "There is {word}.",
        "Here is {word}.",
        "{word} is here.",
        "{word} is there.",
        "{word} is a person.",
        "The person's name is {word}.",
    ),
    "singular": (
        "This is {a} {word}.",
        "That is {a} {word}.",
        "There is {a} {word}.",
        "Here is {a} {word}.",
        "The {word} is here.",
        "The {word} is there.",
        "It is {a} {word}.",
    ),
    "plural": (
        "These are {word}.",
        "Those are {word}.",
        "There are {word}.",
        "Here are {word}.",
        "The {word} are here.",
        "The {word} are there.",
        "They are {word}.",
    ),
    "plain": (  # adjectives, and nouns that take no article: "art", "love"
        "This is {word}.",
        "That is {word}.",
        "They are {word}.",
        "This will be {word}.",
        "It was {word}.",
    ),
}
UNITS = ("word", "sentence")


def fill(words: Sequence[str], kind: str) -> list[str]:
    """Put every word into every template of its `kind`, a key of :data:`TEMPLATES`; all sentences of a word together.

    Examples
    --------
    >>> fill(["orchid"], "singular")[:2]
    ['This is an orchid.', 'That is an orchid.']
    >>> fill(["love"], "plain")[0]
    'This is love.'
    """
    if kind not in TEMPLATES:
        raise ValueError(f"Expected kind={kind!r} to be one of {', '.join(map(repr, TEMPLATES))}.")
    sentences = []
    for word in as_texts(words, "word"):
        article = "an" if word[:1].lower() in "aeiou" else "a"
        filled = (template.format(word=word, a=article) for template in TEMPLATES[kind])
        sentences += [sentence[:1].upper() + sentence[1:] for sentence in filled]
    return sentences


def seat(
    embed: Callable[[list[str]], Any],
    X: Sequence[str],
    Y: Sequence[str],
    A: Sequence[str],
    B: Sequence[str],
    *,
    kinds: Sequence[str] = ("plain", "plain", "plain", "plain"),
    unit: str = "word",
    permutations: int | str = "auto",
    seed: int = 0,
) -> Association:
    """Test associations between words by way of the sentences that carry them.

    Parameters
    ----------
    embed
        Turns sentences into vectors [n, d]: any sentence encoder.
    X, Y, A, B
        Words of the targets and of the attributes.
    kinds
        Kind of the words in each of the four sets, keys of :data:`TEMPLATES`.
    unit
        What is exchanged in the permutation test. "word": a word's vector is the mean of its sentences' unit vectors.
        "sentence", as May and colleagues have it: each sentence is exchanged separately. The sentences of a word are
        near copies of each other, so their p-value is too small: it takes n words for n × templates observations.
    permutations, seed
        Of :func:`~trustlab.fairness.association.weat`.

    Raises
    ------
    ValueError
        As :func:`~trustlab.fairness.association.weat`, and for words that occur twice in a set, or in both of a pair.

    Examples
    --------
    >>> def letters(sentences):  # an encoder that counts how often each of five letters occurs
    ...     return np.array([[sentence.lower().count(letter) for letter in "eorst"] for sentence in sentences])
    >>> found = seat(letters, ["rose", "lotus"], ["bee", "beetle"], ["joy", "sport"], ["pest", "fear"])
    >>> found.permutations, found.exact
    (6, True)
    """
    parts = vectors_of_sets(embed, list(distinct_sets(X, Y, A, B).values()), kinds=kinds, unit=unit)
    return weat(*parts, permutations=permutations, seed=seed)


def vectors_of_sets(
    embed: Callable[[list[str]], Any],
    sets: Sequence[Sequence[str]],
    *,
    kinds: Sequence[str],
    unit: str = "word",
) -> list[np.ndarray]:
    """Return the vectors [n, d] of each of four sets of words, as :func:`seat` tests them; a resample repeats words."""
    if unit not in UNITS:
        raise ValueError(f"Expected unit={unit!r} to be one of {', '.join(map(repr, UNITS))}.")
    if len(kinds) != 4:
        raise ValueError(f"Expected kinds={kinds!r} to name four kinds, for X, Y, A and B, got {len(kinds)}.")
    sets = [fill(words, kind) for words, kind in zip(sets, kinds, strict=True)]
    vectors = np.asarray(embed([sentence for sentences in sets for sentence in sentences]), np.float64)
    ends = np.cumsum([len(sentences) for sentences in sets])
    if vectors.ndim != 2 or len(vectors) != ends[-1]:
        raise ValueError(f"Expected embed to return [{ends[-1]}, d], a vector a sentence, got {list(vectors.shape)}.")
    parts = np.split(vectors, ends[:-1])
    if unit == "word":
        parts = [_by_word(part, len(TEMPLATES[kind])) for part, kind in zip(parts, kinds, strict=True)]
    return parts


def _by_word(vectors: np.ndarray, templates: int) -> np.ndarray:
    """Return the mean unit vector [words, d] of each word's sentences; a zero vector stays one, for WEAT to refuse."""
    (bad,) = np.nonzero(~np.isfinite(vectors).all(1))
    if len(bad):
        raise ValueError(
            f"Expected finite vectors of sentences, got NaN or infinity in {len(bad)} of {len(vectors)} (first: row "
            f"{bad[0]} of a set). Its word would have none either: check the encoder."
        )
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
    return unit.reshape(-1, templates, vectors.shape[1]).mean(1)


__getattr__ = old_names(__name__, {"sentence_vectors": "vectors_of_sets"})
