"""Models for real tasks: words, a small encoder made here, and a pretrained encoder probed or fine-tuned.

Words and a probed encoder, which keeps its weights, are what a practitioner would use: logistic regression on most of
the training texts, with the options of a search (:mod:`.classifier_search`). The small encoder learns from few texts,
because a core takes minutes for more, and so does an encoder that is fine-tuned, for which a reader names one: they are
there for their encoders. The majority is the trivial classifier that gives everybody the same answer.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from trustlab.course.n31_fairness_metrics.extrinsic import Classifier
from trustlab.course.n31_fairness_metrics.pretraining import pretrain, whole_words
from trustlab.deprecation import old_names
from trustlab.fairness.contexts import ContextEncoder
from trustlab.fairness.tasks import GroupedTexts, Task
from trustlab.models.pretrained import encoder_and_tokenizer

NONE, OFFLINE = "none", "all-MiniLM-L6-v2"
SMALL = {"read": 6000, "vocabulary": 2000, "longest": 128, "steps": 400}
RECIPES: dict[str, dict[str, Any]] = {
    "tuned": {"rows": 320, "epochs": 1, "learning_rate": 1e-4},
    "small": {"rows": 1000, "epochs": 4, "learning_rate": 1e-3, **SMALL},
    "head": {"rows": 12_000},
    "words": {"rows": 12_000},
    "majority": {"rows": 12_000},
}
CLASSIFIERS = tuple(RECIPES)
PRETRAINED = ("tuned", "head")  # those that a name of an encoder belongs to
LOGISTIC = ("words", "head")  # those that are tuned by a search
WHOLE, PIECES = "whole words", "words and pieces"  # what "words" counts: pieces are of 2 to 5 characters


class Trained(NamedTuple):
    """A model of a task, and the encoder it was made of as it was *before* it learned the task.

    Attributes
    ----------
    score
        Turns texts into probabilities of the answer 1, float [N].
    encoder, tokenizer
        Of ``transformers``; None for words.
    """

    score: Callable[[Sequence[str]], np.ndarray]
    encoder: Any = None
    tokenizer: Any = None


def train_on(
    task: Task, model: str, encoder: str = NONE, *, c: float = 1.0, counts: str = PIECES, seed: int = 0
) -> Trained:
    """Train one of :data:`CLASSIFIERS` on rows of `task` that `seed` draws.

    Parameters
    ----------
    task
        With training texts.
    model
        "words": logistic regression on counts of words. "small": a masked language model made of the task's training
        texts, then fine-tuned. "head": logistic regression on the vectors of `encoder`. "tuned": `encoder` fine-tuned
        as a whole. "majority": the more frequent answer for every text.
    encoder
        :data:`OFFLINE`, or a ``transformers`` name or folder.
    c, counts
        Of logistic regression: inverse strength of the penalty, and :data:`WHOLE` or :data:`PIECES` of words.
    seed
        Of rows, first weights and order.

    Examples
    --------
    >>> from trustlab.fairness.tasks import load_task
    >>> trained = train_on(load_task("assistant", utterances=2000), "words")
    >>> trained.score(["please pay my bill", "play a song"]).round().tolist()
    [1.0, 0.0]
    """
    if task.train is None:
        raise ValueError(f"Expected a task with training texts, got {task.name!r}, which was made for testing only.")
    rows = drawn_rows(task, RECIPES[model]["rows"], seed)
    if model == "majority":
        answer = float(2 * rows.truth.sum() >= len(rows))
        return Trained(lambda texts: np.full(len(texts), answer))
    if model in LOGISTIC:
        fitted = logistic(features(model, encoder, counts), rows.texts, rows.truth, c)
        network = pretrained(encoder) if model == "head" else (None, None)
        return Trained(lambda texts: fitted.predict_proba(list(texts))[:, 1], *network)
    network, tokenizer = read_and_pretrain(task.train.texts, seed=seed) if model == "small" else pretrained(encoder)
    how = {name: RECIPES[model][name] for name in ("epochs", "learning_rate")}
    return Trained(Classifier(network, tokenizer, rows, **how, seed=seed).scores, network, tokenizer)


def drawn_rows(task: Task, count: int, seed: int) -> GroupedTexts:
    """Return `count` training texts of `task` that `seed` draws, or all where there are fewer."""
    return task.train.take(np.random.default_rng([seed, 6]).permutation(len(task.train))[:count])


def features(model: str, encoder: str = NONE, counts: str = PIECES) -> Any:
    """Return what turns texts into numbers for logistic regression, as a scikit-learn transformer."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_union

    if model == "head":
        return _Reader(encoder)
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    if counts == WHOLE:
        return words
    return make_union(words, TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=3, sublinear_tf=True))


def logistic(seen: Any, texts: Sequence[str], answers: np.ndarray, c: float) -> Any:
    """Return a pipeline of `seen`, from :func:`features`, and logistic regression, fitted to the answers."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(seen, LogisticRegression(C=c, max_iter=1000)).fit(list(texts), answers)


def read_and_pretrain(texts: Sequence[str], *, seed: int = 0) -> tuple[Any, Any]:
    """Return a small masked language model that has read some of `texts`, which `seed` draws, and its tokenizer."""
    rng = np.random.default_rng([seed, 7])
    read = [texts[i] for i in rng.permutation(len(texts))[: SMALL["read"]]]
    tokenizer = whole_words(read, most=SMALL["vocabulary"], longest=SMALL["longest"])
    return pretrain(read, tokenizer, steps=SMALL["steps"], seed=seed), tokenizer


@functools.lru_cache(maxsize=1)
def pretrained(encoder: str) -> tuple[Any, Any]:
    """Return an encoder by name or folder, without a head, and its tokenizer."""
    return encoder_and_tokenizer(None if encoder == OFFLINE else encoder)


@functools.lru_cache(maxsize=2)
def _vectors_of(encoder: str) -> dict[str, np.ndarray]:
    """Return the vectors of an encoder's texts that were computed already, to be filled."""
    return {}


def unit_vectors(encoder: str, texts: Sequence[str]) -> np.ndarray:
    """Return the sentence vectors of :meth:`ContextEncoder.embed_texts` at length 1, float32 [N, d].

    A text is encoded once: seeds share most of their texts, and encoding is most of a probe's work.
    """
    known = _vectors_of(encoder)
    new = [text for text in dict.fromkeys(texts) if text not in known]
    if new:
        vectors = ContextEncoder(*pretrained(encoder)).embed_texts(new)
        known |= zip(new, vectors / np.linalg.norm(vectors, axis=1, keepdims=True), strict=True)
    return np.stack([known[text] for text in texts])


class _Reader:
    """:func:`unit_vectors` in the form of a scikit-learn transformer."""

    def __init__(self, encoder: str) -> None:
        self.encoder = encoder

    def fit(self, texts: Sequence[str], truth: Any = None) -> _Reader:
        return self

    def transform(self, texts: Sequence[str]) -> np.ndarray:
        return unit_vectors(self.encoder, texts)


__getattr__ = old_names(__name__, {"sentence_vectors": "unit_vectors"})
