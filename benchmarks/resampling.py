"""How long bootstrap intervals of group metrics take, ours next to fairlearn's ``n_boot`` and a plain loop.

``python -m benchmarks resampling`` prints two tables, and with ``--write`` stores the first. In the first, all
methods take turns on the same 20,000 rows in 12 groups that partition them, each drawing as many resamples as it is
given; seconds are scaled to 1,000 resamples (fairlearn draws 20 in a turn: 1,000 would take minutes). Both give
intervals of the same four rates in every group, and of their gaps. In the second, ours alone: 1,000 resamples of
rates and of AUCs, in groups that overlap.

Predictions, written before the first run of this file on an idle machine, from what was seen on a busy one:

- Rates of 12 groups: 0.5 to 0.7 s for 1,000 resamples; AUCs 1.0 to 1.3 s, with ties a tenth more.
- fairlearn takes 30 ms or more for a resample (it builds a MetricFrame for each), so ours is 50 times as fast or more.
- scikit-learn's ``roc_auc_score`` in a loop over resamples and groups takes about 12 × 3 × 2 ms, so 70 s.

What came (two idle cores, 2026-11-21): rates in 0.37 s; fairlearn takes 0.2 s for a resample, 536 times as long (95 %
444 to 648). AUCs in 0.43 s, in overlapping groups 0.6 s; the loop takes 87 s, 200 times as long (188 to 214).
"""

from __future__ import annotations

import argparse
import functools
import statistics
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.turns import seconds_of, store, take_turns
from trustlab.fairness.groups import Bootstrap, Groups, group_aucs, group_rates
from trustlab.lab.display import table

NAME = "resampling_speed"
ROWS, GROUPS, RESAMPLES = 20_000, 12, 1_000
OURS, FAIRLEARN, LOOP = "trustlab", "fairlearn n_boot", "scikit-learn in a loop"
FEW = {FAIRLEARN: 20, LOOP: 2}  # resamples that the slow methods draw in a turn
NAMES = tuple(f"group {g:2d}" for g in range(GROUPS))


def measure(repetitions: int = 5) -> Iterator[dict[str, Any]]:
    """Yield one row per metric and method: seconds for 1,000 resamples, and how many times ours of the same turn."""
    truth, scores, labels, _ = answers()
    for metric, methods in (("rates", _rates(truth, scores, labels)), ("aucs", _aucs(truth, scores, labels))):
        whole = {name: functools.partial(run, FEW.get(name, RESAMPLES)) for name, run in methods.items()}
        shares = {name: FEW.get(name, RESAMPLES) / RESAMPLES for name in methods}
        for row in take_turns(whole, repetitions, shares=shares):
            what = f"{RESAMPLES:,} resamples of {metric}, {ROWS:,} rows in {GROUPS} groups"
            yield {"what": what, **row}


def overlapping(repetitions: int = 5) -> Iterator[dict[str, Any]]:
    """Yield the seconds of 1,000 resamples of ours alone, in groups that overlap; scores with ties for the last."""
    truth, scores, _, masks = answers()
    own, settings = Groups(NAMES, masks), Bootstrap(RESAMPLES)
    cases = {
        "rates": lambda: group_rates(truth, scores > 0.5, own, bootstrap=settings),
        "aucs": lambda: group_aucs(truth, scores, own, bootstrap=settings),
        "aucs with ties": lambda: group_aucs(truth, scores.round(1), own, bootstrap=settings),
    }
    for name, run in cases.items():
        times = [seconds_of(run) for _ in range(repetitions)]
        yield {"metrics": name, "seconds": statistics.median(times), "slowest": max(times), "rounds": repetitions}


def answers(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return truth [N], scores [N], a group for each row [N], and masks of overlapping groups [N, G]."""
    rng = np.random.default_rng(seed)
    truth = rng.random(ROWS) < 0.3
    scores = rng.normal(size=ROWS) + truth
    return truth, scores, rng.choice(NAMES, size=ROWS), rng.random((ROWS, GROUPS)) < 0.2


def _rates(truth: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> dict[str, Callable[[int], Any]]:
    """Return what is timed, from answers in memory to intervals of four rates by group and of their gaps."""
    predicted, own = scores > 0.5, Groups.by(labels)
    methods = {OURS: lambda n: group_rates(truth, predicted, own, bootstrap=Bootstrap(n))}
    try:
        from fairlearn import metrics
        from sklearn.metrics import accuracy_score
    except ImportError:
        return methods
    rates = {
        "accuracy_score": accuracy_score,
        "selection_rate": metrics.selection_rate,
        "true_positive_rate": metrics.true_positive_rate,
        "false_positive_rate": metrics.false_positive_rate,
    }

    def peer(resamples: int) -> Any:
        frame = metrics.MetricFrame(
            metrics=rates, y_true=truth, y_pred=predicted, sensitive_features=labels, n_boot=resamples,
            ci_quantiles=[0.025, 0.975], random_state=0,
        )  # fmt: skip
        return frame.by_group_ci, frame.difference_ci()

    return methods | {FAIRLEARN: peer}


def _aucs(truth: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> dict[str, Callable[[int], Any]]:
    """Return what is timed, from answers in memory to intervals of three AUCs by group."""
    from sklearn.metrics import roc_auc_score

    own = Groups.by(labels)

    def loop(resamples: int) -> Any:
        rng, found = np.random.default_rng(0), []
        for _ in range(resamples):
            drawn = rng.integers(ROWS, size=ROWS)
            y, s = truth[drawn], scores[drawn]
            for mask in own.masks[drawn].T:
                sides = (mask, mask ^ y, mask ^ ~y)  # subgroup, BPSN, BNSP
                found.append([roc_auc_score(y[rows], s[rows]) for rows in sides])
        return np.quantile(np.array(found).reshape(resamples, GROUPS, 3), [0.025, 0.975], axis=0)

    return {OURS: lambda n: group_aucs(truth, scores, own, bootstrap=Bootstrap(n)), LOOP: loop}


def main(asked: argparse.Namespace) -> None:
    """Run, print, and store where asked to."""
    rows = list(measure())
    print(table(rows))
    print(table(list(overlapping())))
    if asked.write:
        print("wrote", store(NAME, rows, [measure], ["fairlearn", "scikit-learn"]))
