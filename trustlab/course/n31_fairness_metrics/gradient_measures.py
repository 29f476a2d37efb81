"""Prediction sensitivity of the models of known bias: the same models again, measured by gradients.

Accumulated prediction sensitivity (Krishna et al. 2022) and its rivals, of the classifiers that :mod:`.extrinsic`
fine-tunes on clean records and on the texts that its metrics are measured on; notebook 32 ranks them among these.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from trustlab.course.corpora import EMBEDDED
from trustlab.course.n31_fairness_metrics import experiment
from trustlab.course.n31_fairness_metrics.experiment import (
    KEY,
    SERIES,
    TASK_TEST,
    TASK_TRAIN,
    column,
    own_seed,
    recipe,
    train,
)
from trustlab.course.n31_fairness_metrics.extrinsic import Classifier
from trustlab.course.n31_fairness_metrics.notions import NOTIONS, Notion
from trustlab.course.n31_fairness_metrics.sentences import task_texts, trial_texts
from trustlab.fairness.sensitivity import (
    TextClassifier,
    accumulated_prediction_sensitivity,
    input_x_gradient,
    integrated_gradients,
)
from trustlab.models.batching import mean_state

if TYPE_CHECKING:
    import datasets

__all__ = ["CORPORA", "KEY", "MEASURES", "Setting", "grid", "recipe", "result_name", "run"]
CORPORA = (EMBEDDED,)
OF = ("probabilities", "log_odds")
HARD, EVEN, TIMES, INTEGRATED = "P", "P, even weights", "input × gradient", "integrated gradients"
UNSURE = "1 − p"
MEASURES = (*(f"{name}, {of}" for name in (HARD, EVEN, TIMES, INTEGRATED) for of in OF), UNSURE)


class Setting(experiment.Setting):
    """One model of the base recipe."""


def grid(corpus: str, *, seeds: Sequence[int] = range(5)) -> list[Setting]:
    """Return the models of the base recipe, as :func:`.experiment.grid` has them."""
    return [Setting(**each.key()) for each in experiment.grid(corpus, seeds=seeds, recipes=("base",))]


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"fairness_metrics_sensitivity_{corpus}"


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Pretrain one model, fine-tune it on each notion's clean records, and yield the row of its measures.

    Yields
    ------
    dict
        The columns of :meth:`Setting.key`; each of :data:`MEASURES` about each notion, the mean over test texts, under
        :func:`.experiment.column`; ``seconds``.
    """
    started, row = time.perf_counter(), {}
    model, tokenizer = train(setting, corpus)
    for notion in NOTIONS.values():
        recorded = task_texts(notion, TASK_TRAIN, np.random.default_rng([own_seed(setting), 4]))
        network = _Network(Classifier(model, tokenizer, recorded, seed=own_seed(setting)))
        classifier = TextClassifier(network, tokenizer)
        row |= {column(notion.name, name, "clean"): value for name, value in measured(classifier, notion).items()}
    yield {**setting.key(), **row, "seconds": time.perf_counter() - started}


def measured(classifier: TextClassifier, notion: Notion) -> dict[str, float]:
    """Return each of :data:`MEASURES`, the mean over the test texts that all models share."""
    texts = list(trial_texts(notion, TASK_TEST, np.random.default_rng([SERIES, 3])).texts)
    found, people = {}, [*notion.first, *notion.second]
    for of in OF:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The classifier is nearly sure", UserWarning)
            each = accumulated_prediction_sensitivity(classifier, texts, protected=people, of=of)
        words = each.mask & ~classifier.read(texts).special.numpy()
        at = each.token_weights > 0
        found[f"{HARD}, {of}"] = each.score
        found[f"{EVEN}, {of}"] = (each.movement * words).sum(axis=1) / words.sum(axis=1)
        found[f"{TIMES}, {of}"] = (abs(input_x_gradient(classifier, texts, of=of)) * at).sum(axis=1)
        whole = integrated_gradients(classifier, texts, of=of, steps=16).attributions
        found[f"{INTEGRATED}, {of}"] = (abs(whole) * at).sum(axis=1)
        found[UNSURE] = 1 - each.probabilities.max(axis=1)
    return {name: float(values.mean()) for name, values in found.items()}


class _Network(torch.nn.Module):
    """A fine-tuned classifier as one module: ids and mask in, one logit out."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.encoder, self.head = classifier.encoder, classifier.head

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return self.head(mean_state(states, attention_mask))
