"""Models for real tasks: words, a small encoder made here, and a pretrained encoder probed or fine-tuned.

All four learn one task from the same number of rows, the fine-tuned encoder from fewer, because it is the slowest. An
encoder that is only probed keeps its weights: logistic regression reads its sentence vectors.
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
from trustlab.fairness.groups import Bootstrap
from trustlab.fairness.scorers import fit_scorer
from trustlab.fairness.tasks import GroupedTexts, Task
from trustlab.models.pretrained import encoder_and_tokenizer

NONE, OFFLINE = "none", "all-MiniLM-L6-v2"
SMALL = {"read": 6000, "vocabulary": 2000, "longest": 128, "steps": 400}
RECIPES: dict[str, dict[str, Any]] = {
    "tuned": {"rows": 320, "epochs": 1, "learning_rate": 1e-4},
    "small": {"rows": 1000, "epochs": 4, "learning_rate": 1e-3, **SMALL},
    "head": {"rows": 1000},
    "words": {"rows": 1000},
}
CLASSIFIERS = tuple(RECIPES)
PRETRAINED = ("tuned", "head")  # those that a name of an encoder belongs to


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


def train_on(task: Task, model: str, encoder: str = NONE, *, seed: int = 0) -> Trained:
    """Train one of :data:`CLASSIFIERS` on rows of `task` that `seed` draws.

    Parameters
    ----------
    task
        With training texts.
    model
        "words": words and pairs of words with logistic regression. "small": a masked language model made of the task's
        training texts, then fine-tuned. "head": logistic regression on the vectors of `encoder`. "tuned": `encoder`
        fine-tuned as a whole.
    encoder
        :data:`OFFLINE`, or a ``transformers`` name or folder.
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
    recipe = RECIPES[model]
    order = np.random.default_rng([seed, 6]).permutation(len(task.train))
    rows = task.train.take(order[: recipe["rows"]])
    if model == "words":
        return Trained(_fitted(task, rows))
    if model == "small":
        network, tokenizer = read_and_pretrain(task.train.texts, seed=seed)
    else:
        network, tokenizer = pretrained(encoder)
    if model == "head":
        reader = (encoder, _Reader(encoder))
        return Trained(_fitted(task, rows, reader), network, tokenizer)
    how = {name: recipe[name] for name in ("epochs", "learning_rate")}
    return Trained(Classifier(network, tokenizer, rows, **how, seed=seed).scores, network, tokenizer)


def _fitted(task: Task, rows: GroupedTexts, reader: Any = None) -> Callable[[Sequence[str]], np.ndarray]:
    return fit_scorer(task.question, task.name, rows, task.test, bootstrap=Bootstrap(resamples=1), reader=reader).score


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


@functools.lru_cache(maxsize=8)  # test texts are the same for every seed, and encoding them is most of a probe's work
def unit_vectors(encoder: str, texts: tuple[str, ...]) -> np.ndarray:
    """Return the sentence vectors of :meth:`ContextEncoder.embed_texts` at length 1, float32 [N, d]."""
    vectors = ContextEncoder(*pretrained(encoder)).embed_texts(texts)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class _Reader:
    """:func:`unit_vectors` in the form of a scikit-learn transformer."""

    def __init__(self, encoder: str) -> None:
        self.encoder = encoder

    def fit(self, texts: Sequence[str], truth: Any = None) -> _Reader:
        return self

    def transform(self, texts: Sequence[str]) -> np.ndarray:
        return unit_vectors(self.encoder, tuple(texts))


__getattr__ = old_names(__name__, {"sentence_vectors": "unit_vectors"})
