"""The reproduction targets of the eDP-SGD paper, read off the committed results (claims of card P1)."""

from __future__ import annotations

from typing import Any

from trustlab.intervals import Interval
from trustlab.privacy.comparison import K, result_name
from trustlab.runs import read_results

A_FEW_PER_CENT = 1.05  # "training time very similar to the non-private one"
MANY_TIMES = 5.0


def claims_of_p1(corpus: str) -> list[dict[str, Any]]:
    """Return the rows for :func:`trustlab.lab.teaching.claims`.

    Parameters
    ----------
    corpus
        The corpus whose trainings are compared; the times are of the embedded corpus in every case.
    """
    return [
        {
            "claim": "The textbook per-example loop is many times slower than SGD (BiLSTM, batch of 128)",
            "measured": _times("bilstm", "DP-SGD, loop"),
            "holds": lambda times: times.low > MANY_TIMES,
            "unit": "× SGD",
        },
        *(
            {
                "claim": f"eDP-SGD trains within a few per cent of SGD's time ({where}, K = {k})",
                "measured": _times(model, f"eDP-SGD, K = {k}"),
                "holds": lambda times: times.high < A_FEW_PER_CENT,
                "unit": "× SGD",
            }
            for model, where, k in (("bilstm", "BiLSTM", 16), ("encoder", "22 M encoder", 4))
        ),
        {
            "claim": "(Ours) At the same guarantee, ε = 8, eDP-SGD is as accurate as DP-SGD (accuracy minus DP-SGD's)",
            "values": _difference(corpus, "accuracy", 8.0),
            "holds": lambda gap: gap.low > -0.02,
        },
        {
            "claim": "(Ours) … and so are its slots (slot F1 minus DP-SGD's)",
            "values": _difference(corpus, "slot_f1", 8.0),
            "holds": lambda gap: gap.low > -0.02,
        },
    ]


def _times(model: str, method: str) -> Interval:
    """Return the mean ratio to SGD over interleaved rounds, with its 95 % interval."""
    table, about = read_results("private_step_time")
    row = table[(table["model"] == model) & (table["method"] == method)].iloc[0]
    return Interval(row["times SGD"], row["low"], row["high"], about["config"]["repetitions"])


def _difference(corpus: str, measure: str, epsilon: float) -> list[float]:
    """Return eDP-SGD's `measure` minus DP-SGD's at `epsilon`, one number per seed."""
    table, _ = read_results(result_name(corpus))
    usual = table["micro_batches"].isin((0, K))
    at = table[usual & (table["epsilon"] == epsilon)].pivot(index="seed", columns="method", values=measure)
    return list(at["edp-sgd"] - at["dp-sgd"])
