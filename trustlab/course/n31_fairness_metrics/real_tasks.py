"""Intrinsic and extrinsic fairness metrics on real tasks: the experiment of notebook 31's real data.

A corpus is what a model learns. Classifiers learn the assistant's task, HateXplain or Davidson's tweets and are
measured on that task's test texts, all of them; those that learned abuse also on Dixon's templates and, from
HateXplain, on comments whose identity terms were exchanged. Small language models read Wikipedia's texts of BOLD and
predict pronouns. The encoder of each is measured too, before it learned the task.

That is a handful of models a corpus, of which two share an encoder: far too few for a correlation over models
(:func:`trustlab.course.correlation.needed`). Each number's interval can be reported.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.config import check, option
from trustlab.course.n31_fairness_metrics.classifier_search import OPTIONS, chosen_options
from trustlab.course.n31_fairness_metrics.real_level import level_columns
from trustlab.course.n31_fairness_metrics.real_metrics import (
    extrinsic_columns,
    intrinsic_columns,
    pronoun_columns,
    published_columns,
    term_columns,
)
from trustlab.course.n31_fairness_metrics.real_models import (
    CLASSIFIERS,
    LOGISTIC,
    NONE,
    OFFLINE,
    PIECES,
    PRETRAINED,
    RECIPES,
    SMALL,
    WHOLE,
    read_and_pretrain,
    train_on,
)
from trustlab.data import load
from trustlab.deprecation import old_names
from trustlab.fairness.likelihood import LikelihoodScorer, kind_of
from trustlab.fairness.tasks import GroupedTexts, load_task

if TYPE_CHECKING:
    import datasets

READING = "bold"  # the corpus that language models read
# Corpus, as trustlab.data.load names it → the tasks that its classifiers are measured on, their own first.
TASKS = {
    "assistant": ("assistant",),
    "hatexplain": ("hatexplain", "identity_terms", "identity_comments"),
    "davidson_hate": ("davidson", "identity_terms"),
}
CORPORA = (*TASKS, READING)
KEY = ("model", "encoder")  # with the seed: one row
GROUP_BIAS = 0.5  # planted in the assistant's records
FRAMES = 50  # of 1,514, half of them toxic: each is filled with fifty terms
LONGEST_COMMENT = 48  # words: of longer ones the exchanged term could be cut off


@dataclass(frozen=True)
class Setting:
    """One model of one corpus."""

    corpus: str = option("assistant", label="Corpus", help="What the model learns.", values=CORPORA)
    model: str = option("words", label="Model", help="How it is made.", values=(*CLASSIFIERS, "given"))
    encoder: str = option(NONE, label="Encoder", help="A transformers name or folder, where the model starts from one.")
    c: float = option(1.0, label="C", help="Inverse strength of logistic regression's penalty.", above=0)
    counts: str = option(PIECES, label="Counts", help="What the model of words counts.", values=(WHOLE, PIECES))
    seed: int = option(0, label="Seed", help="Seed of training rows, first weights and order.", low=0)

    def key(self) -> dict[str, Any]:
        """Return the columns that name this model in a table; options of logistic regression where it has one."""
        columns = asdict(self)
        return columns if self.corpus != READING else {n: v for n, v in columns.items() if n not in OPTIONS}


def grid(corpus: str, *, seeds: Sequence[int] = range(5), encoders: Sequence[str] = (NONE, OFFLINE)) -> list[Setting]:
    """Return the models of `corpus`, those with logistic regression with the options that a search chose.

    Parameters
    ----------
    encoders
        "none" means the models that need no pretrained encoder; any other is a ``transformers`` name or folder.
        Of language models that are given, and of the majority, one seed is measured: nothing is trained. Language
        models made here take minutes, and have three.

    Examples
    --------
    >>> [each.model for each in grid("hatexplain", seeds=[0])]
    ['small', 'words', 'majority', 'head']
    >>> [(each.model, each.encoder) for each in grid("bold", encoders=["distilbert-base-uncased"])]
    [('given', 'distilbert-base-uncased')]
    """
    settings = []
    for encoder in encoders:
        if corpus == READING:
            if encoder != OFFLINE:  # it has no head that predicts words
                model = "small" if encoder == NONE else "given"
                few = seeds[:3] if encoder == NONE else seeds[:1]
                settings += [Setting(corpus, model, encoder, seed=seed) for seed in few]
        else:
            models = [each for each in CLASSIFIERS if (each in PRETRAINED) == (encoder != NONE)]
            if encoder == OFFLINE:  # tuned on as many texts as it is probed with, it takes an hour of a core
                models.remove("tuned")
            settings += [
                Setting(corpus, model, encoder, seed=seed, **(chosen_options(model) if model in LOGISTIC else {}))
                for model in models
                for seed in (seeds[:1] if model == "majority" else seeds)
            ]
    return settings


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"fairness_metrics_tasks_{corpus}"


def recipe(setting: Setting) -> dict[str, Any]:
    """Return the options of `setting`'s training."""
    return {"given": {}, "small": SMALL}[setting.model] if setting.corpus == READING else RECIPES[setting.model]


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Make one model, measure it, and yield its row: :meth:`Setting.key`, :func:`measure`'s columns, ``seconds``."""
    check(setting)
    started = time.perf_counter()
    row = measure(**setting.key())
    yield {**setting.key(), **row, "seconds": time.perf_counter() - started}


def measure(
    corpus: str, model: str, encoder: str = NONE, *, c: float = 1.0, counts: str = PIECES, seed: int = 0
) -> dict[str, Any]:
    """Return every metric of one model of `corpus`; pretrained models are measured by it too.

    Parameters
    ----------
    corpus
        One of :data:`CORPORA`.
    model
        For "bold": "small", or "given", a language model by the name `encoder`; else one of
        :data:`~trustlab.course.n31_fairness_metrics.real_models.CLASSIFIERS`.
    encoder
        Any ``transformers`` name or folder, for "tuned", "head" and "given"; "none" for the others.
    c, counts
        Of logistic regression, for "words" and "head".
    seed
        Of training rows, first weights and order.

    Returns
    -------
    dict
        ``quality``: the AUC of the own task, or for language models StereoSet's share, in [0, 1], of meaningful words
        that are more likely than an unrelated one. ``gap``: the own task's FPR gap, or for language models WinoBias'
        gap. Then the columns of :mod:`~trustlab.course.n31_fairness_metrics.real_metrics`.
    """
    if corpus == READING:
        return _of_language(model, encoder, seed)
    return _of_tasks(corpus, model, encoder, c=c, counts=counts, seed=seed)


def _of_language(model: str, encoder: str, seed: int) -> dict[str, Any]:
    texts = load(READING)["test"]["text"][:]
    given = (encoder,) if model == "given" else read_and_pretrain(texts, seed=seed)
    scorer = LikelihoodScorer(*given)
    row = {
        **pronoun_columns(scorer),
        **published_columns(scorer),
        **intrinsic_columns(scorer.model, scorer.tokenizer, "career", texts),
    }
    return {"quality": row["gender StereoSet LMS"] / 100, "gap": row["winobias stereotype gap"], **row}


def _of_tasks(corpus: str, model: str, encoder: str, **options: Any) -> dict[str, Any]:
    own, *others = TASKS[corpus]
    task = load_task(own, **({"group_bias": GROUP_BIAS} if own == "assistant" else {}))
    trained = train_on(task, model, encoder, **options)
    row = extrinsic_columns(own, task.test, trained)
    row |= level_columns(model, encoder, **options) if own == "hatexplain" else {}
    for name in others:
        row |= extrinsic_columns(name, shortened(name), trained)
    if trained.encoder is not None and others:
        row |= intrinsic_columns(trained.encoder, trained.tokenizer, "pleasant", task.train.texts)
        row |= term_columns(trained, shortened("identity_terms"))
        if kind_of(trained.encoder) == "masked":
            row |= published_columns(LikelihoodScorer(trained.encoder, trained.tokenizer))
    return {"quality": row[f"{own} auc"], "gap": row[f"{own} fpr gap"], **row}


def shortened(name: str) -> GroupedTexts:
    """Return the texts of a task that are measured: some frames of the templates, the short ones of the comments."""
    texts = load_task(name).test
    if name == "identity_terms":
        _, first = np.unique(texts.units, return_index=True)
        order = np.random.default_rng(0).permutation(first)
        kept = [unit for toxic in (False, True) for unit in order[texts.truth[order] == toxic][: FRAMES // 2]]
        return texts.take(np.isin(texts.units, texts.units[kept]))
    return texts.take(np.array([len(text.split()) <= LONGEST_COMMENT for text in texts.texts]))


__getattr__ = old_names(__name__, {"Cell": "Setting"})
