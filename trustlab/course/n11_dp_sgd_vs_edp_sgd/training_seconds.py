"""How many times slower than SGD the per-example loop can get, from the seconds of steps of several batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.lab.saved import read, select
from trustlab.privacy.timing import LOOP, PLAIN

if TYPE_CHECKING:
    import pandas

TIMES = "private_batch_time"  # written by ``python -m benchmarks batches --write``
PAPERS = 130  # "up to 130-fold", in the summaries of the paper


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
