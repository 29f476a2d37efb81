"""A corpus over time as notebook 23 takes it: the embedded one with its drift, or the reader's own rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trustlab.course.intents import prepare, task
from trustlab.course.n23_continual_learning.experiment import PER_ROUND, Stream, over_periods
from trustlab.course.once import once
from trustlab.data.own import is_own
from trustlab.federated.partition import partition_pair
from trustlab.federated.partition.natural import by_period

if TYPE_CHECKING:
    import datasets

prepared = once(prepare)  # a corpus' examples: the panel has them made ahead


def stream_of(corpus: datasets.DatasetDict, *, seed: int = 0) -> Stream:
    """Return a corpus over time, and the model's first weights.

    Parameters
    ----------
    corpus
        The embedded one, or what :func:`trustlab.data.load_own` made with ``user=`` and ``time=``.
    seed
        Of the first weights.

    Raises
    ------
    ValueError
        If in a period of the reader's own fewer clients have data than are drawn in a round, or a period has no test.

    Examples
    --------
    >>> from trustlab.course.n23_continual_learning.experiment import assistant_over_time
    >>> made = stream_of(assistant_over_time(0.0, 0))
    >>> len(made.clients), np.bincount(made.test_periods).tolist()
    (200, [316, 318, 366, 340, 328, 332])
    """
    problem = task(prepared(corpus), seed=seed)
    if not is_own(corpus):
        return over_periods(corpus, problem)
    users = (corpus[split]["device"][:] for split in ("train", "test"))
    clients, tests = partition_pair(*users, scheme="natural", new_clients="keep")  # some may be in test only
    times = [np.array(corpus[split]["period"][:]) for split in ("train", "test")]
    for period, rows in by_period(clients, times[0]).items():
        there = int((rows.sizes > 0).sum())
        if there < PER_ROUND or period not in times[1]:
            lacks = "no test row" if period not in times[1] else f"{there}"
            raise ValueError(
                f"Expected {PER_ROUND} or more users with rows in each period, and a test row, got {lacks} in period "
                f"{period}. Cut time into fewer periods: load_own(…, periods=3)."
            )
    return Stream(problem, clients, tests, *times)
