"""What notebook 22's table must beat: answers that need no federated training, on the same test examples.

They are given all training examples in one place, which no server of a fleet has. A selection that stays below them
after the rounds that are compared has not finished learning; one that stays at the majority has learned nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from trustlab.course.baselines import CLASSIFIERS
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n22_device_selection.fleets import KINDS, accuracies, extent, own_tests
from trustlab.data import assistant
from trustlab.federated.partition import partition

if TYPE_CHECKING:
    import datasets


def trivial(corpus: datasets.DatasetDict, baseline: str, *, seed: int = 0) -> dict[str, float]:
    """Return the accuracies of a trivial baseline, how many examples it was given, and the seconds that it took.

    Parameters
    ----------
    corpus, seed
        As for :func:`trustlab.course.n22_device_selection.fleets.problem` of the assistant's fleet as it is.
    baseline
        A name of :mod:`trustlab.course.baselines`.

    Examples
    --------
    >>> found = trivial(assistant(400, devices=5), "majority")
    >>> found["accuracy"] < 0.2, found["examples"]
    (True, 320)
    """
    started = time.perf_counter()
    if seed:
        utterances, devices = extent(corpus)
        corpus = assistant(utterances, devices=devices, seed=seed)
    known, asked = ([" ".join(tokens) for tokens in corpus[split]["tokens"]] for split in ("train", "test"))
    labels, true = (list(corpus[split]["intent"]) for split in ("train", "test"))
    right = np.array(CLASSIFIERS[baseline](known, labels, asked)) == np.array(true)
    device = KINDS[EMBEDDED].device
    clients = partition(corpus["train"][device], scheme="natural")
    scores = right.astype(float), np.ones(len(right))
    tests = own_tests(clients, corpus["test"][device])
    shares = accuracies(None, None, scores=lambda *_: scores, tests=tests, sizes=clients.sizes)
    return {**shares, "examples": len(known), "seconds": time.perf_counter() - started}
