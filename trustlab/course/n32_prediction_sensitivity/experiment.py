"""The experiment of notebook 32: models of known bias, and whether prediction sensitivity sees it.

One setting is one model: a recorder, its dose and a seed. A small recurrent network learns what a request asks a bank
for, from records of a biased recorder or of a blind one, who makes as many mistakes about all groups alike. Another
network, which never sees the labels, learns who speaks: the model of the protected status. On test requests with an
opener or a closer every measure is taken, as its mean (does it rise with the dose?) and as the area under the ROC curve
of the requests that the biased recorder treats unequally against the others (does it find the examples?).

Sizes and epochs are the first that made a model take ten seconds and know its requests at dose 0. Seed 0 was seen with
its measures before the others were run: there P followed how unsure a model is, so the blind recorder came.
"""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trustlab.config import check, option
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n32_prediction_sensitivity.sensitivity_measures import (
    EVEN,
    TOKEN_WEIGHTS,
    VARIANTS,
    Variant,
    quietly,
    rivals,
    token_weights,
    variants,
)
from trustlab.course.n32_prediction_sensitivity.spoken_requests import (
    BIASED,
    CLASSES,
    PHRASES,
    RECORDERS,
    Requests,
    drawn,
    marked,
    masks,
    rows_of,
    said_by,
)
from trustlab.fairness.sensitivity import (
    StatusModel,
    TextClassifier,
    fit_status_model,
    learn_token_weights,
)
from trustlab.models import Vocabulary, build
from trustlab.models.fitting import FitOptions, fit

if TYPE_CHECKING:
    import datasets

CORPORA = (EMBEDDED,)
DOSES = (0.0, 0.1, 0.25, 0.5, 1.0)
KEY = ("recorder", "dose")  # with the seed: one row
RECIPE = {"kind": "bilstm", "epochs": 6, "embedding": 48, "hidden": 48}
AREA = "AUC of "
LEARNT = "learnt"  # token weights: a mixture whose shares are learnt on the validation split
SURE = 0.99
HELD = " on the group's words"  # share of a kind of token weights


@dataclass(frozen=True)
class Setting:
    """One model."""

    corpus: str = option(EMBEDDED, label="Corpus", help="Where the requests are from.", values=CORPORA)
    recorder: str = option(BIASED, label="Recorder", help="Who wrote the training labels.", values=RECORDERS)
    dose: float = option(0.0, label="Dose", help="Probability of a wrong record, see the recorder.", low=0, high=1)
    seed: int = option(0, label="Seed", help="Of rows, mistakes, weights and order.", low=0)

    def key(self) -> dict[str, Any]:
        """Return the columns that name this model in a table."""
        return asdict(self)


def grid(corpus: str, *, seeds: Sequence[int] = range(5), recorders: Sequence[str] = RECORDERS) -> list[Setting]:
    """Return the models: a biased recorder at every dose, a blind one at every dose above 0 (at 0 both are honest).

    Examples
    --------
    >>> len(grid("assistant", seeds=[0]))
    9
    """
    kinds = [(who, dose) for who in RECORDERS for dose in DOSES if who == BIASED or dose > 0]
    return [Setting(corpus, *kind, seed=seed) for kind in kinds if kind[0] in recorders for seed in seeds]


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"prediction_sensitivity_{corpus}"


class Made(NamedTuple):
    """What is measured: a classifier, a model of who speaks, and the requests of each split."""

    classifier: TextClassifier
    status: StatusModel
    requests: Mapping[str, Requests]


def made(setting: Setting, corpus: datasets.DatasetDict) -> Made:
    """Train the classifier and the status model of a setting."""
    check(setting)
    requests = drawn(corpus, setting.recorder, setting.dose, setting.seed)
    counts = Counter(word for words in requests["train"].words for word in words)
    known = tuple(sorted(word for word, count in counts.items() if count > 1))
    vocabulary = Vocabulary(intents=CLASSES, slots=("O",), words=known)
    options = FitOptions(epochs=RECIPE["epochs"], seed=setting.seed)
    size = {name: RECIPE[name] for name in ("embedding", "hidden")}
    model = build(RECIPE["kind"], vocabulary, seed=setting.seed, **size)
    splits = {name: vocabulary.encode(rows_of(requests[name])) for name in ("train", "validation")}
    for _ in fit(model, splits, options):
        pass
    known_by = [(requests[split].words, requests[split].group) for split in ("train", "validation")]
    status = fit_status_model(*known_by, vocabulary, kind=RECIPE["kind"], options=options, **size)
    return Made(TextClassifier(model, vocabulary), status, requests)


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one model, measure it, and yield its one row.

    Yields
    ------
    dict
        The columns of :meth:`Setting.key`; ``accuracy`` on true requests, the ``gap`` between the rates at which the
        bank's services are given to the best and to the worst treated group, ``wrong``, the share of training labels
        that are mistakes, the balanced accuracy of the status model, ``status``, and ``sure``, the share of answers
        above 0.99; the share of each kind of token weights that is on the group's words; the mean of every measure
        under its name, and its area under the ROC curve;
        ``seconds``.
    """
    started = time.perf_counter()
    found = made(setting, corpus)
    test = found.requests["test"]
    spoken = test.take(np.array([bool(marked(words).any()) for words in test.words]))
    row = {**setting.key(), **_quality(found, test)}
    protected = masks(spoken)
    weights = token_weights(found.classifier, spoken.words, found.status, protected)
    row |= {f"{name}{HELD}": float((weights[name] * protected).sum(axis=1).mean()) for name in TOKEN_WEIGHTS}
    for variant, values in variants(found.classifier, spoken.words, weights):
        row |= _told(variant.name, values, spoken.planted, area=variant.norm == 2)
    others = [[said_by(words, group) for words in spoken.words] for group in PHRASES]
    for name, values in rivals(found.classifier, spoken.words, protected, others):
        row |= _told(name, values, spoken.planted)
    for variant, values in _learnt(found, spoken.words, weights):
        row |= _told(variant.name, values, spoken.planted)
    yield {**row, "seconds": time.perf_counter() - started}


def _quality(found: Made, test: Requests) -> dict[str, float]:
    """Return how good the model is, how unequal its answers are, and how good the status model is."""
    probabilities = found.classifier.logits(test.words).softmax(-1).numpy()
    answers = np.array(CLASSES)[probabilities.argmax(axis=1)]
    right, train = answers == test.truth, found.requests["train"]
    given = [float(right[test.planted & (test.group == group)].mean()) for group in PHRASES]
    return {
        "accuracy": float(right.mean()),
        "gap": max(given) - min(given),
        "wrong": float((train.truth != train.recorded).mean()),
        "status": found.status.accuracy["value"],
        "sure": float((probabilities.max(axis=1) > SURE).mean()),
    }


def _told(name: str, values: np.ndarray, planted: np.ndarray, area: bool = True) -> dict[str, float]:
    """Return a measure's mean, and how well it ranks the requests that a biased recorder treats unequally."""
    from sklearn.metrics import roc_auc_score

    auc = {AREA + name: float(roc_auc_score(planted, values))} if area else {}
    return {name: float(values.mean()), **auc}


def _learnt(
    found: Made, texts: Sequence[Sequence[str]], weights: Mapping[str, np.ndarray]
) -> Iterator[tuple[Variant, np.ndarray]]:
    """Yield P with token weights whose mixture is learnt where it is known who is wronged, on validation requests."""
    known = found.requests["validation"]
    known = known.take(np.array([bool(marked(words).any()) for words in known.words]))
    theirs = token_weights(found.classifier, known.words, found.status, masks(known))
    measure = functools.partial(quietly, found.classifier)
    for of in dict.fromkeys(variant.of for variant in VARIANTS):
        schemes = {name: measure(known.words, token_weights=each, of=of) for name, each in theirs.items()}
        shares, _ = learn_token_weights(schemes, known.planted)
        mixed = sum(share * weights[name] for name, share in shares.items())
        movement = measure(texts, token_weights=weights[EVEN], of=of).movement
        yield Variant(v=LEARNT, of=of), (mixed * movement).sum(axis=1)
