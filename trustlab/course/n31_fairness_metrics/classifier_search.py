"""The search behind the classifiers of notebook 31's real tasks: words and a probed encoder, ten trials each.

A trial learns four fifths of HateXplain's training posts and is scored on the last fifth; the posts that gaps are
measured on have no part in it. Seeds divide the posts, and are not those that are reported. Other corpora's classifiers
take the options that were chosen here.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.config import check, option
from trustlab.course.n31_fairness_metrics.real_models import LOGISTIC, NONE, OFFLINE, PIECES, WHOLE, features
from trustlab.course.tuning import FIRST_SEED, Option, Space, chosen, search_seeds, trials
from trustlab.results import read_results

if TYPE_CHECKING:
    import datasets

CORPORA = ("hatexplain",)
KEY = ("model", "c", "counts")  # with the seed: one row
OPTIONS = ("c", "counts")
TRIALS = 10  # of each model
SPACES: Mapping[str, Space] = MappingProxyType({
    "words": {"c": Option((0.1, 0.3, 1.0, 3.0, 10.0, 30.0)), "counts": Option((WHOLE, PIECES))},
    "head": {"c": Option((0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0))},
})  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """One trial: a model, its options, and a division of the training posts."""

    corpus: str = option("hatexplain", label="Corpus", help="Whose training posts are divided.", values=CORPORA)
    model: str = option("words", label="Model", help="What is tuned.", values=LOGISTIC)
    c: float = option(1.0, label="C", help="Inverse strength of the penalty.", above=0)
    counts: str = option(PIECES, label="Counts", help="What the model of words counts.", values=(WHOLE, PIECES))
    seed: int = option(FIRST_SEED, label="Seed", help="Divides the posts.", low=FIRST_SEED)

    def key(self) -> dict[str, Any]:
        """Return the columns that name this trial in a table."""
        return asdict(self)


def grid(corpus: str, *, seeds: Sequence[int] = range(3)) -> list[Setting]:
    """Return every model with as many trials; `seeds` are those of a search."""
    return [
        Setting(corpus, model, seed=seed, **options)
        for model in LOGISTIC
        for options in trials(SPACES[model], TRIALS)
        for seed in search_seeds(seeds)
    ]


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"tuning/fairness_metrics_tasks_{corpus}"


def recipe(setting: Setting) -> dict[str, Any]:
    """Return the values that were searched for `setting`'s model."""
    return {name: list(each.values) for name, each in SPACES[setting.model].items()}


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one trial and yield its row: :meth:`Setting.key`, ``score`` (accuracy on the last fifth), ``seconds``."""
    from sklearn.linear_model import LogisticRegression

    check(setting)
    started = time.perf_counter()
    posts = corpus["train"]
    learned, asked, known, held = _divided(tuple(posts["text"][:]), setting.model, setting.counts, setting.seed)
    truth = np.array(posts["label"][:]) != "normal"
    answers = LogisticRegression(C=setting.c, max_iter=1000).fit(learned, truth[known]).predict(asked)
    score = float(np.mean(answers == truth[held]))
    yield {**setting.key(), "score": score, "seconds": time.perf_counter() - started}


@functools.lru_cache(maxsize=2)
def _divided(texts: tuple[str, ...], model: str, counts: str, seed: int) -> tuple[Any, Any, np.ndarray, np.ndarray]:
    """Return features of four fifths of the texts, of the last fifth, and which texts these are."""
    order = np.random.default_rng(seed).permutation(len(texts))
    held, known = order[: len(texts) // 5], order[len(texts) // 5 :]
    seen = features(model, OFFLINE if model == "head" else NONE, counts)
    learned = seen.fit([texts[i] for i in known]).transform([texts[i] for i in known])
    return learned, seen.transform([texts[i] for i in held]), known, held


@functools.lru_cache(maxsize=4)
def chosen_options(model: str) -> dict[str, Any]:
    """Return the options that the committed search chose for `model`.

    Examples
    --------
    >>> sorted(chosen_options("words"))
    ['c', 'counts']
    """
    return chosen(read_results(result_name("hatexplain"))[0], options=OPTIONS, model=model)
