"""Trivial baselines on the examples that real corpora ask: what a head has to beat before its numbers mean anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from trustlab.course.baselines import COPIED, FROZEN, MAJORITY, TFIDF, WORDS_TAG, majority, word_tags
from trustlab.course.n24_fednlp_benchmark.real_answering import similar_sentences
from trustlab.course.n24_fednlp_benchmark.real_classification import right
from trustlab.course.n24_fednlp_benchmark.real_data import Divided
from trustlab.course.n24_fednlp_benchmark.real_features import text_vectors
from trustlab.course.n24_fednlp_benchmark.real_spans import (
    DAY,
    FIGURE,
    MIXED,
    NAME,
    WORD,
    YEAR,
    sentences,
    stem,
    word_class,
)
from trustlab.federated.tasks import FAMILIES

C = 10.0  # inverse strength of the penalty on vectors of length 1, as in trustlab.course.baselines


def baseline(name: str, family: str, data: Divided) -> dict[str, float]:
    """Return ``score`` and ``exact`` of a baseline, a key of ``BASELINES[family]``."""
    return BASELINES[family][name](data)


def _majority(data: Divided) -> dict[str, float]:
    asked = data.asked()
    return right(asked, [str(each) for each in majority([e.target for e in data.known()], len(asked))])


def _counted(data: Divided) -> dict[str, float]:
    """Classify by logistic regression on tf-idf of words; pairs of words would need gigabytes."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(sublinear_tf=True, min_df=2, token_pattern=r"(?u)\b\w+\b")
    known = vectors.fit_transform([e.text for e in data.known()])
    return _logistic(known, vectors.transform([e.text for e in data.asked()]), data)


def _frozen(data: Divided) -> dict[str, float]:
    """Classify by logistic regression, trained to the end in one place, on the vectors that the heads read."""
    vectors = text_vectors(tuple(example.text for example in data.examples)) / np.sqrt(384)
    return _logistic(vectors[data.train], vectors[data.test], data)


def _logistic(known: Any, asked: Any, data: Divided) -> dict[str, float]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=C, max_iter=300).fit(known, [example.target for example in data.known()])
    return right(data.asked(), list(model.predict(asked)))


def _no_names(data: Divided) -> dict[str, float]:
    asked = data.asked()
    return FAMILIES["tagging"].scores(asked, [["O"] * len(example.source) for example in asked])


def _usual_tags(data: Divided) -> dict[str, float]:
    known, asked = data.known(), data.asked()
    said = word_tags([e.source for e in known], [e.target for e in known], [e.source for e in asked])
    return FAMILIES["tagging"].scores(asked, said)


def _whole_paragraph(data: Divided) -> dict[str, float]:
    asked = data.asked()
    return FAMILIES["qa"].scores(asked, [(0, len(example.source) - 1) for example in asked])


def _first_name(data: Divided) -> dict[str, float]:
    """Answer with the first name or figure, not in the question, of the sentence that is most like the question."""
    asked = data.asked()
    said = []
    for example, alike in zip(asked, similar_sentences(asked), strict=True):
        start, end = sentences(example.source)[int(alike.argmax())]
        question = {stem(word) for word in example.question}
        classes = [WORD if stem(word) in question else word_class(word) for word in example.source[start:end]]
        found = [i for i, kind in enumerate(classes) if kind in TELLING]
        first = found[0] if found else 0
        last = first
        while last + 1 in found:
            last += 1
        said.append((start + first, start + last))
    return FAMILIES["qa"].scores(asked, said)


TELLING = (FIGURE, YEAR, DAY, NAME, MIXED)
BASELINES: Mapping[str, Mapping[str, Callable[[Divided], dict[str, Any]]]] = {
    "classification": {MAJORITY: _majority, TFIDF: _counted, FROZEN: _frozen},
    "tagging": {MAJORITY: _no_names, WORDS_TAG: _usual_tags},
    "qa": {COPIED: _whole_paragraph, FROZEN: _first_name},
}
