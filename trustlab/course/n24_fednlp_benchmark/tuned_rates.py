"""The rates that notebook 24 tries for each method, and those it takes: its own, for each task, with and without skew.

Every method has as many trials, a whole grid or as many draws from a larger one; FedProx has those of FedAvg. A rate
counts only if the next larger one lost no training: the last one before loss is lost by the next seeds, see
:mod:`trustlab.course.sensitivity`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from trustlab.course.sensitivity import stable
from trustlab.course.tuning import Option, Space, Value, best
from trustlab.lab.saved import read, remembered

if TYPE_CHECKING:
    import pandas

SEARCH = "tuning/fednlp_benchmark_assistant"  # in data/results
TRIALS = 24  # of every method, on every task and partition that is searched
DIALS = ("client_rate", "server_rate", "mu", "batch")
TUNED_BY = ("task", "model", "algorithm", "partition")
SMALL_BATCH = 10  # of the clients
USUAL_MU = 0.1  # FedProx's
SEARCHED = ("uniform", "label")  # partitions; others take the rates of one of these, see shorter_steps
_SGD = Option((0.01, 0.03, 0.1, 0.2, 0.3, 0.6, 1.0, 1.5))
_ADAM = Option((0.0003, 0.001, 0.002, 0.004, 0.01, 0.02, 0.05, 0.1))
_AVERAGE = Option(
    (1.0, 2.0, 3.0),
    low_end="1 puts the average in place: FedAvg as it was published",
    high_end="with longer server steps and shorter client steps only the product of both counts, as in FedSGD",
)
_SCALED = "the server divides by the updates' size, so that a shorter step of the clients changes little"
_ADAPTIVE = {
    "client_rate": Option((0.1, 0.3, 0.6, 1.2, 2.4), low_end=_SCALED),
    "server_rate": Option((0.003, 0.01, 0.03, 0.1, 0.3)),
}
_BATCH = Option(
    (SMALL_BATCH, 30, 90),
    low_end="the batch of the clients",
    high_end="a larger batch takes too few steps in as many passes",
)
# By method, see :func:`method`. An option that is missing has its usual value.
SPACES: Mapping[str, Space] = MappingProxyType({
    "fedavg": {"client_rate": _SGD, "server_rate": _AVERAGE},
    "fedprox": {"client_rate": _SGD, "server_rate": _AVERAGE, "mu": Option((USUAL_MU,))},
    "fedadam": _ADAPTIVE,
    "fedyogi": _ADAPTIVE,
    "centralised": {"client_rate": Option((0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.6)), "batch": _BATCH},
    "centralised, adam": {"client_rate": _ADAM, "batch": _BATCH},
    "fedavg, adam clients": {"client_rate": _ADAM, "server_rate": _AVERAGE},
    "fedadam, adam clients": {"client_rate": _ADAM, "server_rate": Option((0.003, 0.01, 0.03, 0.1))},
    "heads": {"client_rate": Option((0.1, 0.3, 1.0, 2.0, 4.0, 8.0, 16.0, 64.0)), "server_rate": _AVERAGE},
    "top 2": {"client_rate": Option((0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1.0, 3.0)), "server_rate": _AVERAGE},
})  # fmt: skip


def method(model: str, algorithm: str) -> str:
    """Return what a search tunes as one: an algorithm with the small model, or what is trained of the encoder.

    Examples
    --------
    >>> method("small", "fedadam"), method("heads", "fedavg")
    ('fedadam', 'heads')
    """
    return model if model in SPACES else algorithm


def candidates() -> pandas.DataFrame:
    """Return the trials of the committed search whose rate may be taken: the next larger one lost no training."""
    return stable(read(SEARCH)[0], TUNED_BY, within=(*TUNED_BY, "batch"), client="client_rate")


@remembered
def chosen_rates() -> dict[tuple[str, ...], dict[str, Value]]:
    """Return what the search chose: task, model, algorithm and partition → the :data:`DIALS`."""
    rows = best(candidates(), by=TUNED_BY, options=DIALS).to_dict("records")
    return {tuple(row[name] for name in TUNED_BY): {name: row[name] for name in DIALS} for row in rows}


def shorter_steps(task: str, model: str, algorithm: str) -> dict[str, Value]:
    """Return the rates chosen on one of the :data:`SEARCHED` partitions: of both those with the smaller client rate.

    Partitions that were not searched take these. Where a client has many examples it takes many steps a round, and
    diverges at rates that were fine for clients of equal size.
    """
    both = [chosen_rates()[task, model, algorithm, where] for where in reversed(SEARCHED)]
    return min(both, key=lambda rates: rates["client_rate"])
