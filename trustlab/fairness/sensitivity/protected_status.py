"""A model of the protected status: which status a text tells of, with its own accuracy and calibration.

Its gradients weigh tokens. A model that knows nothing has gradients too, and they are noise: one that is not better
than chance on held-out texts is refused, and below a stated accuracy comes a warning.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from trustlab.columns import as_ids
from trustlab.fairness.sensitivity.embedded import TextClassifier
from trustlab.intervals import rate_bounds
from trustlab.models.building import build
from trustlab.models.encoder import SubwordVocabulary
from trustlab.models.fitting import FitOptions, fit
from trustlab.models.vocabulary import Vocabulary

BINS = 5  # of probabilities, in the table of calibration
ALPHA = 0.05


@dataclass(frozen=True, eq=False)
class StatusModel:
    """A classifier of the protected status with its own measured error.

    Attributes
    ----------
    classifier
        The model and what it reads.
    statuses
        Names of its K classes.
    quality
        Flat rows ``metric, value, low, high, rows``: "balanced_accuracy" (mean of the statuses' rates of right answers,
        1/K by chance), "accuracy", "brier_score" and "calibration_error" (mean distance of stated probability and share
        of right answers, over bins).
    calibration
        Flat rows, one for each bin of the stated probability: ``stated`` (its mean), ``right`` (share of right answers)
        with ``low`` and ``high``, ``rows``.
    least
        The balanced accuracy below which its weights come with a warning.
    """

    classifier: TextClassifier
    statuses: tuple[str, ...]
    quality: list[dict[str, Any]]
    calibration: list[dict[str, Any]]
    least: float = 0.7

    @property
    def accuracy(self) -> dict[str, Any]:
        """The row of its balanced accuracy."""
        return next(row for row in self.quality if row["metric"] == "balanced_accuracy")

    def check(self) -> None:
        """Refuse a model that is not known to be better than chance, and warn below the stated accuracy."""
        row, chance = self.accuracy, 1 / len(self.statuses)
        known = f"{row['value']:.2f} ({row['low']:.2f} to {row['high']:.2f}) on {row['rows']} held-out texts"
        if row["low"] <= chance:
            raise ValueError(
                f"Expected a status model better than chance ({chance:.2f}), got a balanced accuracy of {known}. Its "
                "gradients would be noise: train it on texts that tell of the status, or test it on more of them."
            )
        if row["value"] < self.least:
            warnings.warn(
                f"The status model's balanced accuracy is {known}, below the stated {self.least:.2f}: read its weights "
                "with care.",
                stacklevel=2,
            )


def fit_status_model(
    train: tuple[Sequence[Sequence[str]], Sequence[Any]],
    test: tuple[Sequence[Sequence[str]], Sequence[Any]],
    vocabulary: Vocabulary | SubwordVocabulary,
    *,
    kind: str = "bilstm",
    options: FitOptions | None = None,
    least: float = 0.7,
    **settings: Any,
) -> StatusModel:
    """Train a model of the protected status, and measure it on held-out texts.

    Parameters
    ----------
    train, test
        Lists of words, and the status of each; no person's texts should be in both. A tenth of `train`, drawn by the
        options' seed, chooses the epoch.
    vocabulary
        The classifier's own, so that both read the same tokens; its labels are not used.
    kind, settings
        As :func:`trustlab.models.build`.
    options
        Of the training; None takes the defaults.
    least
        The balanced accuracy that its weights need, see :class:`StatusModel`.

    Raises
    ------
    ValueError
        If there are fewer than two statuses, or fewer than ten texts to train on.

    Examples
    --------
    >>> said = [["she", "sings"], ["he", "sings"]] * 40
    >>> vocabulary = Vocabulary(intents=("no", "yes"), slots=("O",), words=("he", "she", "sings"))
    >>> status = fit_status_model((said, ["f", "m"] * 40), (said, ["f", "m"] * 40), vocabulary)
    >>> status.statuses, status.accuracy["value"], round(status.accuracy["low"], 2)
    (('f', 'm'), 1.0, 0.9)
    """
    options = options or FitOptions()
    words, labels = list(train[0]), [str(status) for status in as_ids(train[1], "status")]
    statuses = tuple(sorted(set(labels)))
    if len(statuses) < 2 or len(words) < 10 or len(words) != len(labels):
        raise ValueError(
            f"Expected ten or more texts of two or more statuses, got {len(words)} texts and {len(labels)} labels, of "
            f"{list(statuses)}."
        )
    own = (
        replace(vocabulary, intents=statuses, slots=("O",))
        if isinstance(vocabulary, Vocabulary)
        else SubwordVocabulary(statuses, ("O",), encoder=vocabulary.encoder, max_length=vocabulary.max_length)
    )
    examples = own.encode(
        [{"tokens": said, "slots": ["O"] * len(said), "intent": s} for said, s in zip(words, labels, strict=True)]
    )
    order = np.random.default_rng(options.seed).permutation(len(examples))
    held = max(len(order) // 10, 1)
    splits = {"validation": order[:held], "train": order[held:]}
    model = build(kind, own, seed=options.seed, **settings)
    for _ in fit(model, {name: examples[torch.from_numpy(rows)] for name, rows in splits.items()}, options):
        pass
    return measure_status_model(TextClassifier(model, own), *test, statuses, least=least)


def measure_status_model(
    classifier: TextClassifier, texts: Any, status: Sequence[Any], statuses: Sequence[str], *, least: float = 0.7
) -> StatusModel:
    """Return a classifier of the protected status with its accuracy and calibration on held-out texts.

    Parameters
    ----------
    classifier
        Any classifier of K statuses.
    texts, status
        N held-out texts, as it reads them, and their statuses.
    statuses
        Names of its classes, in its order.
    least
        As :class:`StatusModel`.

    Raises
    ------
    ValueError
        If a status has no text, is not named, or lengths disagree.
    """
    names, truth = tuple(map(str, statuses)), [str(each) for each in as_ids(status, "status")]
    probabilities = classifier.logits(texts).softmax(-1).double().numpy()
    if set(truth) != set(names) or len(truth) != len(probabilities) or probabilities.shape[1] != len(names):
        raise ValueError(
            f"Expected held-out texts of each of {list(names)}, a status for each, and a class for each status, got "
            f"{sorted(set(truth))}, {len(truth)} for {len(probabilities)} texts, and {probabilities.shape[1]} classes."
        )
    labels = np.array([names.index(each) for each in truth])
    right = probabilities.argmax(axis=1) == labels
    hits, sizes = (np.bincount(labels, each, minlength=len(names)) for each in (right, np.ones(len(labels))))
    # The mean of K independent rates, each in an interval that fails with ALPHA / K.
    ends = [float(each.mean()) for each in rate_bounds(hits, sizes, ALPHA / 2 / len(names))]
    whole = [float(each) for each in rate_bounds(right.sum(), len(right), ALPHA / 2)]
    brier = ((probabilities - np.eye(len(names))[labels]) ** 2).sum(axis=1)
    table = _calibration(probabilities.max(axis=1), right)
    error = sum(abs(row["stated"] - row["right"]) * row["rows"] for row in table) / len(labels)
    none = (float("nan"), float("nan"))
    quality = [
        _quality("balanced_accuracy", (hits / sizes).mean(), ends, len(labels)),
        _quality("accuracy", right.mean(), whole, len(labels)),
        _quality("brier_score", brier.mean(), none, len(labels)),
        _quality("calibration_error", error, none, len(labels)),
    ]
    return StatusModel(classifier, names, quality, table, least)


def _quality(metric: str, value: float, ends: Sequence[float], rows: int) -> dict[str, Any]:
    return {"metric": metric, "value": float(value), "low": ends[0], "high": ends[1], "rows": rows}


def _calibration(stated: np.ndarray, right: np.ndarray) -> list[dict[str, Any]]:
    """Return how often answers are right, by the probability that was stated; bins of equal numbers."""
    rows = []
    for places in np.array_split(np.argsort(stated, kind="stable"), min(BINS, len(stated))):
        low, high = (float(end) for end in rate_bounds(right[places].sum(), len(places), ALPHA / 2))
        share = float(right[places].mean())
        rows.append(
            {"stated": float(stated[places].mean()), "right": share, "low": low, "high": high, "rows": len(places)}
        )
    return rows
