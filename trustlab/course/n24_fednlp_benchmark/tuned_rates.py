"""What the search of notebook 24 tries: each algorithm's own rates, without skew and under label skew."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from trustlab.course.tuning import Option, Space

SEARCH = "tuning/fednlp_benchmark_assistant"  # in data/results
TRIALS = 15  # of every algorithm, on every task and partition that is searched
DIALS = ("client_rate", "server_rate", "mu", "batch")
SMALL_BATCH = 10  # of the clients
_SGD = Option((0.1, 0.3, 0.6, 1.0, 1.5))
_AVERAGE = Option((1.0, 2.0, 4.0), low_end="1 puts the average in place: FedAvg as it was published")
_ADAPTIVE = Option((0.03, 0.1, 0.3))
_BATCH = Option(
    (SMALL_BATCH, 30, 90),
    low_end="the batch of the clients",
    high_end="a larger batch takes too few steps in as many passes",
)
# By algorithm. An option that is missing has its usual value.
SPACES: Mapping[str, Space] = MappingProxyType({
    "fedavg": {"client_rate": _SGD, "server_rate": _AVERAGE},
    "fedadam": {"client_rate": _SGD, "server_rate": _ADAPTIVE},
    "centralised": {"client_rate": Option((0.05, 0.1, 0.2, 0.4, 0.8)), "batch": _BATCH},
})  # fmt: skip
