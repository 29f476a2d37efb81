"""Trivial baselines: what a table must beat before its numbers say anything of a method.

Each is given the training examples and the test examples of a table, and returns one answer per test example. A cell
below one of them is no evidence: a model that is worse than counting words has not learned the task.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from trustlab.data.fetching import cache_directory
from trustlab.durable import digest, to_json
from trustlab.fairness.vector_cache import cached_vectors
from trustlab.models.utterances import word_list

MAJORITY, TFIDF, FROZEN = "majority", "tf-idf", "frozen encoder"
WORDS_TAG, COPIED = "word's tag", "copied input"
NAMES = (MAJORITY, TFIDF, FROZEN, WORDS_TAG, COPIED)
OUTSIDE = "O"  # the tag of a word that is in no entity
C = 10.0  # inverse strength of the penalty, the same for both kinds of features


def majority(train_labels: Sequence[Hashable], n: int) -> list[Hashable]:
    """Return the most frequent training label `n` times; of equally frequent ones the first.

    Examples
    --------
    >>> majority(["play", "stop", "play"], 2)
    ['play', 'play']
    """
    if not len(train_labels):
        raise ValueError("Expected at least one training label, got none. A majority needs votes.")
    return [Counter(train_labels).most_common(1)[0][0]] * n


def tfidf_logistic(
    train_texts: Sequence[str], train_labels: Sequence[Hashable], test_texts: Sequence[str], *, c: float = C
) -> list[Hashable]:
    """Classify by logistic regression on tf-idf of words and pairs of words.

    Parameters
    ----------
    train_texts, train_labels
        One label per text, of at least two kinds.
    c
        Inverse strength of the L2 penalty.

    Examples
    --------
    >>> tfidf_logistic(["play a song", "stop it now"], ["play", "stop"], ["a song please"])
    ['play']
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
    known = vectorizer.fit_transform(_texts(train_texts))
    return _logistic(known, train_labels, vectorizer.transform(_texts(test_texts)), c)


def frozen_encoder(
    train_texts: Sequence[str], train_labels: Sequence[Hashable], test_texts: Sequence[str], *, c: float = C
) -> list[Hashable]:
    """Classify by logistic regression on sentence embeddings of the offline encoder, which itself is not trained.

    Embeddings are kept in the cache folder, by the texts and the encoder: the first call takes minutes for ten thousand
    texts, a second one none. Parameters as :func:`tfidf_logistic`.
    """
    return _logistic(sentence_embeddings(train_texts), train_labels, sentence_embeddings(test_texts), c)


def sentence_embeddings(texts: Sequence[str]) -> np.ndarray:
    """Return unit-length embeddings float32 [n, 384] of the offline encoder, from the cache if they are there."""
    from trustlab.federated.partition import embed
    from trustlab.models.encoder import MINILM_SHA256

    texts = _texts(texts)
    key = digest(to_json([MINILM_SHA256, texts]))[:32]
    return cached_vectors(cache_directory() / "embeddings", key, len(texts), lambda: embed(texts))


def word_tags(
    train_tokens: Sequence[Sequence[str]], train_tags: Sequence[Sequence[str]], test_tokens: Sequence[Sequence[str]]
) -> list[list[str]]:
    """Give each word, whatever its case, the tag that it has most often in training, and "O" to a new one.

    Examples
    --------
    >>> word_tags([["to", "Paris"]], [["O", "B-city"]], [["paris", "tomorrow"]])
    [['B-city', 'O']]
    """
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for tokens, tags in zip(train_tokens, train_tags, strict=True):
        for token, tag in zip(word_list(tokens, "tokens"), word_list(tags, "tags"), strict=True):
            votes[token.lower()][tag] += 1
    best = {word: counts.most_common(1)[0][0] for word, counts in votes.items()}
    return [[best.get(token.lower(), OUTSIDE) for token in word_list(tokens, "tokens")] for tokens in test_tokens]


def copied_input(texts: Sequence[str]) -> list[str]:
    """Answer with the input itself, for tasks from text to text.

    Examples
    --------
    >>> copied_input(["intent play, song hello"])
    ['intent play, song hello']
    """
    return _texts(texts)


Classifier = Callable[[Sequence[str], Sequence[Hashable], Sequence[str]], list[Hashable]]
# The classifiers of texts by their names in a table.
CLASSIFIERS: Mapping[str, Classifier] = MappingProxyType({
    MAJORITY: lambda train_texts, train_labels, test_texts: majority(train_labels, len(test_texts)),
    TFIDF: tfidf_logistic,
    FROZEN: frozen_encoder,
})  # fmt: skip


def _logistic(known: Any, labels: Sequence[Hashable], asked: Any, c: float) -> list[Hashable]:
    from sklearn.linear_model import LogisticRegression

    names = sorted(set(labels), key=str)
    if len(names) < 2:
        raise ValueError(f"Expected at least two kinds of labels, got {names}. With one there is nothing to learn.")
    position = {name: i for i, name in enumerate(names)}
    model = LogisticRegression(C=c, max_iter=1000).fit(known, [position[label] for label in labels])
    return [names[i] for i in model.predict(asked)]


def _texts(texts: Sequence[str]) -> list[str]:
    if isinstance(texts, str):
        raise ValueError(f"Expected a list of texts, got the text {texts[:40]!r}. Its letters would be the texts.")
    return list(texts)
