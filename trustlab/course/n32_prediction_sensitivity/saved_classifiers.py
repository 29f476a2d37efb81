"""The saved models of notebook 32: classifiers of a biased and of a blind recorder's records, and one of who speaks.

They are those of the experiment at dose 0.5 and seed 0, saved so that a panel answers at once, and alike on every
processor. :func:`write` trains and saves them again, in about twenty seconds.
"""

from __future__ import annotations

import functools
from pathlib import Path

from trustlab.course.corpora import EMBEDDED
from trustlab.course.n32_prediction_sensitivity.experiment import Setting, made
from trustlab.course.n32_prediction_sensitivity.spoken_requests import BIASED, RECORDERS, drawn
from trustlab.data import load as load_corpus
from trustlab.fairness.sensitivity import StatusModel, TextClassifier, measure_status_model
from trustlab.models import load, save

FOLDER = Path(__file__).with_name("models")
STATUS = "status"
DOSE = 0.5


def write(folder: Path = FOLDER) -> None:
    """Train the three models and save them in `folder`, one folder each."""
    corpus = load_corpus(EMBEDDED)
    for recorder in RECORDERS:
        found = made(Setting(recorder=recorder, dose=DOSE), corpus)
        save(found.classifier.model, found.classifier.reader, folder / recorder)
        if recorder == BIASED:
            save(found.status.classifier.model, found.status.classifier.reader, folder / STATUS)


@functools.cache
def models(folder: Path = FOLDER) -> tuple[dict[str, TextClassifier], StatusModel]:
    """Return the classifier of each recorder, and the status model, measured on the validation split.

    Examples
    --------
    >>> classifiers, status = models()
    >>> sorted(classifiers), status.statuses
    (['biased', 'blind'], ('coast', 'hill', 'valley'))
    """
    classifiers = {recorder: TextClassifier(*load(folder / recorder)) for recorder in RECORDERS}
    held_out = drawn(load_corpus(EMBEDDED), BIASED, DOSE, seed=0)["validation"]
    status = TextClassifier(*load(folder / STATUS))
    return classifiers, measure_status_model(status, held_out.words, held_out.group, status.reader.intents)
