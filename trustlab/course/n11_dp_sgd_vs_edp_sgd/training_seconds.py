"""How long a training takes by each way to compute it: its steps, each as long as the benchmark measured it.

One training is computed in several ways that release the same sums: exact DP-SGD by the per-example loop, by Opacus and
by one backward pass; eDP-SGD by a backward pass for each of its K micro-batches, or by one for all of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.course.corpora import EMBEDDED
from trustlab.lab.saved import read, select
from trustlab.privacy.timing import FAST, LOOP, PLAIN

if TYPE_CHECKING:
    import pandas

TIMES = "private_batch_time"  # written by ``python -m benchmarks batches --write``
UTTERANCES: Mapping[str, int] = MappingProxyType({EMBEDDED: 16_000, "snips": 13_084, "atis": 4_478})  # for training
PAPERS = 130  # "up to 130-fold", in the summaries of the paper


@dataclass(frozen=True)
class Way:
    """A way to compute a training: its label, the `method` of the tables, and its name in the benchmark."""

    label: str
    method: str
    timed: str

    def step(self, batch: int, micro_batches: int = 0) -> float:
        """Return the seconds of one step; Opacus takes a large batch in the parts that it is quickest with."""
        name = self.timed.format(k=micro_batches)
        if "Opacus" not in name:
            return timed(name, batch)["seconds"]
        rows = select(read(TIMES)[0], method=name)
        rows = rows[rows["batch"] <= batch]
        return float((rows["seconds"] / rows["batch"]).min() * batch)


WAYS: Mapping[str, Way] = MappingProxyType({
    "sgd": Way("SGD", "sgd", PLAIN),
    "loop": Way("DP-SGD, loop", "fast", LOOP),
    "opacus": Way("DP-SGD, Opacus ghost", "fast", "DP-SGD, Opacus ghost"),
    "passes": Way("eDP-SGD, K passes", "edp-sgd", "eDP-SGD, K = {k}, K passes"),
    "groups": Way("eDP-SGD, one pass", "edp-sgd", "eDP-SGD, K = {k}"),
    "fast": Way("DP-SGD, one pass", "fast", FAST),
})  # fmt: skip


def timed(name: str, batch: int) -> Mapping[str, Any]:
    """Return the benchmark's row of one method and batch.

    Raises
    ------
    ValueError
        If it was not timed.
    """
    rows = select(read(TIMES)[0], method=name, batch=batch).to_dict("records")
    if len(rows) != 1:
        raise ValueError(
            f"Expected one row for {name} with batches of {batch} in {TIMES}, got {len(rows)}. Run "
            "`python -m benchmarks batches --write`."
        )
    return rows[0]


def training_seconds(way: Way, corpus: str, *, epochs: int, batch_size: int, micro_batches: int = 0) -> float:
    """Return the seconds of a whole training on `corpus`, every utterance taken as 16 tokens long."""
    steps = epochs * round(UTTERANCES[corpus] / batch_size)
    return steps * way.step(int(batch_size), int(micro_batches))


def loop_against_sgd(table: pandas.DataFrame) -> dict[str, float]:
    """Return what decides how many times slower the loop is, from the seconds of steps of several batches.

    A step of SGD takes a + b·B, fitted; the loop's B times as long as one utterance alone. So their ratio rises with
    the batch, to a limit: an utterance alone against one more in a batch.

    Parameters
    ----------
    table
        The benchmark of batches, :data:`TIMES`.

    Returns
    -------
    dict
        ``alone`` and ``one more``, seconds; ``limit``, their ratio; ``needed``, the seconds of one more utterance with
        which the limit were the paper's 130.
    """
    loop, plain = (select(table, method=name).sort_values("batch") for name in (LOOP, PLAIN))
    alone = float((loop["seconds"] / loop["batch"]).median())
    # Relative errors are alike for short and long steps.
    one_more, _ = np.polyfit(plain["batch"], plain["seconds"], 1, w=1 / plain["seconds"])
    return {"alone": alone, "one more": float(one_more), "limit": alone / one_more, "needed": alone / PAPERS}


def rounded_seconds(seconds: float) -> str:
    """Write seconds with two digits, from 100 s on in minutes.

    Examples
    --------
    >>> rounded_seconds(31.4), rounded_seconds(542.0)
    ('31 s', '9 min')
    """
    if seconds >= 100:
        return f"{seconds / 60:.0f} min"
    return f"{seconds:.{max(0, 1 - math.floor(math.log10(seconds)))}f} s"
